"""What is left of a session description before an engine reads it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.sip.harmless import LONGEST_LINE, MOST_ATTRIBUTES, MOST_CANDIDATES, MOST_MEDIA, harmless
from offhook.sip.sdp import BadSdp, address, codecs, direction, parse
from tests.sip.test_sdp import PHONE

SECURE = (
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSoj|2^20|1:32",
    "a=crypto:2 AES_256_CM_HMAC_SHA1_80 inline:d0RmdmcmVCspeEc3QGZiNWpVLFJhQX1cfHAwJSojd0RmdmcmVCspeEc3QGZi",
    "a=fingerprint:sha-256 " + ":".join(["AB"] * 32),
    "a=setup:actpass",
    "a=ice-ufrag:9uB6",
    "a=ice-pwd:YH75Fviy6338Vbrhrlp8Yh+x",
    "a=candidate:1 1 UDP 2130706431 192.0.2.1 4008 typ host generation 0",
    "a=candidate:1 2 udp 2130706430 2001:db8::1 4009 typ srflx raddr 10.0.0.5 rport 4009",
    "a=rtcp:4009 IN IP4 10.0.0.5",
    "a=rtcp-mux",
    "a=mid:audio",
    "a=ptime:20",
    "a=maxptime:150",
)


def with_lines(*lines: str) -> str:
    return PHONE.replace("a=ssrc:1 cname:x", "\r\n".join(("a=ssrc:1 cname:x", *lines)))


def test_a_telephones_own_description_keeps_all_that_matters() -> None:
    left = harmless(parse(with_lines(*SECURE)))
    assert str(left) == with_lines(*SECURE).replace("s=call\r\n", "s=-\r\n").replace("b=AS:84\r\n", "")


@pytest.mark.parametrize(
    "line",
    [
        "a=ptime:0", "a=ptime:3600000", "a=ptime:-1", "a=ptime:²", "a=maxptime:99999999999999999999",
        "a=rtpmap:0 PCMU/1000000000", "a=rtpmap:0 PCMU/0", "a=rtpmap:999 X/8000", "a=rtpmap:0 PCMU/8000/255", "a=rtpmap:x",
        "a=rtcp:99999999", "a=rtcp:4000 IN IP4 224.0.0.1", "a=candidate:", "a=crypto: x", "a=ice-pwd:short",
        "a=x:" + "y" * LONGEST_LINE, "a=x:\x1b[2J", "b=AS:-1", "k=clear:x", "x=1", "a=sendonly ;",
    ],
)  # fmt: skip
def test_what_no_telephone_means_is_left_out(line: str) -> None:
    assert line not in str(harmless(parse(with_lines(line))))


def test_what_is_said_twice_is_said_once() -> None:
    left = str(harmless(parse(with_lines("a=rtpmap:8 EVIL/8000", "a=inactive", "a=ptime:20", "a=ptime:40"))))
    assert "EVIL" not in left and "a=ptime:40" not in left and left.count("a=sendrecv") + left.count("a=inactive") == 2


def test_there_are_not_endlessly_many() -> None:
    many = [f"a=candidate:{n} 1 UDP {n} 192.0.2.1 4000 typ host" for n in range(500)] + [f"a=x-{n}" for n in range(1000)]
    left = harmless(parse(with_lines(*many))).media[0].lines
    assert sum(line.startswith("a=candidate") for line in left) == MOST_CANDIDATES
    assert sum(line.startswith("a=") for line in left) == MOST_ATTRIBUTES


def test_sixty_media_lines_take_the_ports_of_three() -> None:
    session, _, rest = PHONE.partition("m=audio")
    video = "m=video 4000 RTP/AVP 31\r\n" * 30
    left = harmless(parse(session + video + "m=audio" + rest + "m=audio 5000 RTP/AVP 0\r\n" * 29))
    assert len(left.media) == 61 and sum(media.port > 0 for media in left.media) == MOST_MEDIA
    assert left.audio is not None and left.audio.port == 4008


line = st.text(max_size=60) | st.from_regex(r"[vosctbma]=[ -~]{0,60}", fullmatch=True)


@given(st.lists(line | st.sampled_from(PHONE.split("\r\n")), max_size=30))
def test_it_is_read_as_the_same_offer_and_done_once(lines: list[str]) -> None:
    try:
        given_sdp = parse("\r\n".join(("v=0", *lines)))
    except BadSdp:
        return
    left = harmless(given_sdp)
    assert (address(left), direction(left)) == (address(given_sdp), direction(given_sdp))
    assert set(codecs(left)) <= {*codecs(given_sdp)} | {codec for codec in codecs(left) if not codec.fmtp}
    assert [media.kind for media in left.media] == [media.kind for media in given_sdp.media]
    assert str(harmless(parse(str(left)))) == str(left)
