"""Calls out, with a real telephone: the carrier speaks the number and echoes, or misbehaves as its table says."""

import pytest

from offhook.carriers.sandbox.carrier import SandboxCarrier
from offhook.engines.speech.prompts import Prompts
from offhook.phones.calls import CallState, Who
from offhook.phones.sources import Tone
from tests.carriers.conftest import CARRIER_HOST, Dials, words

REFUSED = [("+12065550190", 486), ("+12065550192", 603), ("+12065550193", 503), ("+12065550200", 404), ("912", 404), ("anna", 404)]


def told(number: str) -> str:
    return f"You have called {number}. Now you hear yourself."


async def test_each_caller_is_told_the_number_he_dialled_and_then_hears_himself_alone(out: Dials, speech: Prompts) -> None:
    first, second = await out("+12065550100"), await out("+12065550123")
    await first.answered()
    await second.answered()
    assert first.progress == [180]
    await first.hears.sound(await words(speech, told("two zero six, five five five, zero one zero zero")))
    await second.hears.sound(
        await words(speech, "You have called two zero six, five five five, zero one two three. Now you hear yourself.")
    )
    first.says(Tone(700))
    second.says(Tone(1300))
    await first.hears.tone(700)
    await second.hears.tone(1300)
    assert first.hears.heard_tones((700, 1300)) == {700}
    assert second.hears.heard_tones((700, 1300)) == {1300}
    ended = await first.hangs_up()
    assert (ended.status, ended.who) == (200, Who.US)
    assert second.state is CallState.UP


@pytest.mark.parametrize(("number", "status"), REFUSED)
async def test_numbers_refuse_as_their_table_says(out: Dials, number: str, status: int) -> None:
    call = await out(number)
    ended = await call.ended()
    assert (ended.status, ended.who) == (status, Who.THEM)
    if status == 404:
        assert "fictional numbers only" in ended.reason


async def test_one_number_only_rings(out: Dials, carrier: SandboxCarrier) -> None:
    call = await out("+12065550191")
    await call.ringing()
    assert carrier.calls_up == 1
    assert (await call.hangs_up()).status == 487
    assert call.answered_at is None


async def test_one_number_hangs_up_by_itself(out: Dials) -> None:
    call = await out("+12065550194")
    await call.answered()
    assert (await call.ended()).who is Who.THEM


async def test_one_number_speaks_before_it_answers(out: Dials) -> None:
    call = await out("+12065550195")
    await call.hears.until(lambda: call.hears.frames_heard > 0, "early media")
    assert 183 in call.progress
    await call.answered()
    await call.hears.speech()


async def test_a_carrier_that_stops_hangs_up(out: Dials, carrier: SandboxCarrier) -> None:
    assert carrier.address[0] == CARRIER_HOST
    call = await (await out("+12065550100")).answered()
    await carrier.stop()
    assert (await call.ended()).who is Who.THEM
    assert call.state is CallState.ENDED
