"""Calls handed on in mid-call: blind and attended, to people, an attendant and the public network, and what happens when it fails."""

import asyncio
from typing import Any

import pytest

from offhook.phones.calls import CallRefuses, PhoneCall, Who
from offhook.phones.phone import Phone, answers_with_redirect
from offhook.phones.sources import Tone
from tests.calls.stories import HIGH, LOW, PATIENCE_SECONDS, check_descriptions, connected, hear_each_other, registered, told
from tests.calls.system import System

pytestmark = pytest.mark.engines

RINGBACK = (440.0, 480.0)
"""What it sounds like in the United States (ITU-T E.180)."""


@pytest.mark.parametrize("by_caller", [False, True], ids=["by the called", "by the caller"])
async def test_blind_to_a_person(system: System, by_caller: bool) -> None:
    async with registered(*map(system.phone, ("anna", "ben", "chloe"))) as (anna, ben, chloe):
        call, at_ben = await connected(anna, ben, "102")
        asks, kept = (call, at_ben) if by_caller else (at_ben, call)
        await asks.holds()
        wish = asyncio.create_task(asks.transfers("103"))
        at_chloe = await chloe.rings(PATIENCE_SECONDS)
        assert at_chloe.caller is not None and at_chloe.caller.user == ("102" if by_caller else "101")
        await kept.hears.tone(*RINGBACK, patience=PATIENCE_SECONDS)
        await at_chloe.answers()
        assert await wish == 200
        assert (await asks.ended()).who is Who.THEM
        await hear_each_other(kept, at_chloe)
        await at_chloe.hangs_up()
        assert (await kept.ended()).who is Who.THEM
        answer = await told(system, call, "completed.by_callee")
    assert answer["record"]["connected"].startswith("chloe's telephone at ")
    assert any("transferred the call to 103" in finding for finding in answer["record"]["findings"])


async def test_blind_to_somebody_busy_comes_back(system: System) -> None:
    async with registered(*map(system.phone, ("anna", "ben", "chloe"))) as (anna, ben, chloe):
        call, at_ben = await connected(anna, ben, "102")
        wish = asyncio.create_task(at_ben.transfers("103"))
        at_chloe = await chloe.rings(PATIENCE_SECONDS)
        at_chloe.declines(486)
        assert await wish == 486
        await hear_each_other(call, at_ben)
        await call.hangs_up()
        await told(system, call, "completed.by_caller")


async def transfers_and_leaves(phone: Phone, call: PhoneCall, to: str) -> None:
    """Hang up as soon as the transfer is taken, as many telephones do."""
    wish = asyncio.create_task(call.transfers(to))
    await call.until(lambda: "202 Accepted" in phone.story(), "the 202", PATIENCE_SECONDS)
    phone.goes_deaf("NOTIFY")  # to one that follows the BYE it would answer 481, and be told nothing more
    await call.hangs_up()
    with pytest.raises(CallRefuses):
        await wish


def assert_told_after_the_bye(answer: dict[str, Any], status: str) -> None:
    """What came of the transfer was told whoever had hung up (RFC 5057 section 4.1)."""
    said = [message["text"] for message in answer["explanation"]["messages"]]
    left = next(place for place, text in enumerate(said) if text.startswith("BYE "))
    last = [text for text in said[left:] if text.startswith("NOTIFY ") and "Subscription-State: terminated" in text]
    assert last and f"\r\nSIP/2.0 {status}" in last[0]


async def test_who_asked_may_hang_up_at_once_and_the_third_may_send_the_call_on(system: System) -> None:
    chloe_is_out = answers_with_redirect(302, ["sip:102@lumen.test"])
    async with registered(system.phone("anna"), system.phone("ben"), system.phone("chloe", policy=chloe_is_out)) as (anna, ben, _):
        call, at_ben = await connected(anna, ben, "102")
        await hear_each_other(call, at_ben)
        await transfers_and_leaves(ben, at_ben, "103")
        again = await ben.rings(PATIENCE_SECONDS)
        await call.hears.tone(*RINGBACK, patience=PATIENCE_SECONDS)
        await again.answers()
        await hear_each_other(call, again)
        await call.hangs_up()
        assert_told_after_the_bye(await told(system, call, "completed.by_caller"), "200 OK")


async def test_who_asked_and_hung_up_is_told_that_it_failed(system: System) -> None:
    async with registered(*map(system.phone, ("anna", "ben", "chloe"))) as (anna, ben, chloe):
        call, at_ben = await connected(anna, ben, "102")
        await transfers_and_leaves(ben, at_ben, "103")
        at_chloe = await chloe.rings(PATIENCE_SECONDS)
        at_chloe.declines(486)
        await call.ended()
        assert_told_after_the_bye(await told(system, call, "callee.busy"), "486 Busy Here")


