"""Processes that die by kill -9 under a running system: each comes back, calls work again, and a dead supervisor leaves nothing behind."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import httpx
import pytest

from offhook.phones.calls import CallRefuses
from offhook.phones.ear import NotHeard
from offhook.phones.phone import Phone, answers_after
from offhook.phones.sources import Tone
from offhook.phones.waiting import NotInTime
from offhook.supervisor.deathwatch import has_living_members
from tests.calls.orphans import assert_nothing_is_left
from tests.calls.stories import HIGH, LOW, connected, eventually, hear_each_other, registered
from tests.calls.system import System, start_system

pytestmark = pytest.mark.engines
log = logging.getLogger(__name__)

GENEROUS_SECONDS = 15.0
"""Five are promised; a machine that runs other tests besides gets more. The time it took is in the test's report."""
ATTEMPT_SECONDS = 2.0
WRITTEN_BACK_SECONDS = 2.0


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system whose processes are killed."""
    running = start_system(tmp_path_factory.mktemp("mortal") / "var")
    yield running
    assert running.stop() == 0, running.output.read_text()


@pytest.fixture
async def orderly(mortal: System) -> AsyncIterator[System]:
    """The same, and at the end no engine holds anything for a call that is over."""
    yield mortal
    await assert_nothing_is_left(mortal)


def _restarts(system: System, name: str) -> int | None:
    """How often a process was started again; None while it, or whoever tells, is not up."""
    try:
        states = system.api("GET", "/status").json()["processes"]
    except (httpx.HTTPError, KeyError):
        return None
    state = next(each for each in states if each["name"] == name)
    return int(state["restarts"]) if state["state"] == "ready" else None


async def _speaking(anna: Phone, ben: Phone) -> bool:
    """One try: anna calls ben, who answers by himself; whether each heard the other."""
    call = await anna.dials("102")
    try:
        await call.answered(ATTEMPT_SECONDS)
        other = ben.calls[-1]
        await call.hears.tone(HIGH, patience=ATTEMPT_SECONDS)
        await other.hears.tone(LOW, patience=ATTEMPT_SECONDS)
    except (CallRefuses, NotInTime, NotHeard):
        return False
    finally:
        await asyncio.gather(call.hangs_up(1), return_exceptions=True)
    return True


async def _seconds_until_calls_work(anna: Phone, ben: Phone) -> float:
    began = time.monotonic()
    while not await _speaking(anna, ben):
        assert time.monotonic() - began < GENEROUS_SECONDS, f"no call worked in {GENEROUS_SECONDS:g} s\n{anna.story()}"
        await asyncio.sleep(0.1)
    return time.monotonic() - began


def _process(pid: int) -> None:
    os.kill(pid, signal.SIGKILL)


def _group(pid: int) -> None:
    os.killpg(pid, signal.SIGKILL)


@pytest.mark.parametrize(
    ("name", "kill"),
    [
        ("kamailio", _process),
        ("kamailio", _group),
        ("rtpengine", _process),
        ("switch", _process),
        ("web", _process),
        ("carrier", _process),
    ],
    ids=["kamailio", "kamailio with its workers", "rtpengine", "switch", "web", "carrier"],
)
async def test_what_dies_is_started_again_and_telephones_ring_without_registering_anew(
    orderly: System, name: str, kill: Callable[[int], None]
) -> None:
    anna = orderly.phone("anna", says=lambda: Tone(LOW))
    ben = orderly.phone("ben", says=lambda: Tone(HIGH), policy=answers_after(0))
    async with registered(anna, ben):
        assert await _speaking(anna, ben), anna.story()
        await asyncio.sleep(WRITTEN_BACK_SECONDS)  # the edge promises registrations that are this old, so this much must pass
        before, pid = _restarts(orderly, name), orderly.pids()[name]
        registers = ben.story().count("REGISTER sip:")
        assert before is not None
        kill(pid)
        log.info("seconds until calls worked after the death of %s: %.2f", name, await _seconds_until_calls_work(anna, ben))
        await eventually(lambda: _restarts(orderly, name) == before + 1, f"{name} is started again, once", GENEROUS_SECONDS)
        assert orderly.pids()[name] != pid
        assert ben.story().count("REGISTER sip:") == registers
        assert f"{name} ended (killed by SIGKILL); it is started again" in orderly.output.read_text()


async def test_the_public_network_is_back_after_the_death_of_its_carrier(orderly: System) -> None:
    before = _restarts(orderly, "carrier")
    assert before is not None
    os.kill(orderly.pids()["carrier"], signal.SIGKILL)
    await eventually(lambda: _restarts(orderly, "carrier") == before + 1, "the carrier is back", GENEROUS_SECONDS)
    async with registered(orderly.phone("anna")) as (anna,):
        call = await (await anna.dials("12065550199")).answered()
        await call.hears.speech()
        await call.hangs_up()


async def test_a_call_outlives_the_edge_and_the_pages(orderly: System) -> None:
    async with registered(orderly.phone("anna"), orderly.phone("ben")) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        await hear_each_other(call, other)
        for name in ("kamailio", "web"):
            before, pid = _restarts(orderly, name), orderly.pids()[name]
            assert before is not None
            os.kill(pid, signal.SIGKILL)
            await eventually(lambda n=name, b=before: _restarts(orderly, n) == b + 1, f"{name} is back", GENEROUS_SECONDS)  # type: ignore[misc]
        await hear_each_other(call, other)
        assert (await call.hangs_up()).status == 200
        assert (await other.ended()).status == 200


def _processes_of(system: System, groups: tuple[int, ...]) -> list[str]:
    """Command lines of all that runs in these groups or names the system's folder."""
    left = [f"group {group}" for group in groups if has_living_members(group)]
    for file in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            words = file.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if f"{system.folder}/" in words and int(file.parent.name) != os.getpid():
            left.append(words)
    return left


async def test_nothing_is_left_of_a_supervisor_that_was_killed(tmp_path: Path) -> None:
    system = start_system(tmp_path / "var")
    groups = tuple(system.pids().values())
    assert len(groups) == 6
    for name in ("kamailio", "switch", "web", "carrier"):
        assert any(name in words for words in _processes_of(system, ())), name
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        await hear_each_other(call, other)
        began = time.monotonic()
        system.process.kill()
        system.process.wait()
        await eventually(lambda: not _processes_of(system, groups), "no process is left", GENEROUS_SECONDS)
        log.info("seconds until nothing was left: %.2f", time.monotonic() - began)
        await asyncio.gather(anna.vanish(), ben.vanish())
