"""The switch's line to the edge, over real sockets: what comes of each fact and order, and that nothing is kept of what is over."""

import socket
from itertools import count

import pytest

from offhook.domain.calls.endings import ANSWERED_ELSEWHERE, CALLEE_BUSY, HUNG_UP_BY_CALLEE, SYSTEM_STOPPED
from offhook.domain.calls.events import (
    CallArrived,
    DigitPressed,
    LegAnswered,
    LegCancelled,
    LegConfirmed,
    LegHungUp,
    LegLost,
    LegProgressed,
    LegRefused,
    LegReofferAsked,
    LegReoffered,
)
from offhook.domain.calls.ids import call_of, leg_id
from offhook.domain.routing import Source
from offhook.services.ports.signalling import SignallingRefused
from offhook.sip.addresses import Address
from offhook.sip.agent import Agent
from offhook.sip.facts import (
    AnswerReceived,
    ByeAnswered,
    ByeReceived,
    CancelReceived,
    InfoReceived,
    InviteReceived,
    RefusalReceived,
    ReofferAnswered,
    ReofferRefused,
    ResponseReceived,
)
from offhook.sip.timers import Timers
from tests.engines.signalling.far_end import (
    ANSWER,
    OFFER,
    OUT,
    PHONE,
    Line,
    arrived,
    eventually,
    ringing_out,
    talking_in,
    talking_out,
)


async def test_a_telephones_call_says_who_what_and_how(line: Line) -> None:
    call = await arrived(line)
    assert call.leg == "call1.0"
    assert (call.caller.source, call.caller.username, call.caller.domain) == (Source.PHONE, "anna", "lumen.test")
    assert (call.caller.address, call.dialled) == ("udp:127.0.0.9:5071", "102")
    assert (call.description.codecs, call.description.address) == (("PCMU", "PCMA"), "127.0.0.1:4000")


async def test_a_whole_call_in_stands_in_its_ladder_once_each_and_is_forgotten(line: Line) -> None:
    call = await arrived(line)
    line.line.ring(call.leg)
    line.line.answer(call.leg, ANSWER)
    await line.told(LegConfirmed)
    line.far.does("bye", "in")
    assert (await line.told(LegHungUp)).leg == call.leg
    await line.far.told(ByeAnswered)
    assert line.ladder(call.leg) == ["in INVITE", "out 100", "out 180", "out 200", "in ACK", "in BYE", "out 200"]
    await line.forgets()


async def test_a_call_that_we_hang_up_says_why(line: Line) -> None:
    call = await talking_in(line)
    line.line.end(call.leg, HUNG_UP_BY_CALLEE)
    line.line.end(call.leg, HUNG_UP_BY_CALLEE)
    bye = (await line.far.told(ByeReceived)).request
    assert bye.headers["Reason"] == 'Q.850;cause=16;text="completed.by_callee"'
    await line.forgets()
    assert line.ladder(call.leg).count("out BYE") == 1
    assert not [event for event in line.events if isinstance(event, LegLost | LegHungUp)]


async def test_a_caller_who_cancels_is_told_of_once(line: Line) -> None:
    call = await arrived(line)
    line.line.ring(call.leg)
    await eventually(lambda: 180 in line.far.statuses())
    line.far.does("cancel", "in")
    await line.told(LegCancelled)
    assert (await line.far.told(RefusalReceived)).status == 487
    with pytest.raises(SignallingRefused):
        line.line.answer(call.leg, ANSWER)
    line.line.end(call.leg, CALLEE_BUSY)
    await line.forgets()
    assert "in ACK" in line.ladder(call.leg), "the ACK to our 487 belongs to its ladder"


async def test_a_caller_may_say_bye_before_the_answer(line: Line) -> None:
    # RFC 3261 section 15: an early dialog may be ended with BYE too.
    call = await arrived(line)
    line.line.ring(call.leg)
    ringing = await eventually(lambda: next((data for data in line.far.datagrams if data.startswith(b"SIP/2.0 180")), None))
    headers = dict(entry.split(": ", 1) for entry in ringing.decode().split("\r\n\r\n")[0].split("\r\n")[1:])
    bye = [
        f"BYE sip:switch@127.0.0.1:{line.port} SIP/2.0",
        f"Via: SIP/2.0/UDP 127.0.0.1:{line.far.address.port};branch=z9hG4bKearlybye",
        f"From: {headers['From']}", f"To: {headers['To']}", f"Call-ID: {headers['Call-ID']}", "CSeq: 2 BYE",
        "Max-Forwards: 70", "Content-Length: 0", "", "",
    ]  # fmt: skip
    line.far.says("\r\n".join(bye).encode(), line)
    assert (await line.told(LegCancelled)).leg == call.leg
    assert (await line.far.told(RefusalReceived)).status == 487
    await line.forgets()


