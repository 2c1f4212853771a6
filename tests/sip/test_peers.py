"""What an agent answers to peers that err, repeat themselves, or have no business here."""

import pytest

from offhook.sip.agent import SessionRefuses, SessionState
from offhook.sip.facts import (
    AckReceived,
    AnswerReceived,
    ByeReceived,
    CancelReceived,
    Heard,
    InfoReceived,
    InviteReceived,
    Output,
    ProgressReceived,
    ReofferAnswered,
    ReofferReceived,
    StrayAnswered,
)
from offhook.sip.writing import ALLOW
from tests.sip.lines import ANSWER, OFFER
from tests.sip.raw import PEER, US, an_agent, answered, calling, header, invite, ours, request, response, sends, sent, statuses, told


def test_a_repeated_invite_gets_the_latest_provisional_again_and_is_no_new_call() -> None:
    agent = an_agent()
    first = agent.receive(invite(), PEER, 0.0)
    session = next(fact for fact in first if isinstance(fact, InviteReceived)).session
    ring = sent(agent.ring(session, now=0.1))
    again = agent.receive(invite(), PEER, 0.2)
    assert sent(again) == ring
    assert told(again, InviteReceived) == []
    assert told(again, Heard) == [Heard(session, invite(), PEER)]


def test_a_second_200_with_another_tag_is_acknowledged_and_hung_up() -> None:
    agent = an_agent()
    sent_invite = calling(agent)
    first = response(sent_invite, 200, to_tag="one", more=("Contact: <sip:one@192.0.2.9:5070>",), body=ANSWER)
    second = response(sent_invite, 200, to_tag="two", more=("Contact: <sip:two@192.0.2.9:5071>",), body=ANSWER)
    assert told(agent.receive(first, PEER, 0.1), AnswerReceived)
    outputs = agent.receive(second, PEER, 0.2)
    assert [data.split()[0] + data.split()[1] for data in sent(outputs)] == [b"ACKsip:two@192.0.2.9:5071", b"BYEsip:two@192.0.2.9:5071"]
    assert told(outputs, StrayAnswered) == [StrayAnswered("call")]
    assert agent.state("call") is SessionState.UP
    # Repeats of both get their own ACKs again and nothing else.
    assert [data.split()[1] for data in sent(agent.receive(second, PEER, 0.3))] == [b"sip:two@192.0.2.9:5071"]
    assert [data.split()[1] for data in sent(agent.receive(first, PEER, 0.4))] == [b"sip:one@192.0.2.9:5070"]


def test_forks_that_ring_are_all_told_and_the_one_that_answers_counts() -> None:
    agent = an_agent()
    sent_invite = calling(agent)
    for tag in ("one", "two"):
        assert told(agent.receive(response(sent_invite, 180, to_tag=tag), PEER, 0.1), ProgressReceived)
    agent.receive(response(sent_invite, 200, to_tag="one", more=("Contact: <sip:one@192.0.2.9:5070>",), body=ANSWER), PEER, 0.2)
    bye = request("BYE", call_id=header(sent_invite, "Call-ID")[0], from_tag="two", to_tag=header(sent_invite, "From")[0].split("tag=")[1])
    assert statuses(agent.receive(bye, PEER, 0.3)) == [481]
    right = bye.replace(b"tag=two", b"tag=one").replace(b"z9hG4bK1", b"z9hG4bK2")
    assert statuses(agent.receive(right, PEER, 0.4)) == [200]


def test_a_bye_with_wrong_tags_is_none_of_our_calls() -> None:
    agent = an_agent()
    session, tag = answered(agent)
    for number, (from_tag, to_tag) in enumerate((("theirs", "wrong"), ("wrong", tag), (tag, "theirs"), ("", tag))):
        data = request("BYE", branch=f"z9hG4bKb{number}", cseq=2, from_tag=from_tag, to_tag=to_tag)
        assert statuses(agent.receive(data, PEER, 1.0)) == [481]
    assert agent.state(session) is SessionState.UP
    outputs = agent.receive(request("BYE", branch="z9hG4bKb9", cseq=2, to_tag=tag), PEER, 1.1)
    assert statuses(outputs) == [200]
    assert told(outputs, ByeReceived)


def test_a_late_request_with_an_old_cseq_is_refused() -> None:
    agent = an_agent()
    session, tag = answered(agent)
    assert statuses(agent.receive(request("INFO", branch="z9hG4bK5", cseq=7, to_tag=tag), PEER, 1.0)) == [200]
    outputs = agent.receive(request("BYE", branch="z9hG4bK6", cseq=6, to_tag=tag), PEER, 1.1)
    assert statuses(outputs) == [500]
    assert agent.state(session) is SessionState.UP


