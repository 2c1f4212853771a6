"""REFER and its NOTIFYs, asked of us and asked by us; and where a 3xx sends a caller."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.sip.agent import SessionRefuses, SessionState
from offhook.sip.facts import (
    ByeAnswered,
    ByeReceived,
    InviteReceived,
    NotifyReceived,
    ReferAnswered,
    ReferReceived,
    RefusalReceived,
)
from offhook.sip.referring import Replaces, read_replaces, replaces_in
from tests.sip.lines import Line, lose, nothing_left, ringing, talking
from tests.sip.raw import PEER, an_agent, answered, calling, header, invite, ours, request, response, sent, statuses, told

REPLACES = "?Replaces=abc%40far%3Bto-tag%3Dt1%3Bfrom-tag%3Df%252B1"


def referred(line: Line, **more: object) -> str:
    """Anna and ben talk, and anna has referred ben to chloe; ben's name of the session."""
    session = talking(line)
    line.anna.does("refer", "call", refer_to="sip:chloe@lumen.test", **more)
    line.run(until=lambda: line.ben.told(ReferReceived))
    return session


def test_a_transfer_is_told_from_its_first_word_to_its_last() -> None:
    line = Line(lose(b"REFER", b"NOTIFY", b"SIP/2.0 202"))
    session = referred(line, headers=[("Referred-By", "<sip:anna@lumen.test>")])
    asked = line.ben.the(ReferReceived)
    assert (asked.refer_to, asked.replaces, asked.referred_by) == ("sip:chloe@lumen.test", None, "<sip:anna@lumen.test>")
    line.ben.does("accept_refer", session)
    line.run(3)
    assert line.anna.the(ReferAnswered).status == 202
    assert line.anna.the(NotifyReceived) == NotifyReceived("call", "refer", 100, final=False)
    line.ben.does("notify_refer", session, status=180, final=False)
    line.ben.does("notify_refer", session, status=200, reason="OK", final=True)
    line.run(5)
    assert [(told.status, told.final) for told in line.anna.told(NotifyReceived)] == [(100, False), (180, False), (200, True)]
    notifies = [data for data in line.ben.sent if data.startswith(b"NOTIFY")]
    assert header(notifies[0], "Subscription-State") == ["active;expires=180"]
    assert header(notifies[0], "Content-Type") == ["message/sipfrag;version=2.0"]
    assert notifies[0].endswith(b"\r\n\r\nSIP/2.0 100 Trying\r\n")
    assert header(notifies[-1], "Subscription-State") == ["terminated;reason=noresource"]
    line.ben.does("notify_refer", session, status=200, final=True)
    assert len([data for data in line.ben.sent if data.startswith(b"NOTIFY")]) == len(notifies)
    line.anna.does("bye", "call")
    nothing_left(line)


def test_a_refused_transfer_leaves_the_call_and_may_be_asked_again() -> None:
    line = Line()
    session = referred(line)
    line.ben.does("refuse_refer", session, status=603)
    line.run(1)
    assert line.anna.the(ReferAnswered).status == 603
    line.anna.does("refer", "call", refer_to="<sip:chloe@lumen.test>")
    line.run(1)
    line.ben.does("accept_refer", session)
    line.run(1)
    # From the second REFER on its number tells them apart (RFC 3515 2.4.6).
    assert line.anna.the(NotifyReceived).event == "refer;id=3"
    assert line.anna.agent.state("call") is SessionState.UP


def test_whoever_wants_no_notifies_gets_none() -> None:
    line = Line()
    session = referred(line, headers=[("Refer-Sub", "false")])
    line.ben.does("accept_refer", session)
    line.ben.does("notify_refer", session, status=200, final=True)
    line.run(5)
    assert header(line.ben.sent[-1], "Refer-Sub") == ["false"]
    assert not [data for data in line.ben.sent if data.startswith(b"NOTIFY")]
    line.anna.does("refer", "call", refer_to="sip:chloe@lumen.test")
    line.run(1)
    assert len(line.ben.told(ReferReceived)) == 2


