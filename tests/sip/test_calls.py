"""Whole calls between two agents, on good lines and on bad ones."""

import gc

import pytest

from offhook.sip.agent import SessionRefuses, SessionState
from offhook.sip.core import ClientTransaction, ServerTransaction
from offhook.sip.facts import (
    AckMissing,
    AckReceived,
    AnswerReceived,
    ByeAnswered,
    ByeReceived,
    CancelReceived,
    Heard,
    InfoAnswered,
    InfoReceived,
    InviteReceived,
    ProgressReceived,
    ReferReceived,
    RefusalReceived,
)
from offhook.sip.sessions import Session
from offhook.sip.timers import Timers
from tests.sip.lines import ANSWER, OFFER, ON_TIME, Line, faithful, lose, nothing_left, ringing, talking


def test_a_call_from_dialling_to_hanging_up() -> None:
    line = Line()
    session = talking(line)
    assert line.ben.the(InviteReceived).sdp == OFFER
    assert line.anna.the(AnswerReceived).sdp == ANSWER
    line.ben.does("bye", session)
    line.run(1)
    assert line.anna.story == ["ProgressReceived", "AnswerReceived", "ByeReceived"]
    assert line.ben.story == ["InviteReceived", "AckReceived", "ByeAnswered"]
    assert line.ben.the(ByeAnswered).status == 200
    nothing_left(line)


def test_each_message_that_belongs_to_a_call_is_heard_with_its_session() -> None:
    line = Line()
    session = talking(line)
    line.anna.does("bye", "call")
    line.run(1)
    assert [heard.session for heard in line.ben.told(Heard)] == [session] * 3
    assert [heard.data.split()[1] for heard in line.anna.told(Heard)] == [b"100", b"180", b"200", b"200"]
    assert {heard.session for heard in line.anna.told(Heard)} == {"call"}


@pytest.mark.parametrize("lost", [b"INVITE", b"SIP/2.0 100", b"SIP/2.0 180", b"SIP/2.0 200", b"ACK", b"BYE"])
def test_a_call_survives_the_loss_of_any_message(lost: bytes) -> None:
    line = Line(lose(lost, times=2))
    line.anna.calls(line.ben)
    line.run(until=lambda: line.ben.told(InviteReceived))
    session = line.ben.the(InviteReceived).session
    line.ben.does("ring", session)
    line.run(1)
    line.ben.does("answer", session, sdp=ANSWER)
    line.run(20, until=lambda: line.ben.told(AckReceived))
    line.anna.does("bye", "call")
    line.run(20, until=lambda: line.anna.told(ByeAnswered))
    assert line.anna.the(AnswerReceived).sdp == ANSWER
    assert line.ben.told(ByeReceived)
    nothing_left(line)


def test_a_call_on_a_line_that_doubles_and_reorders_everything_tells_each_fact_once() -> None:
    delays = (0.01, 0.23, 0.07, 0.31, 0.02)
    line = Line(lambda number, data: (delays[number % 5], delays[(number * 2 + 1) % 5]))
    session = ringing(line)
    line.ben.does("answer", session, sdp=ANSWER)
    line.run(5, until=lambda: line.ben.told(AckReceived))
    line.anna.does("bye", "call")
    line.run(5)
    assert [fact for fact in line.anna.story if fact != "ProgressReceived"] == ["AnswerReceived", "ByeAnswered"]
    assert line.ben.story == ["InviteReceived", "AckReceived", "ByeReceived"]
    nothing_left(line)


@pytest.mark.parametrize("period", [3, 4, 5])
def test_a_call_on_a_line_that_loses_every_nth_message(period: int) -> None:
    line = Line(lambda number, data: () if number % period == 1 else (ON_TIME,))
    line.anna.calls(line.ben)
    line.run(20, until=lambda: line.ben.told(InviteReceived))
    session = line.ben.the(InviteReceived).session
    line.ben.does("answer", session, sdp=ANSWER)
    line.run(30, until=lambda: line.ben.told(AckReceived) and line.anna.told(AnswerReceived))
    line.anna.does("bye", "call")
    line.run(30, until=lambda: line.anna.told(ByeAnswered))
    assert line.anna.the(ByeAnswered).status == 200
    nothing_left(line)


