"""The less usual parts of SIP, between real telephones: late offers, redirections, privacy, reliable ringing, UPDATE, a full system."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from offhook.phones.calls import Who
from offhook.phones.sources import Tone
from offhook.phones.waiting import NotInTime
from offhook.phones.wires import TcpWire
from tests.calls.stories import HIGH, PATIENCE_SECONDS, check_descriptions, connected, hear_each_other, registered, told
from tests.calls.system import System, start_system

pytestmark = pytest.mark.engines


async def test_a_caller_who_offers_nothing_is_offered_something_and_heard(system: System) -> None:
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call = await anna.dials("102", offerless=True)
        at_ben = await ben.rings(PATIENCE_SECONDS)
        await at_ben.answers()
        await call.answered(PATIENCE_SECONDS)
        await hear_each_other(call, at_ben)
        await call.hangs_up()
        answer = await told(system, call, "completed.by_caller")
    assert "answered our offer" in str(answer["explanation"]["steps"])


async def test_a_caller_who_offers_nothing_meets_the_attendant(system: System) -> None:
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call = await (await anna.dials("100", offerless=True)).answered(PATIENCE_SECONDS)
        await call.hears.speech(patience=PATIENCE_SECONDS)
        await call.presses("2")
        at_ben = await ben.rings(PATIENCE_SECONDS)
        await at_ben.answers()
        await hear_each_other(call, at_ben)
        await call.hangs_up()
        await told(system, call, "completed.by_caller")


@pytest.mark.parametrize("by_caller", [True, False], ids=["the caller", "the called"])
async def test_a_telephone_asks_for_our_offer_in_mid_call(system: System, by_caller: bool) -> None:
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call, at_ben = await connected(anna, ben, "102")
        asks = call if by_caller else at_ben
        await asks.asks_for_offer()
        await hear_each_other(call, at_ben)
        await asks.holds()
        await asks.asks_for_offer()
        await asks.resumes()
        await hear_each_other(call, at_ben)
        await call.hangs_up()
        answer = await told(system, call, "completed.by_caller")
    assert check_descriptions(asks, answer) > 1
    check_descriptions(at_ben if by_caller else call, answer)


async def test_update_holds_and_resumes_like_a_reinvite(system: System) -> None:
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call, at_ben = await connected(anna, ben, "102")
        await call.updates()
        await hear_each_other(call, at_ben)
        await call.hangs_up()
        await told(system, call, "completed.by_caller")


async def test_a_caller_who_wants_ringing_acknowledged_gets_it_so(system: System) -> None:
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call = await anna.dials("102", requires_100rel=True)
        at_ben = await ben.rings(PATIENCE_SECONDS)
        await call.ringing(PATIENCE_SECONDS)
        assert "PRACK" in anna.story()
        await at_ben.answers()
        await call.answered(PATIENCE_SECONDS)
        await hear_each_other(call, at_ben)
        await call.hangs_up()
        await told(system, call, "completed.by_caller")


async def test_both_hold_at_once(system: System) -> None:
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call, at_ben = await connected(anna, ben, "102")
        await asyncio.gather(call.holds(), at_ben.holds())
        await asyncio.gather(call.resumes(), at_ben.resumes())
        await hear_each_other(call, at_ben)
        await call.hangs_up()
        await told(system, call, "completed.by_caller")


async def test_a_telephone_sends_its_caller_on(system: System) -> None:
    async with registered(*map(system.phone, ("anna", "ben", "chloe"))) as (anna, ben, chloe):
        call = await anna.dials("102")
        (await ben.rings(PATIENCE_SECONDS)).redirects(["sip:103@lumen.test"])
        at_chloe = await chloe.rings(PATIENCE_SECONDS)
        assert at_chloe.caller is not None and at_chloe.caller.user == "101"
        await at_chloe.answers()
        await call.answered(PATIENCE_SECONDS)
        await hear_each_other(call, at_chloe)
        await call.hangs_up()
        answer = await told(system, call, "completed.by_caller")
    texts = "".join(message["text"] for message in answer["explanation"]["messages"])
    assert "Diversion: <sip:102@lumen.test>;reason=deflection" in texts and "History-Info: <sip:102@lumen.test?Reason=" in texts
    assert any("sent the call on to 103" in finding for finding in answer["record"]["findings"])


async def test_telephones_that_send_each_other_their_callers_do_not_ring_for_ever(system: System) -> None:
    async with registered(*map(system.phone, ("anna", "ben", "chloe"))) as (anna, ben, chloe):
        call = await anna.dials("102")
        for phone, to in ((ben, "103"), (chloe, "102")) * 3:
            (await phone.rings(PATIENCE_SECONDS)).redirects([f"sip:{to}@lumen.test"])
        assert (await call.ended(PATIENCE_SECONDS)).status == 480
        answer = await told(system, call, "callee.failed")
    assert len(answer["explanation"]["legs"]) == 7, "five times sent on, and no more"


async def test_a_call_that_wants_to_replace_another_rings_nobody(system: System) -> None:
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call = await anna.dials("102", headers=[("Replaces", "abc@127.0.0.1;to-tag=x;from-tag=y")])
        assert (await call.ended(PATIENCE_SECONDS)).status == 481
        assert "INVITE" not in ben.story()


@pytest.mark.parametrize(
    "asked", [{"headers": [("Privacy", "id")]}, {"caller": '"Anna" <sip:anonymous@anonymous.invalid>'}], ids=["id", "From"]
)
async def test_who_wants_to_be_nobody_is(system: System, asked: dict[str, Any]) -> None:
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call = await anna.dials("102", **asked)
        at_ben = await ben.rings(PATIENCE_SECONDS)
        assert at_ben.caller is not None and (at_ben.caller.user, at_ben.caller.host) == ("anonymous", "anonymous.invalid")
        at_ben.declines(486)
        await call.ended()
        answer = await told(system, call, "callee.busy")
    invite = next(each["text"] for each in answer["explanation"]["messages"] if each["leg"].endswith(".1"))
    assert "P-Asserted-Identity" not in invite and "101" not in invite.partition("\r\n\r\n")[0].replace("Contact", "")


async def test_help_comes_whatever_from_says_and_however_the_number_is_written(system: System) -> None:
    async with registered(system.phone("anna")) as (anna,):
        call = await anna.dials("sip:(9)1-1;phone-context=+1@127.0.0.1", caller='"Anonymous" <sip:anonymous@anonymous.invalid>')
        await (await call.answered(PATIENCE_SECONDS)).hangs_up()
        answer = await told(system, call, "completed.by_caller")
    decisions = {decision["code"] for decision in answer["explanation"]["decisions"]}
    assert {"emergency.matched", "emergency.unchallenged"} <= decisions


async def test_the_public_network_is_told_who_wants_to_be_nobody(system: System) -> None:
    async with registered(system.phone("anna")) as (anna,):
        call = await (await anna.dials("+12065550142", headers=[("Privacy", "id")])).answered(PATIENCE_SECONDS)
        await call.hangs_up()
        answer = await told(system, call, "completed.by_caller")
    invite = next(each["text"] for each in answer["explanation"]["messages"] if each["leg"].endswith(".1"))
    assert 'From: "Anonymous" <sip:anonymous@anonymous.invalid>' in invite and "Privacy: id" in invite
    assert "P-Asserted-Identity: <sip:+12065550101@lumen.test>" in invite


async def test_a_full_system_refuses_before_any_sound_but_not_a_call_for_help(tmp_path: Path) -> None:
    small = start_system(tmp_path / "var", OFFHOOK_MOST_CALLS="1")
    try:
        async with registered(small.phone("anna"), small.phone("ben"), small.phone("chloe", says=lambda: Tone(HIGH))) as (anna, ben, chloe):
            call, _ = await connected(anna, ben, "102")
            refused = await chloe.dials("102")
            assert (await refused.ended(PATIENCE_SECONDS)).status == 503
            answer = await told(small, refused, "system.full")
            assert "Retry-After: 5" in "".join(message["text"] for message in answer["explanation"]["messages"])
            assert not [step for step in answer["explanation"]["steps"] if "offer" in step["text"].lower()]
            await (await chloe.dials("911")).answered(PATIENCE_SECONDS)
            await call.hangs_up()
    finally:
        assert small.stop() == 0


@pytest.mark.long
async def test_a_telephone_that_dies_in_mid_call_is_noticed_and_the_other_is_hung_up(tmp_path: Path) -> None:
    """The first sign of life is due after 45 s, and what gets no answer has failed 32 s later (RFC 3261 timer F)."""
    short = start_system(tmp_path / "var", OFFHOOK_SESSION_SECONDS="90")
    try:
        async with registered(short.phone("anna"), short.phone("ben")) as (anna, ben):
            call, at_ben = await connected(anna, ben, "102")
            await hear_each_other(call, at_ben)
            await ben.vanish()
            assert (await call.ended(120)).who is Who.THEM
            await told(short, call, "callee.lost")
    finally:
        assert short.stop() == 0


@pytest.mark.long
async def test_a_telephone_that_connects_anew_while_its_call_is_refreshed_keeps_it(tmp_path: Path) -> None:
    """The first refresh is due after 45 s and finds no connection; the call's time would be up after 90 s."""
    short = start_system(tmp_path / "var", OFFHOOK_SESSION_SECONDS="90")
    try:
        async with registered(short.phone("anna", transport="tls"), short.phone("ben")) as (anna, ben):
            call, at_ben = await connected(anna, ben, "102")
            began = anna.now()
            await hear_each_other(call, at_ben)
            assert anna.registration is not None and isinstance(anna._wire, TcpWire)
            anna.registration.stop()
            anna._wire.drop()
            await asyncio.sleep(began + 48 - anna.now())
            await anna.register(patience=PATIENCE_SECONDS)
            with pytest.raises(NotInTime):
                await call.ended(began + 100 - anna.now())
            await hear_each_other(call, at_ben)
            await call.hangs_up()
            answer = await told(short, call, "completed.by_caller")
    finally:
        assert short.stop() == 0
    texts = [message["text"] for message in answer["explanation"]["messages"] if f"Call-ID: {call.call_id}\r\n" in message["text"]]
    refreshed = [int(text.split()[1]) for text in texts if text.startswith("SIP/2.0 ") and " UPDATE\r\n" in text]
    assert len(refreshed) > 1 and refreshed[0] >= 400 and refreshed[-1] == 200, refreshed
