"""Two media ports on loopback: sound, keys, reports and figures go both ways."""

import asyncio
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest

from offhook.phones import tones
from offhook.phones.audio import Sound
from offhook.phones.ear import NotHeard
from offhook.phones.media import KeysRefused, MediaPort
from offhook.phones.offers import ALL_CODECS, Agreement, NothingShared, agreement, answer, offer
from offhook.phones.sources import Echo, Nothing, Recording, Tone
from offhook.sip import sdp
from offhook.sip.sdp import Direction

HOST = "127.0.0.1"


def towards(port: MediaPort, codec: str = "PCMU") -> Agreement:
    return Agreement((HOST, port.port), (HOST, port.port + 1), codec, {"PCMU": 0, "PCMA": 8}[codec], 101, True, True)


@pytest.fixture
async def ports() -> AsyncIterator[tuple[MediaPort, MediaPort]]:
    one, other = [await MediaPort.open(HOST, report_every=0.4) for _ in range(2)]
    yield one, other
    one.close()
    other.close()


@pytest.mark.parametrize("codec", ["PCMU", "PCMA"])
async def test_each_hears_the_other_and_not_itself(ports: tuple[MediaPort, MediaPort], codec: str) -> None:
    one, other = ports
    one.source, other.source = Tone(440), Tone(620)
    one.connect(towards(other, codec))
    other.connect(towards(one, codec))
    await one.ear.tone(620)
    await other.ear.tone(440)
    assert one.ear.heard_tones((440, 620)) == {620}
    await other.ear.until(lambda: other.ear.level() == pytest.approx(-20, abs=1), "the level that was sent")


async def test_reports_tell_loss_jitter_and_round_trip(ports: tuple[MediaPort, MediaPort]) -> None:
    one, other = ports
    one.connect(towards(other))
    other.connect(towards(one))
    await one.ear.until(lambda: one.figures.round_trip_ms is not None, "a report about ours that answers ours")
    figures = one.figures
    assert figures.their_lost == 0
    assert figures.their_jitter_ms is not None
    assert figures.packets_lost == 0
    assert figures.heard_from == (HOST, other.port)
    assert figures.round_trip_ms is not None and 0 <= figures.round_trip_ms < 1000


async def test_keys_arrive_once_each_between_the_sound(ports: tuple[MediaPort, MediaPort]) -> None:
    one, other = ports
    one.source = Tone(440)
    one.connect(towards(other))
    other.connect(towards(one))
    await one.presses("1122#")
    await other.ear.pressed("1122#")
    assert other.ear.digits == "1122#"
    await other.ear.tone(440)


async def test_keys_can_be_sung(ports: tuple[MediaPort, MediaPort]) -> None:
    one, other = ports
    one.connect(towards(other))
    other.connect(towards(one))
    await one.sings("159")
    await other.ear.until(lambda: tones.keys_in(other.ear.samples()) == "159", "the keys as tones")


async def test_keys_are_refused_where_none_were_agreed(ports: tuple[MediaPort, MediaPort]) -> None:
    one, other = ports
    one.connect(replace(towards(other), events=None))
    with pytest.raises(KeysRefused):
        await one.presses("1")


async def test_an_echo_gives_the_sound_back(ports: tuple[MediaPort, MediaPort]) -> None:
    one, other = ports
    one.source, other.source = Tone(1000), Echo()
    one.connect(towards(other))
    other.connect(towards(one))
    await one.ear.tone(1000)