@pytest.mark.parametrize(("dice", "seconds"), [(0.0, "0"), (0.5, "5"), (0.999, "10")])
def test_a_second_reinvite_while_one_waits_is_to_come_again_at_any_moment(dice: float, seconds: str) -> None:
    agent = an_agent(dice=lambda: dice)
    session, tag = answered(agent)
    first = agent.receive(invite(branch="z9hG4bK5", cseq=2, to_tag=tag), PEER, 1.0)
    assert told(first, ReofferReceived)
    second = agent.receive(invite(branch="z9hG4bK6", cseq=3, to_tag=tag), PEER, 1.1)
    assert statuses(second) == [500]
    assert header(sent(second)[0], "Retry-After") == [seconds]
    assert statuses(agent.accept_reoffer(session, sdp=ANSWER, now=1.2)) == [200]


def test_a_caller_may_hang_up_before_the_answer() -> None:
    agent = an_agent()
    session = next(fact for fact in agent.receive(invite(), PEER, 0.0) if isinstance(fact, InviteReceived)).session
    tag = ours(sent(agent.ring(session, now=0.1))[0])
    outputs = agent.receive(request("BYE", branch="z9hG4bK5", cseq=2, to_tag=tag), PEER, 1.0)
    assert statuses(outputs) == [200, 487]
    assert told(outputs, ByeReceived)
    with pytest.raises(SessionRefuses):
        agent.answer(session, sdp=ANSWER, now=1.1)


def test_a_cancel_after_the_answer_is_too_late() -> None:
    agent = an_agent()
    session = next(fact for fact in agent.receive(invite(), PEER, 0.0) if isinstance(fact, InviteReceived)).session
    agent.answer(session, sdp=ANSWER, now=0.1)
    outputs = agent.receive(request("CANCEL"), PEER, 0.2)
    assert statuses(outputs) == [200]
    assert told(outputs, CancelReceived) == []
    assert agent.state(session) is SessionState.ANSWERED


def test_the_200_to_a_cancel_has_the_tag_of_the_487() -> None:
    agent = an_agent()
    agent.receive(invite(), PEER, 0.0)
    cancelled, ended = sent(agent.receive(request("CANCEL"), PEER, 0.2))
    assert header(cancelled, "CSeq") == ["1 CANCEL"]
    assert header(ended, "CSeq") == ["1 INVITE"]
    assert ours(cancelled) == ours(ended) != ""


@pytest.mark.parametrize(
    ("data", "status", "headers"),
    [
        (request("CANCEL"), 481, {}),
        (request("BYE"), 481, {}),
        (request("BYE", to_tag="none"), 481, {}),
        (request("OPTIONS", to_tag="none"), 481, {}),
        (request("INVITE", to_tag="none", body=OFFER), 481, {}),
        (request("DANCE"), 405, {"Allow": ALLOW[1]}),
        (invite(more=("Require: 100rel, dancing", "Require: singing")), 420, {"Unsupported": "dancing, singing"}),
        (invite(more=("Require: timer",)), 420, {"Unsupported": "timer"}),
        (invite(more=("Content-Type: text/plain",)), 415, {"Accept": "application/sdp, multipart/mixed"}),
        (invite(more=("Content-Encoding: gzip",)), 415, {"Accept-Encoding": "identity"}),
        (invite().replace(b"Contact: <sip:peer@192.0.2.9:5070>\r\n", b""), 400, {}),
        (invite().replace(b"Contact: <sip:peer@192.0.2.9:5070>", b"Contact: *"), 400, {}),
    ],
)
def test_what_is_refused_without_asking_anybody(data: bytes, status: int, headers: dict[str, str]) -> None:
    outputs = an_agent().receive(data, PEER, 0.0)
    assert statuses(outputs) == [status]
    assert [type(output) for output in outputs] == [Heard, type(sends(outputs)[0])]
    assert ours(sent(outputs)[0]) != ""
    for name, value in headers.items():
        assert header(sent(outputs)[0], name) == [value]


def test_the_same_invite_by_another_way_is_merged() -> None:
    agent = an_agent()
    agent.receive(invite(), PEER, 0.0)
    assert statuses(agent.receive(invite(branch="z9hG4bKother"), PEER, 0.1)) == [482]


def test_old_branches_are_told_apart_by_what_their_messages_share() -> None:
    agent = an_agent()
    first = agent.receive(invite(branch="1", call_id="a"), PEER, 0.0)
    again = agent.receive(invite(branch="1", call_id="a"), PEER, 0.1)
    second = agent.receive(invite(branch="1", call_id="b"), PEER, 0.2)
    assert [len(told(outputs, InviteReceived)) for outputs in (first, again, second)] == [1, 0, 1]
    session = next(fact for fact in first if isinstance(fact, InviteReceived)).session
    refused = agent.refuse(session, status=486, now=0.3)
    agent.receive(request("ACK", branch="1", call_id="a", to_tag=ours(sent(refused)[0])), PEER, 0.4)
    assert not [data for data in sent(agent.tick(3.0)) if b"486" in data]