@pytest.mark.parametrize(
    ("ending", "status", "cause", "retry"),
    [(CALLEE_BUSY, 486, 17, None), (SYSTEM_STOPPED, 503, 41, "5"), (HUNG_UP_BY_CALLEE, 480, 16, None)],
)
async def test_a_refusal_says_why_and_when_to_come_again(line: Line, ending, status: int, cause: int, retry: str | None) -> None:  # type: ignore[no-untyped-def]
    call = await arrived(line)
    line.line.end(call.leg, ending)
    refusal = await line.far.told(RefusalReceived)
    assert refusal.response is not None and refusal.status == status
    assert refusal.response.headers["Reason"] == f'Q.850;cause={cause};text="{ending.code}"'
    assert refusal.response.headers.get("Retry-After") == retry
    await line.forgets()


async def test_a_call_out_goes_by_the_edge_and_shows_its_caller(line: Line) -> None:
    line.call_out(OUT, shown_name='Anna "Ann"\r\nEvil: yes', shown_number="+1 206")
    invite = (await line.far.told(InviteReceived)).request
    assert str(invite.uri).endswith(";alias=127.0.0.9~5082~1")
    assert invite.headers["Route"] == f"<sip:127.0.0.1:{line.far.address.port};lr>"
    assert invite.headers["P-Asserted-Identity"] == '"Anna \\"Ann\\"Evil: yes" <sip:+1%20206@lumen.test>'
    assert invite.headers["To"] == "<sip:102@lumen.test>"
    assert invite.headers.get("Evil") is None


async def test_a_whole_call_out_and_the_far_end_hangs_up(line: Line) -> None:
    session = await talking_out(line)
    line.far.does("bye", session)
    assert (await line.told(LegHungUp)).leg == OUT
    assert line.ladder(OUT) == ["out INVITE", "in 100", "in 180", "in 200", "out ACK", "in BYE", "out 200"]
    await line.forgets()


async def test_early_sound_is_no_ringing(line: Line) -> None:
    line.call_out(OUT)
    session = (await line.far.told(InviteReceived)).session
    line.far.does("ring", session, status=183, sdp=ANSWER)
    assert (await line.told(LegProgressed)).description.address == "127.0.0.1:5000"
    line.line.end(OUT, CALLEE_BUSY)
    await line.forgets()


@pytest.mark.parametrize("status", [302, 401, 486, 503, 603])
async def test_a_telephone_that_refuses_is_forgotten(line: Line, status: int) -> None:
    line.call_out(OUT)
    session = (await line.far.told(InviteReceived)).session
    line.far.does("refuse", session, status=status)
    refused = await line.told(LegRefused)
    assert (refused.leg, refused.status) == (OUT, status)
    await line.forgets()


async def test_a_telephone_that_lost_is_told_who_answered(line: Line) -> None:
    await ringing_out(line)
    line.line.end(OUT, ANSWERED_ELSEWHERE)
    line.line.end(OUT, ANSWERED_ELSEWHERE)
    cancel = (await line.far.told(CancelReceived)).request
    assert cancel.headers["Reason"] == 'SIP;cause=200;text="Call completed elsewhere"'
    await line.forgets()


async def test_a_telephone_that_answers_while_it_is_cancelled_is_hung_up(line: Line) -> None:
    session = await ringing_out(line)
    # Both happen before either side has read the other's message.
    line.far.does("answer", session, sdp=ANSWER)
    line.line.end(OUT, ANSWERED_ELSEWHERE)
    await line.far.told(ByeReceived)
    await line.forgets()
    assert not [event for event in line.events if isinstance(event, LegAnswered | LegLost)]


async def test_a_telephone_that_forgot_the_call_is_lost(line: Line) -> None:
    session = await talking_out(line)
    # It was started anew: it answers 481 to whatever comes in the call.
    core = line.far.agent._core
    found = core.sessions[session]
    assert found.dialog is not None
    core.dialogs.pop(found.dialog.key)
    line.line.send_digit(OUT, "5")
    assert (await line.told(LegLost)).leg == OUT
    await line.forgets()


