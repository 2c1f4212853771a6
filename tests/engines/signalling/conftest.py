"""A line and the far end it speaks with."""

from collections.abc import AsyncIterator

import pytest

from tests.engines.signalling.far_end import FarEnd, Line


@pytest.fixture
async def line(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Line]:
    """The switch's line on a free port, with its far end open."""
    monkeypatch.setattr("offhook.engines.signalling.line.FAREWELL_SECONDS", 0.1)
    far = FarEnd()
    await far.open()
    line = Line(far)
    await line.line.open()
    yield line
    line.line.close()
    far.transport.close()
