"""Whatever is received, the agent goes on: junk, mutated messages, and messages of a call in any order."""

from collections.abc import Iterator

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offhook.sip.addresses import Address
from offhook.sip.agent import Agent, SessionRefuses
from offhook.sip.digest import read_challenge
from offhook.sip.facts import (
    InviteReceived,
    Output,
    ReferReceived,
    ReofferReceived,
    RequestReceived,
    Send,
)
from offhook.sip.framing import Framer, StreamBroken
from offhook.sip.identity import asserted, claimed, wants_privacy
from offhook.sip.session_timers import SessionTimers
from offhook.sip.wall import read
from tests.sip.lines import ANSWER, OFFER, Line
from tests.sip.raw import PEER, an_agent, invite, request, response, sent

RELAXED = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])


def corpus() -> list[bytes]:
    """Every message of a whole call with hold, both ways, and some with much in them."""
    line = Line()
    line.anna.calls(line.ben)
    line.run(1)
    session = next(fact for fact in line.ben.facts if isinstance(fact, InviteReceived)).session
    line.ben.does("ring", session, status=183, sdp=ANSWER)
    line.ben.does("answer", session, sdp=ANSWER)
    line.run(1)
    line.anna.does("reoffer", "call", sdp=OFFER)
    line.run(1)
    line.ben.does("accept_reoffer", session, sdp=ANSWER)
    line.run(1)
    line.anna.does("update", "call", sdp=OFFER)
    line.run(1)
    line.ben.does("accept_reoffer", session, sdp=ANSWER)
    line.anna.does("refer", "call", refer_to="<sip:c@d?Replaces=x%3Bto-tag%3Da%3Bfrom-tag%3Db>")
    line.run(1)
    line.ben.does("accept_refer", session)
    line.ben.does("notify_refer", session, status=200, final=True)
    line.run(1)
    line.anna.does("bye", "call")
    line.run(1)
    rich = invite(
        more=(
            "Supported: 100rel, timer",
            "Session-Expires: 300;refresher=uac",
            "Min-SE: 90",
            "Replaces: a@b;to-tag=x;from-tag=y",
            "Referred-By: <sip:a@b>",
            'P-Asserted-Identity: "A, b" <sip:a@b>, <tel:+1>',
            "Privacy: id",
            "Record-Route: <sip:127.0.0.1:5090;lr;r2=on>, <sip:[::1]>",
        )
    )
    parts = "--b\r\nContent-Type: application/sdp\r\n\r\n" + OFFER + "--b\r\n\r\nx\r\n--b--"
    rich_body = invite(more=("Content-Type: multipart/mixed;boundary=b", "Require: 100rel"), body=parts)
    return [
        *line.anna.sent,
        *line.ben.sent,
        rich,
        rich_body,
        request("PRACK", to_tag="w4", cseq=2, more=("RAck: 1 1 INVITE",)),
        request("CANCEL"),
        request("OPTIONS"),
        b"\r\n\r\n",
    ]


CORPUS = corpus()
JUNK = st.binary(max_size=12) | st.sampled_from(
    [b"\r\n", b"\r", b"\n", b" ", b"\0", b":", b";", b";self=1", b"<", b">", b'"', b"\\", b",", b"%00", b"\xff", "²".encode(), b"9" * 5000]
)


@st.composite
def mutated(draw: st.DrawFn) -> bytes:
    data = draw(st.sampled_from(CORPUS))
    for _ in range(draw(st.integers(0, 4))):
        at, end = sorted((draw(st.integers(0, len(data))), draw(st.integers(0, len(data)))))
        how = draw(st.sampled_from(["cut", "put", "swap", "double"]))
        if how == "cut":
            data = data[:at] + data[min(end, at + 40) :]
        elif how == "put":
            data = data[:at] + draw(JUNK) + data[at:]
        elif how == "double":
            data = data[:end] + data[at:end] + data[end:]
        else:
            data = data[:at] + draw(JUNK) + data[min(end, at + 8) :]
    return data


def act_on(agent: Agent, outputs: list[Output], now: float, choice: Iterator[int]) -> None:
    """What a driver would do, well or badly: orders that may come out of turn."""
    for fact in outputs:
        try:
            if isinstance(fact, InviteReceived):
                asserted(fact.request)
                claimed(fact.request)
                wants_privacy(fact.request)
                act_on(agent, agent.ring(fact.session, now=now), now, choice)
                if next(choice) % 2:
                    act_on(agent, agent.answer(fact.session, sdp=ANSWER, now=now), now, choice)
            elif isinstance(fact, ReofferReceived):
                act_on(agent, agent.accept_reoffer(fact.session, sdp=ANSWER, now=now), now, choice)
            elif isinstance(fact, ReferReceived):
                act_on(agent, agent.accept_refer(fact.session, now=now), now, choice)
                act_on(agent, agent.notify_refer(fact.session, status=200, final=True, now=now), now, choice)
            elif isinstance(fact, RequestReceived):
                act_on(agent, agent.respond(fact.key, status=200, now=now), now, choice)
            elif isinstance(fact, Send):
                assert fact.data.endswith(b"\r\n\r\n") or b"\r\n\r\n" in fact.data or fact.data == b"\r\n"
                assert isinstance(fact.to, Address) and 0 < fact.to.port < 65536
        except SessionRefuses:
            pass


