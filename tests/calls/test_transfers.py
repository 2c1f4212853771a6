"""Calls handed on in mid-call: blind and attended, to people, an attendant and the public network, and what happens when it fails."""

import asyncio

import pytest

from offhook.phones.calls import Who
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


async def test_blind_to_the_attendant(system: System) -> None:
    async with registered(*map(system.phone, ("anna", "ben"))) as (anna, ben):
        call, at_ben = await connected(anna, ben, "102")
        assert await at_ben.transfers("100") == 200
        await at_ben.ended()
        await call.hears.speech(patience=PATIENCE_SECONDS)
        await call.presses("2")
        again = await ben.rings(PATIENCE_SECONDS)
        await again.answers()
        await hear_each_other(call, again)
        await call.hangs_up()
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