def test_one_transfer_at_a_time() -> None:
    line = Line()
    session = referred(line)
    with pytest.raises(SessionRefuses):
        line.anna.does("refer", "call", refer_to="sip:dora@lumen.test")
    line.ben.does("accept_refer", session)
    agent = an_agent()
    session, tag = answered(agent)
    first = request("REFER", branch="z9hG4bKr1", cseq=2, to_tag=tag, more=("Refer-To: <sip:b@c>",))
    second = request("REFER", branch="z9hG4bKr2", cseq=3, to_tag=tag, more=("Refer-To: <sip:d@e>",))
    assert told(agent.receive(first, PEER, 1.0), ReferReceived)
    assert statuses(agent.receive(second, PEER, 1.1)) == [491]
    agent.accept_refer(session, now=1.2)
    with pytest.raises(SessionRefuses):
        agent.accept_refer(session, now=1.3)
    with pytest.raises(SessionRefuses):
        agent.refuse_refer(session, status=603, now=1.3)


def test_who_hangs_up_before_the_end_of_the_story_breaks_nothing() -> None:
    line = Line()
    session = referred(line)
    line.ben.does("accept_refer", session)
    line.anna.does("bye", "call")
    line.run(1)
    assert line.ben.told(ByeReceived)
    line.ben.does("notify_refer", session, status=200, final=True)
    line.run(5)
    assert "SIP/2.0 481 Call/Transaction Does Not Exist" in line.anna.starts()
    line.ben.agent.forget(session)
    line.ben.does("notify_refer", session, status=200, final=True)
    nothing_left(line)


def test_a_transfer_nobody_decided_on_ends_with_the_call() -> None:
    line = Line()
    session = referred(line)
    line.ben.does("bye", session)
    line.run(5)
    assert line.anna.the(ReferAnswered).status == 487
    with pytest.raises(SessionRefuses):
        line.ben.does("accept_refer", session)
    nothing_left(line)


def test_a_notify_that_is_not_taken_ends_the_telling_and_not_the_call() -> None:
    agent = an_agent()
    session, tag = answered(agent)
    agent.receive(request("REFER", branch="z9hG4bKr1", cseq=2, to_tag=tag, more=("Refer-To: <sip:b@c>",)), PEER, 1.0)
    notify = sent(agent.accept_refer(session, now=1.1))[1]
    assert not told(agent.receive(response(notify, 481), PEER, 1.2), ByeAnswered)
    assert agent.notify_refer(session, status=200, final=True, now=1.3) == []
    assert agent.state(session) is SessionState.UP
    # And one that nobody answers at all.
    agent.receive(request("REFER", branch="z9hG4bKr2", cseq=3, to_tag=tag, more=("Refer-To: <sip:b@c>",)), PEER, 2.0)
    agent.accept_refer(session, now=2.1)
    agent.tick(40.0)
    assert agent.notify_refer(session, status=200, final=True, now=41.0) == []
    assert agent.state(session) is SessionState.UP


def test_a_notify_that_overtakes_the_202_is_heard() -> None:
    agent = an_agent()
    session, tag = answered(agent)
    refer = sent(agent.refer(session, refer_to="sip:b@c", now=1.0))[0]
    more = ("Event: refer", "Subscription-State: active", "Content-Type: message/sipfrag")
    early = request("NOTIFY", branch="z9hG4bKn1", cseq=2, to_tag=tag, more=more, body="SIP/2.0 180 Ringing")
    assert told(agent.receive(early, PEER, 1.1), NotifyReceived) == [NotifyReceived(session, "refer", 180, final=False)]
    assert told(agent.receive(response(refer, 202), PEER, 1.2), ReferAnswered)


