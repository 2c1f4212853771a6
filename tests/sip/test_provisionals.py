"""Provisional responses that are acknowledged: 100rel and PRACK (RFC 3262), both sides."""

import pytest

from offhook.sip.agent import Agent, SessionRefuses, SessionState
from offhook.sip.facts import (
    AckAnswered,
    AckReceived,
    AnswerReceived,
    ByeAnswered,
    ByeReceived,
    CancelReceived,
    InviteReceived,
    Output,
    PrackMissing,
    ProgressReceived,
    ReofferAnswered,
    ReofferReceived,
)
from tests.sip.lines import ANSWER, OFFER, Line, lose, nothing_left
from tests.sip.raw import PEER, an_agent, calling, header, invite, ours, request, response, sent, statuses, told

REQUIRED = ("Require: 100rel",)
SUPPORTED = ("Supported: foo, 100REL",)


def arrived(agent: Agent, *more: str, body: str = OFFER) -> str:
    return next(fact for fact in agent.receive(invite(more=more, body=body), PEER, 0.0) if isinstance(fact, InviteReceived)).session


def rung(agent: Agent, *more: str, sdp: str | None = ANSWER) -> tuple[str, bytes]:
    """The peer's call rings here; our session and the response."""
    session = arrived(agent, *more)
    return session, sent(agent.ring(session, status=183, sdp=sdp, now=0.1))[0]


def prack(ring: bytes, *, branch: str = "z9hG4bKp", cseq: int = 2, rack: str | None = None, body: str = "") -> bytes:
    said = f"RAck: {rack or header(ring, 'RSeq')[0] + ' 1 INVITE'}"
    return request("PRACK", branch=branch, cseq=cseq, to_tag=ours(ring), more=(said,), body=body)


def test_a_call_with_sound_before_the_answer_goes_through_over_a_bad_line() -> None:
    line = Line(lose(b"SIP/2.0 183", b"PRACK", b"SIP/2.0 200", b"ACK"))
    line.anna.calls(line.ben)
    line.run(until=lambda: line.ben.told(InviteReceived))
    session = line.ben.the(InviteReceived).session
    line.ben.does("ring", session, status=183, sdp=ANSWER)
    line.ben.does("answer", session, sdp=ANSWER)
    assert line.ben.agent.state(session) is SessionState.ANSWER_HELD
    line.run(20)
    assert line.anna.the(ProgressReceived).sdp == ANSWER
    assert line.ben.told(AckReceived)
    # The 200 does not say again what the 183 has said, and the answer is known all the same.
    assert line.anna.the(AnswerReceived).sdp == ANSWER
    assert not line.anna.the(AnswerReceived).response.body
    line.anna.does("reoffer", "call", sdp=OFFER)
    line.run(1)
    line.ben.does("accept_reoffer", session, sdp=ANSWER)
    line.run(1)
    assert line.anna.told(ReofferAnswered)
    line.ben.does("bye", session)
    nothing_left(line)


def test_what_describes_nothing_goes_unreliably_unless_it_must_not() -> None:
    for more, sdp, reliably in ((SUPPORTED, None, False), (SUPPORTED, ANSWER, True), (REQUIRED, None, True), ((), ANSWER, False)):
        _, ring = rung(an_agent(), *more, sdp=sdp)
        assert bool(header(ring, "RSeq")) is reliably
        assert (header(ring, "Require") == ["100rel"]) is reliably


def test_it_is_repeated_until_the_prack() -> None:
    agent = an_agent()
    _, ring = rung(agent, *REQUIRED)
    assert sent(agent.tick(0.59)) == []
    assert sent(agent.tick(0.61)) == [ring]
    assert sent(agent.tick(1.5)) == []
    assert sent(agent.tick(1.62)) == [ring]
    assert statuses(agent.receive(prack(ring), PEER, 1.7)) == [200]
    assert sent(agent.tick(20.0)) == []


