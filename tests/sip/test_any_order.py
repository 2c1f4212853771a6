"""One call, and everything that either side may do in it, in any order: nothing breaks, the call ends once, and nothing is left."""

from collections.abc import Callable
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offhook.sip.agent import Agent, SessionRefuses, SessionState
from offhook.sip.facts import (
    AckAnswered,
    AckReceived,
    ByeAnswered,
    ByeReceived,
    CancelReceived,
    InviteReceived,
    Output,
    RefusalReceived,
    Send,
    SessionExpired,
)
from offhook.sip.session_timers import SessionTimers
from tests.sip.lines import ANSWER, OFFER
from tests.sip.raw import PEER, calling, header, invite, request, response

ENDS = (ByeReceived, CancelReceived, ByeAnswered, RefusalReceived)
RELAXED = settings(deadline=None, max_examples=200, suppress_health_check=[HealthCheck.too_slow])


class Call:
    """One session of an agent with a peer that says whatever a test wants."""

    def __init__(self, agent: Agent, *, incoming: bool, offer: bool, more: tuple[str, ...]) -> None:
        self.agent, self.now, self.cseq, self.count = agent, 1.0, 1, 0
        self.outputs: list[Output] = []
        self.asked: list[bytes] = []
        if incoming:
            outputs = agent.receive(invite(more=more, body=OFFER if offer else ""), PEER, 0.0)
            self.session = next(fact for fact in outputs if isinstance(fact, InviteReceived)).session
            self.tag, self.call_id, self.theirs = "", "raw", "theirs"
        else:
            data = calling(agent, sdp=OFFER if offer else None)
            self.session, self.theirs = "call", "far"
            self.tag, self.call_id = header(data, "From")[0].partition(";tag=")[2], header(data, "Call-ID")[0]
            self.asked.append(data)
            outputs = []
        self.takes(outputs)

    def takes(self, outputs: list[Output]) -> None:
        self.outputs += outputs
        for output in outputs:
            if isinstance(output, Send):
                start = output.data.partition(b"\r\n")[0]
                if not start.startswith((b"SIP/2.0", b"ACK")):
                    self.asked.append(output.data)
                elif not self.tag and b";tag=" in output.data:
                    self.tag = header(output.data, "To")[0].partition(";tag=")[2]

    def orders(self, name: str, **more: object) -> None:
        with suppress(SessionRefuses):
            self.takes(getattr(self.agent, name)(self.session, now=self.now, **more))

    def says(self, method: str, *more: str, body: str = "", same: bool = False) -> None:
        """A request of the peer; same: with the number and branch of its INVITE."""
        if not self.tag and not same:
            # Without our tag it would be another call.
            return
        self.count += 1
        self.cseq += 0 if same or method == "ACK" else 1
        branch = "z9hG4bK1" if same else f"z9hG4bKx{self.count}"
        number = 1 if same else self.cseq
        to_tag = "" if same else self.tag
        data = request(method, branch=branch, cseq=number, to_tag=to_tag, from_tag=self.theirs, call_id=self.call_id, more=more, body=body)
        self.takes(self.agent.receive(data, PEER, self.now))

    def answers(self, status: int, *more: str, body: str = "", back: int = 1) -> None:
        """A response to one of our last requests."""
        if len(self.asked) >= back:
            data = response(self.asked[-back], status, more=("Contact: <sip:peer@192.0.2.9:5070>", *more), body=body)
            self.takes(self.agent.receive(data, PEER, self.now))

    def waits(self, seconds: float) -> None:
        self.now += seconds
        self.takes(self.agent.tick(self.now))

    def rack(self) -> str:
        numbers = [header(output.data, "RSeq") for output in self.outputs if isinstance(output, Send)]
        return next((f"{found[0]} 1 INVITE" for found in reversed(numbers) if found), "1 1 INVITE")

    def was_challenged(self) -> bool:
        """A 401 ends a call that is being cancelled, and no other."""
        return any(isinstance(fact, RefusalReceived) and fact.status == 401 for fact in self.outputs)

    def ends(self) -> list[Output]:
        return [
            fact
            for fact in self.outputs
            if isinstance(fact, ENDS) and not (isinstance(fact, RefusalReceived) and fact.status in (401, 407))
        ]


