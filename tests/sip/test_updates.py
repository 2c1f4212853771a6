"""UPDATE (RFC 3311): offers without an ACK, and signs of where a peer is."""

import pytest

from offhook.sip.agent import SessionRefuses, SessionState
from offhook.sip.facts import (
    AckReceived,
    ByeAnswered,
    InviteReceived,
    ReofferAnswered,
    ReofferReceived,
    ReofferRefused,
)
from tests.sip.lines import ANSWER, OFFER, Line, lose, nothing_left, talking, told_as
from tests.sip.raw import PEER, an_agent, answered, header, invite, ours, request, response, sends, sent, statuses, told


def update(tag: str, *, cseq: int = 2, branch: str = "z9hG4bKu", body: str = OFFER) -> bytes:
    return request("UPDATE", branch=branch, cseq=cseq, to_tag=tag, body=body)


def test_an_offer_by_update_needs_no_ack() -> None:
    line = Line(lose(b"UPDATE", b"SIP/2.0 200"))
    session = talking(line)
    line.anna.does("update", "call", sdp=OFFER + "a=sendonly\r\n")
    line.run(until=lambda: line.ben.told(ReofferReceived))
    with pytest.raises(SessionRefuses):
        line.anna.does("reoffer", "call", sdp=OFFER)
    line.ben.does("accept_reoffer", session, sdp=ANSWER)
    line.run(5)
    assert line.ben.the(ReofferReceived).sdp == told_as(OFFER, 2) + "a=sendonly\r\n"
    assert line.anna.the(ReofferAnswered).sdp == ANSWER
    assert len(line.ben.told(AckReceived)) == 1
    line.ben.does("reoffer", session, sdp=OFFER)
    line.run(until=lambda: line.anna.told(ReofferReceived))
    line.anna.does("bye", "call")
    nothing_left(line)


def test_a_refused_update_leaves_the_call_as_it_was() -> None:
    line = Line()
    session = talking(line)
    line.anna.does("update", "call", sdp=OFFER)
    line.run(1)
    line.ben.does("refuse_reoffer", session, status=488)
    line.run(1)
    assert line.anna.the(ReofferRefused).status == 488
    assert line.anna.agent.state("call") is SessionState.UP


def test_an_update_to_a_peer_that_has_lost_the_call_ends_it() -> None:
    line = Line()
    session = talking(line)
    line.ben.agent.forget(session)
    line.anna.does("update", "call", sdp=OFFER)
    line.run(5)
    assert line.anna.the(ReofferRefused).status == 481
    assert line.anna.told(ByeAnswered)


def test_an_update_that_describes_nothing_moves_the_peer() -> None:
    agent = an_agent()
    session, tag = answered(agent)
    data = update(tag, body="").replace(b"Contact: <sip:peer@192.0.2.9:5070>", b"Contact: <sip:peer@192.0.2.77:5099>")
    outputs = agent.receive(data, PEER, 1.0)
    assert statuses(outputs) == [200]
    assert header(sent(outputs)[0], "Contact")
    assert not told(outputs, ReofferReceived)
    bye = sends(agent.bye(session, now=1.1))[0]
    assert (bye.to.host, bye.to.port) == ("192.0.2.77", 5099)


def test_updates_meet_as_other_offers_do() -> None:
    agent = an_agent()
    session, tag = answered(agent)
    first = sent(agent.update(session, sdp=OFFER, now=1.0))[0]
    assert statuses(agent.receive(update(tag), PEER, 1.1)) == [491]
    assert statuses(agent.receive(invite(branch="z9hG4bKi", cseq=3, to_tag=tag), PEER, 1.2)) == [491]
    agent.receive(response(first, 200, body=ANSWER), PEER, 1.3)
    assert told(agent.receive(update(tag, cseq=4, branch="z9hG4bKv"), PEER, 1.4), ReofferReceived)
    again = agent.receive(update(tag, cseq=5, branch="z9hG4bKw"), PEER, 1.5)
    assert statuses(again) == [500]
    assert header(sent(again)[0], "Retry-After") == ["0"]
    assert statuses(agent.accept_reoffer(session, sdp=ANSWER, now=1.6)) == [200]


def test_an_update_refused_for_glare_is_sent_again_as_one() -> None:
    agent = an_agent(dice=lambda: 0.5)
    session, _ = answered(agent)
    agent.receive(response(sent(agent.update(session, sdp=OFFER, now=1.0))[0], 491), PEER, 1.1)
    assert [data.split()[0] for data in sent(agent.tick(3.0))] == [b"UPDATE"]


def test_an_update_before_there_was_an_answer_is_to_come_again() -> None:
    agent = an_agent()
    session = next(fact for fact in agent.receive(invite(), PEER, 0.0) if isinstance(fact, InviteReceived)).session
    tag = ours(sent(agent.ring(session, now=0.1))[0])
    assert statuses(agent.receive(update(tag), PEER, 0.2)) == [500]
    assert statuses(agent.receive(request("UPDATE", call_id="other"), PEER, 0.3)) == [481]


def test_an_update_nobody_answers_leaves_the_call_free() -> None:
    agent = an_agent()
    session, tag = answered(agent)
    assert told(agent.receive(update(tag), PEER, 1.0), ReofferReceived)
    agent.tick(40.0)
    with pytest.raises(SessionRefuses):
        agent.accept_reoffer(session, sdp=ANSWER, now=41.0)
    assert sent(agent.reoffer(session, sdp=OFFER, now=42.0))


@pytest.mark.parametrize(("offer", "described", "status"), [(OFFER, ANSWER, 500), ("", OFFER, 491)], ids=["answered", "our offer"])
def test_an_update_that_overtakes_the_prack_is_to_come_again(offer: str, described: str, status: int) -> None:
    """Our answer waits for that PRACK, and the call is no less there (RFC 3311 5.2)."""
    agent = an_agent(dice=lambda: 0.5)
    outputs = agent.receive(invite(body=offer, more=("Require: 100rel",)), PEER, 0.0)
    session = next(fact for fact in outputs if isinstance(fact, InviteReceived)).session
    ring = sent(agent.ring(session, status=183, sdp=described, now=0.1))[0]
    tag = ours(ring)
    assert sent(agent.answer(session, sdp=described, now=0.2)) == []
    refused = agent.receive(update(tag), PEER, 0.3)
    assert statuses(refused) == [status] and not told(refused, ReofferReceived)
    assert header(sent(refused)[0], "Retry-After") == (["5"] if status == 500 else [])
    assert statuses(agent.receive(update(tag, cseq=3, branch="z9hG4bKv", body=""), PEER, 0.4)) == [200]
    rack = f"RAck: {header(ring, 'RSeq')[0]} 1 INVITE"
    prack = request("PRACK", branch="z9hG4bKp", cseq=4, to_tag=tag, more=(rack,), body="" if offer else ANSWER)
    assert statuses(agent.receive(prack, PEER, 0.5)) == [200, 200]
