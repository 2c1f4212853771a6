"""Calls through the edge, both ways, and what is left of a request when the switch sees it."""

import re

import pytest

from tests.engines.kamailio.conftest import ALL_TRANSPORTS, CARRIER_IP, CARRIER_PORT, RunningEdge
from tests.engines.kamailio.talk import Line, Message, Phone, reply, routes, token, udp_line

pytestmark = pytest.mark.engines


def invites(message: Message) -> bool:
    return message.method == "INVITE"


def switch_contact(edge: RunningEdge) -> str:
    return f"<sip:127.0.0.1:{edge.settings.switch_port}>"


def switch_text(edge: RunningEdge, method: str, uri: str, *extra: str, call: str, cseq: int = 1, to: str = "", branch: str = "") -> str:
    return "\r\n".join((
        f"{method} {uri} SIP/2.0", f"Via: SIP/2.0/UDP 127.0.0.1:{edge.settings.switch_port};branch=z9hG4bK{branch or token()}",
        "Max-Forwards: 70", "From: <sip:ben@lumen.test>;tag=switch", f"To: {to or f'<{uri}>'}", f"Call-ID: {call}",
        f"CSeq: {cseq} {method}", f"Contact: {switch_contact(edge)}", *extra, "Content-Length: 0", "", "",
    ))  # fmt: skip


def preloaded(edge: RunningEdge) -> str:
    return f"Route: <sip:127.0.0.1:{edge.settings.inner_port};lr>"


async def answered(edge: RunningEdge, switch: Line, phone: Phone, number: str = "101") -> tuple[str, Message, Message]:
    """A call from a phone, answered by the switch: Call-ID, the INVITE the switch saw, the 200 the phone saw."""
    call = await phone.dials(number)
    invite = await switch.hear(invites)
    switch.send(reply(invite, 200, contact=switch_contact(edge)), edge.inner)
    return call, invite, await phone.line.hear(lambda m: m.status == 200 and "INVITE" in m.one("CSeq"))


def within(answer: Message) -> tuple[str, str, list[str]]:
    """Request-URI, To and Route lines for a caller's request within the dialog."""
    target = re.search(r"<([^>]+)>", answer.one("Contact"))
    assert target
    return target[1], answer.one("To"), [f"Route: {route}" for route in reversed(routes(answer))]


@ALL_TRANSPORTS
async def test_a_call_from_a_phone_reaches_the_switch_with_our_identity_alone(edge: RunningEdge, switch: Line, transport: str) -> None:
    anna = await edge.phone(transport=transport)
    await anna.dials(
        "102", "P-Asserted-Identity: <sip:boss@lumen.test>", "p-asserted-identity : <sip:boss@lumen.test>",
        "X-Offhook-Source: carrier", "x-offhook-address:\r\n udp:1.2.3.4:5", "X-Offhook-New: 1",
        "P-Preferred-Identity: <sip:boss@lumen.test>", "Route: <sip:127.0.0.77:9;lr>",
    )  # fmt: skip
    invite = await switch.hear(invites)
    assert invite.source == edge.inner
    assert invite.uri == "sip:102@lumen.test"
    assert invite.one("P-Asserted-Identity") == "<sip:anna@lumen.test>"
    assert invite.one("X-Offhook-Source") == "phone"
    assert invite.one("X-Offhook-Address") == f"{transport.lower().rstrip('6')}:{anna.line.where}"
    assert "boss" not in invite.text and "X-Offhook-New" not in invite.text and "1.2.3.4" not in invite.text
    assert invite.all("Route") == [] and invite.all("Proxy-Authorization") == []
    assert len(routes(invite)) == 2


@ALL_TRANSPORTS
async def test_a_call_from_a_phone_is_answered_and_ended_by_either_side(edge: RunningEdge, switch: Line, transport: str) -> None:
    anna = await edge.phone(transport=transport)
    call, invite, answer = await answered(edge, switch, anna)
    uri, to, route = within(answer)
    anna.send(anna.text("ACK", uri, *route, call=call, cseq=2, to=to))
    ack = await switch.hear(lambda m: m.method == "ACK")
    assert ack.source == edge.inner and ack.all("Route") == []

    contact = re.search(r"<([^>]+)>", invite.one("Contact"))
    assert contact
    to_anna = [f"Route: {one}" for one in routes(invite)]
    switch.send(switch_text(edge, "INFO", contact[1], *to_anna, call=call, to=invite.one("From")), edge.inner)
    info = await anna.line.hear(lambda m: m.method == "INFO")
    assert "alias" not in info.uri
    anna.send(reply(info, 200, "OK", "X-Offhook-Source: forged"))
    told = await switch.hear(lambda m: m.status == 200)
    assert (told.one("CSeq"), told.all("X-Offhook-Source")) == ("1 INFO", [])

    anna.send(anna.text("BYE", uri, *route, "X-Offhook-Source: carrier", call=call, cseq=3, to=to))
    bye = await switch.hear(lambda m: m.method == "BYE")
    assert bye.all("X-Offhook-Source") == []
    switch.send(reply(bye, 200), edge.inner)
    assert (await anna.line.hear(lambda m: m.status == 200)).one("CSeq") == "3 BYE"


