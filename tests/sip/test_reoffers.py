"""Hold, resume and every other change of a call that is up: who may offer, and what the other side meets."""

from collections.abc import Callable

import pytest

from offhook.sip.agent import SessionRefuses
from offhook.sip.facts import (
    AckReceived,
    ByeAnswered,
    ByeReceived,
    Output,
    ReofferAnswered,
    ReofferCancelled,
    ReofferReceived,
    ReofferRefused,
)
from tests.sip.lines import ANSWER, OFFER, Line, Person, lose, nothing_left, talking, told_as
from tests.sip.raw import PEER, an_agent, answered, calling, request, response, sent, told


def test_hold_and_resume_by_either_side() -> None:
    line = Line(lose(b"SIP/2.0 200", b"ACK"))
    session = talking(line)
    line.ben.does("reoffer", session, sdp=OFFER + "a=sendonly\r\n")
    line.run(until=lambda: line.anna.told(ReofferReceived))
    assert line.anna.the(ReofferReceived).sdp == told_as(OFFER, 2) + "a=sendonly\r\n"
    line.anna.does("accept_reoffer", "call", sdp=OFFER + "a=recvonly\r\n")
    line.run(until=lambda: line.anna.told(AckReceived))
    assert line.ben.the(ReofferAnswered).sdp == told_as(OFFER, 2) + "a=recvonly\r\n"
    line.anna.does("reoffer", "call", sdp=OFFER)
    line.run(until=lambda: line.ben.told(ReofferReceived))
    line.ben.does("accept_reoffer", session, sdp=ANSWER)
    line.run(5)
    assert line.anna.the(ReofferAnswered).sdp == told_as(ANSWER, 3)
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


def answers_reoffers(line: Line) -> None:
    """Both sides take every reoffer at once."""

    def taking(person: Person) -> Callable[[ReofferReceived], list[Output]]:
        return lambda fact: person.agent.accept_reoffer(fact.session, sdp=ANSWER, now=line.now)

    for person in (line.anna, line.ben):
        person.reactions[ReofferReceived] = taking(person)


def test_when_both_offer_at_once_both_offers_are_answered_in_the_end() -> None:
    line = Line()
    session = talking(line)
    answers_reoffers(line)
    line.anna.does("reoffer", "call", sdp=OFFER)
    line.ben.does("reoffer", session, sdp=ANSWER)
    line.run(10)
    assert line.anna.told(ReofferAnswered) and line.ben.told(ReofferAnswered)
    assert not line.anna.told(ReofferRefused) and not line.ben.told(ReofferRefused)
    assert [start.count("491") for start in line.anna.starts() + line.ben.starts()].count(1) == 2
    line.anna.does("bye", "call")
    nothing_left(line)


@pytest.mark.parametrize(("dice", "ours", "theirs"), [(0.0, 2.1, 0.0), (0.5, 3.05, 1.0), (0.999, 3.998, 1.998)])
def test_who_made_the_call_waits_longer_after_glare(dice: float, ours: float, theirs: float) -> None:
    for caller, pause in ((True, ours), (False, theirs)):
        agent = an_agent(dice=lambda: dice)
        if caller:
            agent.receive(response(calling(agent), 200, body=ANSWER), PEER, 0.1)
            session = "call"
        else:
            session, _ = answered(agent)
        first = sent(agent.reoffer(session, sdp=OFFER, now=1.0))[0]
        agent.receive(response(first, 491), PEER, 2.0)
        assert not [data for data in sent(agent.tick(1.99 + pause)) if data.startswith(b"INVITE")]
        again = [data for data in sent(agent.tick(2.01 + pause)) if data.startswith(b"INVITE")]
        assert len(again) == 1 and again[0].endswith(first.partition(b"\r\n\r\n")[2])


def test_a_peer_that_always_glares_is_asked_four_times() -> None:
    agent = an_agent(dice=lambda: 0.5)
    session, _ = answered(agent)
    asked, now, outputs = 0, 1.0, agent.reoffer(session, sdp=OFFER, now=1.0)
    while data := [each for each in sent(outputs) if each.startswith(b"INVITE")]:
        asked += 1
        with pytest.raises(SessionRefuses):
            agent.reoffer(session, sdp=OFFER, now=now)
        outputs = agent.receive(response(data[0], 491), PEER, now)
        if told(outputs, ReofferRefused):
            break
        now += 10
        outputs = agent.tick(now)
    assert asked == 4
    assert told(outputs, ReofferRefused) == [ReofferRefused(session, 491)]
    assert sent(agent.reoffer(session, sdp=OFFER, now=now + 1))


def test_a_call_that_ends_while_an_offer_waits_leaves_nothing() -> None:
    agent = an_agent(dice=lambda: 0.5)
    session, tag = answered(agent)
    agent.receive(response(sent(agent.reoffer(session, sdp=OFFER, now=1.0))[0], 491), PEER, 1.1)
    agent.receive(request("BYE", branch="z9hG4bKb", cseq=2, to_tag=tag), PEER, 1.2)
    agent.tick(60.0)
    assert agent.next_due() is None


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


def test_a_reoffer_that_only_ever_gets_100_is_given_up() -> None:
    agent = an_agent()
    session, _ = answered(agent)
    reinvite = sent(agent.reoffer(session, sdp=OFFER, now=1.0))[0]
    agent.receive(response(reinvite, 100, to_tag=""), PEER, 1.1)
    agent.receive(response(reinvite, 100, to_tag=""), PEER, 20.0)
    outputs = agent.tick(33.2)
    assert told(outputs, ReofferRefused) == [ReofferRefused(session, 408)]
    assert [data.split()[0] for data in sent(outputs)] == [b"BYE"]


def test_a_session_forgotten_in_the_middle_of_an_offer_leaves_nothing() -> None:
    agent = an_agent()
    session, tag = answered(agent)
    assert told(agent.receive(request("INVITE", branch="z9hG4bK3", cseq=2, to_tag=tag, body=OFFER), PEER, 0.3), ReofferReceived)
    agent.forget(session)
    while (due := agent.next_due()) is not None:
        agent.tick(due)
    assert (agent._core.sessions, agent._core.dialogs, agent._core.servers) == ({}, {}, {})