@pytest.mark.parametrize(
    ("event", "body", "status"),
    [
        ("refer;id=1", "SIP/2.0 200 OK", 200),
        ("Refer", "nonsense", 200),
        ("refer;id=2", "SIP/2.0 200 OK", 481),
        ("presence", "", 481),
    ],
)
def test_only_what_we_asked_for_is_told(event: str, body: str, status: int) -> None:
    agent = an_agent()
    session, tag = answered(agent)
    agent.refer(session, refer_to="sip:b@c", now=1.0)
    more = (f"Event: {event}", "Subscription-State: terminated;reason=noresource", "Content-Type: message/sipfrag")
    outputs = agent.receive(request("NOTIFY", branch="z9hG4bKn1", cseq=2, to_tag=tag, more=more, body=body), PEER, 1.1)
    assert statuses(outputs) == [status]
    if status == 200:
        assert told(outputs, NotifyReceived) == [NotifyReceived(session, event, 200 if "OK" in body else None, final=True)]
        again = agent.receive(request("NOTIFY", branch="z9hG4bKn2", cseq=3, to_tag=tag, more=more, body=body), PEER, 1.2)
        assert statuses(again) == [481]


@pytest.mark.parametrize(
    ("value", "uri", "replaces"),
    [
        (f"<sip:b@c;user=phone{REPLACES}>", "sip:b@c;user=phone", Replaces("abc@far", "t1", "f%2B1")),
        ("<sip:b@c?Replaces=x%3Bfrom-tag%3Df%3Bto-tag%3Dt%3Bearly-only&Subject=a>", "sip:b@c", Replaces("x", "t", "f", True)),
        ('"Ben, B." <sip:b@c;method=INVITE>;a=b', "sip:b@c;method=INVITE", None),
        ("sip:b@c?Replaces=x%3Bfrom-tag%3Df%3Bto-tag%3Dt", "sip:b@c", Replaces("x", "t", "f")),
        ("<sip:b@c?Replaces=x@y;from-tag=f;to-tag=t>", "sip:b@c", Replaces("x@y", "t", "f")),
        ("<sip:*21#@c>", "sip:*21%23@c", None),
        ("<tel:+49301>", "tel:+49301", None),
    ],
)
def test_a_refer_to_is_read(value: str, uri: str, replaces: Replaces | None) -> None:
    agent = an_agent()
    session, tag = answered(agent)
    outputs = agent.receive(request("REFER", branch="z9hG4bKr1", cseq=2, to_tag=tag, more=(f"Refer-To: {value}",)), PEER, 1.0)
    asked = told(outputs, ReferReceived)[0]
    assert isinstance(asked, ReferReceived)
    assert (asked.session, asked.refer_to, asked.replaces) == (session, uri, replaces)
    assert replaces is None or read_replaces(str(replaces)) == replaces


@pytest.mark.parametrize(
    "lines",
    [
        (),
        ("Refer-To: <sip:b@c>", "Refer-To: <sip:b@c>"),
        ("Refer-To: <sip:b@c>, <sip:d@e>",),
        ("Refer-To: <http://b@c>",),
        ("Refer-To: nobody",),
        ("Refer-To: <sip:>",),
        ("Refer-To: <sip:b@c;self=1;self=2>",),
        ("Refer-To: <sip:b@c d>",),
        ("Refer-To: <sip:b@c;method=BYE>",),
        ("Refer-To: <sip:b@c?Replaces=x>",),
        ("Refer-To: <sip:b@c?Replaces=x%3Bto-tag%3Da%3Bto-tag%3Db%3Bfrom-tag%3Dc>",),
        ("Refer-To: <sip:b@c?Replaces=x%0D%0AEvil:%20y%3Bto-tag%3Da%3Bfrom-tag%3Dc>",),
        ("Refer-To: <sip:b@c?Replaces=x%3Bto-tag%3Da%3Bfrom-tag%3Db&Replaces=x%3Bto-tag%3Da%3Bfrom-tag%3Db>",),
        (f"Refer-To: <sip:{'b' * 2000}@c>",),
    ],
)
def test_a_refer_to_that_cannot_be_read_is_refused(lines: tuple[str, ...]) -> None:
    agent = an_agent()
    _, tag = answered(agent)
    outputs = agent.receive(request("REFER", branch="z9hG4bKr1", cseq=2, to_tag=tag, more=lines), PEER, 1.0)
    assert statuses(outputs) == [400]
    assert not told(outputs, ReferReceived)


