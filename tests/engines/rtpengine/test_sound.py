"""Calls through a real rtpengine, with parties that send tones and listen."""

from collections.abc import Callable
from pathlib import Path

import pytest

from offhook.domain.calls.ids import CallId, LegId, leg_id
from offhook.domain.media import MediaShape
from offhook.engines.rtpengine.relay import BEAT_SECONDS, RtpEngine, until_beat
from tests.engines.rtpengine.calls import CODECS, new_call, spoken
from tests.engines.rtpengine.conftest import eventually
from tests.engines.rtpengine.parties import PAYLOADS, Party, target_of

pytestmark = pytest.mark.engines

PLAIN = MediaShape.PLAIN
RINGBACK = 1900
GREETING = 1700

MakeParty = Callable[..., Party]
MakeSound = Callable[[int], Path]


def legs_of(call: CallId) -> tuple[LegId, LegId, LegId, LegId]:
    return leg_id(call, 0), leg_id(call, 1), leg_id(call, 2), leg_id(call, 3)


async def hears(listener: Party, *hertz: int) -> None:
    """Wait until `listener` hears these tones and no other."""
    await eventually(lambda: listener.hears() == set(hertz), f"{listener.hertz} should hear {hertz}, hears {listener.hears()}")


async def more_packets(sender: Party, count: int) -> None:
    """Wait until `sender` has sent so many packets more."""
    enough = sender.sent + count
    await eventually(lambda: sender.sent >= enough)


async def connect(engine: RtpEngine, call: CallId, caller: Party, callee: Party) -> None:
    """Caller and callee speak and hear each other."""
    offered = await engine.offer(call, leg_id(call, 0), leg_id(call, 1), caller.sdp(), PLAIN, CODECS)
    answered = await engine.answer(call, leg_id(call, 0), leg_id(call, 1), callee.sdp(), PLAIN)
    caller.speaks_to(answered)
    callee.speaks_to(offered)
    await hears(caller, callee.hertz)
    await hears(callee, caller.hertz)


@pytest.mark.parametrize("codecs", [("PCMU", "PCMU"), ("PCMU", "PCMA")])
async def test_two_phones_hear_each_other_and_the_figures_say_so(engine: RtpEngine, party: MakeParty, codecs: tuple[str, str]) -> None:
    call = new_call()
    anna, ben = party(codecs[0]), party(codecs[1])
    await connect(engine, call, anna, ben)
    figures = await engine.close(call)
    for number, phone in enumerate((anna, ben)):
        stream = figures.of(leg_id(call, number))
        assert stream and stream.codec == phone.codec
        assert stream.packets >= 10 and stream.octets >= 10 * 160
        assert stream.heard_from == stream.advertised == f"{phone.address}:{phone.port}"
        assert stream.silent_seconds is not None and stream.silent_seconds < 5
        assert stream.mos is None


async def test_a_phone_behind_nat_is_heard_from_elsewhere_than_it_said(engine: RtpEngine, party: MakeParty) -> None:
    call, anna, ben = new_call(), party(), party()
    offered = await engine.offer(call, leg_id(call, 0), leg_id(call, 1), anna.sdp(), PLAIN)
    lie = ben.sdp().replace(f"c=IN IP4 {ben.address}", "c=IN IP4 127.0.0.10")
    answered = await engine.answer(call, leg_id(call, 0), leg_id(call, 1), lie, PLAIN)
    anna.speaks_to(answered)
    before = (await engine.figures(call)).of(leg_id(call, 1))
    assert before and before.heard_from is None
    ben.speaks_to(offered)
    await hears(ben, anna.hertz)
    after = (await engine.figures(call)).of(leg_id(call, 1))
    assert after and after.advertised == f"127.0.0.10:{ben.port}"
    assert after.heard_from == f"{ben.address}:{ben.port}"


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_early_media_from_one_phone_then_another_answers(engine: RtpEngine, party: MakeParty, codec: str) -> None:
    call, anna, ben, chloe = new_call(), party(), party(), party(codec)
    a, b, c, _ = legs_of(call)
    to_ben = await engine.offer(call, a, b, anna.sdp(), PLAIN, CODECS)
    to_chloe = await engine.offer(call, a, c, anna.sdp(), PLAIN, CODECS)
    early = await engine.answer(call, a, b, ben.sdp(), PLAIN)
    anna.speaks_to(early)
    ben.speaks_to(to_ben)
    await hears(anna, ben.hertz)
    final = await engine.answer(call, a, c, chloe.sdp(), PLAIN)
    assert target_of(final) == target_of(early)
    chloe.speaks_to(to_chloe)
    await eventually(lambda: chloe.hertz in anna.hears(), "anna should hear chloe")
    await engine.remove(call, a, b)
    await hears(anna, chloe.hertz)  # though ben's phone goes on sending
    await hears(chloe, anna.hertz)
    assert anna.packets[-1][1] == 0 and chloe.packets[-1][1] == PAYLOADS[codec]


