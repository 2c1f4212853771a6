"""Calls in from the public network, with a real telephone for the house: what is heard is reported."""

import asyncio

import pytest

from offhook.carriers.sandbox.carrier import SandboxCarrier
from offhook.carriers.sandbox.reports import CallRefused
from offhook.engines.speech.prompts import Prompts
from offhook.phones.audio import read_sound
from offhook.phones.calls import Who
from offhook.phones.phone import BUSY, Phone
from offhook.phones.sources import Nothing, Recording, Tone


async def test_a_call_in_is_answered_listened_to_and_reported(carrier: SandboxCarrier, anna: Phone, speech: Prompts) -> None:
    told: list[str] = []
    calling = asyncio.create_task(carrier.call("+12065550199", "+12065550100", digits="1,2", listen_seconds=4.0, progress=told.append))
    call = await anna.rings()
    assert call.caller is not None and call.caller.user == "+12065550199"
    assert call.uri == f"sip:+12065550100@{anna.address.host}:{anna.address.port}"
    greeting = read_sound(await speech.say("Welcome to Lumen Works.", "en", "PCMU"))
    call.says(Recording(greeting, then=Tone(440, 480)))
    await call.answers()
    await call.hears.pressed("12")
    report = await calling
    assert told == ["calling", "ringing", "answered", "pressed 1", "pressed 2", "ended"]
    assert (report.status, report.hung_up_by, report.digits_sent) == (200, "us", "12")
    assert report.tones == pytest.approx((440, 480), abs=5)
    assert report.answered_after is not None and report.answered_after > 0
    assert max(report.energy) > -30
    assert len(report.energy) == int(report.lasted / 0.5)
    assert report.packets_lost == 0
    assert (await call.ended()).who is Who.THEM


async def test_a_call_in_that_hears_a_voice_says_so_and_silence_is_silence(carrier: SandboxCarrier, anna: Phone, speech: Prompts) -> None:
    greeting = read_sound(await speech.say("Welcome to Lumen Works. For Anna, press one.", "en", "PCMU"))
    for source, is_voice in ((Recording(greeting), True), (Nothing(), False)):
        calling = asyncio.create_task(carrier.call("+12065550199", "+12065550100", listen_seconds=2.0))
        call = await anna.rings()
        call.says(source)
        await call.answers()
        report = await calling
        assert report.heard_speech is is_voice
        assert report.tones == ()
        assert (max(report.energy) > -35) is is_voice


async def test_a_call_in_that_is_refused_is_reported_with_its_status(carrier: SandboxCarrier, anna: Phone) -> None:
    anna.policy = BUSY
    report = await carrier.call("+12065550199", "+12065550100")
    assert (report.status, report.hung_up_by, report.answered_after, report.energy) == (486, "them", None, ())


async def test_a_call_in_that_the_house_hangs_up_is_over_at_once(carrier: SandboxCarrier, anna: Phone) -> None:
    calling = asyncio.create_task(carrier.call("+12065550199", "+12065550100", listen_seconds=60.0))
    call = await anna.rings()
    await call.answers()
    await call.hangs_up()
    report = await asyncio.wait_for(calling, 10)
    assert (report.status, report.hung_up_by) == (200, "them")


@pytest.mark.parametrize(
    ("caller", "called", "digits", "listen", "complaint"),
    [
        ("+12065551212", "+12065550100", "", 1.0, "fictional numbers only"),
        ("+12065550199", "100", "", 1.0, "no number to call"),
        ("+12065550199", "+12065550100\r\nX: y", "", 1.0, "no number to call"),
        ("+12065550199", "+12065550100", "1x", 1.0, "Digits are"),
        ("+12065550199", "+12065550100", "", 121.0, "Listen between"),
        ("+12065550199", "+12065550100", "", float("nan"), "Listen between"),
    ],
)
async def test_a_call_in_that_makes_no_sense_is_refused(
    carrier: SandboxCarrier, caller: str, called: str, digits: str, listen: float, complaint: str
) -> None:
    with pytest.raises(CallRefused, match=complaint):
        await carrier.call(caller, called, digits, listen)
    assert carrier.calls_up == 0