def test_nobody_there_is_a_408_after_64_round_trips() -> None:
    line = Line(lambda number, data: ())
    line.anna.calls(line.ben)
    line.run(31.9)
    assert line.anna.story == []
    line.run(1)
    refusal = line.anna.the(RefusalReceived)
    assert (refusal.status, refusal.response) == (408, None)
    # Timer A: at 0, 0.5, 1.5, 3.5, 7.5, 15.5 and 31.5 seconds (RFC 3261 17.1.1.2).
    assert len(line.anna.sent) == 7
    nothing_left(line)


def test_over_a_reliable_transport_nothing_is_sent_twice() -> None:
    line = Line(lambda number, data: (), reliable=True)
    line.anna.calls(line.ben)
    line.run(40)
    assert line.anna.the(RefusalReceived).status == 408
    assert len(line.anna.sent) == 1


def test_a_call_over_a_reliable_transport_leaves_at_once_what_udp_would_keep() -> None:
    line = Line(reliable=True)
    session = ringing(line)
    line.ben.does("refuse", session, status=486)
    line.run(1)
    assert line.anna.the(RefusalReceived).status == 486
    assert line.anna.agent._core.clients == {}
    assert b";transport=tcp>" in line.anna.sent[0]
    assert b"SIP/2.0/TCP" in line.anna.sent[0]


def test_a_closed_connection_ends_what_waits_for_it_with_503() -> None:
    line = Line(lambda number, data: (), reliable=True)
    line.anna.calls(line.ben)
    line.anna.takes(line.anna.agent.undeliverable(line.ben.address, line.now))
    refusal = line.anna.the(RefusalReceived)
    assert (refusal.status, refusal.response) == (503, None)


def test_a_refusal_is_acknowledged_and_its_repeats_too() -> None:
    line = Line(lose(b"ACK", times=3))
    session = ringing(line)
    line.ben.does("refuse", session, status=486, reason="On another call", headers=[("Retry-After", "10")])
    line.run(30)
    refusal = line.anna.the(RefusalReceived)
    assert (refusal.status, refusal.reason) == (486, "On another call")
    assert refusal.response is not None and refusal.response.headers["Retry-After"] == "10"
    assert line.anna.starts().count("ACK sip:ben@127.0.0.1:7002 SIP/2.0") == 4
    assert line.ben.story == ["InviteReceived"]
    nothing_left(line)


def test_a_challenged_caller_calls_again_with_the_next_cseq() -> None:
    line = Line()
    line.anna.calls(line.ben, headers=[("X-Kept", "yes"), ("X-Changed", "old")])
    line.run(1)
    line.ben.does("refuse", line.ben.the(InviteReceived).session, status=407, headers=[("Proxy-Authenticate", "Digest realm=r,nonce=n")])
    line.run(1)
    assert line.anna.the(RefusalReceived).status == 407
    line.anna.does("invite_again", "call", headers=[("Proxy-Authorization", "Digest x"), ("X-Changed", "new")])
    line.run(1)
    first, second = (fact.request for fact in line.ben.told(InviteReceived))
    assert second.call_id == first.call_id
    assert second.from_address == first.from_address
    assert (first.cseq.sequence, second.cseq.sequence) == (1, 2)
    assert second.headers["X-Kept"] == "yes"
    assert second.headers.getlist("X-Changed") == ["new"]
    line.ben.does("answer", line.ben.told(InviteReceived)[1].session, sdp=ANSWER)
    line.run(1)
    acks = [data for data in line.anna.sent if data.startswith(b"ACK") and b"CSeq: 2 ACK" in data]
    assert len(acks) == 1 and b"Proxy-Authorization: Digest x" in acks[0]