@RELAXED
@given(st.lists(mutated(), max_size=8), st.integers(0, 2**16))
def test_mutated_messages_raise_nothing_and_the_next_call_works(messages: list[bytes], seed: int) -> None:
    agent = an_agent(session_timers=SessionTimers())
    choice = iter(int(bit) for bit in f"{seed:b}".zfill(64) * 10)
    agent.invite(
        "ours",
        request_uri="sip:ben@127.0.0.1:7002",
        from_header="<sip:anna@lumen.test>",
        to_header="<sip:ben@lumen.test>",
        destination=PEER,
        sdp=OFFER,
        now=0.0,
    )
    for number, data in enumerate(messages):
        act_on(agent, agent.receive(data, PEER, number * 3.0), number * 3.0, choice)
        act_on(agent, agent.tick(number * 3.0 + 1), number * 3.0 + 1, choice)
    came = agent.receive(invite(call_id="the next", branch="z9hG4bKnext"), PEER, 100.0)
    assert any(isinstance(fact, InviteReceived) for fact in came)


@RELAXED
@given(st.binary(max_size=200))
def test_junk_is_dropped(data: bytes) -> None:
    agent = an_agent()
    assert [fact for fact in agent.receive(data, PEER, 0.0) if not isinstance(fact, Send)] == []


@RELAXED
@given(st.lists(st.tuples(st.integers(100, 699), st.sampled_from(["one", "two", ""]), st.booleans()), max_size=12), st.integers(-1, 12))
def test_responses_in_any_order_raise_nothing(responses: list[tuple[int, str, bool]], cancel_at: int) -> None:
    agent = an_agent()
    first = sent(
        agent.invite(
            "ours",
            request_uri="sip:ben@127.0.0.1:7002",
            from_header="<sip:anna@lumen.test>",
            to_header="<sip:ben@lumen.test>",
            destination=PEER,
            sdp=OFFER,
            now=0.0,
        )
    )[0]
    others = [first]
    for number, (status, tag, latest) in enumerate(responses):
        outputs: list[Output] = []
        if number == cancel_at:
            try:
                outputs += agent.cancel("ours", now=float(number))
            except SessionRefuses:
                outputs += agent.tick(float(number))
        answered = others[-1] if latest else first
        outputs += agent.receive(response(answered, status, to_tag=tag, more=("Contact: <sip:x@192.0.2.9>",)), PEER, float(number))
        others += [data for data in sent(outputs) if not data.startswith((b"ACK", b"SIP/2.0"))]
    agent.forget("ours")
    while (due := agent.next_due()) is not None:
        agent.tick(due)
    assert agent._core.clients == {}


@RELAXED
@given(st.lists(mutated() | st.binary(max_size=50), max_size=5))
def test_a_stream_of_anything_gives_messages_or_breaks(pieces: list[bytes]) -> None:
    framer = Framer()
    try:
        for piece in pieces:
            for message in framer.feed(piece):
                read(message, PEER)
    except StreamBroken:
        pass


@RELAXED
@given(st.text())
def test_challenges_of_anything_are_read_or_not(text: str) -> None:
    read_challenge(text)
    read_challenge("Digest " + text)


def test_a_body_of_64_kilobytes_and_a_head_of_a_thousand_headers() -> None:
    agent = an_agent()
    assert sent(agent.receive(invite(body="v=0\r\n" + "a=x\r\n" * 13_200), PEER, 0.0))[0].startswith(b"SIP/2.0 513 ")
    many = invite(call_id="many", branch="z9hG4bKmany", more=tuple(f"X-{number}: 1" for number in range(1000)))
    assert any(isinstance(fact, InviteReceived) for fact in agent.receive(many, PEER, 0.1))


def test_a_thousand_strangers_answering_one_call_cost_no_more_than_32() -> None:
    agent = an_agent()
    first = sent(
        agent.invite(
            "ours",
            request_uri="sip:ben@127.0.0.1:7002",
            from_header="<sip:anna@lumen.test>",
            to_header="<sip:ben@lumen.test>",
            destination=PEER,
            sdp=OFFER,
            now=0.0,
        )
    )[0]
    for number in range(1000):
        agent.receive(response(first, 200, to_tag=f"t{number}", more=("Contact: <sip:x@192.0.2.9>",)), PEER, 0.1)
    assert len(agent._core.clients) <= 33
