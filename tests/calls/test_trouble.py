"""What goes wrong under a running system, and that it is said plainly, harms nobody else, and heals."""

import asyncio
import os
import signal
import socket
import sqlite3
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager

import pytest

from tests.calls.orphans import assert_nothing_is_left
from tests.calls.stories import connected, found, hear_each_other, registered, told
from tests.calls.system import System, start_system

pytestmark = pytest.mark.engines

ATTACKER = "127.0.9.9"
MALFORMED = (
    b"",
    b"\x00" * 200,
    b"INVITE\r\n\r\n",
    b"INVITE sip:102@lumen.test SIP/2.0\r\nContent-Length: 99999\r\n\r\nshort",
    b"BYE sip:x SIP/2.0\r\nVia: nonsense\r\nCall-ID:\r\nCSeq: 4294967296 INVITE\r\n\r\n",
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bKnobody\r\nCSeq: 1 INVITE\r\n\r\n",
    b"d7:command5:offere",
    b"1_1 d7:command999999:x",
    b"cookie i-0e",
)


@pytest.fixture(scope="module")
def troubled(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that is ill-treated."""
    running = start_system(tmp_path_factory.mktemp("troubled") / "var")
    yield running
    assert running.stop() == 0, running.output.read_text()


@pytest.fixture
async def tidy(troubled: System) -> AsyncIterator[System]:
    """The same, and at the end nobody holds anything."""
    yield troubled
    await assert_nothing_is_left(troubled)


@contextmanager
def _halted(pid: int) -> Iterator[None]:
    """A process that hangs; it goes on afterwards."""
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_without_the_media_engine_calls_end_named_and_emergencies_go_out(tidy: System) -> None:
    async with registered(tidy.phone("anna"), tidy.phone("ben")) as (anna, ben):
        with _halted(tidy.pids()["rtpengine"]):
            call = await anna.dials("102")
            assert (await call.ended(30)).status == 503
            await told(tidy, call, "media.engine_absent")
            emergency = await (await anna.dials("911")).answered(30)
            await emergency.hears.speech()
            await emergency.hangs_up(30)
        healed, other = await connected(anna, ben, "102")
        await hear_each_other(healed, other)
        await healed.hangs_up()


@pytest.mark.parametrize("harm", ["cut short", "gone"])
async def test_a_damaged_greeting_is_made_anew(tidy: System, harm: str) -> None:
    async with registered(tidy.phone("anna")) as (anna,):
        first = await (await anna.dials("100")).answered()
        await first.hears.speech()
        await first.hangs_up()
        prompts = [file for file in (tidy.folder / "prompts").iterdir() if file.is_file()]
        assert prompts
        sizes = {file: file.stat().st_size for file in prompts}
        for file in prompts:
            if harm == "gone":
                file.unlink()
            else:
                os.truncate(file, 60)
        again = await (await anna.dials("100")).answered(30)
        await again.hears.speech(30)
        await again.hangs_up()
        assert any(file.exists() and file.stat().st_size == size for file, size in sizes.items())


async def test_a_hanging_switch_is_said_with_503(tidy: System) -> None:
    async with registered(tidy.phone("anna"), tidy.phone("ben")) as (anna, ben):
        with _halted(tidy.pids()["switch"]):
            call = await anna.dials("102")
            assert (await call.ended(20)).status == 503
        healed, other = await connected(anna, ben, "102")
        await hear_each_other(healed, other)
        await healed.hangs_up()


async def test_junk_at_every_port_disturbs_no_call(tidy: System) -> None:
    plan = tidy.plan
    async with registered(tidy.phone("anna"), tidy.phone("ben")) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        await hear_each_other(call, other)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as junk:
            junk.bind((ATTACKER, 0))
            for port in (plan.sip_port, plan.switch_port, plan.ng_port, plan.edge_inner_port, plan.edge_carrier_port):
                for data in MALFORMED:
                    junk.sendto(data, ("127.0.0.1", port))
        await hear_each_other(call, other)
        assert call.ending is None and other.ending is None
        await call.holds()
        await call.resumes()
        await hear_each_other(call, other)
        await call.hangs_up()
        again, other = await connected(ben, anna, "101")
        await hear_each_other(again, other)
        await again.hangs_up()
    states = {each["name"]: each["restarts"] for each in tidy.api("GET", "/status").json()["processes"]}
    assert set(states.values()) == {0}, states


async def test_a_flood_is_banned_and_others_go_on_calling(tidy: System) -> None:
    async with registered(tidy.phone("anna"), tidy.phone("ben")) as (anna, ben):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood:
            flood.bind((ATTACKER, 0))
            for number in range(1200):
                branch = f"z9hG4bK{number}"
                options = (
                    f"OPTIONS sip:lumen.test SIP/2.0\r\nVia: SIP/2.0/UDP {ATTACKER}:{flood.getsockname()[1]};branch={branch}\r\n"
                    f"From: <sip:x@lumen.test>;tag=1\r\nTo: <sip:lumen.test>\r\nCall-ID: {branch}\r\nCSeq: 1 OPTIONS\r\n"
                    "Max-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
                )
                flood.sendto(options.encode(), tidy.edge[:2])
                await asyncio.sleep(0)
            call, other = await connected(anna, ben, "102")
            await hear_each_other(call, other)
            await call.hangs_up()
    assert f"edge.banned source={ATTACKER} reason=flood" in tidy.log("kamailio")


async def test_calls_go_on_without_the_database(tidy: System) -> None:
    database = tidy.folder / "offhook.sqlite"
    away = database.with_suffix(".away")
    async with registered(tidy.phone("anna"), tidy.phone("ben")) as (anna, ben):
        database.rename(away)
        try:
            call, other = await connected(anna, ben, "102")
            await hear_each_other(call, other)
            await call.hangs_up()
        finally:
            away.replace(database)
        again, other = await connected(anna, ben, "102")
        await hear_each_other(again, other)
        await again.hangs_up()


async def test_a_locked_database_loses_no_record(tidy: System) -> None:
    async with registered(tidy.phone("anna"), tidy.phone("ben")) as (anna, ben):
        with closing(sqlite3.connect(tidy.folder / "offhook.sqlite", isolation_level=None)) as locker:
            locker.execute("BEGIN IMMEDIATE")
            call, other = await connected(anna, ben, "102")
            await hear_each_other(call, other)
            await call.hangs_up()
            await asyncio.sleep(1.0)  # past the moment at which its record is written
            assert found(tidy, call.call_id) is None
            locker.execute("ROLLBACK")
        await told(tidy, call, "completed.by_caller")
