"""What calls stand on gives way: the database goes, the disk fills, the clock jumps. Calls go on, and no record is lost or doubled."""

import asyncio
import logging
import os
import shutil
import signal
import struct
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from offhook import intercom
from offhook.phones.calls import PhoneCall
from offhook.phones.phone import Phone
from tests.calls.orphans import assert_nothing_is_left
from tests.calls.stories import connected, eventually, hear_each_other, registered, told
from tests.calls.system import System, start_system

pytestmark = pytest.mark.engines
log = logging.getLogger(__name__)

DISK_MEGABYTES = 48
HOUR = 3600
SECOND_GRACE = 1.5


async def talk(anna: Phone, ben: Phone) -> PhoneCall:
    """A whole call with sound, over again."""
    call, other = await connected(anna, ben, "102")
    await hear_each_other(call, other)
    await call.hangs_up()
    await other.ended()
    return call


async def greeted(caller: Phone) -> None:
    """The attendant answers and speaks."""
    call = await (await caller.dials("100")).answered()
    await call.hears.speech()
    await call.hangs_up()


async def restarted(system: System, name: str) -> None:
    """Kill a process and wait for the next."""
    gone = system.pids()[name]
    os.kill(gone, signal.SIGKILL)
    await eventually(lambda: "ready" in states(system)[name] and system.pids()[name] != gone, f"another {name}", 30)


def states(system: System) -> dict[str, str]:
    """How each process stands."""
    return {each["name"]: each["state"] for each in system.api("GET", "/status").json()["processes"]}


def known_once(system: System) -> list[str]:
    """Every call in the list of those that are over; none may stand there twice."""
    calls = [each["call"] for each in system.api("GET", "/calls?state=over&limit=100").json()["calls"]]
    assert len(calls) == len(set(calls)), calls
    return calls


async def test_without_the_database_calls_go_on_even_after_the_death_of_the_switch(tmp_path: Path) -> None:
    system = start_system(tmp_path / "var")
    database, spool = system.folder / "offhook.sqlite", system.folder / "records.spool"
    try:
        await eventually((system.folder / "configuration.sqlite").exists, "a copy of the configuration")
        async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
            away = database.rename(database.with_suffix(".away"))
            first = await talk(anna, ben)
            await eventually(spool.exists, "the first record on disk")
            gone = (await asyncio.to_thread(supervised, system))["switch"]
            assert gone is not None
            os.kill(gone, signal.SIGKILL)
            await eventually(lambda: supervised(system)["switch"] not in (None, gone), "another switch", 30)
            await eventually(lambda: "last in effect" in system.log("switch"), "a word about it", 30)
            second = await until_it_works(anna, ben)
            emergency = await (await anna.dials("911")).answered(20)
            await emergency.hears.speech()
            await emergency.hangs_up()
            assert not database.exists(), "an empty database stands in the place of the real one"
            away.rename(database)
            for call in (first, second, emergency):
                await told(system, call, "completed.by_caller")
            await talk(anna, ben)
            await assert_nothing_is_left(system)
            assert len(known_once(system)) == 4
    finally:
        assert system.stop() == 0, system.output.read_text()


def supervised(system: System) -> dict[str, int | None]:
    """The processes as the supervisor tells, who needs no database."""
    asked = asyncio.run(intercom.ask(system.plan.supervisor_desk, "states"))
    return {each["name"]: each["pid"] if each["state"] == "ready" else None for each in asked}


