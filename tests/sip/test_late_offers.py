"""INVITEs without a description: the offer comes in the 200 and its answer in the ACK (RFC 3261 13.2.1, 14.1)."""

import pytest

from offhook.sip.agent import SessionRefuses, SessionState
from offhook.sip.facts import (
    AckAnswered,
    AckMissing,
    AckReceived,
    AnswerReceived,
    ByeReceived,
    InviteReceived,
    ReofferAnswered,
    ReofferReceived,
    StrayAnswered,
)
from tests.sip.lines import ANSWER, OFFER, Line, lose, nothing_left, talking, told_as
from tests.sip.raw import PEER, an_agent, answered, calling, invite, ours, request, response, sent, told


def asked(line: Line) -> str:
    """Anna calls without an offer, ben has made his in the 200, and anna has it."""
    line.anna.calls(line.ben, sdp=None)
    line.run(until=lambda: line.ben.told(InviteReceived))
    came = line.ben.the(InviteReceived)
    assert came.sdp is None
    line.ben.does("answer", came.session, sdp=OFFER)
    line.run(until=lambda: line.anna.told(AnswerReceived))
    return came.session


def test_the_offer_comes_in_the_200_and_its_answer_in_the_ack() -> None:
    line = Line(lose(b"ACK"))
    session = asked(line)
    assert line.anna.the(AnswerReceived).sdp == OFFER
    assert not [start for start in line.anna.starts() if start.startswith("ACK")]
    line.anna.does("acknowledge", "call", sdp=ANSWER)
    line.run(5)
    assert line.ben.the(AckReceived).sdp == line.ben.the(AckAnswered).sdp == ANSWER
    assert line.ben.story[-2:] == ["AckReceived", "AckAnswered"]
    line.anna.does("reoffer", "call", sdp=OFFER)
    line.run(1)
    line.ben.does("accept_reoffer", session, sdp=ANSWER)
    line.run(1)
    line.anna.does("bye", "call")
    nothing_left(line)


def test_the_200_is_repeated_while_the_answer_is_thought_over() -> None:
    line = Line()
    asked(line)
    line.run(3)
    assert line.ben.starts().count("SIP/2.0 200 OK") > 2
    assert len(line.anna.told(AnswerReceived)) == 1
    line.anna.does("acknowledge", "call", sdp=ANSWER)
    line.run(40)
    assert line.ben.the(AckAnswered).sdp == ANSWER


def test_an_offer_nobody_answers_ends_the_call() -> None:
    line = Line()
    asked(line)
    line.run(60)
    assert line.ben.told(AckMissing)
    assert line.anna.told(ByeReceived)
    with pytest.raises(SessionRefuses):
        line.anna.does("acknowledge", "call", sdp=ANSWER)
    nothing_left(line)


def test_hanging_up_instead_of_answering_acknowledges_first() -> None:
    line = Line()
    asked(line)
    line.anna.does("bye", "call")
    line.run(5)
    assert [start.split()[0] for start in line.anna.starts()] == ["INVITE", "ACK", "BYE"]
    assert line.ben.the(AckAnswered).sdp is None
    nothing_left(line)


def test_a_call_forgotten_before_its_offer_was_answered_is_hung_up() -> None:
    line = Line()
    asked(line)
    line.anna.agent.forget("call")
    line.run(60)
    assert line.ben.told(ByeReceived)
    nothing_left(line)


def test_a_200_that_makes_no_offer_is_acknowledged_at_once() -> None:
    agent = an_agent()
    data = calling(agent, sdp=None)
    outputs = agent.receive(response(data, 200), PEER, 0.1)
    assert [line.split()[0] for line in sent(outputs)] == [b"ACK"]
    assert told(outputs, AnswerReceived)
    assert sent(agent.reoffer("call", sdp=OFFER, now=0.2))[0].startswith(b"INVITE")


def test_a_fork_that_offers_too_is_hung_up_and_the_first_offer_still_waits() -> None:
    agent = an_agent()
    data = calling(agent, sdp=None)
    agent.receive(response(data, 200, to_tag="one", body=OFFER), PEER, 0.1)
    second = agent.receive(response(data, 200, to_tag="two", body=OFFER), PEER, 0.2)
    assert [line.split()[0] for line in sent(second)] == [b"ACK", b"BYE"]
    assert told(second, StrayAnswered)
    ack = sent(agent.acknowledge("call", sdp=ANSWER, now=0.3))[0]
    assert b";tag=one\r\n" in ack
    assert ack.endswith(ANSWER.encode())
    assert sent(agent.receive(response(data, 200, to_tag="one", body=OFFER), PEER, 0.4)) == [ack]


def test_a_reoffer_may_be_asked_for_too() -> None:
    line = Line(lose(b"ACK"))
    session = talking(line)
    line.anna.does("reoffer", "call", sdp=None)
    line.run(until=lambda: line.ben.told(ReofferReceived))
    assert line.ben.the(ReofferReceived).sdp is None
    line.ben.does("accept_reoffer", session, sdp=OFFER)
    line.run(until=lambda: line.anna.told(ReofferAnswered))
    assert line.anna.the(ReofferAnswered).sdp == told_as(OFFER, 2)
    with pytest.raises(SessionRefuses):
        line.anna.does("reoffer", "call", sdp=OFFER)
    line.anna.does("acknowledge", "call", sdp=ANSWER)
    line.run(5)
    assert line.ben.the(AckAnswered).sdp == told_as(ANSWER, 2)
    assert line.anna.agent.state("call") is SessionState.UP
    line.ben.does("bye", session)
    nothing_left(line)


def test_an_ack_that_brings_no_answer_says_so() -> None:
    agent = an_agent()
    came = next(fact for fact in agent.receive(invite(body=""), PEER, 0.0) if isinstance(fact, InviteReceived))
    tag = ours(sent(agent.answer(came.session, sdp=OFFER, now=0.1))[0])
    outputs = agent.receive(request("ACK", branch="z9hG4bK2", to_tag=tag), PEER, 0.2)
    assert told(outputs, AckAnswered) == [AckAnswered(came.session, None)]


def test_an_ack_to_an_answer_of_ours_answers_nothing() -> None:
    agent = an_agent()
    session, tag = answered(agent)
    agent.receive(invite(branch="z9hG4bK5", cseq=2, to_tag=tag), PEER, 1.0)
    agent.accept_reoffer(session, sdp=ANSWER, now=1.1)
    outputs = agent.receive(request("ACK", branch="z9hG4bK6", cseq=2, to_tag=tag, body=OFFER), PEER, 1.2)
    assert told(outputs, AckReceived)
    assert not told(outputs, AckAnswered)