@given(st.text(max_size=80))
def test_no_replaces_raises(text: str) -> None:
    found = read_replaces(text)
    assert found is None or read_replaces(str(found)) is not None


def test_a_refer_outside_a_call_or_before_the_answer_is_refused() -> None:
    agent = an_agent()
    assert statuses(agent.receive(request("REFER", call_id="other", more=("Refer-To: <sip:b@c>",)), PEER, 0.0)) == [403]
    assert statuses(agent.receive(request("REFER", branch="z9hG4bK6", to_tag="none", more=("Refer-To: <sip:b@c>",)), PEER, 0.0)) == [481]
    came = next(fact for fact in agent.receive(invite(branch="z9hG4bK7"), PEER, 0.0) if isinstance(fact, InviteReceived))
    tag = ours(sent(agent.ring(came.session, now=0.1))[0])
    early = request("REFER", branch="z9hG4bK8", cseq=2, to_tag=tag, more=("Refer-To: <sip:b@c>",))
    assert statuses(agent.receive(early, PEER, 0.2)) == [500]


def test_nothing_else_can_be_subscribed_to_in_a_call() -> None:
    agent = an_agent()
    _, tag = answered(agent)
    outputs = agent.receive(request("SUBSCRIBE", branch="z9hG4bKs", cseq=2, to_tag=tag, more=("Event: presence",)), PEER, 1.0)
    assert statuses(outputs) == [489]
    assert header(sent(outputs)[0], "Allow-Events") == ["refer"]


def test_an_invite_says_whose_place_it_takes() -> None:
    said = told(an_agent().receive(invite(more=("Replaces: a@b;to-tag=t;from-tag=f",)), PEER, 0.0), InviteReceived)[0]
    assert isinstance(said, InviteReceived)
    assert replaces_in(said.request) == Replaces("a@b", "t", "f")


@pytest.mark.parametrize(
    ("lines", "contacts"),
    [
        (("Contact: <sip:a@b>;q=0.3, <sip:c@d>;q=0.9", "Contact: <tel:+1>;q=0.5"), ("sip:c@d", "tel:+1", "sip:a@b")),
        (("Contact: <sip:a@b>;q=nonsense, <sip:c@d;x=1>",), ("sip:a@b", "sip:c@d;x=1")),
        (("Contact: sip:a@b;q=0.1, <http://x>, <sip:a@b>",), ("sip:a@b",)),
        (tuple(f"Contact: <sip:a{number}@b>" for number in range(20)), tuple(f"sip:a{number}@b" for number in range(8))),
        (("Contact: *",), ()),
        ((), ()),
    ],
)
def test_a_redirection_names_whom_to_call_instead(lines: tuple[str, ...], contacts: tuple[str, ...]) -> None:
    agent = an_agent()
    outputs = agent.receive(response(calling(agent), 302, more=lines), PEER, 0.1)
    refusal = told(outputs, RefusalReceived)[0]
    assert isinstance(refusal, RefusalReceived)
    assert (refusal.status, refusal.contacts) == (302, contacts)


def test_a_refusal_is_no_redirection() -> None:
    agent = an_agent()
    outputs = agent.receive(response(calling(agent), 486, more=("Contact: <sip:a@b>",)), PEER, 0.1)
    refusal = told(outputs, RefusalReceived)[0]
    assert isinstance(refusal, RefusalReceived)
    assert refusal.contacts == ()


def test_a_ringing_call_cannot_be_referred() -> None:
    line = Line()
    ringing(line)
    with pytest.raises(SessionRefuses):
        line.anna.does("refer", "call", refer_to="sip:b@c")
