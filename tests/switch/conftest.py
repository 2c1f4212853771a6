"""An office for every test."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.switch.office import Office


@pytest.fixture
async def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Office]:
    """A switch in memory that writes its calls' records without delay."""
    monkeypatch.setattr("offhook.switch.exchange.LINGER_SECONDS", 0.02)
    monkeypatch.setattr("offhook.switch.exchange.WRITTEN_SECONDS", 0.02)
    office = Office(tmp_path)
    yield office
    office.journal.close()