def test_without_a_prack_the_call_is_given_up() -> None:
    agent = an_agent()
    session, _ = rung(agent, *REQUIRED)
    outputs: list[Output] = []
    for second in range(1, 40):
        outputs += agent.tick(float(second))
    assert told(outputs, PrackMissing) == [PrackMissing(session)]
    assert told(outputs, ByeAnswered) == [ByeAnswered(session, 504)]
    assert [status for status in statuses(outputs) if status == 504]
    assert agent.state(session) is SessionState.GONE


@pytest.mark.parametrize("rack", ["1 1 INVITE", "99 1", "{rseq} 2 INVITE", "{rseq} 1 BYE", "{rseq}  1 INVITE x", "nonsense"])
def test_a_prack_for_something_else_is_none(rack: str) -> None:
    agent = an_agent(dice=lambda: 0.5)
    _, ring = rung(agent, *REQUIRED)
    outputs = agent.receive(prack(ring, rack=rack.format(rseq=header(ring, "RSeq")[0])), PEER, 0.2)
    assert statuses(outputs) == [481]
    assert statuses(agent.receive(prack(ring, branch="z9hG4bKq", cseq=3), PEER, 0.3)) == [200]
    assert statuses(agent.receive(prack(ring, branch="z9hG4bKr", cseq=4), PEER, 0.4)) == [481]


def test_the_next_one_waits_for_the_prack_and_counts_on() -> None:
    agent = an_agent()
    session, first = rung(agent, *REQUIRED)
    assert sent(agent.ring(session, status=180, now=0.2)) == []
    said, second = sent(agent.receive(prack(first), PEER, 0.3))
    assert said.startswith(b"SIP/2.0 200") and second.startswith(b"SIP/2.0 180")
    assert int(header(second, "RSeq")[0]) == int(header(first, "RSeq")[0]) + 1


def test_an_answer_waits_for_the_prack_only_where_something_was_described() -> None:
    agent = an_agent()
    session, _ = rung(agent, *REQUIRED, sdp=None)
    answer = sent(agent.answer(session, sdp=ANSWER, now=0.2))[0]
    assert answer.startswith(b"SIP/2.0 200") and answer.endswith(ANSWER.encode())
    agent = an_agent()
    session, ring = rung(agent, *REQUIRED)
    assert sent(agent.answer(session, sdp=ANSWER.replace("5000", "5002"), now=0.2)) == []
    with pytest.raises(SessionRefuses):
        agent.ring(session, now=0.3)
    _, answer = sent(agent.receive(prack(ring), PEER, 0.4))
    # Another description than the one before goes out: who keeps to the letter will pass it over.
    assert answer.startswith(b"SIP/2.0 200") and b"5002" in answer


def test_an_answer_that_waits_may_still_be_given_up() -> None:
    agent = an_agent()
    session, _ = rung(agent, *REQUIRED)
    agent.answer(session, sdp=ANSWER, now=0.2)
    outputs = agent.receive(request("CANCEL"), PEER, 0.3)
    assert statuses(outputs) == [200, 487] and told(outputs, CancelReceived)
    agent = an_agent()
    session, ring = rung(agent, *REQUIRED)
    agent.answer(session, sdp=ANSWER, now=0.2)
    outputs = agent.receive(request("BYE", branch="z9hG4bKb", cseq=2, to_tag=ours(ring)), PEER, 0.3)
    assert statuses(outputs) == [200, 487] and told(outputs, ByeReceived)
    agent = an_agent()
    session, _ = rung(agent, *REQUIRED)
    agent.answer(session, sdp=ANSWER, now=0.2)
    outputs = agent.bye(session, now=0.3)
    assert statuses(outputs) == [480] and told(outputs, ByeAnswered)
    assert not [data for data in sent(agent.tick(60.0)) if b"183" in data]


def test_an_offer_in_a_provisional_is_answered_in_the_prack() -> None:
    agent = an_agent()
    session = arrived(agent, *REQUIRED, body="")
    # Without an offer of the caller's the first reliable response must be ours: none without a description goes out.
    assert sent(agent.ring(session, now=0.1)) == []
    ring = sent(agent.ring(session, status=183, sdp=OFFER, now=0.2))[0]
    outputs = agent.receive(prack(ring, body=ANSWER), PEER, 0.3)
    assert told(outputs, AckAnswered) == [AckAnswered(session, ANSWER)]
    answer = sent(agent.answer(session, sdp=OFFER, now=0.4))[0]
    assert header(answer, "Content-Length") == ["0"]
    outputs = agent.receive(request("ACK", branch="z9hG4bKa", to_tag=ours(answer)), PEER, 0.5)
    assert told(outputs, AckReceived) and not told(outputs, AckAnswered)


