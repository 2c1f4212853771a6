"""Bodies of several parts, and those that cannot be taken."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.sip.facts import AnswerReceived, InviteReceived
from tests.sip.lines import ANSWER, OFFER
from tests.sip.raw import PEER, an_agent, calling, header, invite, response, sent, statuses, told

MIXED = 'Content-Type: multipart/mixed; boundary="b1"'
SDP_PART = f"--b1\r\nContent-Type: application/sdp\r\n\r\n{OFFER}"
LOCATION = "--b1\r\nContent-Type: application/pidf+xml\r\nContent-ID: <a@b>\r\n\r\n<presence/>\r\n"
ISUP = "--b1\r\nContent-Type: application/isup\r\nContent-Disposition: signal; handling=required\r\n\r\n\x01\r\n"


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (MIXED, f"{SDP_PART}--b1--\r\n"),
        (MIXED, f"{LOCATION}{SDP_PART}--b1--"),
        (MIXED, f"preamble\r\n{SDP_PART}\r\n{LOCATION}--b1--\r\nepilogue"),
        ("Content-Type: Multipart/Related;boundary=b1;type=a", SDP_PART.replace("Content-Type", "CONTENT-TYPE ")),
        (MIXED, ISUP.replace("required", "optional") + SDP_PART + "--b1--"),
    ],
)
def test_the_description_is_found_among_other_parts(kind: str, body: str) -> None:
    outputs = an_agent().receive(invite(more=(kind,), body=body), PEER, 0.0)
    came = told(outputs, InviteReceived)[0]
    assert isinstance(came, InviteReceived) and came.sdp is not None
    assert came.sdp.strip() == OFFER.strip()


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        (MIXED, f"{LOCATION}--b1--"),
        (MIXED, f"{ISUP}{SDP_PART}--b1--"),
        ("Content-Type: multipart/mixed", f"{SDP_PART}--b1--"),
        (MIXED.replace("b1", "b" * 100), f"{SDP_PART}--b1--"),
        (MIXED, LOCATION * 16 + SDP_PART),
        (MIXED, f"--b1--\r\n{SDP_PART}"),
        ("Content-Type: application/isup", "x"),
        ("Subject: nothing said", "x"),
    ],
)
def test_what_cannot_be_taken_is_refused(kind: str, body: str) -> None:
    data = invite(more=(kind,), body=body).replace(b"Content-Type: application/sdp\r\nContent-Length", b"Content-Length")
    outputs = an_agent().receive(data, PEER, 0.0)
    assert statuses(outputs) == [415]
    assert header(sent(outputs)[0], "Accept") == ["application/sdp, multipart/mixed"]


def test_what_need_not_be_understood_is_passed_over() -> None:
    more = ("Content-Type: application/isup", "Content-Disposition: signal;handling=OPTIONAL")
    came = told(an_agent().receive(invite(more=more, body="x"), PEER, 0.0), InviteReceived)[0]
    assert isinstance(came, InviteReceived) and came.sdp is None


def test_an_answer_in_parts_is_found_too() -> None:
    agent = an_agent()
    data = response(calling(agent), 200, body=SDP_PART.replace(OFFER, ANSWER))
    data = data.replace(b"application/sdp\r\nContent-L", b"multipart/mixed;boundary=b1\r\nContent-L")
    answer = told(agent.receive(data, PEER, 0.1), AnswerReceived)[0]
    assert isinstance(answer, AnswerReceived) and answer.sdp == ANSWER


@given(st.text(max_size=40), st.binary(max_size=200))
def test_no_body_raises(kind: str, body: bytes) -> None:
    head = invite(more=(f"Content-Type: multipart/{' '.join(kind.split())};boundary=b1",), body="")
    an_agent().receive(head.replace(b"Content-Length: 0\r\n", b"") + body + SDP_PART.encode(), PEER, 0.0)
