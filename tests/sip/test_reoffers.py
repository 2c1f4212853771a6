"""Hold, resume and every other change of a call that is up: who may offer, and what the other side meets."""

import pytest

from offhook.sip.agent import SessionRefuses, SessionState
from offhook.sip.facts import (
    AckReceived,
    ByeAnswered,
    ByeReceived,
    ReofferAnswered,
    ReofferCancelled,
    ReofferReceived,
    ReofferRefused,
)
from tests.sip.lines import ANSWER, OFFER, Line, lose, nothing_left, talking


def test_hold_and_resume_by_either_side() -> None:
    line = Line(lose(b"SIP/2.0 200", b"ACK"))
    session = talking(line)
    line.ben.does("reoffer", session, sdp=OFFER + "a=sendonly\r\n")
    line.run(until=lambda: line.anna.told(ReofferReceived))
    assert line.anna.the(ReofferReceived).sdp == OFFER + "a=sendonly\r\n"
    line.anna.does("accept_reoffer", "call", sdp=OFFER + "a=recvonly\r\n")
    line.run(until=lambda: line.anna.told(AckReceived))
    assert line.ben.the(ReofferAnswered).sdp == OFFER + "a=recvonly\r\n"
    line.anna.does("reoffer", "call", sdp=OFFER)
    line.run(until=lambda: line.ben.told(ReofferReceived))
    line.ben.does("accept_reoffer", session, sdp=ANSWER)
    line.run(5)
    assert line.anna.the(ReofferAnswered).sdp == ANSWER
    line.anna.does("bye", "call")
    nothing_left(line)


def test_a_refused_reoffer_leaves_the_call_as_it_was() -> None:
    line = Line()
    session = talking(line)
    line.anna.does("reoffer", "call", sdp=OFFER)
    line.run(1)
    line.ben.does("refuse_reoffer", session, status=488)
    line.run(1)
    assert line.anna.the(ReofferRefused).status == 488
    line.anna.does("reoffer", "call", sdp=OFFER)
    line.run(1)
    line.ben.does("accept_reoffer", session, sdp=ANSWER)
    line.run(1)
    assert line.anna.told(ReofferAnswered)


def test_glare_gives_both_sides_491_and_leaves_the_call_up() -> None:
    line = Line()
    session = talking(line)
    line.anna.does("reoffer", "call", sdp=OFFER)
    line.ben.does("reoffer", session, sdp=ANSWER)
    line.run(5)
    assert line.anna.the(ReofferRefused).status == 491
    assert line.ben.the(ReofferRefused).status == 491
    assert line.anna.agent.state("call") is SessionState.UP
    line.anna.does("bye", "call")
    nothing_left(line)


def test_a_reoffer_to_a_peer_that_has_lost_the_call_ends_it() -> None:
    line = Line()
    session = talking(line)
    line.ben.agent.forget(session)
    line.anna.does("reoffer", "call", sdp=OFFER)
    line.run(5)
    assert line.anna.the(ReofferRefused).status == 481
    assert line.anna.the(ByeAnswered).status == 481
    nothing_left(line)


def test_hanging_up_refuses_the_reoffer_that_waits() -> None:
    line = Line()
    session = talking(line)
    line.anna.does("reoffer", "call", sdp=OFFER)
    line.run(until=lambda: line.ben.told(ReofferReceived))
    line.ben.does("bye", session)
    line.run(5)
    assert "SIP/2.0 487 Request Terminated" in line.ben.starts()
    assert line.anna.told(ByeReceived)
    with pytest.raises(SessionRefuses):
        line.ben.does("accept_reoffer", session, sdp=ANSWER)
    nothing_left(line)


def test_a_cancelled_reoffer_is_told_and_cannot_be_accepted_any_more() -> None:
    line = Line()
    session = talking(line)
    line.anna.does("reoffer", "call", sdp=OFFER)
    line.run(until=lambda: line.ben.told(ReofferReceived))
    reinvite = line.anna.sent[-1].decode()
    cancel = reinvite.partition("Contact:")[0].replace("INVITE", "CANCEL") + "Content-Length: 0\r\n\r\n"
    line.ben.takes(line.ben.agent.receive(cancel.encode(), line.anna.address, line.now))
    line.run(1)
    assert line.ben.told(ReofferCancelled)
    assert line.anna.the(ReofferRefused).status == 487
    with pytest.raises(SessionRefuses):
        line.ben.does("accept_reoffer", session, sdp=ANSWER)
