"""What the edge says by itself: to OPTIONS, to what is not served, to calls there is no room for; and what it keeps of who somebody is."""

import pytest

from tests.engines.kamailio.conftest import CARRIER_IP, RunningEdge
from tests.engines.kamailio.talk import Line, Message, Phone, eventually, reply, token, udp_line
from tests.engines.kamailio.test_calls import answered, invites, within

pytestmark = pytest.mark.engines
BEEN_BEFORE = ("History-Info: <sip:x@carrier.test>;index=1", "Diversion: <sip:x@carrier.test>;reason=unconditional")


async def test_options_tells_what_is_understood(edge: RunningEdge) -> None:
    """RFC 3261, 11.2."""
    answer = await (await edge.phone()).ask("OPTIONS", "sip:lumen.test")
    assert answer.status == 200
    assert {"INVITE", "PRACK", "UPDATE", "REFER"} <= {word.strip() for word in answer.one("Allow").split(",")}
    assert "application/sdp" in answer.one("Accept")
    assert {"100rel", "replaces", "timer"} <= {word.strip() for word in answer.one("Supported").split(",")}
    assert answer.one("Allow-Events") == "refer"


@pytest.mark.parametrize(
    "method, event, status",
    [
        ("SUBSCRIBE", "presence", 489), ("SUBSCRIBE", "x-made-up", 489), ("PUBLISH", "presence", 489), ("NOTIFY", "keep-alive", 489),
        ("MESSAGE", "", 405), ("FLY", "", 405), ("BYE", "", 481), ("UPDATE", "", 481),
    ],
)  # fmt: skip
async def test_what_is_not_served_is_refused_once_the_password_is_shown(
    edge: RunningEdge, switch: Line, method: str, event: str, status: int
) -> None:
    anna = await edge.phone()
    lines = (f"Event: {event}",) if event else ()
    assert (await anna.answer_to(anna.text(method, "sip:102@lumen.test", *lines, call=token()))).status == 407
    answer = await anna.ask(method, "sip:102@lumen.test", *lines)
    assert answer.status == status
    assert (answer.all("Allow-Events"), len(answer.all("Allow"))) == (["refer"] if status == 489 else [], 1 if status == 405 else 0)
    await switch.hears_nothing(seconds=0.2)


async def test_more_calls_than_there_is_room_for_are_refused_at_once_but_never_an_emergency(edge: RunningEdge, switch: Line) -> None:
    anna = await edge.phone()
    await anna.registers()
    await edge.client.limit_new_calls(0)
    answer = await anna.answer_to(anna.text("INVITE", "sip:102@lumen.test", call=token()))
    assert (answer.status, answer.one("Retry-After")) == (503, str(edge.settings.retry_after_seconds))
    assert (await edge.client.counters())["shed"] == 1
    anna.send(anna.text("INVITE", "sip:911@lumen.test", call=token()))
    assert (await switch.hear(invites)).one("X-Offhook-Source") == "emergency"
    assert (await anna.registers()).status == 200, "only new calls are shed"
    await edge.client.limit_new_calls(None)
    await answered(edge, switch, anna)


async def test_calls_that_stand_and_those_let_in_go_on_while_others_are_refused(edge: RunningEdge, switch: Line) -> None:
    anna, ben = await edge.phone(), await edge.phone("ben", ip="127.0.0.3")
    call, _, answer = await answered(edge, switch, anna)
    uri, to, route = within(answer)
    await edge.client.limit_new_calls(0)
    anna.send(anna.text("INVITE", uri, *route, call=call, cseq=3, to=to))
    assert (await switch.hear(lambda m: m.one("CSeq") == "3 INVITE")).one("Call-ID") == call
    await edge.client.limit_new_calls(10)
    statuses: set[int] = set()

    async def some_are_let_in() -> bool:
        statuses.add((await ben.answer_to(ben.text("INVITE", "sip:102@lumen.test", call=token()))).status)
        return statuses == {407, 503}

    await eventually(some_are_let_in)


