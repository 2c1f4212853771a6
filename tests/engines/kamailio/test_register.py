"""Telephones register: who is let in, who is not, and what the switch learns of them."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from offhook.engines.kamailio.directory import credential, edit
from tests.engines.kamailio.conftest import RunningEdge
from tests.engines.kamailio.talk import Line, Phone, eventually, free_ports, ha1, reply, token

pytestmark = pytest.mark.engines


async def test_a_phone_with_the_right_password_is_registered(edge: RunningEdge) -> None:
    anna = await edge.phone()
    answer = await anna.registers()
    assert answer.status == 200
    (contact,) = await edge.client.contacts("anna", "lumen.test")
    ip, port = anna.line.address
    assert contact.uri == f"sip:anna@{ip}:{port};alias={ip}~{port}~1"
    assert (contact.transport, contact.user_agent) == ("udp", "test phone")
    assert 590 <= contact.expires_seconds <= 600
    assert (await edge.client.counters())["registrations"] == 1
    assert await edge.client.contacts("ben", "lumen.test") == ()


async def test_several_devices_of_a_user_ring_the_last_registered_first(edge: RunningEdge) -> None:
    phones = [await edge.phone(transport=transport) for transport in ("UDP", "TCP", "UDP")]
    for number, phone in enumerate(phones):
        phone.agent = f"phone {number}"
        assert (await phone.registers()).status == 200
    contacts = await edge.client.contacts("ANNA", "Lumen.Test")
    assert {contact.user_agent for contact in contacts} == {"phone 0", "phone 1", "phone 2"}
    assert contacts[0].user_agent == "phone 2"
    assert len({contact.device for contact in contacts}) == 3
    (over_tcp,) = (contact for contact in contacts if contact.transport == "tcp")
    assert over_tcp.uri.endswith(f";alias=127.0.0.1~{phones[1].line.address[1]}~2")


async def test_an_unregistered_phone_is_gone_and_an_eleventh_device_is_refused(edge: RunningEdge) -> None:
    anna = await edge.phone()
    await anna.registers()
    assert (await anna.registers(expires=0)).status == 200
    assert await edge.client.contacts("anna", "lumen.test") == ()
    statuses = [(await anna.registers(contact=f"<sip:anna@127.0.0.1:{6000 + number}>")).status for number in range(11)]
    assert statuses == [200] * 10 + [503]


async def test_a_phone_behind_nat_is_pinged_and_its_answer_goes_nowhere(edge: RunningEdge, switch: Line) -> None:
    edge.end()
    edge.settings = replace(edge.settings, ping_seconds=1)
    await edge.start()
    anna, ben = await edge.phone(), await edge.phone("ben")
    await anna.registers(contact="<sip:anna@10.9.9.9:5999>")
    await ben.registers()
    ping = await anna.line.hear(lambda m: m.method == "OPTIONS")
    assert ping.source == edge.phones
    anna.send(reply(ping, 200))
    await ben.line.hears_nothing(lambda m: m.method == "OPTIONS")
    await switch.hears_nothing(seconds=0.2)


async def test_the_edge_answers_options_itself(edge: RunningEdge, switch: Line) -> None:
    assert (await (await edge.phone()).ask("OPTIONS", "sip:lumen.test")).status == 200
    port = edge.settings.switch_port
    switch.send(
        f"OPTIONS sip:127.0.0.1:{edge.settings.inner_port} SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.0.1:{port};branch=z9hG4bK{token()}\r\n"
        f"Max-Forwards: 5\r\nFrom: <sip:switch@127.0.0.1>;tag=1\r\nTo: <sip:127.0.0.1>\r\nCall-ID: {token()}\r\nCSeq: 1 OPTIONS\r\n"
        "Content-Length: 0\r\n\r\n",
        edge.inner,
    )
    assert (await switch.hear()).status == 200


async def test_baresip_registers_over_udp_and_tcp(edge: RunningEdge, folder: Path) -> None:
    (folder / "config").write_text(
        f"sip_listen 127.0.0.1:{free_ports(1)[0]}\nmodule_path /usr/lib/baresip/modules\n"
        "module g711.so\nmodule_app account.so\nmodule_app menu.so\n"
    )
    server = f"sip:{edge.phones[0]}:{edge.phones[1]}"
    (folder / "accounts").write_text(
        f'<sip:anna@lumen.test>;auth_pass=anna-secret;outbound="{server}";regint=600\n'
        f'<sip:ben@lumen.test>;auth_pass=ben-secret;outbound="{server};transport=tcp";regint=600\n'
    )
    (folder / "contacts").touch()
    nothing = asyncio.subprocess.DEVNULL
    baresip = await asyncio.create_subprocess_exec("/usr/bin/baresip", "-f", str(folder), stdin=nothing, stdout=nothing, stderr=nothing)
    try:
        for user, transport in (("anna", "udp"), ("ben", "tcp")):

            async def registered(user: str = user, transport: str = transport) -> bool:
                return [contact.transport for contact in await edge.client.contacts(user, "lumen.test")] == [transport]

            await eventually(registered)
    finally:
        baresip.terminate()
        await baresip.wait()


@pytest.fixture
async def desk(edge: RunningEdge) -> Phone:
    """Anna's second telephone, with a name and a password of its own."""
    lines: dict[str, dict[str, str | None]] = {
        "credentials": {"anna-2@lumen.test": credential(ha1("anna-2", "lumen.test", "desk-secret"), "anna")}
    }
    edit(edge.settings.database, lines)
    await edge.client.take_up(lines)
    phone = await edge.phone()
    phone.signs_in_as, phone.password, phone.agent = "anna-2", "desk-secret", "desk"
    return phone


async def test_a_second_telephone_registers_as_its_owner(edge: RunningEdge, desk: Phone) -> None:
    assert (await (await edge.phone()).registers()).status == 200
    assert (await desk.registers()).status == 200
    assert {contact.user_agent for contact in await edge.client.contacts("anna", "lumen.test")} == {"test phone", "desk"}


async def test_a_call_from_a_second_telephone_is_its_owners(edge: RunningEdge, switch: Line, desk: Phone) -> None:
    await desk.dials("102")
    assert (await switch.hear(lambda m: m.method == "INVITE")).one("P-Asserted-Identity") == "<sip:anna@lumen.test>"


async def test_who_hides_the_name_still_calls_as_the_owner(edge: RunningEdge, switch: Line, desk: Phone) -> None:
    uri, hidden = "sip:102@lumen.test", '"Anonymous" <sip:anonymous@anonymous.invalid>'
    answer = await desk.answer_to(desk.text("INVITE", uri, call="hidden", sender=hidden))
    desk.send(desk.text("INVITE", uri, desk.proof(answer, "INVITE", uri), call="hidden", cseq=2, sender=hidden))
    assert (await switch.hear(lambda m: m.method == "INVITE")).one("P-Asserted-Identity") == "<sip:anna@lumen.test>"


@pytest.mark.parametrize("claimed", ["ben", "anna-2", ""])
async def test_a_telephone_is_nobody_but_its_owner(edge: RunningEdge, switch: Line, desk: Phone, claimed: str) -> None:
    address = f"<sip:{claimed}@lumen.test>" if claimed else "<sip:lumen.test>"
    registered = await desk.ask("REGISTER", "sip:lumen.test", to=address, sender=address)
    assert registered.status in (400, 403), registered.text
    assert (await desk.ask("INVITE", "sip:102@lumen.test", sender=address)).status in (400, 403)
    assert await edge.client.contacts("ben", "lumen.test") == ()
    await switch.hears_nothing(lambda m: m.method == "INVITE")
