"""A caller and the attendant: what it says, and where its keys lead."""

from pathlib import Path

import pytest

from offhook.domain.attendants import phrases
from offhook.engines.speech.prompts import Prompts
from offhook.phones.audio import Sound, read_sound
from offhook.phones.calls import PhoneCall
from offhook.phones.phone import BUSY, Phone
from tests.calls.stories import PATIENCE_SECONDS, hear_each_other, registered, told
from tests.calls.system import System

pytestmark = pytest.mark.engines


async def spoken(folder: Path, text: str) -> Sound:
    """How our voice says this, made apart from the system."""
    prompts = Prompts(folder)
    try:
        return read_sound(await prompts.say(text, "en", "PCMU"))
    finally:
        await prompts.close()


def greeting(system: System) -> str:
    (attendant,) = system.api("GET", "/attendants").raise_for_status().json()["attendants"]
    return str(attendant["greeting"])


async def at_the_menu(anna: Phone) -> PhoneCall:
    """A call that hears the attendant speak."""
    call = await (await anna.dials("100")).answered(PATIENCE_SECONDS)
    await call.hears.speech(PATIENCE_SECONDS)
    return call


async def test_the_whole_greeting_is_heard(system: System, tmp_path: Path) -> None:
    sound = await spoken(tmp_path, greeting(system))
    async with registered(system.phone("anna", codecs=("PCMA", "telephone-event"))) as (anna,):
        call = await (await anna.dials("100")).answered(PATIENCE_SECONDS)
        await call.hears.sound(sound, patience=sound.seconds + PATIENCE_SECONDS)
        await call.hears.quiet()
        await call.hangs_up()
        answer = await told(system, call, "attendant.caller_left")
    assert any("in PCMA" in line for line in answer["explanation"]["media"])


@pytest.mark.parametrize(("key", "username"), [("1", "anna"), ("2", "ben"), ("0", "chloe")])
async def test_a_key_connects(system: System, key: str, username: str) -> None:
    caller = "ben" if username == "anna" else "anna"
    async with registered(system.phone(caller), system.phone(username)) as (one, two):
        call = await at_the_menu(one)
        await call.presses(key)
        other = await two.rings(PATIENCE_SECONDS)
        await other.answers()
        await hear_each_other(call, other)
        await other.hangs_up()
        answer = await told(system, call, "completed.by_callee")
    assert answer["record"]["connected"].startswith(f"{username}'s telephone at ")


async def test_a_key_pressed_by_info(system: System) -> None:
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call = await at_the_menu(anna)
        await call.presses("2", info=True)
        other = await ben.rings(PATIENCE_SECONDS)
        await other.answers()
        await hear_each_other(call, other)
        await call.hangs_up()


async def test_a_key_that_leads_nowhere_is_told_so_and_the_next_key_counts(system: System, tmp_path: Path) -> None:
    wrong = await spoken(tmp_path, phrases("en").unknown_key)
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call = await at_the_menu(anna)
        await call.presses("7")
        await call.hears.sound(wrong)
        await call.presses("2")
        other = await ben.rings(PATIENCE_SECONDS)
        await call.hangs_up()
        assert (await other.ended()).status == 487


@pytest.mark.parametrize("registered_busy", [False, True], ids=["not registered", "busy"])
async def test_somebody_who_cannot_be_reached_is_told_and_the_menu_comes_again(
    system: System, tmp_path: Path, registered_busy: bool
) -> None:
    sorry = await spoken(tmp_path, phrases("en").unavailable.format(name="Ben Okafor"))
    bens = [system.phone("ben", policy=BUSY)] if registered_busy else []
    async with registered(system.phone("anna"), system.phone("chloe"), *bens) as (anna, chloe, *_):
        call = await at_the_menu(anna)
        await call.presses("2")
        await call.hears.sound(sorry, patience=sorry.seconds + PATIENCE_SECONDS)
        await call.presses("0")
        other = await chloe.rings(PATIENCE_SECONDS)
        await other.answers()
        await hear_each_other(call, other)
        await call.hangs_up()
        answer = await told(system, call, "completed.by_caller")
    assert answer["record"]["connected"].startswith("chloe's telephone at ")
