"""A switch that is too busy to listen does not take rtpengine for dead, and give up every call."""

import asyncio
import time
from typing import cast

import pytest

from offhook.engines.rtpengine import watch
from offhook.engines.rtpengine.figures import Standing
from offhook.engines.rtpengine.relay import RtpEngine
from offhook.services.ports.media import MediaAbsent


class Silent:
    """An engine of which nothing is heard; `busy` is how long the loop does something else meanwhile, in seconds."""

    def __init__(self, busy: float) -> None:
        self._busy = busy

    async def look(self) -> Standing:
        time.sleep(self._busy)  # noqa: ASYNC251 - that is the point
        await asyncio.sleep(0)
        raise MediaAbsent("nothing heard")


@pytest.mark.parametrize(("busy", "given_up"), [(0.0, True), (0.3, False)], ids=["it is silent", "we are busy"])
async def test_only_silence_that_we_listened_to_counts(monkeypatch: pytest.MonkeyPatch, busy: float, given_up: bool) -> None:
    for name, seconds in (("AWAY_SECONDS", 1.0), ("_PATIENCE_SECONDS", 0.1), ("_LATE_SECONDS", 0.1)):
        monkeypatch.setattr(watch, name, seconds)
    told = asyncio.Event()

    async def nobody() -> None:
        return None

    async def absent() -> None:
        told.set()

    task = asyncio.create_task(watch.MediaWatch(cast(RtpEngine, Silent(busy)), nobody, absent).look())
    try:
        async with asyncio.timeout(4):
            await told.wait()
    except TimeoutError:
        pass
    finally:
        task.cancel()
    assert told.is_set() is given_up
