"""Damaged messages at all that reads what comes from rtpengine, and damaged SDP at what writes it anew: typed errors, little memory.

./test has 2,500 of them, ./test long 60,000; tests/phones/test_fuzz.py has as many for RTP and RTCP.
"""

import contextlib
import json
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.domain.calls.ids import call_id
from offhook.engines.rtpengine.digits import Presses, digit_of
from offhook.engines.rtpengine.figures import figures_of
from offhook.engines.rtpengine.keys import is_secure, strongly_keyed
from offhook.engines.rtpengine.sdp import audio_transport, formats, listening_answer, narrowed, offers_all
from offhook.engines.rtpengine.wire import MAX_BYTES, Body, Stream, WireWrong, encode, read
from offhook.services.ports.media import MediaRefused
from tests.octets import mutants

CALL = call_id(1_700_000_000_000, 7)
DIGIT: Body = {
    "notify": "onDTMF",
    "data": {"callid": CALL, "source_tag": f"{CALL}.0", "tags": [f"{CALL}.1"], "type": "DTMF", "event": 11, "duration": 100, "volume": 10},
}
STREAM: Body = {
    "local port": 20012,
    "endpoint": {"family": "IPv4", "address": "127.0.0.1", "port": 4000},
    "advertised endpoint": {"family": "IPv6", "address": "::1", "port": 4000},
    "last packet": 1795469742,
    "SSRC": 77,
    "stats": {"packets": 12, "bytes": 4000, "errors": 0},
}
END: Body = {
    "tag": f"{CALL}.0",
    "subscribers": [{"tag": f"{CALL}.1"}],
    "medias": [{"type": "audio", "codec": "PCMU/8000", "streams": [STREAM]}],
}
QUERY: Body = {
    "result": "ok",
    "tags": {f"{CALL}.0": END, f"{CALL}.1": END},
    "SSRC": {"77": {"average MOS": {"MOS": 43, "samples": 3, "jitter": 2, "packet loss": 0, "round-trip time": 900}}},
}
OFFER = (
    "v=0\r\no=anna 1 1 IN IP4 127.0.0.9\r\ns=-\r\nc=IN IP4 127.0.0.9\r\nt=0 0\r\nm=audio 6000 RTP/SAVP 0 96 101\r\n"
    "a=rtpmap:96 opus/48000/2\r\na=fmtp:96 useinbandfec=1\r\na=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:WVNfX19zZW1jdGwgKCkgewkyMjA7fQp9CnVubGVz|2^20|1:4\r\n"
    "m=video 6002 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\nm=audio 0 RTP/AVP 8\r\n"
)
REPLIES = [
    b"abc_1 " + encode(QUERY),
    b"abc_2 " + json.dumps(QUERY).encode(),
    b"abc_3 " + encode({"sdp": OFFER, "result": "ok"}),
    b"abc_4 " + encode(DIGIT),
    b"abc_5 d6:result5:error12:error-reason15:Unknown call-ide",
]
OFFERS = [OFFER.encode(), OFFER.replace("SAVP", "AVP").encode(), OFFER.replace("\r\n", "\n").encode()]
MEMORY_BYTES = 8 * MAX_BYTES


def read_reply(data: bytes) -> None:
    """All that is done with a datagram of the engine."""
    with contextlib.suppress(WireWrong):
        body = read(data).body
        figures_of(CALL, body, 1795469800.0)
        digit = digit_of(body)
        if digit:
            Presses().is_new(digit, 0.0)


def read_description(text: str) -> None:
    """All that is done with the SDP of a telephone."""
    formats(text)
    audio_transport(text)
    is_secure(text)
    offers_all(OFFER, text)
    for codec in ("PCMU", "opus"):
        assert narrowed(narrowed(text, codec), codec) == narrowed(text, codec)
        answer = listening_answer(text, codec)
        assert answer is None or (formats(answer)[0].codec.lower() == codec.lower() and answer.count("m=") <= text.count("m="))
    with contextlib.suppress(MediaRefused):
        strong = strongly_keyed(text)
        assert strongly_keyed(strong) == strong


def read_stream(pieces: list[bytes]) -> None:
    """All that comes over one connection for digits, until it is closed for being unreadable."""
    stream = Stream()
    with contextlib.suppress(WireWrong):
        for piece in pieces:
            for message in stream.feed(piece):
                digit_of(message.body)


def torment(seed: int, count: int) -> None:
    """A third each: replies, the stream of digits, SDP."""
    tracemalloc.start()
    try:
        for data in mutants(REPLIES, seed, count // 3):
            read_reply(data)
        pieces = list(mutants([REPLIES[3]], seed + 1, count // 3))
        for at in range(0, len(pieces), 20):
            read_stream([*pieces[at : at + 20], REPLIES[3]])
        for data in mutants(OFFERS, seed + 2, count - 2 * (count // 3)):
            read_description(data.decode("utf-8", "replace"))
        assert tracemalloc.get_traced_memory()[1] < MEMORY_BYTES + sum(map(len, pieces))
    finally:
        tracemalloc.stop()


def test_thousands_of_mutants() -> None:
    torment(seed=4711, count=2_500)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
def test_tens_of_thousands_of_mutants(seed: int) -> None:
    torment(seed * 100, 10_000)


odd = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just(10**400),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from([*QUERY, *END, *STREAM, "0", "MOS"]), inner, max_size=4),
    max_leaves=15,
)


@given(odd, odd, odd)
def test_figures_of_anything_are_figures(one: object, two: object, three: object) -> None:
    for body in (
        one,
        {"tags": {f"{CALL}.0": one}, "SSRC": two},
        {"tags": {f"{CALL}.0": {"medias": [{"type": "audio", "streams": [three]}]}}},
    ):
        if isinstance(body, dict):
            figures_of(CALL, body, 1795469800.0)
            digit_of(body)


@given(st.text(max_size=300) | st.lists(st.sampled_from(OFFER.splitlines()), max_size=20).map("\r\n".join))
def test_any_text_is_a_description_or_none(text: str) -> None:
    read_description(text)


def test_no_stream_holds_more_than_one_message_can_be() -> None:
    stream = Stream()
    with pytest.raises(WireWrong):
        for _ in range(100):
            stream.feed(b"x d1:a100000:" + b"y" * 60_000)
