"""TLS, TCP and IPv6 at the edge: who is trusted, how messages come in pieces, what becomes of a telephone whose connection is gone."""

import asyncio
import contextlib
import re
import signal
import ssl
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from offhook.engines.kamailio.client import EdgeRefused
from offhook.engines.kamailio.directory import write
from offhook.engines.kamailio.settings import EdgeMisconfigured
from offhook.supervisor.certificates import now_utc
from tests.engines.kamailio.conftest import ALL_TRANSPORTS, NEEDS_IPV6, RunningEdge, changed, settings_in
from tests.engines.kamailio.talk import Line, NothingCame, Phone, eventually, reply, routes, token, udp_line
from tests.engines.kamailio.test_abuse import banned
from tests.engines.kamailio.test_calls import answered, invites, preloaded, switch_text, within

pytestmark = pytest.mark.engines
STREAMS = pytest.mark.parametrize("transport", ["TCP", "TLS"])


async def shown(edge: RunningEdge) -> bytes:
    """The certificate that a telephone sees when it connects now."""
    context = ssl.create_default_context(cafile=edge.certificates.authority)
    _, writer = await asyncio.open_connection(edge.settings.address, edge.settings.sips_port, ssl=context)
    certificate = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
    writer.close()
    return bytes(certificate)


@ALL_TRANSPORTS
async def test_a_registered_telephone_is_reached_where_it_came_from(edge: RunningEdge, transport: str) -> None:
    anna = await edge.phone(transport=transport)
    assert (await anna.registers()).status == 200
    (contact,) = await edge.client.contacts("anna", "lumen.test")
    ip, _, port = anna.line.where.rpartition(":")
    assert contact.transport == transport.lower().rstrip("6")
    assert contact.uri.endswith(f";alias={ip}~{port}~{ {'udp': 1, 'tcp': 2, 'tls': 3}[contact.transport] }")


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1_1 is deprecated")
@pytest.mark.parametrize(
    "weakness",
    [{"maximum_version": ssl.TLSVersion.TLSv1_1}, {"ciphers": "ECDHE-ECDSA-AES128-SHA"}, {"ciphers": "ECDHE-ECDSA-AES256-SHA384"}],
    ids=str,
)  # fmt: skip
async def test_an_old_version_and_a_weak_cipher_are_refused(edge: RunningEdge, weakness: dict[str, Any]) -> None:
    """The ciphers are of a kind that our certificate could serve, but authenticate apart from encrypting (CBC)."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    context.minimum_version, context.maximum_version = ssl.TLSVersion.MINIMUM_SUPPORTED, ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{weakness.get('ciphers', 'ALL')}:@SECLEVEL=0")
    at = (edge.settings.address, edge.settings.sips_port)
    if "maximum_version" in weakness:
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, ConnectionError)):
        await asyncio.open_connection(*at, ssl=context)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-ECDSA-AES128-GCM-SHA256")
    (_, writer) = await asyncio.open_connection(*at, ssl=context)
    assert writer.get_extra_info("cipher")[0] == "ECDHE-ECDSA-AES128-GCM-SHA256"
    writer.close()


async def test_a_new_certificate_is_shown_and_a_call_that_stands_goes_on(edge: RunningEdge, switch: Line) -> None:
    anna = await edge.phone(transport="TLS")
    call, invite, answer = await answered(edge, switch, anna)
    before = await shown(edge)
    folder = replace(edge.certificates, names=("127.0.0.1", "new.test"))
    assert folder.bring_up_to_date(now_utc())
    await edge.client.reload_certificates()
    assert await shown(edge) != before
    assert not folder.bring_up_to_date(now_utc()), "nothing changed since"

    uri, to, route = within(answer)
    contact = re.search(r"<([^>]+)>", invite.one("Contact"))
    assert contact and not anna.line.cut.is_set()
    held = [f"Route: {one}" for one in (line.strip() for value in invite.all("Record-Route") for line in value.split(","))]
    switch.send(switch_text(edge, "INFO", contact[1], *held, call=call, to=invite.one("From")), edge.inner)
    anna.send(reply(await anna.line.hear(lambda m: m.method == "INFO"), 200))
    await switch.hear(lambda m: m.status == 200)
    anna.send(anna.text("BYE", uri, *route, call=call, cseq=3, to=to))
    await switch.hear(lambda m: m.method == "BYE")


async def test_a_damaged_certificate_is_not_taken_up(edge: RunningEdge) -> None:
    before = await shown(edge)
    edge.settings.certificate.write_text("no certificate")
    with pytest.raises(EdgeRefused):
        await edge.client.reload_certificates()
    assert await shown(edge) == before


@STREAMS
async def test_messages_come_in_pieces_and_several_at_once(edge: RunningEdge, switch: Line, transport: str) -> None:
    anna = await edge.phone(transport=transport)
    calls = [token() for _ in range(3)]
    texts = [anna.text("OPTIONS", "sip:lumen.test", call=call, body="v=0\r\n\r\n") for call in calls]
    anna.send("".join(texts))
    for call in calls:
        assert (await anna.line.hear(lambda m, call=call: m.one("Call-ID") == call)).status == 200  # type: ignore[misc]
    last = anna.text("OPTIONS", "sip:lumen.test", call="pieces")
    for piece in (last[:7], last[7:100], last[100:-3], last[-3:]):
        anna.send(piece)
        await asyncio.sleep(0.05)
    assert (await anna.line.hear(lambda m: m.one("Call-ID") == "pieces")).status == 200


@STREAMS
async def test_a_keep_alive_is_answered(edge: RunningEdge, transport: str) -> None:
    """RFC 5626, 4.4.1: two line ends are a ping, one is the pong."""
    at = (edge.settings.address, edge.settings.sips_port if transport == "TLS" else edge.settings.sip_port)
    security = ssl.create_default_context(cafile=edge.certificates.authority) if transport == "TLS" else None
    reader, writer = await asyncio.open_connection(*at, ssl=security)
    writer.write(b"\r\n\r\n")
    assert await asyncio.wait_for(reader.readexactly(2), 10) == b"\r\n"
    writer.close()


@STREAMS
async def test_a_telephone_whose_connection_ended_is_not_registered_any_more(edge: RunningEdge, switch: Line, transport: str) -> None:
    anna = await edge.phone(transport=transport)
    await anna.registers()
    (contact,) = await edge.client.contacts("anna", "lumen.test")
    anna.line.close()

    async def gone() -> bool:
        return await edge.client.contacts("anna", "lumen.test") == ()

    await eventually(gone)
    switch.send(switch_text(edge, "INVITE", contact.uri, preloaded(edge), call=token()), edge.inner)
    assert (await switch.hear(lambda m: m.status >= 300)).status >= 400


@pytest.mark.long
async def test_a_telephone_that_answers_no_ping_any_more_is_removed_and_told(edge: RunningEdge) -> None:
    edge.end()
    edge.settings = replace(edge.settings, ping="all", ping_seconds=1, silent_after_seconds=3)
    await edge.start()
    anna, ben = await edge.phone(), await edge.phone("ben")
    for phone in (anna, ben):
        await phone.registers()
        phone.send(reply(await phone.line.hear(lambda m: m.method == "OPTIONS"), 200))

    async def told() -> bool:
        with contextlib.suppress(NothingCame):
            ben.send(reply(await ben.line.hear(lambda m: m.method == "OPTIONS", 0.3), 200))
        return "edge.phone_gone user=anna@lumen.test received=sip:127.0.0.1:" in edge.log

    await eventually(told, 60)
    assert await edge.client.contacts("anna", "lumen.test") == ()
    assert len(await edge.client.contacts("ben", "lumen.test")) == 1
    for _ in range(10):  # ben's time would have come now, had nobody heard his answers
        await told()
    assert "edge.phone_gone user=ben" not in edge.log


@NEEDS_IPV6
async def test_a_flood_and_guesses_over_ipv6_are_banned_and_the_ban_is_lifted(edge: RunningEdge) -> None:
    attacker, anna = await edge.phone(transport="UDP6"), await edge.phone()
    attacker.password = "wrong"
    for _ in range(edge.settings.guesses_by_user):
        assert (await attacker.registers()).status == 401
    assert await banned(edge, "::", "anna@lumen.test"), "the first 64 bits: whoever has one address there has all"
    await edge.client.unban("0:0::1")
    assert await edge.client.bans() == ()
    for number in range(400):
        attacker.send(attacker.text("OPTIONS", "sip:lumen.test", call=f"f{number}"))
    await eventually(lambda: banned(edge, "::"))
    assert (await anna.registers()).status == 200

    async def all_was_blocked() -> bool:
        return (await edge.client.counters())["blocked"] == 400 - edge.settings.flood_requests

    await eventually(all_was_blocked)
    assert await edge.client.unban("::1")
    assert await edge.client.bans() == ()


@NEEDS_IPV6
async def test_a_trusted_network_and_an_emergency_over_ipv6(edge: RunningEdge, switch: Line) -> None:
    edge.end()
    edge.settings = replace(edge.settings, trusted=("::/64",))
    await edge.start()
    anna = await edge.phone(transport="UDP6")
    await anna.registers()
    for number in range(3 * edge.settings.flood_requests):
        anna.send(anna.text("OPTIONS", "sip:lumen.test", call=f"t{number}"))
    assert (await anna.registers()).status == 200
    assert await edge.client.bans() == ()
    anna.send(anna.text("INVITE", f"sip:911@[::1]:{edge.settings.sip_port}", call=token()))
    invite = await switch.hear(invites)
    assert (invite.one("X-Offhook-Source"), invite.one("X-Offhook-Address")) == ("emergency", f"udp:{anna.line.where}")


@NEEDS_IPV6
async def test_a_carrier_over_ipv6_calls_and_is_called(edge: RunningEdge, switch: Line) -> None:
    carrier = await udp_line("::1")
    ip, port = carrier.address[:2]
    write(edge.settings.database, changed(carriers=((ip, port),)))
    await edge.client.reload()
    at = ("::1", edge.settings.carrier_port)
    gateway = Phone(carrier, at, user="+12065550199", domain="carrier.test")
    gateway.send(gateway.text("INVITE", f"sip:+12065550100@[::1]:{at[1]}", call=token()))
    assert (await switch.hear(invites)).one("X-Offhook-Source") == "carrier"
    call = token()
    switch.send(switch_text(edge, "INVITE", f"sip:+12065550100@[::1]:{port}", preloaded(edge), call=call), edge.inner)
    invite = await carrier.hear(lambda m: invites(m) and m.one("Call-ID") == call)
    assert invite.source is not None and invite.source[1] == at[1]


@pytest.mark.parametrize("wrong", [{"address6": "1.2.3.4"}, {"address": "::1"}, {"trusted": ("10.0.0.0/99",)}], ids=str)
def test_an_address_that_is_none_is_named(folder: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(EdgeMisconfigured, match=next(iter(wrong))):
        replace(settings_in(folder), **wrong)


@pytest.mark.parametrize("transport", ["TCP", "TLS", pytest.param("TLS6", marks=NEEDS_IPV6)])
async def test_a_telephone_that_connected_anew_in_mid_call_is_hung_up(edge: RunningEdge, switch: Line, transport: str) -> None:
    """After a failure of the network, or of the edge: the call names a connection that is gone. While it is there, a twin gets nothing."""
    anna = await edge.phone(transport=transport)
    contact = "<sip:anna@10.9.9.9:5999;transport=tls>"
    await anna.registers(contact=contact)
    call = token()
    challenge = await anna.answer_to(anna.text("INVITE", "sip:102@lumen.test", call=call, contact=contact))
    proof = anna.proof(challenge, "INVITE", "sip:102@lumen.test")
    anna.send(anna.text("INVITE", "sip:102@lumen.test", proof, call=call, cseq=2, contact=contact))
    invite = await switch.hear(invites)
    switch.send(reply(invite, 200, contact=f"<sip:127.0.0.1:{edge.settings.switch_port}>"), edge.inner)
    await anna.line.hear(lambda m: m.status == 200 and "INVITE" in m.one("CSeq"))

    target = re.search(r"<([^>]+)>", invite.one("Contact"))
    route = [f"Route: {one}" for one in routes(invite)]
    assert target
    twin = await edge.phone(transport=transport)
    await twin.registers(contact=contact)
    switch.send(switch_text(edge, "INFO", target[1], *route, call=call, to=invite.one("From")), edge.inner)
    anna.send(reply(await anna.line.hear(lambda m: m.method == "INFO"), 200))
    await switch.hear(lambda m: m.status == 200)
    await twin.line.hears_nothing(seconds=0.2)

    edge.end(signal.SIGKILL)
    await edge.start()
    again, other = await edge.phone(transport=transport), await edge.phone("ben", transport=transport)
    await other.registers(contact="<sip:ben@10.9.9.9:5999;transport=tls>")
    await again.registers(contact=contact)
    switch.send(switch_text(edge, "BYE", target[1], *route, call=call, to=invite.one("From")), edge.inner)
    bye = await again.line.hear(lambda m: m.method == "BYE")
    again.send(reply(bye, 200))
    assert (await switch.hear(lambda m: m.status == 200)).one("CSeq") == "1 BYE"
    await other.line.hears_nothing(seconds=0.2)
