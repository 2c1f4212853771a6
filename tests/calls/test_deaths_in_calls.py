"""What dies under people who talk: they hear BYE or go on, are charged for no more than they talked, and no engine keeps anything."""

import asyncio
import logging
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from offhook.phones.calls import PhoneCall
from offhook.phones.phone import answers_after
from offhook.switch.journal import BEAT_SECONDS, GATHER_SECONDS, read_journal
from tests.calls.orphans import assert_nothing_is_left
from tests.calls.stories import connected, eventually, hear_each_other, registered
from tests.calls.system import System, start_system

pytestmark = pytest.mark.engines
log = logging.getLogger(__name__)

GENEROUS_SECONDS = 30.0
STALL_SECONDS = 3.0
"""What a busy machine may keep the journal's thread waiting; it takes a few hundredths of a second by itself."""
KEPT = ("OFFHOOK_SIP_PORT", "OFFHOOK_HTTP_PORT")


@pytest.fixture(scope="module")
def mortal(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system whose processes are killed."""
    running = start_system(tmp_path_factory.mktemp("mortal") / "var", OFFHOOK_MOST_CALLS_A_USER="300")
    yield running
    assert running.stop() == 0, running.output.read_text()


@pytest.fixture
async def tidy(mortal: System) -> AsyncIterator[System]:
    """The same, and at the end nobody holds anything."""
    yield mortal
    await assert_nothing_is_left(mortal)


def living(system: System) -> list[str]:
    """The names of the calls that talk now, the oldest first."""
    calls = system.api("GET", "/calls?state=live&limit=100").json()["calls"]
    return sorted(each["call"] for each in calls if each["answered_at"])


async def recorded(system: System, call: str) -> dict[str, Any]:
    """The record and explanation of a call that is over."""

    def asked() -> dict[str, Any] | None:
        answer = system.api("GET", f"/calls/{call}")
        told = dict(answer.json()) if answer.status_code == 200 else {}
        return told if told and not told["record"]["live"] else None

    return await eventually(asked, f"the record of {call}", GENEROUS_SECONDS)


async def noted(system: System, calls: int) -> list[str]:
    """So many calls that talk and have been in the journal for long enough to be safe."""
    await eventually(lambda: len(living(system)) == calls, f"{calls} calls talk")
    await asyncio.sleep(20 * GATHER_SECONDS)
    return await asyncio.to_thread(living, system)


async def heard_bye(*calls: PhoneCall) -> None:
    """Every one was hung up by the system, which says why."""
    for call in calls:
        ended = await call.ended(GENEROUS_SECONDS)
        assert ended.who.value == "them", call.story()
        assert 'text="switch.lost"' in call.story(), call.story()


async def lost_and_charged_right(system: System, call: str, answered: float, killed: float) -> None:
    """The record of a lost call: for what was talked, less a sign of life at most; times are of the monotonic clock."""
    told = await recorded(system, call)
    record, talked = told["record"], killed - answered
    assert (record["state"], told["explanation"]["state"]) == ("switch.lost", "switch.lost")
    assert talked - BEAT_SECONDS - STALL_SECONDS <= record["talked_seconds"] <= talked + 0.5, (record, talked)


async def test_a_killed_switch_leaves_nobody_in_a_call(tidy: System) -> None:
    async with registered(tidy.phone("anna"), tidy.phone("ben"), tidy.phone("chloe")) as (anna, ben, chloe):
        inside, other = await connected(anna, ben, "102")
        answered = time.monotonic()
        await hear_each_other(inside, other)
        outside = await (await chloe.dials("12065550199")).answered()
        await outside.hears.speech()
        calls = await noted(tidy, 2)
        await asyncio.sleep(BEAT_SECONDS)
        killed = time.monotonic()
        os.kill(tidy.pids()["switch"], signal.SIGKILL)
        await heard_bye(inside, other, outside)
        log.info("seconds from kill -9 to the last BYE: %.2f", time.monotonic() - killed)
        await lost_and_charged_right(tidy, calls[0], answered, killed)
        await recorded(tidy, calls[1])
        await check_lost(tidy, calls[0], inside)
        await hear_each_other(*(again := await connected(anna, ben, "102")))
        await again[0].hangs_up()


async def check_lost(system: System, call: str, leg: PhoneCall) -> None:
    """What is printed of a lost call names its ending and, for the telephone's own log, its Call-ID."""
    printed = await asyncio.to_thread(system.offhook, "explain", call)
    assert printed.returncode == 0, printed.stderr
    assert "Ending: switch.lost" in printed.stdout and leg.call_id in printed.stdout, printed.stdout


async def rings_in_the_journal(system: System, legs: int) -> str:
    """The one call that is known to ring with so many legs."""

    def asked() -> str | None:
        found = [left.entry for left in read_journal(system.folder / "calls.journal") if len(left.entry.notes) == legs and not left.ending]
        return found[0].call if len(found) == 1 else None

    return await eventually(asked, f"a call of {legs} legs in the journal")


async def test_a_killed_switch_lets_no_telephone_ring_on(tidy: System) -> None:
    phones = (tidy.phone("anna"), tidy.phone("ben"), tidy.phone("ben"))
    async with registered(*phones) as (anna, desk, mobile):
        call = await anna.dials("102")
        ringing = [await phone.rings(GENEROUS_SECONDS) for phone in (desk, mobile)]
        await call.ringing(GENEROUS_SECONDS)
        name = await rings_in_the_journal(tidy, 3)
        killed = time.monotonic()
        os.kill(tidy.pids()["switch"], signal.SIGKILL)
        for each in (*ringing, call):
            assert (await each.ended(GENEROUS_SECONDS)).who.value == "them", each.story()
        log.info("seconds from kill -9 to the last telephone that stopped ringing: %.2f", time.monotonic() - killed)
        assert call.ending is not None and call.ending.status == 503, call.story()
        record = (await recorded(tidy, name))["record"]
        assert (record["state"], record["answered_at"], record["talked_seconds"]) == ("switch.lost", None, 0)
        await hear_each_other(*(again := await connected(anna, desk, "102")))
        await again[0].hangs_up()


async def test_who_is_kept_is_hung_up_and_whom_he_was_to_talk_to_stops_ringing(tidy: System) -> None:
    async with registered(tidy.phone("anna"), tidy.phone("ben"), tidy.phone("chloe")) as (anna, ben, chloe):
        call, at_ben = await connected(anna, ben, "102")
        wish = asyncio.create_task(at_ben.transfers("103"))
        at_chloe = await chloe.rings(GENEROUS_SECONDS)
        await rings_in_the_journal(tidy, 3)
        os.kill(tidy.pids()["switch"], signal.SIGKILL)
        await heard_bye(call, at_ben)
        await at_chloe.ended(GENEROUS_SECONDS)
        await asyncio.gather(wish, return_exceptions=True)


async def test_after_a_transfer_the_two_who_talk_are_hung_up(tidy: System) -> None:
    async with registered(tidy.phone("anna"), tidy.phone("ben"), tidy.phone("chloe")) as (anna, ben, chloe):
        call, at_ben = await connected(anna, ben, "102")
        wish = asyncio.create_task(at_ben.transfers("103"))
        at_chloe = await chloe.rings(GENEROUS_SECONDS)
        await at_chloe.answers()
        assert await wish == 200
        await hear_each_other(call, at_chloe)
        await at_ben.ended()
        await noted(tidy, 1)
        os.kill(tidy.pids()["switch"], signal.SIGKILL)
        await heard_bye(call, at_chloe)


async def test_a_switch_that_dies_again_while_it_clears_up_writes_each_record_once(tidy: System) -> None:
    async with registered(tidy.phone("anna"), tidy.phone("ben")) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        (name,) = await noted(tidy, 1)
        for _ in range(2):
            pid = tidy.pids()["switch"]
            os.kill(pid, signal.SIGKILL)
            await eventually(lambda gone=pid: (now := tidy.pids()["switch"]) not in (None, gone) and now, "another switch")  # type: ignore[misc]
        await heard_bye(call, other)
        await recorded(tidy, name)
        listed = tidy.api("GET", "/calls?limit=100").json()["calls"]
        assert [each["call"] for each in listed].count(name) == 1


async def test_a_call_outlives_the_edge_and_is_hung_up_through_the_next(tidy: System) -> None:
    async with registered(tidy.phone("anna"), tidy.phone("ben")) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        await hear_each_other(call, other)
        (name,) = await noted(tidy, 1)
        for _ in range(2):
            pid = tidy.pids()["kamailio"]
            os.killpg(pid, signal.SIGKILL)
            await eventually(lambda gone=pid: (now := tidy.pids()["kamailio"]) not in (None, gone) and now, "another edge")  # type: ignore[misc]
            await hear_each_other(call, other)
        assert (await call.hangs_up(GENEROUS_SECONDS)).status == 200
        assert (await other.ended(GENEROUS_SECONDS)).who.value == "them"
        assert (await recorded(tidy, name))["record"]["state"] == "completed.by_caller"


async def kills_the_edge(system: System) -> None:
    """Kill Kamailio and wait for the next."""
    pid = system.pids()["kamailio"]
    os.killpg(pid, signal.SIGKILL)
    await eventually(lambda: (now := system.pids()["kamailio"]) not in (None, pid) and now, "another edge", GENEROUS_SECONDS)


@pytest.mark.parametrize("transport", ["udp", pytest.param("tcp", marks=pytest.mark.long)])
async def test_a_caller_gives_up_after_the_death_of_the_edge(tidy: System, transport: str) -> None:
    async with registered(tidy.phone("anna"), tidy.phone("ben", transport=transport)) as (anna, ben):
        call = await anna.dials("102")
        at_ben = await ben.rings(GENEROUS_SECONDS)
        await call.ringing(GENEROUS_SECONDS)
        name = await rings_in_the_journal(tidy, 2)
        await kills_the_edge(tidy)
        assert (await call.hangs_up(GENEROUS_SECONDS)).status == 487
        await at_ben.ended(GENEROUS_SECONDS)
        assert (await recorded(tidy, name))["record"]["state"] == "caller.cancelled"


@pytest.mark.parametrize("transport", ["udp", pytest.param("tcp", marks=pytest.mark.long)])
async def test_what_rings_is_answered_after_the_death_of_the_edge(tidy: System, transport: str) -> None:
    async with registered(tidy.phone("anna"), tidy.phone("ben", transport=transport)) as (anna, ben):
        call = await anna.dials("102")
        at_ben = await ben.rings(GENEROUS_SECONDS)
        await call.ringing(GENEROUS_SECONDS)
        await kills_the_edge(tidy)
        await at_ben.answers(GENEROUS_SECONDS)
        await call.answered(GENEROUS_SECONDS)
        await hear_each_other(call, at_ben)
        await call.hangs_up(GENEROUS_SECONDS)
        await at_ben.ended(GENEROUS_SECONDS)


async def test_edge_and_switch_that_die_together_let_no_telephone_ring_on(tidy: System) -> None:
    async with registered(tidy.phone("anna"), tidy.phone("ben")) as (anna, ben):
        call = await anna.dials("102")
        at_ben = await ben.rings(GENEROUS_SECONDS)
        await call.ringing(GENEROUS_SECONDS)
        await rings_in_the_journal(tidy, 2)
        pids = tidy.pids()
        os.killpg(pids["kamailio"], signal.SIGKILL)
        os.kill(pids["switch"], signal.SIGKILL)
        for each in (at_ben, call):
            assert (await each.ended(GENEROUS_SECONDS)).who.value == "them", each.story()


async def test_edge_and_switch_that_die_together_leave_nobody_in_a_call(tidy: System) -> None:
    async with registered(tidy.phone("anna"), tidy.phone("ben")) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        (name,) = await noted(tidy, 1)
        pids = tidy.pids()
        os.killpg(pids["kamailio"], signal.SIGKILL)
        os.kill(pids["switch"], signal.SIGKILL)
        await heard_bye(call, other)
        assert (await recorded(tidy, name))["record"]["state"] == "switch.lost"


@pytest.mark.parametrize("name", ["web", "carrier"])
async def test_a_call_takes_no_notice_of_the_death_of(name: str, tidy: System) -> None:
    async with registered(tidy.phone("anna"), tidy.phone("ben")) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        (known,) = await noted(tidy, 1)
        os.kill(tidy.pids()[name], signal.SIGKILL)
        await hear_each_other(call, other)
        await call.hangs_up()
        assert (await recorded_later(tidy, known))["record"]["state"] == "completed.by_caller"


async def recorded_later(system: System, call: str) -> dict[str, Any]:
    """The record, also while the pages are being started again."""

    def asked() -> bool:
        try:
            return system.api("GET", "/calls?limit=1").status_code == 200
        except OSError:
            return False
        except Exception as why:
            if "connect" not in str(why).lower():
                raise
            return False

    await eventually(asked, "the pages are back", GENEROUS_SECONDS)
    return await recorded(system, call)


async def test_after_the_death_of_everything_the_next_start_hangs_up(tmp_path: Path) -> None:
    system = start_system(tmp_path / "var")
    again: System | None = None
    try:
        async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
            call, other = await connected(anna, ben, "102")
            answered = time.monotonic()
            await hear_each_other(call, other)
            (name,) = await noted(system, 1)
            await asyncio.sleep(BEAT_SECONDS)
            killed = time.monotonic()
            system.process.kill()
            system.process.wait()
            again = await asyncio.to_thread(start_system, system.folder, **{key: system.environment[key] for key in KEPT})
            await heard_bye(call, other)
            await lost_and_charged_right(again, name, answered, killed)
            await hear_each_other(*(talking := await connected(anna, ben, "102")))
            await talking[0].hangs_up()
            await assert_nothing_is_left(again)
    finally:
        assert again is None or again.stop() == 0


@pytest.mark.long
async def test_two_hundred_calls_in_a_killed_switch(tidy: System) -> None:
    """One person calls another as often as that, and then sends no sound: two telephones in Python could not bear four hundred streams."""
    async with registered(tidy.phone("anna"), tidy.phone("ben", policy=answers_after(0))) as (anna, ben):
        calls = []
        for _ in range(200):
            calls.append(await (await anna.dials("102")).answered(GENEROUS_SECONDS))
            for each in (calls[-1], *ben.calls):
                each.media.close()
            await asyncio.sleep(0.03)  # more than 800 requests in 2 s are a flood to the edge, and calls are set up faster than that
        await asyncio.sleep(1)
        left = await asyncio.to_thread(read_journal, tidy.folder / "calls.journal")
        assert len(left) == 200
        killed = time.monotonic()
        os.kill(tidy.pids()["switch"], signal.SIGKILL)
        await asyncio.gather(*(call.ended(GENEROUS_SECONDS) for call in (*calls, *ben.calls)))
        log.info("seconds from kill -9 to the last of 400 BYEs: %.2f", time.monotonic() - killed)
        for lost in left:
            assert (await recorded(tidy, lost.entry.call))["record"]["state"] == "switch.lost"