async def until_it_works(anna: Phone, ben: Phone) -> PhoneCall:
    """The first whole call that works, once the new switch takes calls."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return await talk(anna, ben)
        except Exception:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.2)


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of its own, in memory and soon full."""
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", f"size={DISK_MEGABYTES}m", "tmpfs", str(folder)]
    if os.getuid() or subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("only root may make a disk for this test")
    try:
        yield folder
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(disk: Path) -> Path:
    """A file that leaves no octet free."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        for size in (1 << 20, 4096, 1):
            while True:
                try:
                    if not file.write(b"\0" * size):
                        break
                except OSError:
                    break
    return filler


async def test_on_a_full_disk_calls_go_on_and_their_records_are_written_when_there_is_room(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk") as disk:
        system = start_system(disk / "var")
        try:
            async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
                before = await talk(anna, ben)
                await greeted(anna)
                await told(system, before, "completed.by_caller")
                filler = await asyncio.to_thread(fill, disk)
                during, other = await connected(anna, ben, "102")
                await hear_each_other(during, other)
                filled = [await talk(anna, ben) for _ in range(2)]
                await greeted(anna)
                assert shutil.disk_usage(disk).free < 4096
                assert set(states(system).values()) == {"ready"}
                filler.unlink()
                await hear_each_other(during, other)
                await during.hangs_up()
                for call in (during, *filled):
                    await told(system, call, "completed.by_caller")
                await assert_nothing_is_left(system)
                assert len(known_once(system)) == 6
                assert "full" in system.log("switch") or "No space left" in system.log("switch")
        finally:
            assert system.stop() == 0, system.output.read_text()


class Clock:
    """The wall clock of one system, which can be set."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "clock"
        self._file.write_bytes(struct.pack("l", 0))
        self._library = folder / "clock.so"
        source = Path(__file__).with_name("clock.c")
        subprocess.run(["cc", "-shared", "-fPIC", "-O2", "-o", str(self._library), str(source)], check=True, capture_output=True)

    @property
    def settings(self) -> dict[str, str]:
        """What a process needs to go by it."""
        return {"LD_PRELOAD": str(self._library), "CLOCK_UNDER_TEST": str(self._file)}

    def jumps(self, seconds: int) -> None:
        """Set it; the real one is 0."""
        with self._file.open("r+b") as file:
            file.write(struct.pack("l", seconds))


@pytest.mark.skipif(shutil.which("cc") is None, reason="no compiler: the clock of one system cannot be set")
async def test_a_clock_that_jumps_moves_no_call_and_no_length(tmp_path: Path) -> None:
    clock = Clock(tmp_path)
    system = start_system(tmp_path / "var", **clock.settings)
    try:
        async with registered(system.phone("anna"), system.phone("ben"), system.phone("chloe")) as (anna, ben, chloe):
            spoken: list[tuple[PhoneCall, float]] = []
            for jump in (-2 * HOUR, 3 * HOUR, -1, 0):
                # The edge counts registrations by the wall clock: after a jump ahead they have lapsed until the telephones renew them.
                await asyncio.gather(*(phone.register() for phone in (anna, ben, chloe)))
                call, other = await connected(anna, ben, "102")
                began = time.monotonic()
                ringing = await chloe.dials("101")
                clock.jumps(jump)
                await hear_each_other(call, other)
                await ringing.hangs_up()
                await call.holds()
                await asyncio.sleep(0.2)  # an ACK and the re-INVITE behind it may overtake one another at the edge
                await call.resumes()
                await call.hangs_up()
                spoken.append((call, time.monotonic() - began))
            names = []
            for call, talked in spoken:
                record: dict[str, Any] = (await told(system, call, "completed.by_caller"))["record"]
                assert abs(record["talked_seconds"] - talked) < SECOND_GRACE, (record, talked)
                assert record["started_at"] <= record["answered_at"] <= record["ended_at"]
                names.append(record["call"])
            assert len(set(names)) == len(spoken)
            await assert_nothing_is_left(system)
        log.info("what the clock showed: %s", [each.split(" ")[0] for each in system.log("switch").splitlines()[-3:]])
    finally:
        clock.jumps(0)
        assert system.stop() == 0, system.output.read_text()


@pytest.mark.long
async def test_a_clock_set_while_the_switch_is_dead_charges_nobody_for_it(tmp_path: Path) -> None:
    if shutil.which("cc") is None:
        pytest.skip("no compiler: the clock of one system cannot be set")
    clock = Clock(tmp_path)
    system = start_system(tmp_path / "var", **clock.settings)
    try:
        async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
            call, other = await connected(anna, ben, "102")
            began = time.monotonic()
            await hear_each_other(call, other)
            await asyncio.sleep(1)
            clock.jumps(5 * HOUR)
            killed = time.monotonic()
            await restarted(system, "switch")
            await call.ended(30)
            await other.ended(30)
            await assert_nothing_is_left(system)
            (record,) = [each for each in system.api("GET", "/calls?state=over&limit=9").json()["calls"] if each["state"] == "switch.lost"]
            assert 0 <= record["talked_seconds"] <= killed - began + SECOND_GRACE, record
            await ben.register()
            await talk(anna, ben)
    finally:
        clock.jumps(0)
        assert system.stop() == 0, system.output.read_text()