def test_responses_that_are_not_to_us_are_dropped() -> None:
    agent = an_agent()
    data = response(calling(agent), 180)
    for astray in (
        data.replace(b"127.0.0.1:7001;rport", b"127.0.0.1:7009;rport"),
        data.replace(b"z9hG4bK", b"z9hG4bKx"),
        data.replace(b"CSeq: 1 INVITE", b"CSeq: 1 BYE"),
        data.replace(b"Call-ID: ", b"Call-ID: x"),
    ):
        assert agent.receive(astray, PEER, 0.1) == [Heard(None, astray, PEER)]
    assert told(agent.receive(data, PEER, 0.2), ProgressReceived)


def test_an_ack_to_nothing_is_never_answered() -> None:
    agent = an_agent()
    data = request("ACK", to_tag="none")
    assert agent.receive(data, PEER, 0.0) == [Heard(None, data, PEER)]


def test_no_text_of_ours_can_add_a_header() -> None:
    agent = an_agent()
    session = next(fact for fact in agent.receive(invite(), PEER, 0.0) if isinstance(fact, InviteReceived)).session
    data = sent(agent.refuse(session, status=480, reason="No\r\nX-Evil: 1", headers=[("Warning", "a\nX-Evil: 2")], now=0.1))[0]
    assert header(data, "X-Evil") == []


def test_a_call_to_ourselves_through_a_proxy_works() -> None:
    agent = an_agent()
    sent_invite = sends(
        agent.invite(
            "out",
            request_uri="sip:me@127.0.0.1:7001",
            from_header="<sip:a@b>",
            to_header="<sip:me@b>",
            destination=US,
            sdp=OFFER,
            now=0.0,
        )
    )[0]
    incoming = next(fact for fact in agent.receive(sent_invite.data, US, 0.0) if isinstance(fact, InviteReceived)).session
    queue = sends(agent.answer(incoming, sdp=ANSWER, now=0.1))
    facts: list[Output] = []
    for _ in range(10):
        outputs = [output for send in queue for output in agent.receive(send.data, US, 0.2)]
        facts += outputs
        queue = sends(outputs)
        if told(facts, AckReceived):
            break
    assert told(facts, AnswerReceived) and told(facts, AckReceived)
    assert told(agent.receive(sent(agent.bye("out", now=1.0))[0], US, 1.0), ByeReceived)


def test_info_before_the_answer_is_heard() -> None:
    agent = an_agent()
    session = next(fact for fact in agent.receive(invite(), PEER, 0.0) if isinstance(fact, InviteReceived)).session
    tag = ours(sent(agent.ring(session, now=0.1, status=183, sdp=ANSWER))[0])
    outputs = agent.receive(request("INFO", branch="z9hG4bK5", cseq=2, to_tag=tag, more=("Content-Type: a/b",), body="5"), PEER, 0.2)
    assert statuses(outputs) == [200]
    assert told(outputs, InfoReceived)


def test_an_ack_that_keeps_the_branch_of_its_invite_counts() -> None:
    agent = an_agent()
    session = next(fact for fact in agent.receive(invite(), PEER, 0.0) if isinstance(fact, InviteReceived)).session
    tag = ours(sent(agent.answer(session, sdp=ANSWER, now=0.1))[0])
    assert told(agent.receive(request("ACK", to_tag=tag), PEER, 0.2), AckReceived) == [AckReceived(session, None)]


def test_an_ack_with_the_number_of_another_invite_does_not_count() -> None:
    agent = an_agent()
    session = next(fact for fact in agent.receive(invite(cseq=5), PEER, 0.0) if isinstance(fact, InviteReceived)).session
    tag = ours(sent(agent.answer(session, sdp=ANSWER, now=0.1))[0])
    assert told(agent.receive(request("ACK", branch="z9hG4bK2", cseq=4, to_tag=tag), PEER, 0.2), AckReceived) == []
    assert told(agent.receive(request("ACK", branch="z9hG4bK3", cseq=5, to_tag=tag), PEER, 0.3), AckReceived)


def test_a_request_with_the_cseq_of_the_invite_is_not_new() -> None:
    agent = an_agent()
    _, tag = answered(agent)
    assert statuses(agent.receive(request("INFO", branch="z9hG4bK5", cseq=1, to_tag=tag), PEER, 1.0)) == [500]


