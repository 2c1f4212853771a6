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
from tests.calls.orphans import assert_nothing_is_left
from tests.calls.stories import PATIENCE_SECONDS, connected, eventually, hear_each_other, registered, told
from tests.calls.system import System, start_system

pytestmark = pytest.mark.engines
log = logging.getLogger(__name__)

LOW_AFTER, HIGH_AFTER = 620.0, 1500.0
BACK_SECONDS = 3.0
"""Until sound is back where it is remembered; a second or two are promised."""
LOST_SECONDS = 5.0
"""Until everybody is hung up where it is not."""
Pair = tuple[PhoneCall, PhoneCall]


@pytest.fixture(scope="module")
def remembering(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system whose calls are remembered."""
    running = start_system(tmp_path_factory.mktemp("remembering") / "var", OFFHOOK_MOST_CALLS_A_USER="300")
    yield running
    assert running.stop() == 0, running.output.read_text()


@pytest.fixture(scope="module")
def forgetful(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system whose calls are not."""
    running = start_system(tmp_path_factory.mktemp("forgetful") / "var", OFFHOOK_MEDIA_MEMORY="no", OFFHOOK_MOST_CALLS_A_USER="300")
    yield running
    assert running.stop() == 0, running.output.read_text()


@pytest.fixture(autouse=True)
async def tidy(request: pytest.FixtureRequest) -> AsyncIterator[None]:
    """At the end nobody holds anything."""
    yield
    for name in {"remembering", "forgetful"}.intersection(request.fixturenames):
        await assert_nothing_is_left(request.getfixturevalue(name))


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


def kill(system: System, *names: str) -> float:
    """kill -9; when it was done."""
    pids = system.pids()
    for name in names:
        os.kill(pids[name], signal.SIGKILL)
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
        took = time.monotonic() - began
        log.info("%d calls: sound was back %.2f s after the death of rtpengine", count, took)
        assert took < BACK_SECONDS
        assert {call: await ports_of(engine, call) for call in await engine_calls(engine)} == before
        await kept_waiting.hears.until(lambda: kept_waiting.hears.level() > -45, "music again", PATIENCE_SECONDS)
        await menu.hears.speech(PATIENCE_SECONDS)
        await holder.resumes()
        await resumed(pairs[:1])
        await asyncio.gather(*(call.hangs_up(PATIENCE_SECONDS) for call, _ in pairs), menu.hangs_up(PATIENCE_SECONDS))
        await told(system, pairs[-1][0], "completed.by_caller")


async def test_sound_goes_on_where_calls_are_remembered(remembering: System) -> None:
    await _goes_on(remembering, count=12, listened=6)


@pytest.mark.long
async def test_sound_of_two_hundred_calls_goes_on(remembering: System) -> None:
    await _goes_on(remembering, count=200, listened=10)


async def test_calls_go_on_when_the_memory_dies(remembering: System) -> None:
    async with registered(remembering.phone("anna"), remembering.phone("ben")) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        await hear_each_other(call, other)
        carrier = remembering.pids()["rtpengine"]
        kill(remembering, "redis")
        later = await connected(anna, ben, "102")
        await hear_each_other(*later)
        await resumed([(call, other)])
        await asyncio.gather(call.hangs_up(PATIENCE_SECONDS), later[0].hangs_up(PATIENCE_SECONDS))
        await told(remembering, call, "completed.by_caller")
        assert remembering.pids()["rtpengine"] == carrier
        # What the dead memory held is gone; what is said from now on is kept by the next one.
        await eventually(lambda: "redis ended" in remembering.output.read_text(), "the death is told")


async def _end(system: System, count: int, *killed: str) -> None:
    """Kill what carries and remembers so many calls: all are hung up and told as lost, and the next call has sound."""
    ben = system.phone("ben", policy=answers_after(0), says=Nothing)
    async with registered(system.phone("anna", says=Nothing), ben, system.phone("chloe")) as (anna, _, chloe):
        pairs = await many_calls(anna, ben, count)
        menu = await (await chloe.dials("100")).answered(PATIENCE_SECONDS)
        await hear_each_other(*pairs[0])
        began = kill(system, *killed)
        ends = [each for pair in pairs for each in pair] + [menu]
        for ended in await asyncio.gather(*(each.ended(PATIENCE_SECONDS) for each in ends)):
            assert ended.who is Who.THEM
        took = time.monotonic() - began
        log.info("%d calls had ended %.2f s after the death of %s", len(pairs) + 1, took, " and ".join(killed))
        assert took < LOST_SECONDS
        for call, _ in pairs[-2:]:  # among the latest, which are looked through
            await told(system, call, "media.lost")
        await told(system, menu, "media.lost")
        await eventually(lambda: set(killed) <= ready(system), "all are started again")
        after = await many_calls(anna, ben, 1)
        await hear_each_other(*after[0])
        await after[0][0].hangs_up(PATIENCE_SECONDS)


def ready(system: System) -> set[str]:
    """The processes that are."""
    return {each["name"] for each in system.api("GET", "/status").json()["processes"] if each["state"] == "ready"}


async def test_calls_end_where_nothing_remembers_them(forgetful: System) -> None:
    await _end(forgetful, 10, "rtpengine")


async def test_calls_end_when_the_memory_dies_with_the_engine(remembering: System) -> None:
    await _end(remembering, 10, "redis", "rtpengine")


@pytest.mark.long
async def test_two_hundred_calls_end_where_nothing_remembers_them(forgetful: System) -> None:
    await _end(forgetful, 200, "rtpengine")


@pytest.mark.long
async def test_two_hundred_calls_end_when_the_memory_dies_with_the_engine(remembering: System) -> None:
    await _end(remembering, 200, "redis", "rtpengine")