@ALL_TRANSPORTS
async def test_a_call_from_the_switch_rings_a_phone_and_is_ended_by_it(edge: RunningEdge, switch: Line, transport: str) -> None:
    anna = await edge.phone(transport=transport)
    # An address nobody can reach: a phone behind NAT.
    await anna.registers(contact="<sip:anna@10.9.9.9:5999>")
    (contact,) = await edge.client.contacts("anna", "lumen.test")
    call = token()
    switch.send(switch_text(edge, "INVITE", contact.uri, preloaded(edge), call=call, branch="ring"), edge.inner)
    invite = await anna.line.hear(invites)
    assert invite.uri == "sip:anna@10.9.9.9:5999" and invite.all("Route") == []
    host, port = anna.edge
    us = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    own, over = transport.rstrip("6"), "" if anna.line.transport == "UDP" else f";transport={anna.line.transport.lower()}"
    assert invite.all("Via")[0].startswith(f"SIP/2.0/{own} {us};"), "a telephone answers and asks us where it knows us"
    assert routes(invite)[0].startswith(f"<sip:{us}{over};")
    anna.send(reply(invite, 180, "Ringing", contact="<sip:anna@10.9.9.9:5999>"))
    assert (await switch.hear(lambda m: m.status == 180)).status == 180
    anna.send(reply(invite, 200, contact="<sip:anna@10.9.9.9:5999>"))
    answer = await switch.hear(lambda m: m.status == 200)
    ip, _, own_port = anna.line.where.rpartition(":")
    proto = {"UDP": 1, "TCP": 2, "TLS": 3}[transport.rstrip("6")]
    assert answer.one("Contact") == f"<sip:anna@10.9.9.9:5999;alias={ip}~{own_port}~{proto}>"

    uri, to, route = within(answer)
    switch.send(switch_text(edge, "ACK", uri, *route, call=call, to=to), edge.inner)
    assert (await anna.line.hear(lambda m: m.method == "ACK")).uri == "sip:anna@10.9.9.9:5999"
    bye_route = [f"Route: {one}" for one in routes(invite)]
    bye = anna.text("BYE", switch_contact(edge).strip("<>"), *bye_route, call=call, to=invite.one("From"))
    anna.send(bye)
    switch.send(reply(await switch.hear(lambda m: m.method == "BYE"), 200), edge.inner)
    assert (await anna.line.hear(lambda m: m.status == 200)).one("CSeq") == "1 BYE"


async def test_a_cancelled_call_is_cancelled_on_the_other_side(edge: RunningEdge, switch: Line) -> None:
    anna = await edge.phone()
    call = token()
    branch = token()
    challenge = await anna.answer_to(anna.text("INVITE", "sip:102@lumen.test", call=call))
    proof = anna.proof(challenge, "INVITE", "sip:102@lumen.test")
    anna.send(anna.text("INVITE", "sip:102@lumen.test", proof, call=call, cseq=2, branch=branch))
    invite = await switch.hear(invites)
    switch.send(reply(invite, 180, "Ringing"), edge.inner)
    await anna.line.hear(lambda m: m.status == 180)
    anna.send(anna.text("CANCEL", "sip:102@lumen.test", call=call, cseq=2, branch=branch))
    cancel = await switch.hear(lambda m: m.method == "CANCEL")
    assert cancel.all("Via")[0] == invite.all("Via")[0]
    switch.send(reply(cancel, 200), edge.inner)
    switch.send(reply(invite, 487, "Request Terminated"), edge.inner)
    assert (await anna.line.hear(lambda m: m.status == 487)).one("CSeq") == "2 INVITE"
    assert (await switch.hear(lambda m: m.method == "ACK")).one("Call-ID") == call


async def test_a_dead_switch_is_told_at_once(edge: RunningEdge) -> None:
    anna = await edge.phone()
    call = await anna.dials("102")
    answer = await anna.line.hear(lambda m: m.status >= 200 and m.one("CSeq").startswith("2"))
    assert (answer.status, answer.one("Call-ID")) == (503, call)
    assert answer.one("Retry-After") == "5"
    assert f"{{{call}}}" in edge.log and "edge.switch_silent" in edge.log


