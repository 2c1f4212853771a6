"""Peers that repeat themselves for ever, move about, never confirm, or meddle with the calls of others."""

import pytest

from offhook.sip.agent import SessionState
from offhook.sip.facts import (
    AckMissing,
    AnswerReceived,
    ByeAnswered,
    ByeReceived,
    Heard,
    InviteReceived,
    Output,
    ReferReceived,
    ReofferReceived,
)
from tests.sip.lines import ANSWER, OFFER
from tests.sip.raw import PEER, an_agent, answered, calling, header, invite, ours, request, response, sends, sent, statuses, told


def facts(outputs: list[Output]) -> list[Output]:
    return [output for output in outputs if not isinstance(output, Heard) and output not in sends(outputs)]


def test_what_is_repeated_a_thousand_times_is_told_once_and_kept_once() -> None:
    agent = an_agent()
    session, tag = answered(agent)
    once = [
        request("INFO", branch="z9hG4bKa", cseq=2, to_tag=tag),
        request("REFER", branch="z9hG4bKb", cseq=3, to_tag=tag, more=("Refer-To: <sip:b@c>",)),
        request("UPDATE", branch="z9hG4bKc", cseq=4, to_tag=tag, body=OFFER),
        request("OPTIONS", branch="z9hG4bKd", cseq=5, to_tag=tag),
        request("PRACK", branch="z9hG4bKe", cseq=6, to_tag=tag, more=("RAck: 1 1 INVITE",)),
    ]
    told_of: list[Output] = []
    for data in once:
        for _ in range(1000):
            told_of += facts(agent.receive(data, PEER, 1.0))
    assert [type(fact).__name__ for fact in told_of] == ["InfoReceived", "ReferReceived", "ReofferReceived"]
    assert len(agent._core.servers) == 1 + len(once)
    assert agent.state(session) is SessionState.UP


def test_a_200_repeated_for_ever_gets_its_ack_each_time_and_nothing_more() -> None:
    agent = an_agent()
    data = response(calling(agent), 200, more=("Contact: <sip:peer@192.0.2.9:5070>",), body=ANSWER)
    first = agent.receive(data, PEER, 0.1)
    assert told(first, AnswerReceived)
    for _ in range(1000):
        again = agent.receive(data, PEER, 0.2)
        assert sent(again) == sent(first) and not facts(again)
    assert len(agent._core.clients) == 1


def test_a_peer_that_never_acknowledges_is_hung_up() -> None:
    agent = an_agent()
    session = next(fact for fact in agent.receive(invite(), PEER, 0.0) if isinstance(fact, InviteReceived)).session
    agent.answer(session, sdp=ANSWER, now=0.1)
    outputs: list[Output] = []
    while (due := agent.next_due()) is not None and due < 40.0:
        outputs += agent.tick(due)
    assert told(outputs, AckMissing) == [AckMissing(session)]
    assert [data.split()[0] for data in sent(outputs)].count(b"BYE") >= 1
    while (due := agent.next_due()) is not None:
        outputs += agent.tick(due)
    assert told(outputs, ByeAnswered) == [ByeAnswered(session, 408)]


def test_nobody_hangs_up_or_refers_a_call_that_is_not_his() -> None:
    agent = an_agent()
    first, tag = answered(agent)
    outputs = agent.receive(invite(call_id="other", branch="z9hG4bKo", from_tag="o"), PEER, 0.0)
    came = next(fact for fact in outputs if isinstance(fact, InviteReceived))
    other = ours(sent(agent.answer(came.session, sdp=ANSWER, now=0.1))[0])
    meddling = [("raw", "o", tag), ("other", "theirs", other), ("raw", "theirs", other), ("other", "o", tag), ("raw", tag, "theirs")]
    for number, (call_id, from_tag, to_tag) in enumerate(meddling):
        for method in ("BYE", "INFO", "REFER", "UPDATE", "PRACK", "NOTIFY", "INVITE"):
            data = request(method, branch=f"z9hG4bKm{number}{method}", cseq=9, call_id=call_id, from_tag=from_tag, to_tag=to_tag)
            outputs = agent.receive(data, PEER, 1.0)
            assert statuses(outputs) == [481], method
            assert not facts(outputs)
    cancel = request("CANCEL", branch="z9hG4bKelse", call_id="raw")
    assert statuses(agent.receive(cancel, PEER, 1.1)) == [481]
    assert agent.state(first) is SessionState.UP


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_a_peer_that_moves_in_mid_call_is_followed(method: str) -> None:
    agent = an_agent()
    session, tag = answered(agent)
    data = request(method, branch="z9hG4bKm", cseq=2, to_tag=tag, body=OFFER)
    data = data.replace(b"<sip:peer@192.0.2.9:5070>", b"<sip:new@192.0.2.44:5099>")
    assert told(agent.receive(data, PEER, 1.0), ReofferReceived)
    agent.accept_reoffer(session, sdp=ANSWER, now=1.1)
    agent.receive(request("ACK", branch="z9hG4bKn", cseq=2, to_tag=tag), PEER, 1.2)
    bye = sends(agent.bye(session, now=1.3))[0]
    assert bye.data.startswith(b"BYE sip:new@192.0.2.44:5099 SIP/2.0")
    assert bye.to.host == "192.0.2.44"


def test_a_move_to_nowhere_moves_nobody() -> None:
    agent = an_agent()
    session, tag = answered(agent)
    for number, contact in enumerate((b"<http://a>", b"*", b"nonsense", b"<sip:a b@c>")):
        data = request("UPDATE", branch=f"z9hG4bKm{number}", cseq=2 + number, to_tag=tag).replace(b"<sip:peer@192.0.2.9:5070>", contact)
        assert statuses(agent.receive(data, PEER, 1.0)) == [200]
    assert sends(agent.bye(session, now=1.3))[0].data.startswith(b"BYE sip:peer@192.0.2.9:5070 SIP/2.0")


def test_a_body_of_64_kilobytes_is_too_much_in_a_call_too() -> None:
    agent = an_agent()
    session, tag = answered(agent)
    data = request("UPDATE", branch="z9hG4bKm", cseq=2, to_tag=tag, body="v=0\r\n" + "a=x\r\n" * 13_200)
    assert statuses(agent.receive(data, PEER, 1.0)) == [513]
    assert agent.state(session) is SessionState.UP


def test_a_refer_after_the_end_finds_nobody() -> None:
    agent = an_agent()
    _, tag = answered(agent)
    assert told(agent.receive(request("BYE", branch="z9hG4bKa", cseq=2, to_tag=tag), PEER, 1.0), ByeReceived)
    outputs = agent.receive(request("REFER", branch="z9hG4bKb", cseq=3, to_tag=tag, more=("Refer-To: <sip:b@c>",)), PEER, 1.1)
    assert statuses(outputs) == [481] and not told(outputs, ReferReceived)
    assert header(sent(outputs)[0], "To")[0].endswith(tag)