async def test_a_change_is_delivered_and_accepted(line: Line) -> None:
    call = await talking_in(line)
    line.far.does("reoffer", "in", sdp=OFFER + "a=sendonly\r\n")
    reoffered = await line.told(LegReoffered)
    assert (reoffered.leg, reoffered.description.direction.value) == (call.leg, "sendonly")
    line.line.accept_reoffer(call.leg, ANSWER)
    accepted = (await line.far.told(ReofferAnswered)).sdp or ""
    assert accepted.endswith(ANSWER.partition("IN IP4")[2])
    line.far.does("reoffer", "in", sdp=OFFER)
    await line.told(LegReoffered, 2)
    line.line.refuse_reoffer(call.leg, 488)
    assert (await line.far.told(ReofferRefused)).status == 488
    with pytest.raises(SignallingRefused):
        line.line.accept_reoffer(call.leg, ANSWER)


async def test_a_reinvite_without_an_offer_asks_for_ours(line: Line) -> None:
    call = await talking_in(line)
    session = line.far.agent._core.sessions["in"]
    assert session.dialog is not None
    outline = session.dialog.outline("INVITE", "z9hG4bKnooffer")
    line.far.says(line.far.agent._core.pen.request(outline, contact=True), line)
    assert (await line.told(LegReofferAsked)).leg == call.leg
    assert not [event for event in line.events if isinstance(event, LegReoffered)]
    line.line.refuse_reoffer(call.leg, 488)
    await eventually(lambda: 488 in line.far.statuses(), "488")


@pytest.mark.parametrize(("kind", "body"), [("application/dtmf-relay", "Signal=5\r\nDuration=160\r\n"), ("application/dtmf", "5")])
async def test_keys_in_the_signalling_are_heard(line: Line, kind: str, body: str) -> None:
    call = await talking_in(line)
    line.far.does("info", "in", content_type="application/dtmf-relay", body=b"Signal=\xff\xfe")
    line.far.does("info", "in", content_type="text/plain", body=b"9")
    line.far.does("info", "in", content_type=kind, body=body.encode())
    pressed = await line.told(DigitPressed)
    assert (pressed.leg, pressed.digit, pressed.by_info) == (call.leg, "5", True)


async def test_keys_are_passed_on_in_the_signalling(line: Line) -> None:
    await talking_out(line)
    line.line.send_digit(OUT, "#")
    info = (await line.far.told(InfoReceived)).request
    assert info.headers["Content-Type"] == "application/dtmf-relay"
    assert bytes(info.body or b"") == b"Signal=#\r\nDuration=160\r\n"


async def test_strangers_are_not_listened_to(line: Line) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        stranger.bind(("127.0.0.1", 0))
        stranger.sendto(b"OPTIONS sip:x SIP/2.0\r\n\r\n", ("127.0.0.1", line.port))
        await eventually(lambda: line.line.strangers == 1)
        stranger.setblocking(False)
        with pytest.raises(BlockingIOError):
            stranger.recv(100)
    assert line.events == [] and line.observed == []


@pytest.mark.parametrize(("method", "status"), [("OPTIONS", 200), ("MESSAGE", 405), ("SUBSCRIBE", 405), ("REGISTER", 405), ("REFER", 403)])
async def test_what_comes_outside_a_call_is_answered(line: Line, method: str, status: int) -> None:
    line.far.does(
        "request",
        "key",
        method=method,
        request_uri=f"sip:127.0.0.1:{line.port}",
        from_header="<sip:edge@127.0.0.1>",
        to_header="<sip:switch@127.0.0.1>",
        destination=line.far.address._replace(port=line.port),
    )
    answered = await line.far.told(ResponseReceived)
    assert answered.status == status
    assert answered.response is not None
    assert status not in (200, 405) or "INVITE" in answered.response.headers["Allow"]
    assert status != 200 or "replaces" in answered.response.headers["Supported"]


async def test_an_answer_without_record_route_leads_nowhere_but_to_the_edge(line: Line) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as elsewhere:
        elsewhere.bind(("127.0.0.1", 0))
        elsewhere.setblocking(False)
        line.call_out(OUT)
        invite = await eventually(lambda: line.far.datagrams and line.far.datagrams[0])
        copied = [entry for entry in invite.decode().split("\r\n") if entry.partition(":")[0] in ("Via", "From", "Call-ID", "CSeq")]
        contact = f"Contact: <sip:evil@127.0.0.1:{elsewhere.getsockname()[1]}>"
        head = ["SIP/2.0 200 OK", *copied, "To: <sip:102@lumen.test>;tag=evil", contact, "Content-Type: application/sdp"]
        line.far.says("\r\n".join([*head, f"Content-Length: {len(ANSWER)}", "", ANSWER]).encode(), line)
        await line.told(LegAnswered)
        await eventually(lambda: any(data.startswith(b"ACK") for data in line.far.datagrams), "ACK at the edge")
        with pytest.raises(BlockingIOError):
            elsewhere.recv(100)