async def test_a_recording_is_heard_to_its_end_and_then_what_follows(ports: tuple[MediaPort, MediaPort]) -> None:
    one, other = ports
    one.source = Recording(Sound(tones.tone((440,), 0.4), 8000), then=Tone(620))
    one.connect(towards(other))
    other.connect(towards(one))
    await other.ear.tone(620)
    assert one.source.finished
    first = other.ear.samples()[: 8000 * 3 // 10]
    assert tones.tones_in(first, (440, 620)) == {440}


async def test_what_is_not_heard_is_told_with_what_was(ports: tuple[MediaPort, MediaPort]) -> None:
    one, other = ports
    one.source, other.source = Tone(440), Nothing()
    one.connect(towards(other))
    other.connect(towards(one))
    with pytest.raises(NotHeard, match=r"620 Hz was not heard in 0.3 s\. .* frames came"):
        await other.ear.tone(620, patience=0.3)
    with pytest.raises(NotHeard, match="No packet"):
        await one.ear.tone(620, patience=0.1)
    assert one.ear.level() == tones.QUIETEST


async def test_a_holder_hears_nothing_and_sends_on(ports: tuple[MediaPort, MediaPort]) -> None:
    one, other = ports
    one.source, other.source = Tone(440), Tone(620)
    one.connect(replace(towards(other), hears=False))
    other.connect(towards(one))
    await other.ear.tone(440)
    assert one.ear.frames_heard == 0
    one.connect(replace(towards(other), sends=False))
    await other.ear.quiet()
    await one.ear.tone(620)


async def test_after_a_stall_frames_are_left_out_and_none_count_as_lost(ports: tuple[MediaPort, MediaPort]) -> None:
    one, other = ports
    one.connect(towards(other))
    other.connect(towards(one))
    await other.ear.until(lambda: other.ear.frames_heard > 5, "a few frames")
    before = one.figures.packets_sent
    time.sleep(1.0)  # noqa: ASYNC251 - the stall: fifty frames fall due
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert one.figures.packets_sent - before <= 11
    heard = other.ear.frames_heard
    await other.ear.until(lambda: other.ear.frames_heard > heard + 20, "the frames after the stall")
    assert other.figures.packets_lost == 0


def test_an_offer_and_its_answer_agree_on_one_codec_and_keys() -> None:
    ours = offer(HOST, 4000, ALL_CODECS, Direction.SENDRECV)
    theirs = answer(ours, HOST, 5000, ("PCMA", "telephone-event"), Direction.SENDRECV)
    assert [codec.name for codec in sdp.codecs(theirs)] == ["PCMA", "telephone-event"]
    agreed = agreement(theirs, ALL_CODECS, Direction.SENDRECV)
    assert agreed == Agreement((HOST, 5000), (HOST, 5001), "PCMA", 8, 101, True, True)


def test_the_answer_keeps_their_payload_types_and_where_reports_go() -> None:
    text = "v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 9 8 96\r\n"
    text += "a=rtpmap:96 telephone-event/8000\r\na=rtcp:4999\r\na=sendonly\r\n"
    theirs = sdp.parse(text)
    ours = answer(theirs, HOST, 5000, ALL_CODECS, Direction.SENDRECV)
    assert [codec.payload_type for codec in sdp.codecs(ours)] == [8, 96]
    assert sdp.direction(ours) is Direction.RECVONLY
    agreed = agreement(theirs, ALL_CODECS, Direction.SENDRECV)
    assert (agreed.remote_rtcp, agreed.sends, agreed.hears) == (("192.0.2.1", 4999), False, True)


@pytest.mark.parametrize("host", ["phone.example", "", "999.1.1.1"])
def test_a_name_instead_of_an_address_is_refused_not_looked_up(host: str) -> None:
    theirs = sdp.parse(f"v=0\r\nc=IN IP4 {host}\r\nm=audio 4000 RTP/AVP 0\r\n")
    with pytest.raises(NothingShared, match="numeric address"):
        agreement(theirs, ("PCMU",), Direction.SENDRECV)


def test_nothing_shared_says_what_each_speaks() -> None:
    theirs = sdp.parse("v=0\r\nc=IN IP4 192.0.2.1\r\nm=audio 4000 RTP/AVP 9\r\n")
    with pytest.raises(NothingShared, match="they speak G722, we PCMU"):
        agreement(theirs, ("PCMU",), Direction.SENDRECV)
