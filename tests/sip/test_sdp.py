"""Session descriptions: read, asked, changed and written back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.sip.sdp import (
    BadSdp,
    Codec,
    Direction,
    address,
    codecs,
    describe,
    direction,
    parse,
    telephone_event,
    with_direction,
)

PHONE = "\r\n".join(
    [
        "v=0",
        "o=anna 3721 1 IN IP4 10.0.0.5",
        "s=call",
        "c=IN IP4 10.0.0.5",
        "b=AS:84",
        "t=0 0",
        "a=X-nat:0",
        "m=audio 4008 RTP/AVP 96 8 0 101 3",
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 useinbandfec=1",
        "a=rtpmap:8 PCMA/8000",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-16",
        "a=ssrc:1 cname:x",
        "a=sendrecv",
        "m=video 0 RTP/AVP 31",
        "a=inactive",
        "",
    ]
)


def test_a_description_is_written_back_as_it_came() -> None:
    assert str(parse(PHONE)) == PHONE
    assert str(parse(PHONE.replace("\r\n", "\n").encode())) == PHONE


def test_the_codecs_in_their_order_with_the_static_ones_named() -> None:
    assert codecs(parse(PHONE)) == (
        Codec(96, "opus", 48000, 2, "useinbandfec=1"),
        Codec(8, "PCMA", 8000),
        Codec(0, "PCMU", 8000),
        Codec(101, "telephone-event", 8000, 1, "0-16"),
        Codec(3, "GSM", 8000),
    )
    assert telephone_event(parse(PHONE)) == Codec(101, "telephone-event", 8000, 1, "0-16")
    assert telephone_event(parse(PHONE.replace("telephone-event", "tones"))) is None


def test_the_address_of_the_audio_comes_before_that_of_the_session() -> None:
    assert address(parse(PHONE)) == ("10.0.0.5", 4008)
    assert address(parse(PHONE.replace("a=ssrc:1 cname:x", "c=IN IP6 ::1"))) == ("::1", 4008)
    assert address(parse(PHONE.replace("m=audio", "m=image"))) is None


@pytest.mark.parametrize(
    "where",
    [
        "IP4 phone.lumen.test",
        "IP4 224.2.1.1/127",
        "IP4 224.2.1.1",
        "IP4 255.255.255.255",
        "IP4 0177.0.0.1",
        "IP4 ::1",
        "IP6 [::1]",
        "IP6 ff02::1",
    ],
)
def test_what_is_no_address_of_one_machine_is_none(where: str) -> None:
    assert address(parse(PHONE.replace("IP4 10.0.0.5\r\nb", where + "\r\nb"))) is None


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (PHONE, Direction.SENDRECV),
        (PHONE.replace("a=sendrecv\r\n", ""), Direction.SENDRECV),
        (PHONE.replace("a=sendrecv", "a=sendonly"), Direction.SENDONLY),
        (PHONE.replace("a=sendrecv\r\n", "").replace("a=X-nat:0", "a=inactive"), Direction.INACTIVE),
        (PHONE.replace("a=X-nat:0", "a=inactive"), Direction.SENDRECV),
        (PHONE.replace("c=IN IP4 10.0.0.5", "c=IN IP4 0.0.0.0"), Direction.SENDONLY),
    ],
)
def test_the_direction_of_the_audio(text: str, wanted: Direction) -> None:
    assert direction(parse(text)) is wanted


def test_another_direction_changes_nothing_else() -> None:
    held = with_direction(parse(PHONE), Direction.RECVONLY)
    assert direction(held) is Direction.RECVONLY
    assert codecs(held) == codecs(parse(PHONE))
    assert "a=ssrc:1 cname:x" in str(held)
    assert str(held).count("a=recvonly") == 2
    assert "a=sendrecv" not in str(held)


def test_what_answers_a_direction() -> None:
    assert [way.answered for way in Direction] == [Direction.SENDRECV, Direction.RECVONLY, Direction.SENDONLY, Direction.INACTIVE]


def test_a_description_of_ours_can_be_read() -> None:
    formats = (Codec(8, "PCMA", 8000), Codec(111, "opus", 48000, 2, "useinbandfec=1"))
    made = parse(str(describe("127.0.0.1", 4000, formats, flow=Direction.SENDONLY)))
    assert codecs(made) == formats
    assert address(made) == ("127.0.0.1", 4000)
    assert direction(made) is Direction.SENDONLY
    assert made.session[1] == "o=- 0 0 IN IP4 127.0.0.1"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        PHONE.replace("v=0", "v=1"),
        PHONE.replace("m=audio 4008", "m=audio 70000"),
        PHONE.replace("m=audio 4008", "m=audio ²"),
        PHONE.replace("m=audio 4008 RTP/AVP 96 8 0 101 3", "m=audio"),
        PHONE.replace("a=X-nat:0", "nonsense"),
        PHONE.replace("a=X-nat:0", "a=x\ry"),
        PHONE + "m=audio 1 RTP/AVP 0\r\n" * 65,
        PHONE.replace("8 0 101", " ".join(["8"] * 65)),
        PHONE + "a=x\r\n" * 20_000,
    ],
)
def test_what_is_no_description_is_refused_by_name(text: str) -> None:
    with pytest.raises(BadSdp):
        parse(text)


@given(
    st.binary(max_size=400) | st.builds(lambda at, junk: PHONE.encode()[:at] + junk + PHONE.encode()[at:], st.integers(0, 380), st.binary())
)
def test_nothing_but_a_refusal_comes_out_of_junk(data: bytes) -> None:
    try:
        sdp = parse(data)
    except BadSdp:
        return
    codecs(sdp)
    telephone_event(sdp)
    address(sdp)
    assert direction(parse(str(with_direction(sdp, Direction.SENDONLY)))) in Direction


def test_a_description_without_media_offers_nothing() -> None:
    read = parse("v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\n")
    assert read.media == () and read.audio is None
