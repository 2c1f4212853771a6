"""Calls under which the media engine or its memory is killed: sound goes on where it is remembered, and calls end where it is not."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from offhook.engines.rtpengine.client import NgClient
from offhook.phones.calls import PhoneCall
from offhook.phones.happenings import Who
from offhook.phones.phone import Phone, answers_after
from offhook.phones.sources import Nothing, Tone
from tests.calls.stories import PATIENCE_SECONDS, connected, eventually, hear_each_other, registered, told
from tests.calls.system import System, start_system

pytestmark = pytest.mark.engines
log = logging.getLogger(__name__)

LOW_AFTER, HIGH_AFTER = 620.0, 1500.0
Pair = tuple[PhoneCall, PhoneCall]


@pytest.fixture(scope="module")
def remembering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system whose calls are remembered."""
    running = start_system(tmp_path_factory.mktemp("remembering") / "var")
    yield running
    assert running.stop() == 0, running.output.read_text()


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system whose calls are not."""
    running = start_system(tmp_path_factory.mktemp("forgetful") / "var", OFFHOOK_MEDIA_MEMORY="no")
    yield running
    assert running.stop() == 0, running.output.read_text()


@asynccontextmanager
async def asking(system: System) -> AsyncIterator[NgClient]:
    """Asks the engine beside the switch."""
    client = await NgClient.connect("127.0.0.1", system.plan.ng_port)
    try:
        yield client
    finally:
        client.close()


async def engine_calls(client: NgClient) -> set[str]:
    """The calls that the engine has."""
    listed = (await client.ask("list", {"limit": 2000}))["calls"]
    assert isinstance(listed, list)
    return {str(call) for call in listed}


async def ports_of(client: NgClient, call: str) -> list[int]:
    """The engine's ports of one call."""
    told: Any = await client.ask("query", {"call-id": call})
    streams = (stream for tag in told["tags"].values() for media in tag["medias"] for stream in media["streams"])
    return sorted(stream["local port"] for stream in streams)


async def emptied(client: NgClient) -> None:
    """Wait until the engine has no call."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while await engine_calls(client):
            await asyncio.sleep(0.05)


def kill(system: System, name: str) -> float:
    """kill -9; when it was done."""
    os.kill(system.pids()[name], signal.SIGKILL)
    return time.monotonic()


async def many_calls(anna: Phone, ben: Phone, count: int) -> list[Pair]:
    """Calls from anna to ben, who answers by himself."""
    pairs = []
    for _ in range(count):
        call = await (await anna.dials("102")).answered(PATIENCE_SECONDS)
        pairs.append((call, ben.calls[-1]))
    return pairs


async def resumed(pairs: list[Pair]) -> None:
    """Wait until each hears what the other says from now on."""
    for call, other in pairs:
        call.says(Tone(LOW_AFTER))
        other.says(Tone(HIGH_AFTER))
    for call, other in pairs:
        await call.hears.tone(HIGH_AFTER, patience=PATIENCE_SECONDS)
        await other.hears.tone(LOW_AFTER, patience=PATIENCE_SECONDS)


async def _goes_on(system: System, count: int, listened: int) -> None:
    """Kill the engine under so many calls, and listen to some of them."""
    # Those that nobody listens to say nothing: two hundred voices are more than the test itself can speak.
    ben = system.phone("ben", policy=answers_after(0), says=Nothing)
    async with registered(system.phone("anna", says=Nothing), ben, system.phone("chloe")) as (anna, _, chloe), asking(system) as engine:
        pairs = await many_calls(anna, ben, count)
        menu = await (await chloe.dials("100")).answered(PATIENCE_SECONDS)
        for pair in pairs[:listened]:
            await hear_each_other(*pair)
        kept_waiting, holder = pairs[0]
        await holder.holds()
        before = {call: await ports_of(engine, call) for call in await engine_calls(engine)}
        assert len(before) == count + 1
        began = kill(system, "rtpengine")
        await resumed(pairs[1:listened])
        log.info("%d calls: sound was back %.2f s after the death of rtpengine", count, time.monotonic() - began)
        assert {call: await ports_of(engine, call) for call in await engine_calls(engine)} == before
        await kept_waiting.hears.until(lambda: kept_waiting.hears.level() > -45, "music again", PATIENCE_SECONDS)
        await menu.hears.speech(PATIENCE_SECONDS)
        await holder.resumes()
        await resumed(pairs[:1])
        await asyncio.gather(*(call.hangs_up(PATIENCE_SECONDS) for call, _ in pairs), menu.hangs_up(PATIENCE_SECONDS))
        await told(system, pairs[-1][0], "completed.by_caller")
        await emptied(engine)


async def test_sound_goes_on_where_calls_are_remembered(remembering: System) -> None:
    await _goes_on(remembering, count=12, listened=6)


@pytest.mark.long
async def test_sound_of_two_hundred_calls_goes_on(remembering: System) -> None:
    await _goes_on(remembering, count=200, listened=10)


async def test_calls_go_on_when_the_memory_dies(remembering: System) -> None:
    async with registered(remembering.phone("anna"), remembering.phone("ben")) as (anna, ben), asking(remembering) as engine:
        call, other = await connected(anna, ben, "102")
        await hear_each_other(call, other)
        carrier = remembering.pids()["rtpengine"]
        kill(remembering, "redis")
        later = await connected(anna, ben, "102")
        await hear_each_other(*later)
        await resumed([(call, other)])
        await asyncio.gather(call.hangs_up(PATIENCE_SECONDS), later[0].hangs_up(PATIENCE_SECONDS))
        await told(remembering, call, "completed.by_caller")
        await emptied(engine)
        assert remembering.pids()["rtpengine"] == carrier
        # What the dead memory held is gone; what is said from now on is kept by the next one.
        await eventually(lambda: "redis ended" in remembering.output.read_text(), "the death is told")


async def test_calls_end_where_nothing_remembers_them(forgetful: System) -> None:
    ben = forgetful.phone("ben", policy=answers_after(0))
    async with registered(forgetful.phone("anna"), ben, forgetful.phone("chloe")) as (anna, _, chloe), asking(forgetful) as engine:
        pairs = await many_calls(anna, ben, 10)
        menu = await (await chloe.dials("100")).answered(PATIENCE_SECONDS)
        await hear_each_other(*pairs[0])
        began = kill(forgetful, "rtpengine")
        ends = [each for pair in pairs for each in pair] + [menu]
        for ended in await asyncio.gather(*(each.ended(PATIENCE_SECONDS) for each in ends)):
            assert ended.who is Who.THEM
        log.info("%d calls had ended %.2f s after the death of rtpengine", len(pairs) + 1, time.monotonic() - began)
        for call, _ in pairs[:2]:
            await told(forgetful, call, "media.lost")
        await told(forgetful, menu, "media.lost")
        await emptied(engine)
        after = await many_calls(anna, ben, 1)
        await hear_each_other(*after[0])
        await after[0][0].hangs_up(PATIENCE_SECONDS)
        await emptied(engine)