async def test_attendant_then_three_phones_with_ringback_then_one_answers(engine: RtpEngine, party: MakeParty, sound: MakeSound) -> None:
    call, anna, ben, chloe, david = new_call(), party("PCMA"), party(), party(), party()
    a, *others = legs_of(call)
    offer = anna.sdp("PCMU", "PCMA")
    alone = await engine.answer_alone(call, a, offer, PLAIN, "PCMA")
    anna.speaks_to(alone)
    await engine.play(call, a, sound(GREETING), repeat=100)
    await hears(anna, GREETING)
    offers = [await engine.offer(call, a, leg, offer, PLAIN, CODECS) for leg in others]
    assert len({target_of(each) for each in offers}) == 3
    await engine.play(call, a, sound(RINGBACK), repeat=100)
    await hears(anna, RINGBACK)
    assert {kind for _, kind, _ in anna.packets} == {8}
    answered = await engine.answer(call, a, others[1], chloe.sdp(), PLAIN)
    await engine.stop(call, a)
    await engine.remove(call, a, others[0])
    await engine.remove(call, a, others[2])
    await engine.leave_alone(call, a)
    assert target_of(answered) == target_of(alone)
    assert spoken(answered) == ["PCMA"]
    chloe.speaks_to(offers[1])
    ben.speaks_to(offers[0])
    david.speaks_to(offers[2])
    await hears(anna, chloe.hertz)
    await hears(chloe, anna.hertz)
    assert anna.packets[-1][1] == 8 and chloe.packets[-1][1] == 0


async def test_who_speaks_with_the_system_is_heard_by_nobody_until_it_leaves(engine: RtpEngine, party: MakeParty, sound: MakeSound) -> None:
    call, anna, ben = new_call(), party(), party()
    a, b, *_ = legs_of(call)
    anna.speaks_to(await engine.answer_alone(call, a, anna.sdp(), PLAIN, "PCMU"))
    await engine.play(call, a, sound(GREETING), repeat=100)
    await hears(anna, GREETING)
    ben.speaks_to(await engine.offer(call, a, b, anna.sdp(), PLAIN, CODECS))
    await engine.answer(call, a, b, ben.sdp(), PLAIN)
    await engine.stop(call, a)
    await hears(anna, ben.hertz)
    await more_packets(anna, 25)
    assert not ben.packets
    await engine.leave_alone(call, a)
    await hears(ben, anna.hertz)
    await hears(anna, ben.hertz)


@pytest.mark.parametrize("now", [0.0, 0.019, 0.02, 1234.567, 98765.4321])
def test_sounds_begin_on_a_beat_that_is_everybodys(now: float) -> None:
    wait = until_beat(now)
    assert 0 < wait <= BEAT_SECONDS
    beats = (now + wait) / BEAT_SECONDS
    assert beats == pytest.approx(round(beats), abs=1e-6)


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_hold_and_resume_bring_the_sound_back(engine: RtpEngine, party: MakeParty, sound: MakeSound, codec: str) -> None:
    call, anna, ben = new_call(), party(), party(codec)
    a, b, *_ = legs_of(call)
    await connect(engine, call, anna, ben)
    await engine.offer(call, a, b, anna.sdp(direction="sendonly"), PLAIN, CODECS)
    await engine.answer(call, a, b, ben.sdp(direction="recvonly"), PLAIN)
    await engine.silence(call, a)
    await engine.silence(call, b)
    await engine.play(call, b, sound(RINGBACK), repeat=100)
    await hears(ben, RINGBACK)
    await hears(anna)
    await engine.stop(call, b)
    await engine.unsilence(call, a)
    await engine.unsilence(call, b)
    offered = await engine.offer(call, a, b, anna.sdp(), PLAIN, CODECS)
    answered = await engine.answer(call, a, b, ben.sdp(), PLAIN)
    anna.speaks_to(answered)
    ben.speaks_to(offered)
    await hears(ben, anna.hertz)
    await hears(anna, ben.hertz)
    assert anna.packets[-1][1] == 0 and ben.packets[-1][1] == PAYLOADS[codec]


async def test_a_new_sound_takes_the_place_of_the_old(engine: RtpEngine, party: MakeParty, sound: MakeSound) -> None:
    call, anna = new_call(), party()
    anna.speaks_to(await engine.answer_alone(call, leg_id(call, 0), anna.sdp(), PLAIN, "PCMU"))
    for hertz in (GREETING, RINGBACK):
        await engine.play(call, leg_id(call, 0), sound(hertz), repeat=100)
        await hears(anna, hertz)
    await engine.stop(call, leg_id(call, 0))
    await hears(anna)


async def test_reports_of_the_phones_give_mos_loss_jitter_and_round_trip(engine: RtpEngine, party: MakeParty) -> None:
    call, anna, ben = new_call(), party(), party()
    await connect(engine, call, anna, ben)
    measured = other = None
    for _ in range(20):
        for teller, lost, jitter in ((anna, 0, 40), (ben, 26, 160)):
            teller.reports(lost, jitter)
            await more_packets(anna, 3)  # a round trip is told from two reports with time between
        figures = await engine.figures(call)
        measured, other = figures.of(leg_id(call, 0)), figures.of(leg_id(call, 1))
        if measured and measured.mos and other and other.mos:
            break
    assert measured and measured.mos and 1.0 <= measured.mos <= 4.5
    assert measured.jitter_ms == pytest.approx(20, abs=2)
    assert measured.loss_percent == pytest.approx(10, abs=1)
    assert other and other.mos and other.mos > measured.mos
    assert other.jitter_ms == pytest.approx(5, abs=1) and other.loss_percent == 0
    assert measured.round_trip_ms and 1 <= measured.round_trip_ms < 5000
