"""A person with several telephones, waiting with music, keys, and telephones of different kinds."""

import asyncio

import pytest

from offhook.phones.calls import Ended, PhoneCall, Who
from offhook.phones.phone import Phone
from offhook.phones.sources import Tone
from tests.calls.stories import HIGH, LOW, PATIENCE_SECONDS, connected, eventually, hear_each_other, registered, told
from tests.calls.system import System

pytestmark = pytest.mark.engines

THIRD, FOURTH = 700.0, 1500.0


async def test_all_telephones_of_a_person_ring_and_one_answers(system: System) -> None:
    bens = [system.phone("ben", transport=transport, says=lambda: Tone(THIRD)) for transport in ("udp", "tcp", "udp")]
    async with registered(system.phone("anna"), *bens) as (anna, desk, mobile, kitchen):
        call = await anna.dials("102")
        at_desk, at_mobile, at_kitchen = [await phone.rings(PATIENCE_SECONDS) for phone in (desk, mobile, kitchen)]
        await call.ringing(PATIENCE_SECONDS)
        assert call.progress.count(180) == 1
        await at_mobile.answers()
        await call.answered()
        for other in (at_desk, at_kitchen):
            ended = await other.ended()
            assert (ended.status, ended.who) == (487, Who.THEM)
            assert "completed elsewhere" in ended.reason.lower()
        await hear_each_other(call, at_mobile)
        assert not call.hears.heard_tone(THIRD) and at_desk.hears.frames_heard == at_kitchen.hears.frames_heard == 0
        await call.hangs_up()
        answer = await told(system, call, "completed.by_caller")
    assert answer["record"]["connected"].startswith("ben's telephone at ")
    assert len(answer["explanation"]["legs"]) == 4


async def test_when_two_answer_at_once_one_is_hung_up_and_not_heard(system: System) -> None:
    desk, mobile = system.phone("ben", says=lambda: Tone(THIRD)), system.phone("ben", says=lambda: Tone(FOURTH))
    async with registered(system.phone("anna"), desk, mobile) as (anna, *_):
        call = await anna.dials("102")
        both = {await desk.rings(): THIRD, await mobile.rings(): FOURTH}
        await asyncio.gather(*(each.answers() for each in both), return_exceptions=True)  # the loser's may be too late
        await call.answered()
        (loser,) = await eventually(lambda: [each for each in both if each.ending], "one of them let go")
        (winner,) = set(both) - {loser}
        assert loser.ending is not None and loser.ending.who is Who.THEM
        await hear_each_other(call, winner)
        assert not call.hears.heard_tone(both[loser])
        await call.hangs_up()
        await told(system, call, "completed.by_caller")


async def test_a_call_from_outside_rings_all_telephones(system: System) -> None:
    async with registered(system.phone("ben", says=lambda: Tone(HIGH)), system.phone("ben")) as (desk, mobile):
        body = {"from": "+12065550199", "to": "+12065550102", "digits": "", "listen_seconds": 2}
        coming = asyncio.create_task(asyncio.to_thread(system.api, "POST", "/sandbox/calls", json=body))
        at_desk, at_mobile = await desk.rings(PATIENCE_SECONDS), await mobile.rings(PATIENCE_SECONDS)
        assert at_desk.caller is not None and at_desk.caller.user == "+12065550199"
        await at_desk.answers()
        assert (await at_mobile.ended()).status == 487
        report = (await coming).raise_for_status().json()
        assert (await at_desk.ended()).who is Who.THEM
    assert report["status"] == 200 and max(report["energy"]) > -30, report
    assert system.record()["explanation"]["decisions"][-1]["code"] == "number.assigned"


@pytest.mark.parametrize("by_caller", [True, False], ids=["by the caller", "by the callee"])
async def test_hold(system: System, by_caller: bool) -> None:
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        holder, waits = (call, other) if by_caller else (other, call)
        tone = LOW if by_caller else HIGH
        await hear_each_other(call, other)
        await holder.holds()
        await _hears_music(waits, tone)
        await holder.hears.quiet(patience=PATIENCE_SECONDS)
        await holder.resumes()
        await hear_each_other(call, other)
        await waits.hangs_up()
        assert (await holder.ended()).who is Who.THEM
        await told(system, call, "completed.by_callee" if by_caller else "completed.by_caller")


async def test_both_hold(system: System) -> None:
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        await hear_each_other(call, other)
        await call.holds()
        await _hears_music(other, LOW)
        await other.holds()
        await asyncio.gather(call.hears.quiet(patience=PATIENCE_SECONDS), other.hears.quiet(patience=PATIENCE_SECONDS))
        await call.resumes()
        await _hears_music(call, HIGH)
        await other.hears.quiet(patience=PATIENCE_SECONDS)
        await other.resumes()
        await hear_each_other(call, other)
        await call.hangs_up()


async def _hears_music(call: PhoneCall, tone: float) -> None:
    """Sound that is loud and is not the other's tone."""
    await call.hears.until(lambda: not call.hears.heard_tone(tone) and call.hears.level() > -45, "music", PATIENCE_SECONDS)
    begun = call.hears.frames_heard
    await call.hears.until(lambda: call.hears.frames_heard > begun + 50, "a second of music")
    assert call.hears.level(1.0) > -50 and not call.hears.heard_tones((LOW, HIGH), 0.8)


async def test_keys_reach_the_other_telephone(system: System) -> None:
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        await call.presses("19*")
        await other.hears.pressed("19*")
        await other.presses("0#")
        await call.hears.pressed("0#")
        await call.presses("47", info=True)
        await other.hears.pressed("47")  # by INFO to the system, as events to who can hear them
        await call.hangs_up()
        answer = await told(system, call, "completed.by_caller")
    assert any("INFO" in line for line in answer["explanation"]["ladder"])


async def _talks(system: System, anna: Phone, ben: Phone) -> tuple[list[str], Ended]:
    async with registered(anna, ben):
        call, other = await connected(anna, ben, "102")
        await hear_each_other(call, other)
        await other.hangs_up()
        ended = await call.ended()
        answer = await told(system, call, "completed.by_callee")
    return answer["explanation"]["media"], ended


async def test_a_telephone_over_tcp_calls_one_over_udp(system: System) -> None:
    _, ended = await _talks(system, system.phone("anna", transport="tcp"), system.phone("ben"))
    assert ended.who is Who.THEM


async def test_a_telephone_that_speaks_a_law_only_talks_to_one_that_speaks_mu_law_only(system: System) -> None:
    anna, ben = system.phone("anna", codecs=("PCMA", "telephone-event")), system.phone("ben", codecs=("PCMU", "telephone-event"))
    sound, _ = await _talks(system, anna, ben)
    assert any("anna" in line and "in PCMA" in line for line in sound), sound
    assert any("ben" in line and "in PCMU" in line for line in sound), sound
