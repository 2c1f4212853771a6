"""The o= line: one origin a session, and a version that says whether a description is the one before (RFC 3264 8)."""

import pytest

from offhook.sip.agent import Agent
from offhook.sip.facts import AnswerReceived, InviteReceived, ProgressReceived, ReofferAnswered, ReofferReceived
from offhook.sip.origins import Origin
from tests.sip.lines import ANSWER, OFFER, Line, talking
from tests.sip.raw import PEER, an_agent, answered, calling, header, invite, ours, request, response, sent

HELD = OFFER + "a=sendonly\r\n"


def origin(text: str | bytes) -> str:
    """The o= line of a description, or of the message that carries it."""
    text = text.decode() if isinstance(text, bytes) else text
    return next(line for line in text.split("\r\n") if line.startswith("o="))


def version(text: str | bytes) -> int:
    return int(origin(text).split()[2])


def from_another(sdp: str) -> str:
    """The same, described by somebody else, somewhere else."""
    return sdp.replace("o=- 1 1 IN IP4 127.0.0.1", "o=ben 77 8 IN IP6 ::1")


def test_a_version_grows_with_each_change_and_the_rest_of_the_line_never_changes() -> None:
    writes = Origin(7).writes
    assert writes(OFFER) == OFFER.replace("- 1 1", "- 7 1")
    assert writes(from_another(OFFER)) == writes(OFFER) == OFFER.replace("- 1 1", "- 7 1")
    assert writes(HELD) == HELD.replace("- 1 1", "- 7 2")
    assert writes(from_another(ANSWER)) == ANSWER.replace("- 1 1", "- 7 3")
    assert writes(OFFER) == OFFER.replace("- 1 1", "- 7 4")


@pytest.mark.parametrize("text", ["", "v=0\r\n", "hello", "v=0\no=- 1 1 IN IP4 127.0.0.1\n"])
def test_what_has_no_such_line_is_left_alone(text: str) -> None:
    assert Origin(7).writes(text) == text


def test_sessions_of_one_agent_differ() -> None:
    words = iter((0.25, 0.5, 0.75))
    agent = an_agent(dice=lambda: next(words))
    data = calling(agent)
    answer = sent(agent.answer(came(agent), sdp=OFFER, now=0.1))[0]
    assert origin(data) != origin(answer)
    assert origin(data).startswith("o=- ") and version(data) == version(answer) == 1


def came(agent: Agent) -> str:
    """The session of a call that has come."""
    return next(fact.session for fact in agent.receive(invite(), PEER, 0.0) if isinstance(fact, InviteReceived))


def test_hold_and_then_our_offer_asked_for() -> None:
    line = Line()
    session = talking(line)
    first = line.anna.the(AnswerReceived).sdp or ""
    line.anna.does("reoffer", "call", sdp=HELD)
    line.run(1)
    line.ben.does("accept_reoffer", session, sdp=ANSWER + "a=recvonly\r\n")
    line.run(1)
    line.anna.does("reoffer", "call", sdp=None)
    line.run(1)
    # As another party described it: the same sound in another direction.
    line.ben.does("accept_reoffer", session, sdp=from_another(ANSWER) + "a=sendrecv\r\n")
    line.run(1)
    second, third = (fact.sdp or "" for fact in line.anna.told(ReofferAnswered))
    assert [version(each) for each in (first, second, third)] == [1, 2, 3]
    assert len({origin(each).replace(f" {version(each)} ", " ") for each in (first, second, third)}) == 1
    assert version(line.ben.told(ReofferReceived)[0].sdp or "") == 2


def test_an_answer_that_is_repeated_is_the_same_to_the_last_octet() -> None:
    agent = an_agent()
    session = came(agent)
    early = sent(agent.ring(session, status=183, sdp=ANSWER, now=0.1))[0]
    answer = sent(agent.answer(session, sdp=from_another(ANSWER), now=0.2))[0]
    assert early.partition(b"\r\n\r\n")[2] == answer.partition(b"\r\n\r\n")[2]
    assert sent(agent.tick(0.8)) == [answer]
    tag = ours(answer)
    agent.receive(request("ACK", branch="z9hG4bKa", to_tag=tag), PEER, 0.9)
    # A re-INVITE that changes nothing is answered with what was said before.
    agent.receive(invite(branch="z9hG4bKr", cseq=2, to_tag=tag), PEER, 1.0)
    assert sent(agent.accept_reoffer(session, sdp=ANSWER, now=1.1))[0].endswith(answer.partition(b"\r\n\r\n")[2])


def test_an_offer_refused_is_not_mistaken_for_the_next_one() -> None:
    agent = an_agent()
    session, _ = answered(agent)
    refused = sent(agent.reoffer(session, sdp=HELD, now=1.0))[0]
    agent.receive(response(refused, 488), PEER, 1.1)
    after = sent(agent.reoffer(session, sdp=OFFER, now=1.2))[0]
    assert (version(refused), version(after)) == (2, 3)


def test_an_offer_made_again_after_glare_is_the_same_offer() -> None:
    agent = an_agent()
    session, _ = answered(agent)
    first = sent(agent.reoffer(session, sdp=HELD, now=1.0))[0]
    agent.receive(response(first, 491), PEER, 1.1)
    again = next(data for data in sent(agent.tick(5.0)) if data.startswith(b"INVITE"))
    assert origin(again) == origin(first)


def test_a_call_made_again_with_credentials_offers_the_same() -> None:
    agent = an_agent()
    first = calling(agent)
    agent.receive(response(first, 407), PEER, 0.1)
    again = sent(agent.invite_again("call", headers=[("Proxy-Authorization", "x")], now=0.2))[0]
    assert again.partition(b"\r\n\r\n")[2] == first.partition(b"\r\n\r\n")[2]


def test_early_sound_and_the_answer_keep_one_origin() -> None:
    line = Line()
    line.anna.calls(line.ben)
    line.run(1)
    session = next(iter(line.ben.agent._core.sessions))
    line.ben.does("ring", session, status=183, sdp=from_another(OFFER))
    line.ben.does("answer", session, sdp=ANSWER)
    line.run(1)
    early, answer = line.anna.the(ProgressReceived).sdp or "", line.anna.the(AnswerReceived).sdp or ""
    assert origin(early).split()[1] == origin(answer).split()[1] and origin(early).endswith("IN IP6 ::1")


def test_a_description_that_is_never_sent_counts_for_nothing() -> None:
    agent = an_agent()
    arrived = agent.receive(invite(more=("Supported: 100rel",)), PEER, 0.0)
    session = next(fact.session for fact in arrived if isinstance(fact, InviteReceived))
    early = sent(agent.ring(session, status=183, sdp=ANSWER, now=0.1))[0]
    # It waits for the PRACK to the first, and is sent then without the description: one is said already (RFC 3261 13.2.1).
    assert sent(agent.ring(session, status=183, sdp=HELD, now=0.2)) == []
    rack = f"RAck: {header(early, 'RSeq')[0]} 1 INVITE"
    agent.receive(request("PRACK", branch="z9hG4bKp", cseq=2, to_tag=ours(early), more=(rack,)), PEER, 0.3)
    answer = sent(agent.answer(session, sdp=ANSWER, now=0.4))[0]
    assert not answer.partition(b"\r\n\r\n")[2], "what was said already is not said again (RFC 3262 5)"
    agent.receive(request("ACK", branch="z9hG4bKa", to_tag=ours(answer)), PEER, 0.5)
    assert (version(early), version(sent(agent.reoffer(session, sdp=HELD, now=1.0))[0])) == (1, 2)