def test_a_reinvite_that_overtakes_the_ack_stands_for_it() -> None:
    agent = an_agent()
    session = next(fact for fact in agent.receive(invite(), PEER, 0.0) if isinstance(fact, InviteReceived)).session
    tag = ours(sent(agent.answer(session, sdp=ANSWER, now=0.1))[0])
    outputs = agent.receive(invite(branch="z9hG4bK5", cseq=2, to_tag=tag), PEER, 0.2)
    assert statuses(outputs) == [100] and told(outputs, AckReceived) and told(outputs, ReofferReceived)
    agent.accept_reoffer(session, sdp=ANSWER, now=0.25)
    assert not told(agent.receive(request("ACK", branch="z9hG4bK2", to_tag=tag), PEER, 0.3), AckReceived), (
        "the one that comes late is not another"
    )
    assert told(agent.receive(request("ACK", branch="z9hG4bK6", cseq=2, to_tag=tag), PEER, 0.4), AckReceived)


def test_a_reinvite_that_overtakes_an_ack_with_an_answer_in_it_is_to_come_again() -> None:
    agent = an_agent()
    asked = invite(body="")
    session = next(fact for fact in agent.receive(asked, PEER, 0.0) if isinstance(fact, InviteReceived)).session
    tag = ours(sent(agent.answer(session, sdp=OFFER, now=0.1))[0])
    assert statuses(agent.receive(invite(branch="z9hG4bK5", cseq=2, to_tag=tag), PEER, 0.2)) == [491]


def test_a_peer_that_hangs_up_gets_487_for_the_reinvite_it_left_open() -> None:
    agent = an_agent()
    _, tag = answered(agent)
    agent.receive(invite(branch="z9hG4bK5", cseq=2, to_tag=tag), PEER, 1.0)
    assert statuses(agent.receive(request("BYE", branch="z9hG4bK6", cseq=3, to_tag=tag), PEER, 1.1)) == [200, 487]


def test_the_numbers_of_an_early_dialog_count_after_the_answer() -> None:
    agent = an_agent()
    sent_invite = calling(agent)
    agent.receive(response(sent_invite, 183, to_tag="one", more=("Contact: <sip:one@192.0.2.9>",)), PEER, 0.1)
    mine = header(sent_invite, "From")[0].split(";tag=")[1]
    info = request("INFO", branch="z9hG4bK5", cseq=5, call_id=header(sent_invite, "Call-ID")[0], from_tag="one", to_tag=mine)
    assert statuses(agent.receive(info, PEER, 0.2)) == [200]
    agent.receive(response(sent_invite, 200, to_tag="one", more=("Contact: <sip:one@192.0.2.9>",), body=ANSWER), PEER, 0.3)
    assert statuses(agent.receive(info.replace(b"z9hG4bK5", b"z9hG4bK6"), PEER, 0.4)) == [500]


def test_a_reoffer_answered_under_another_tag_is_not_answered() -> None:
    agent = an_agent()
    session, _ = answered(agent)
    reinvite = sent(agent.reoffer(session, sdp=OFFER, now=1.0))[0]
    other = response(reinvite, 200, body=ANSWER).replace(b";tag=theirs", b";tag=somebody")
    assert agent.receive(other, PEER, 1.1) == [Heard(session, other, PEER)]
    outputs = agent.receive(response(reinvite, 200, body=ANSWER), PEER, 1.2)
    assert told(outputs, ReofferAnswered) == [ReofferAnswered(session, ANSWER)]


def test_only_one_offer_at_a_time() -> None:
    agent = an_agent()
    session, tag = answered(agent)
    agent.receive(invite(branch="z9hG4bK5", cseq=2, to_tag=tag), PEER, 1.0)
    with pytest.raises(SessionRefuses):
        agent.reoffer(session, sdp=OFFER, now=1.1)
    agent.accept_reoffer(session, sdp=ANSWER, now=1.2)
    with pytest.raises(SessionRefuses):
        agent.reoffer(session, sdp=OFFER, now=1.3)
    agent.receive(request("ACK", branch="z9hG4bK6", cseq=2, to_tag=tag), PEER, 1.4)
    first = sent(agent.reoffer(session, sdp=OFFER, now=1.5))[0]
    with pytest.raises(SessionRefuses):
        agent.reoffer(session, sdp=OFFER, now=1.6)
    agent.receive(response(first, 200, body=ANSWER), PEER, 1.7)
    assert header(sent(agent.reoffer(session, sdp=OFFER, now=1.8))[0], "CSeq") == ["2 INVITE"]


def test_old_branches_of_one_call_are_told_apart_by_their_numbers() -> None:
    agent = an_agent()
    _, tag = answered(agent)
    for number in (2, 3):
        outputs = agent.receive(request("INFO", branch="1", cseq=number, to_tag=tag), PEER, 1.0)
        assert told(outputs, InfoReceived)