def test_cancelling_a_ringing_call() -> None:
    line = Line(lose(b"CANCEL", b"SIP/2.0 487"))
    ringing(line)
    line.anna.does("cancel", "call", headers=[("Reason", 'SIP;cause=200;text="Call completed elsewhere"')])
    line.run(10)
    assert line.ben.the(CancelReceived).request.headers["Reason"].startswith("SIP;cause=200")
    assert line.anna.the(RefusalReceived).status == 487
    nothing_left(line)


def test_a_cancel_before_any_provisional_waits_for_one() -> None:
    line = Line()
    line.anna.calls(line.ben)
    line.anna.does("cancel", "call")
    assert line.anna.starts() == ["INVITE sip:ben@127.0.0.1:7002 SIP/2.0"]
    line.run(5)
    assert line.anna.starts()[1].startswith("CANCEL")
    assert line.anna.the(RefusalReceived).status == 487
    assert line.ben.story == ["InviteReceived", "CancelReceived"]


def test_a_200_that_crosses_the_cancel_is_acknowledged_and_hung_up() -> None:
    line = Line()
    session = ringing(line)
    line.anna.does("cancel", "call")
    line.ben.does("answer", session, sdp=ANSWER)
    line.run(5)
    assert line.anna.story == ["ProgressReceived", "ByeAnswered"]
    assert line.ben.story == ["InviteReceived", "AckReceived", "ByeReceived"]
    nothing_left(line)


def test_a_call_forgotten_while_it_rings_is_hung_up_when_it_is_answered() -> None:
    line = Line()
    session = ringing(line)
    line.anna.does("cancel", "call")
    line.anna.agent.forget("call")
    line.ben.does("answer", session, sdp=ANSWER)
    line.run(5)
    assert line.ben.story == ["InviteReceived", "AckReceived", "ByeReceived"]
    assert line.anna.story == ["ProgressReceived"]
    nothing_left(line)


def test_calls_forgotten_while_they_ring_leave_nothing_behind() -> None:
    line = Line()
    session = ringing(line)
    line.anna.agent.forget("call")
    line.ben.agent.forget(session)
    nothing_left(line)


def test_an_invite_that_nobody_finishes_after_the_cancel_is_given_up() -> None:
    line = Line(lambda number, data: () if data.startswith((b"CANCEL", b"SIP/2.0 487")) else (ON_TIME,))
    ringing(line)
    line.anna.does("cancel", "call")
    line.run(40)
    assert line.anna.the(RefusalReceived).status == 408


def test_a_200_without_ack_is_repeated_then_hung_up() -> None:
    line = Line(lambda number, data: () if data.startswith(b"ACK") else (ON_TIME,))
    session = ringing(line)
    line.ben.does("answer", session, sdp=ANSWER)
    line.run(31)
    # RFC 3261 13.3.1.4: at 0, 0.5, 1.5, 3.5, 7.5, 11.5, ... 27.5 seconds.
    assert line.ben.starts().count("SIP/2.0 200 OK") == 10
    assert line.anna.starts().count("ACK sip:127.0.0.1:7002 SIP/2.0") == 10
    line.run(5)
    assert line.ben.story == ["InviteReceived", "AckMissing", "ByeAnswered"]
    assert line.ben.the(AckMissing)
    assert line.anna.the(ByeReceived)
    nothing_left(line)


def test_a_callee_that_hangs_up_before_the_ack_waits_for_it() -> None:
    line = Line(lose(b"ACK"))
    session = ringing(line)
    line.ben.does("answer", session, sdp=ANSWER)
    line.ben.does("bye", session, headers=[("Reason", "Q.850;cause=16")])
    assert not any(start.startswith("BYE") for start in line.ben.starts())
    line.run(5)
    assert line.ben.story == ["InviteReceived", "ByeAnswered"]
    assert line.anna.the(ByeReceived).request.headers["Reason"] == "Q.850;cause=16"
    nothing_left(line)


def test_both_hang_up_at_once() -> None:
    line = Line()
    session = talking(line)
    line.anna.does("bye", "call")
    line.ben.does("bye", session)
    line.run(5)
    assert line.anna.the(ByeAnswered).status == 200
    assert line.ben.the(ByeAnswered).status == 200
    nothing_left(line)