async def test_a_vanished_tcp_phone_fails_at_once(edge: RunningEdge, switch: Line) -> None:
    uri = "sip:anna@127.0.0.1:1;transport=tcp;alias=127.0.0.1~1~2"
    switch.send(switch_text(edge, "INVITE", uri, preloaded(edge), call=token()), edge.inner)
    assert (await switch.hear(lambda m: m.status >= 300)).status >= 400


async def test_a_carrier_is_known_by_its_address_alone(edge: RunningEdge, switch: Line) -> None:
    known, stranger = await udp_line(CARRIER_IP), await udp_line("127.0.8.2")
    target = f"sip:+12065550100@127.0.0.1:{edge.settings.carrier_port}"
    call = token()
    for line in (stranger, known):
        phone = Phone(line, edge.carriers, user="+12065550199", domain="carrier.test")
        forged = ("X-Offhook-Source: phone", "P-Preferred-Identity: <sip:x@y>", "Remote-Party-ID: <sip:x@y>")
        phone.send(phone.text("INVITE", target, "P-Asserted-Identity: <sip:+1@y>", *forged, call=call + line.address[0]))
    invite = await switch.hear(invites)
    assert invite.one("Call-ID") == call + CARRIER_IP
    assert invite.one("X-Offhook-Source") == "carrier"
    assert invite.one("X-Offhook-Address") == f"udp:{CARRIER_IP}:{known.address[1]}"
    assert invite.one("P-Asserted-Identity") == "<sip:+1@y>", "a carrier's word is heard (RFC 3325)"
    assert "<sip:x@y>" not in invite.text
    assert (await stranger.hear(lambda m: m.status > 100)).status == 403
    assert "edge.carrier_unknown" in edge.log
    await switch.hears_nothing(lambda m: m.one("Call-ID") != call + CARRIER_IP)


async def test_a_call_to_a_carrier_leaves_by_the_carriers_socket(edge: RunningEdge, switch: Line) -> None:
    carrier = await udp_line(CARRIER_IP, CARRIER_PORT)
    call = token()
    switch.send(switch_text(edge, "INVITE", f"sip:+12065550100@{CARRIER_IP}:{CARRIER_PORT}", preloaded(edge), call=call), edge.inner)
    invite = await carrier.hear(invites)
    assert invite.source == edge.carriers
    carrier.send(reply(invite, 200, contact=f"<sip:gw@{CARRIER_IP}:{CARRIER_PORT}>"), edge.carriers)
    answer = await switch.hear(lambda m: m.status == 200)
    uri, to, route = within(answer)
    assert uri == f"sip:gw@{CARRIER_IP}:{CARRIER_PORT}"
    switch.send(switch_text(edge, "BYE", uri, *route, call=call, to=to, cseq=2), edge.inner)
    bye = await carrier.hear(lambda m: m.method == "BYE")
    assert bye.source == edge.carriers
    carrier.close()


async def test_what_comes_twice_is_carried_once(edge: RunningEdge, switch: Line) -> None:
    """RFC 3261, 17.2.1: a request that is sent again is answered, not carried again; both ways, and after a refusal too."""
    anna = await edge.phone()
    call, branch = token(), token()
    challenge = await anna.answer_to(anna.text("INVITE", "sip:102@lumen.test", call=call))
    asked = anna.text(
        "INVITE", "sip:102@lumen.test", anna.proof(challenge, "INVITE", "sip:102@lumen.test"), call=call, cseq=2, branch=branch
    )
    anna.send(asked)
    anna.send(asked)
    await switch.hear(invites)
    await switch.hears_nothing(lambda m: invites(m) and m.one("Call-ID") == call, seconds=0.3)

    await anna.registers()
    (contact,) = await edge.client.contacts("anna", "lumen.test")
    call, branch = token(), token()
    ringing = switch_text(edge, "INVITE", contact.uri, preloaded(edge), call=call, branch=branch)
    switch.send(ringing, edge.inner)
    switch.send(ringing, edge.inner)
    invite = await anna.line.hear(lambda m: invites(m) and m.one("Call-ID") == call)
    await anna.line.hears_nothing(invites, seconds=0.3)
    anna.send(reply(invite, 486, "Busy Here"))
    busy = await switch.hear(lambda m: m.status == 486 and m.one("Call-ID") == call)
    switch.send(ringing, edge.inner)
    assert (await switch.hear(lambda m: m.status == 486 and m.one("Call-ID") == call)).one("To") == busy.one("To")
    ack = switch_text(edge, "ACK", contact.uri, preloaded(edge), call=call, to=busy.one("To"), branch=branch)
    switch.send(ack, edge.inner)
    await anna.line.hear(lambda m: m.method == "ACK")  # the edge's own, for the 486
    await anna.line.hears_nothing(lambda m: m.one("Call-ID") == call, seconds=0.3)