async def test_orders_to_legs_that_are_not_there(line: Line) -> None:
    line.line.end(OUT, CALLEE_BUSY)
    with pytest.raises(SignallingRefused):
        line.line.ring(OUT)
    line.call_out(OUT)
    with pytest.raises(SignallingRefused):
        line.call_out(OUT)
    assert list(line.line._dialogues) == [OUT], "the second order took nothing away from the first"


async def test_a_call_nobody_acknowledges_is_lost_and_forgotten(line: Line) -> None:
    words = count(1)
    line.line._agent = Agent(
        local=Address("127.0.0.1", line.port), user_agent="us", tokens=lambda: f"w{next(words)}", timers=Timers(t1=0.01)
    )
    call = await arrived(line)
    line.far.deaf = True
    line.line.answer(call.leg, ANSWER)
    assert (await line.told(LegLost)).leg == call.leg
    await line.forgets()
    assert line.ladder(call.leg)[-1] == "out BYE"
    assert len([event for event in line.events if isinstance(event, LegLost)]) == 1


async def test_carriers_and_emergency_callers(line: Line) -> None:
    source = (("X-Offhook-Source", "carrier"), ("X-Offhook-Address", "udp:127.0.2.1:5080"))
    line.call_in("one", headers=(("P-Asserted-Identity", '"Bob" <tel:+12065550199>'), *source), request_uri="sip:+12065550100@127.0.0.1")
    line.call_in("two", headers=(("P-Asserted-Identity", '"Bob" <tel:+12065550199>'), ("Privacy", "id"), *source))
    line.call_in(
        "three",
        headers=(("X-Offhook-Source", "emergency"), ("P-Asserted-Identity", "<sip:anna@lumen.test>")),
        request_uri="sip:911@lumen.test",
    )
    hidden = '"Bob" <sip:bob@Anonymous.invalid>'
    line.call_in("four", headers=(("P-Asserted-Identity", "<sip:+12065550199@carrier.test>"), *source), from_header=hidden)
    line.call_in("five", headers=PHONE, from_header=hidden)
    line.call_in("six", headers=(("P-Asserted-Identity", '"Sales" <sip:sales@carrier.test>'), *source), from_header="<sip:+12065550177@x>")
    await line.told(CallArrived, 6)
    one, two, three, four, five, six = (event for event in line.events if isinstance(event, CallArrived))
    assert (one.caller.source, one.caller.number, one.caller.name, one.dialled) == (Source.CARRIER, "+12065550199", "Bob", "+12065550100")
    assert (two.caller.number, two.caller.name) == (None, "")
    assert (four.caller.number, four.caller.name, four.caller.private) == (None, "", True), "an anonymous From alone (RFC 3323)"
    assert (five.caller.username, five.caller.private) == ("anna", True)
    assert (six.caller.number, six.caller.name) == ("+12065550177", "Sales")
    assert (three.caller.source, three.caller.username, three.dialled) == (Source.EMERGENCY, "anna", "911")
    assert [event.leg for event in (one, two, three)] == ["call1.0", "call2.0", "call3.0"]
    await eventually(lambda: len(line.far.facts) >= 3, "100 to each")
    assert not [fact for fact in line.far.facts if isinstance(fact, AnswerReceived)]


async def test_what_waits_to_be_read_is_seen(line: Line) -> None:
    assert line.line.filled() == 0.0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        # The loop does not run while we write, so nothing is read.
        for _ in range(200):
            stranger.sendto(b"x" * 1000, ("127.0.0.1", line.port))
        assert line.line.filled() > 0.3
    await eventually(lambda: line.line.filled() == 0.0, "an empty buffer")


async def test_a_call_that_goes_round_may_pass_one_less_each_time(line: Line) -> None:
    line.call_in("in", headers=(("Max-Forwards", "2"),))
    call = await line.told(CallArrived)
    line.call_out(leg_id(call_of(call.leg), 1))
    await eventually(lambda: any(b"\r\nMax-Forwards: 1\r\n" in data for data in line.far.datagrams), "one less")
    line.call_in("again", headers=(("Max-Forwards", "1"),))
    last = await line.told(CallArrived, 2)
    with pytest.raises(SignallingRefused, match="round too often"):
        line.call_out(leg_id(call_of(last.leg), 1))