async def test_a_carriers_calls_are_shed_too(edge: RunningEdge, switch: Line) -> None:
    gateway = Phone(await udp_line(CARRIER_IP), edge.carriers, user="+12065550199", domain="carrier.test")
    await edge.client.limit_new_calls(0)
    assert (await gateway.answer_to(gateway.text("INVITE", "sip:+12065550100@127.0.0.1", call=token()))).status == 503
    await switch.hears_nothing(seconds=0.2)


async def test_where_a_call_has_been_a_carrier_may_tell_and_a_telephone_not(edge: RunningEdge, switch: Line) -> None:
    anna = await edge.phone()
    await anna.dials("102", *BEEN_BEFORE, "Privacy: id", "Replaces: a;to-tag=b;from-tag=c", "Referred-By: <sip:anna@lumen.test>")
    invite = await switch.hear(invites)
    assert (invite.all("History-Info"), invite.all("Diversion")) == ([], [])
    assert (invite.one("Privacy"), invite.one("Replaces")) == ("id", "a;to-tag=b;from-tag=c")
    assert invite.one("Referred-By") == "<sip:anna@lumen.test>"
    gateway = Phone(await udp_line(CARRIER_IP), edge.carriers, user="+12065550199", domain="carrier.test")
    call = token()
    gateway.send(gateway.text("INVITE", "sip:+12065550100@127.0.0.1", *BEEN_BEFORE, call=call))
    invite = await switch.hear(lambda m: invites(m) and m.one("Call-ID") == call)
    assert len(invite.all("History-Info")) == len(invite.all("Diversion")) == 1


async def test_a_caller_who_hides_the_name_still_signs_in_with_it(edge: RunningEdge, switch: Line) -> None:
    """RFC 3323, 4.1.1.3."""
    anna, nobody = await edge.phone(), await edge.phone("mary")
    hidden, uri = '"Anonymous" <sip:anonymous@anonymous.invalid>', "sip:102@lumen.test"
    for phone in (nobody, anna):
        challenge = await phone.answer_to(phone.text("INVITE", uri, call="hide", sender=hidden))
        assert challenge.status == 407
        phone.send(phone.text("INVITE", uri, "Privacy: id", phone.proof(challenge, "INVITE", uri), call="hide", cseq=2, sender=hidden))
    invite = await switch.hear(invites)
    assert invite.one("P-Asserted-Identity") == "<sip:anna@lumen.test>"
    assert "anonymous.invalid" in invite.one("From")


@pytest.mark.parametrize("method", ["REFER", "PRACK", "UPDATE", "NOTIFY", "INFO", "SUBSCRIBE", "MESSAGE"])
async def test_every_request_within_a_call_reaches_the_switch(edge: RunningEdge, switch: Line, method: str) -> None:
    anna = await edge.phone()
    call, _, answer = await answered(edge, switch, anna)
    uri, to, route = within(answer)
    lines = ("Refer-To: <sip:103@lumen.test?Replaces=x%3Bto-tag%3Dy>", "Event: refer", "RAck: 1 2 INVITE")
    anna.send(anna.text(method, uri, *route, *lines, call=call, cseq=3, to=to))
    heard = await switch.hear(lambda m: m.method == method)
    assert heard.one("Refer-To") == "<sip:103@lumen.test?Replaces=x%3Bto-tag%3Dy>"
    switch.send(reply(heard, 200), edge.inner)

    def is_answer(message: Message) -> bool:
        return message.status == 200 and message.one("CSeq") == f"3 {method}"

    await anna.line.hear(is_answer)


async def test_a_refer_outside_a_call_reaches_the_switch(edge: RunningEdge, switch: Line) -> None:
    anna = await edge.phone()
    challenge = await anna.answer_to(anna.text("REFER", "sip:102@lumen.test", call="refer"))
    anna.send(anna.text("REFER", "sip:102@lumen.test", anna.proof(challenge, "REFER", "sip:102@lumen.test"), call="refer", cseq=2))
    assert (await switch.hear(lambda m: m.method == "REFER")).one("X-Offhook-Source") == "phone"