def test_a_bye_that_nobody_answers_is_a_408() -> None:
    line = Line(lambda number, data: () if data.startswith(b"BYE") else (ON_TIME,))
    talking(line)
    line.anna.does("bye", "call")
    line.run(40)
    assert line.anna.the(ByeAnswered).status == 408
    assert line.anna.agent.state("call") is SessionState.GONE


def test_digits_by_info() -> None:
    line = Line(lose(b"INFO", b"SIP/2.0 200"))
    session = talking(line)
    line.ben.does("info", session, content_type="application/dtmf-relay", body=b"Signal=5\r\nDuration=160\r\n")
    line.run(5)
    assert line.anna.the(InfoReceived).request.body == b"Signal=5\r\nDuration=160\r\n"
    assert line.ben.the(InfoAnswered).status == 200


def test_early_media_comes_with_the_progress() -> None:
    line = Line()
    line.anna.calls(line.ben)
    line.run(1)
    line.ben.does("ring", line.ben.the(InviteReceived).session, status=183, sdp=ANSWER)
    line.run(1)
    progress = line.anna.the(ProgressReceived)
    assert (progress.status, progress.sdp) == (183, ANSWER)


def test_orders_out_of_turn_are_refused_and_change_nothing() -> None:
    line = Line()
    session = ringing(line)
    sent = len(line.anna.sent), len(line.ben.sent)
    for order, more in (("bye", {}), ("reoffer", {"sdp": OFFER}), ("invite_again", {"headers": ()}), ("accept_reoffer", {"sdp": OFFER})):
        with pytest.raises(SessionRefuses) as refusal:
            line.anna.does(order, "call", **more)
        assert refusal.value.state is SessionState.PROGRESS
    with pytest.raises(SessionRefuses):
        line.ben.does("cancel", session)
    with pytest.raises(SessionRefuses):
        line.anna.calls(line.ben)
    with pytest.raises(SessionRefuses) as unknown:
        line.anna.does("bye", "nobody")
    assert unknown.value.state is SessionState.GONE
    assert (len(line.anna.sent), len(line.ben.sent)) == sent
    line.ben.does("answer", session, sdp=ANSWER)
    line.run(1)
    assert line.anna.told(AnswerReceived)


def test_faster_timers_give_up_sooner() -> None:
    line = Line(lambda number, data: (), timers=Timers(t1=0.01, t2=0.04, t4=0.05))
    line.anna.calls(line.ben)
    line.run(1)
    assert line.anna.the(RefusalReceived).status == 408


def test_two_hundred_calls_leave_nothing_behind() -> None:
    line = Line(faithful)
    line.ben.reactions[InviteReceived] = lambda fact: line.ben.agent.answer(fact.session, sdp=ANSWER, now=line.now)
    line.anna.reactions[AnswerReceived] = lambda fact: line.anna.agent.bye(fact.session, now=line.now)
    for number in range(200):
        line.anna.calls(line.ben, f"call {number}")
        line.run(0.1)
    for fact in line.anna.told(ByeAnswered):
        line.anna.agent.forget(fact.session)
    for came in line.ben.told(ByeReceived):
        line.ben.agent.forget(came.session)
    nothing_left(line)
    assert line.anna.agent._core.sessions == line.ben.agent._core.sessions == {}


def test_what_a_call_leaves_needs_no_garbage_collector() -> None:
    """Sessions and transactions know each other; a switch that waited for the collector grew by 6 KB a call until it came."""
    line = Line()
    gc.collect()
    gc.disable()
    try:
        session = talking(line)
        line.anna.does("refer", "call", refer_to="sip:chloe@lumen.test")
        line.run(until=lambda: line.ben.told(ReferReceived))
        line.ben.does("accept_refer", session)
        line.run(3)
        line.anna.does("bye", "call")
        line.run(200)
        line.anna.agent.forget("call")
        line.ben.agent.forget(session)
        del session
        line.anna.facts.clear()
        line.ben.facts.clear()
        left = [each for each in gc.get_objects() if isinstance(each, Session | ServerTransaction | ClientTransaction)]
    finally:
        gc.enable()
    assert not left
