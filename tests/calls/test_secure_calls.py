"""Telephones that want secure sound, in calls through the whole system: with each other, with plain ones, with the system itself."""

from typing import Literal

import pytest

from offhook.phones.calls import PhoneCall
from tests.calls.stories import PATIENCE_SECONDS, connected, hear_each_other, registered, told
from tests.calls.system import System

pytestmark = pytest.mark.engines


def is_sealed(call: PhoneCall) -> bool:
    """Whether this end sends and takes nothing but SRTP, and all that came was sealed as agreed."""
    return call.media.sealing is not None and call.media.unauthentic == 0


async def test_a_secure_telephone_is_called_with_secure_sound(system: System) -> None:
    async with registered(system.phone("anna"), system.phone("ben", transport="tls", srtp="required")) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        await hear_each_other(call, other)
        assert (is_sealed(call), is_sealed(other)) == (False, True)
        await call.presses("7")
        await other.hears.pressed("7")
        await other.holds()
        await call.hears.until(lambda: call.hears.level() > -45, "music", PATIENCE_SECONDS)
        await other.resumes()
        await hear_each_other(call, other)
        await call.hangs_up()
        await told(system, call, "completed.by_caller")


async def test_a_secure_telephone_calls_a_plain_one_and_the_attendant(system: System) -> None:
    async with registered(system.phone("anna", transport="tls", srtp="required"), system.phone("ben")) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        await hear_each_other(call, other)
        assert (is_sealed(call), is_sealed(other)) == (True, False)
        await call.hangs_up()
        menu = await (await anna.dials("100")).answered(PATIENCE_SECONDS)
        await menu.hears.speech(PATIENCE_SECONDS)
        await menu.presses("2")
        routed = await ben.rings(PATIENCE_SECONDS)
        await routed.answers()
        await hear_each_other(menu, routed)
        assert is_sealed(menu)
        await menu.hangs_up()


async def test_two_secure_telephones_speak_with_each_other(system: System) -> None:
    async with registered(
        system.phone("anna", transport="tls", srtp="required"), system.phone("ben", transport="tls", srtp="required")
    ) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        await hear_each_other(call, other)
        assert is_sealed(call) and is_sealed(other)
        await call.hangs_up()


async def test_a_telephone_over_tls_without_srtp_is_called_with_plain_sound(system: System) -> None:
    async with registered(system.phone("anna"), system.phone("ben", transport="tls", srtp=None)) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        await hear_each_other(call, other)
        await call.hangs_up()


async def test_whoever_demands_secure_sound_has_it_without_tls_too(system: System) -> None:
    async with registered(system.phone("anna", srtp="required"), system.phone("ben")) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        await hear_each_other(call, other)
        assert is_sealed(call)
        await call.hangs_up()
        # Over UDP she is called with plain sound first, refuses, and is called anew.
        call, other = await connected(ben, anna, "101")
        await hear_each_other(call, other)
        assert is_sealed(other)
        await call.hangs_up()


@pytest.mark.parametrize("transport, srtp", [("udp", None), ("tls", "required")], ids=["to a plain one", "to a secure one"])
async def test_a_secure_telephone_that_leaves_the_offer_to_us(system: System, transport: str, srtp: Literal["required"] | None) -> None:
    """It names its key in the ACK alone, when the other side has long been told of one."""
    async with registered(system.phone("anna", transport="tls", srtp="required"), system.phone("ben", transport=transport, srtp=srtp)) as (
        anna,
        ben,
    ):
        call = await anna.dials("102", offerless=True)
        other = await ben.rings(PATIENCE_SECONDS)
        await other.answers()
        await call.answered(PATIENCE_SECONDS)
        await hear_each_other(call, other)
        assert (is_sealed(call), is_sealed(other)) == (True, srtp is not None)
        await other.holds()
        await call.hears.until(lambda: call.hears.level() > -45, "music", PATIENCE_SECONDS)
        await other.resumes()
        await call.asks_for_offer()
        await hear_each_other(call, other)
        assert is_sealed(call)
        await call.hangs_up()
        await told(system, call, "completed.by_caller")


async def test_a_secure_telephone_that_leaves_the_offer_to_us_meets_the_attendant(system: System) -> None:
    async with registered(
        system.phone("anna", transport="tls", srtp="required"), system.phone("ben", transport="tls", srtp="required")
    ) as (anna, ben):
        call = await (await anna.dials("100", offerless=True)).answered(PATIENCE_SECONDS)
        await call.hears.speech(patience=PATIENCE_SECONDS)
        await call.presses("2")
        other = await ben.rings(PATIENCE_SECONDS)
        await other.answers()
        await hear_each_other(call, other)
        assert is_sealed(call) and is_sealed(other)
        await call.hangs_up()
        await told(system, call, "completed.by_caller")
