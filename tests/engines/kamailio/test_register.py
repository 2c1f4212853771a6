"""Telephones register: who is let in, who is not, and what the switch learns of them."""

import re

import pytest

from tests.engines.kamailio.conftest import RunningEdge
from tests.engines.kamailio.talk import Message, eventually, token

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