def test_a_second_offer_in_the_prack_is_refused_and_the_call_goes_on() -> None:
    agent = an_agent()
    session, ring = rung(agent, *REQUIRED)
    assert statuses(agent.receive(prack(ring, body=OFFER), PEER, 0.2)) == [488]
    assert statuses(agent.answer(session, sdp=ANSWER, now=0.3)) == [200]


def progress(data: bytes, rseq: int, tag: str = "far", status: int = 183, body: str = ANSWER) -> bytes:
    return response(data, status, to_tag=tag, more=(f"RSeq: {rseq}", *REQUIRED, "Contact: <sip:peer@192.0.2.9:5070>"), body=body)


def test_repeats_and_what_comes_before_its_turn_tell_nothing() -> None:
    agent = an_agent()
    data = calling(agent)
    assert header(data, "Supported") == ["100rel, replaces, norefersub"]
    first = agent.receive(progress(data, 7), PEER, 0.1)
    assert told(first, ProgressReceived)
    assert header(sent(first)[0], "RAck") == ["7 1 INVITE"]
    assert header(sent(first)[0], "CSeq") == ["2 PRACK"]
    for again in (7, 9, 6):
        outputs = agent.receive(progress(data, again), PEER, 0.2)
        assert sent(outputs) == [] and not told(outputs, ProgressReceived)
    second = agent.receive(progress(data, 8, status=180, body=""), PEER, 0.3)
    assert header(sent(second)[0], "CSeq") == ["3 PRACK"]
    outputs = agent.receive(response(data, 200, more=("Contact: <sip:peer@192.0.2.9:5070>",)), PEER, 0.4)
    answer = told(outputs, AnswerReceived)[0]
    assert isinstance(answer, AnswerReceived) and answer.sdp == ANSWER
    # The numbers of the early dialog count on.
    assert header(sent(agent.bye("call", now=0.5))[0], "CSeq") == ["4 BYE"]


def test_every_fork_counts_by_itself() -> None:
    agent = an_agent()
    data = calling(agent)
    for number, tag in ((7, "one"), (3, "two"), (8, "one"), (4, "two")):
        outputs = agent.receive(progress(data, number, tag), PEER, 0.1)
        assert header(sent(outputs)[0], "RAck") == [f"{number} 1 INVITE"]
        assert header(sent(outputs)[0], "To")[0].endswith(f";tag={tag}")
    assert header(sent(outputs)[0], "CSeq") == ["3 PRACK"]


@pytest.mark.parametrize("rseq", ["", "x", "-1", "99999999999"])
def test_a_number_that_is_none_is_an_ordinary_ringing(rseq: str) -> None:
    agent = an_agent()
    data = calling(agent)
    outputs = agent.receive(response(data, 180, more=(f"RSeq: {rseq}", *REQUIRED)), PEER, 0.1)
    assert sent(outputs) == [] and told(outputs, ProgressReceived)


def test_who_asks_for_an_offer_does_not_ask_for_reliability() -> None:
    assert header(calling(an_agent(), sdp=None), "Supported") == ["replaces, norefersub"]


def test_an_update_may_come_between_prack_and_answer() -> None:
    agent = an_agent()
    session, ring = rung(agent, *REQUIRED)
    update = request("UPDATE", branch="z9hG4bKu", cseq=3, to_tag=ours(ring), body=OFFER)
    agent.receive(prack(ring), PEER, 0.2)
    assert told(agent.receive(update, PEER, 0.3), ReofferReceived)
    assert statuses(agent.accept_reoffer(session, sdp=ANSWER, now=0.4)) == [200]
    assert statuses(agent.answer(session, sdp=ANSWER, now=0.5)) == [200]
