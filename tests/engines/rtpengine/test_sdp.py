"""Reading and making SDP."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.engines.rtpengine.sdp import Format, formats, listening_answer, narrowed, offers_all

OFFER = "\r\n".join(
    [
        "v=0",
        "o=- 1 1 IN IP4 192.0.2.1",
        "s=-",
        "c=IN IP4 192.0.2.1",
        "t=0 0",
        "m=audio 4000 RTP/AVP 0 96 101 97",
        "a=rtpmap:96 opus/48000/2",
        "a=fmtp:96 useinbandfec=1",
        "a=rtpmap:101 telephone-event/8000",
        "a=fmtp:101 0-15",
        "a=rtpmap:97 telephone-event/48000",
        "a=ptime:20",
        "m=video 4002 RTP/AVP 31",
        "a=rtpmap:31 H261/90000",
        "",
    ]
)


def test_formats_keep_the_order_and_know_static_numbers() -> None:
    assert [each.name for each in formats(OFFER)] == ["PCMU/8000", "opus/48000/2", "telephone-event/8000", "telephone-event/48000"]
    assert formats("v=0\r\nm=audio 0 RTP/AVP 0\r\n") == ()


def test_a_listening_answer_refuses_video_and_takes_digits_of_its_clock() -> None:
    answer = listening_answer(OFFER, "OPUS")
    assert answer
    assert formats(answer) == (Format("96", "opus/48000/2"), Format("97", "telephone-event/48000"))
    assert [line for line in answer.splitlines() if line.startswith("m=")] == ["m=audio 9 RTP/AVP 96 97", "m=video 0 RTP/AVP 0"]
    assert listening_answer(OFFER, "G722") is None


@pytest.mark.parametrize("where", ["a=ptime:20", "t=0 0"])
def test_a_direction_is_answered_wherever_it_stands(where: str) -> None:
    answer = listening_answer(OFFER.replace(where, f"{where}\r\na=sendonly"), "PCMU")
    assert answer and "a=recvonly" in answer.splitlines()


def test_narrowed_leaves_one_codec_and_everything_else() -> None:
    lines = narrowed(OFFER, "PCMU").splitlines()
    assert lines == [line.replace("0 96 101", "0 101") for line in OFFER.splitlines() if ":96 " not in line]
    assert narrowed(OFFER, "G722") == OFFER


lines_of_sdp = st.one_of(
    st.sampled_from(OFFER.splitlines()),
    st.sampled_from(["m=", "m=audio", "m=audio 1", "m=audio 1 RTP/AVP", "m=audio x RTP/AVP 0", "a=rtpmap:", "a=rtpmap:0", "a=fmtp:", "c="]),
    st.text(max_size=20).map("m=".__add__),
    st.text(max_size=20).map("a=rtpmap:".__add__),
)


@given(st.lists(lines_of_sdp, max_size=12))
def test_no_text_breaks_the_reading(lines: list[str]) -> None:
    sdp = "\r\n".join(lines)
    formats(sdp)
    narrowed(sdp, "PCMU")
    offers_all(sdp, sdp)
    listening_answer(sdp, "PCMU")


@pytest.mark.parametrize("codec", ["PCMU", "opus"])
def test_narrowing_twice_changes_nothing_more(codec: str) -> None:
    assert narrowed(narrowed(OFFER, codec), codec) == narrowed(OFFER, codec)