@pytest.mark.parametrize("by_caller", [False, True], ids=["by the called", "by the caller"])
async def test_blind_to_the_attendant(system: System, by_caller: bool) -> None:
    async with registered(*map(system.phone, ("anna", "ben"))) as (anna, ben):
        call, at_ben = await connected(anna, ben, "102")
        asks, kept = (call, at_ben) if by_caller else (at_ben, call)
        assert await asks.transfers("100") == 200
        await asks.ended()
        await meets_the_attendant(kept, anna if by_caller else ben, "1" if by_caller else "2")
        await told(system, call, "completed.by_caller")


async def meets_the_attendant(kept: PhoneCall, pressed: Phone, key: str) -> None:
    """The attendant speaks, understands a key and connects."""
    await kept.hears.speech(patience=PATIENCE_SECONDS)
    await kept.presses(key)
    again = await pressed.rings(PATIENCE_SECONDS)
    await again.answers()
    await hear_each_other(kept, again)
    await kept.hangs_up()


async def test_blind_to_a_telephone_that_sends_its_callers_to_the_attendant(system: System) -> None:
    chloe_is_out = answers_with_redirect(302, ["sip:100@lumen.test"])
    async with registered(system.phone("anna"), system.phone("ben"), system.phone("chloe", policy=chloe_is_out)) as (anna, ben, _):
        call, at_ben = await connected(anna, ben, "102")
        assert await at_ben.transfers("103") == 200
        assert (await at_ben.ended()).who is Who.THEM
        await meets_the_attendant(call, ben, "2")
        await told(system, call, "completed.by_caller")


async def test_blind_to_the_public_network(system: System) -> None:
    async with registered(*map(system.phone, ("anna", "ben"))) as (anna, ben):
        call, at_ben = await connected(anna, ben, "102")
        assert await at_ben.transfers("+12065550142") == 200
        await call.hears.speech(patience=PATIENCE_SECONDS)
        await call.hangs_up()
        answer = await told(system, call, "completed.by_caller")
    assert "through" in answer["record"]["connected"]


async def test_attended(system: System) -> None:
    async with registered(*map(system.phone, ("anna", "ben", "chloe"))) as (anna, ben, chloe):
        call, at_ben = await connected(anna, ben, "102")
        await at_ben.holds()
        asked, at_chloe = await connected(ben, chloe, "103")
        await hear_each_other(asked, at_chloe)
        assert await at_ben.transfers_to(asked) == 200
        assert (await at_ben.ended()).who is Who.THEM and (await asked.ended()).who is Who.THEM
        call.says(Tone(LOW))
        at_chloe.says(Tone(HIGH))
        await hear_each_other(call, at_chloe)
        await at_chloe.hangs_up()
        await call.ended()
        first, second = await told(system, call, "completed.by_callee"), await told(system, asked, "completed.transferred")
    assert first["record"]["connected"].startswith("chloe's telephone at ")
    assert second["record"]["connected"].startswith("chloe's telephone at ")
    assert check_descriptions(at_chloe, second, first) == 2
    check_descriptions(call, first)


async def test_attended_before_the_third_answered(system: System) -> None:
    async with registered(*map(system.phone, ("anna", "ben", "chloe"))) as (anna, ben, chloe):
        call, at_ben = await connected(anna, ben, "102")
        await at_ben.holds()
        asked = await ben.dials("103")
        first = await chloe.rings(PATIENCE_SECONDS)
        await asked.ringing(PATIENCE_SECONDS)
        wish = asyncio.create_task(at_ben.transfers_to(asked))
        await first.ended()
        second = await chloe.rings(PATIENCE_SECONDS)
        await second.answers()
        assert await wish == 200
        await hear_each_other(call, second)
        await call.hangs_up()
        await told(system, call, "completed.by_caller")


async def test_attended_to_the_attendant(system: System) -> None:
    async with registered(*map(system.phone, ("anna", "ben"))) as (anna, ben):
        call, at_ben = await connected(anna, ben, "102")
        await at_ben.holds()
        asked = await (await ben.dials("100")).answered(PATIENCE_SECONDS)
        await asked.hears.speech(patience=PATIENCE_SECONDS)
        assert await at_ben.transfers_to(asked) == 200
        assert (await at_ben.ended()).who is Who.THEM and (await asked.ended()).who is Who.THEM
        await meets_the_attendant(call, ben, "2")
        await told(system, call, "completed.by_caller")
        await told(system, asked, "completed.transferred")


async def test_attended_to_the_public_network(system: System) -> None:
    async with registered(*map(system.phone, ("anna", "ben"))) as (anna, ben):
        call, at_ben = await connected(anna, ben, "102")
        await at_ben.holds()
        asked = await (await ben.dials("+12065550142")).answered(PATIENCE_SECONDS)
        await asked.hears.speech(patience=PATIENCE_SECONDS)
        assert await at_ben.transfers_to(asked) == 200
        assert (await at_ben.ended()).who is Who.THEM and (await asked.ended()).who is Who.THEM
        await call.hears.speech(patience=PATIENCE_SECONDS)
        await call.hangs_up()
        answer = await told(system, call, "completed.by_caller")
        await told(system, asked, "completed.transferred")
    assert "through" in answer["record"]["connected"]