Step = Callable[[Call], None]
STEPS: dict[str, Step] = {
    "ring": lambda call: call.orders("ring"),
    "ring with sound": lambda call: call.orders("ring", status=183, sdp=ANSWER),
    "answer": lambda call: call.orders("answer", sdp=ANSWER),
    "refuse": lambda call: call.orders("refuse", status=486),
    "cancel": lambda call: call.orders("cancel"),
    "bye": lambda call: call.orders("bye"),
    "again": lambda call: call.orders("invite_again", headers=(("Authorization", "x"),)),
    "reoffer": lambda call: call.orders("reoffer", sdp=OFFER),
    "ask": lambda call: call.orders("reoffer", sdp=None),
    "update": lambda call: call.orders("update", sdp=OFFER),
    "accept": lambda call: call.orders("accept_reoffer", sdp=ANSWER),
    "decline": lambda call: call.orders("refuse_reoffer", status=488),
    "acknowledge": lambda call: call.orders("acknowledge", sdp=ANSWER),
    "refer": lambda call: call.orders("refer", refer_to="sip:b@c"),
    "accept refer": lambda call: call.orders("accept_refer"),
    "refuse refer": lambda call: call.orders("refuse_refer", status=603),
    "notify": lambda call: call.orders("notify_refer", status=180, final=False),
    "notify the end": lambda call: call.orders("notify_refer", status=200, final=True),
    "info": lambda call: call.orders("info", content_type="a/b", body=b"5"),
    "ACK": lambda call: call.says("ACK"),
    "ACK with an answer": lambda call: call.says("ACK", body=ANSWER),
    "BYE": lambda call: call.says("BYE"),
    "CANCEL": lambda call: call.says("CANCEL", same=True),
    "re-INVITE": lambda call: call.says("INVITE", body=OFFER),
    "re-INVITE asking": lambda call: call.says("INVITE"),
    "UPDATE": lambda call: call.says("UPDATE", body=OFFER),
    "UPDATE of a timer": lambda call: call.says("UPDATE", "Supported: timer", "Session-Expires: 120;refresher=uac"),
    "PRACK": lambda call: call.says("PRACK", f"RAck: {call.rack()}"),
    "PRACK with an answer": lambda call: call.says("PRACK", f"RAck: {call.rack()}", body=ANSWER),
    "PRACK of nothing": lambda call: call.says("PRACK", "RAck: 1 2 INVITE"),
    "REFER": lambda call: call.says("REFER", "Refer-To: <sip:b@c>"),
    "NOTIFY": lambda call: call.says("NOTIFY", "Event: refer", "Subscription-State: active"),
    "last NOTIFY": lambda call: call.says("NOTIFY", "Event: refer", "Subscription-State: terminated"),
    "183 reliably": lambda call: call.answers(183, "Require: 100rel", f"RSeq: {len(call.asked)}", body=ANSWER),
    "180": lambda call: call.answers(180),
    "200 with sound": lambda call: call.answers(200, body=ANSWER),
    "200": lambda call: call.answers(200),
    "200 to the one before": lambda call: call.answers(200, body=ANSWER, back=2),
    "401": lambda call: call.answers(401),
    "422": lambda call: call.answers(422, f"Min-SE: {1800 + len(call.asked)}"),
    "481": lambda call: call.answers(481),
    "491": lambda call: call.answers(491),
    "a second": lambda call: call.waits(1.0),
    "half a minute": lambda call: call.waits(33.0),
    "half an hour": lambda call: call.waits(1700.0),
}
EXTRAS = [(), ("Require: 100rel",), ("Supported: 100rel, timer", "Session-Expires: 200"), ("Supported: timer", "Allow: UPDATE")]


def a_call(*, incoming: bool, offer: bool, more: tuple[str, ...]) -> Call:
    words = iter(range(1, 1_000_000))
    agent = Agent(
        local=PEER._replace(host="127.0.0.1", port=7001),
        user_agent="offhook",
        tokens=lambda: f"w{next(words)}",
        dice=lambda: 0.5,
        session_timers=SessionTimers(),
    )
    return Call(agent, incoming=incoming, offer=offer, more=more)


@RELAXED
@given(st.booleans(), st.booleans(), st.sampled_from(EXTRAS), st.lists(st.sampled_from(sorted(STEPS)), max_size=25))
def test_whatever_both_sides_do_the_call_ends_once_and_leaves_nothing(
    incoming: bool, offer: bool, more: tuple[str, ...], steps: list[str]
) -> None:
    call = a_call(incoming=incoming, offer=offer, more=more)
    refused = False
    for step in steps:
        before = call.agent.state(call.session)
        STEPS[step](call)
        # An order to refuse is its own end: no fact tells it.
        refused = refused or (step == "refuse" and before is not SessionState.GONE and call.agent.state(call.session) is SessionState.GONE)
        assert len(call.ends()) <= 1, call.ends()
        # Gone and told of it, or neither: a leg that nobody hears the end of would stand for ever.
        gone = call.agent.state(call.session) is SessionState.GONE
        assert gone == bool(call.ends() or refused) or (gone and call.was_challenged()), step
    for _ in range(3):
        call.orders("bye")
        call.orders("refuse", status=480)
        call.orders("cancel")
        call.waits(100.0)
    call.agent.forget(call.session)
    for _ in range(500):
        due = call.agent.next_due()
        if due is None:
            break
        call.now = max(call.now, due)
        call.takes(call.agent.tick(call.now))
    core = call.agent._core
    assert (core.clients, core.servers, core.dialogs, core.merged, core.pending) == ({}, {}, {}, {}, {})
    assert len(call.ends()) <= 1


@pytest.mark.parametrize("incoming", [True, False])
def test_a_long_call_with_everything_in_it_ends_well(incoming: bool) -> None:
    """The steps do happen: without this, a mistake in the test itself would let the property hold of nothing."""
    call = a_call(incoming=incoming, offer=True, more=())
    way = ["ring", "answer", "ACK"] if incoming else ["180", "200 with sound"]
    for step in (*way, "REFER", "accept refer", "notify the end", "re-INVITE asking", "accept", "ACK with an answer", "UPDATE", "accept"):
        STEPS[step](call)
        assert call.agent.state(call.session) is not SessionState.GONE, step
    assert len([fact for fact in call.outputs if isinstance(fact, AckAnswered)]) == 1
    assert len([fact for fact in call.outputs if isinstance(fact, AckReceived)]) == (2 if incoming else 1)
    for step in ("refer", "481", "half an hour", "half a minute", "half a minute"):
        STEPS[step](call)
    assert [type(fact) for fact in call.outputs if isinstance(fact, (SessionExpired, ByeAnswered))] == [SessionExpired, ByeAnswered]
