"""Carriers that are asked whether they live: the edge carries the question, and tells the switch what came from outside."""

from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest

from offhook.engines.kamailio.client import Edge
from offhook.engines.kamailio.directory import write
from tests.engines.kamailio.conftest import CARRIER_IP, CARRIER_PORT, DIRECTORY, NEEDS_IPV6, PortTaken, RunningEdge, settings_in
from tests.engines.kamailio.talk import Line, Message, free_ports, reply, token, udp_line

pytestmark = pytest.mark.engines

HEARD = "X-Offhook-Heard"


def options(edge: RunningEdge, uri: str) -> str:
    return "\r\n".join((
        f"OPTIONS {uri} SIP/2.0", f"Via: SIP/2.0/UDP 127.0.0.1:{edge.settings.switch_port};branch=z9hG4bK{token()}",
        "Max-Forwards: 70", f"Route: <sip:127.0.0.1:{edge.settings.inner_port};lr>", "From: <sip:192.0.2.1>;tag=switch", f"To: <{uri}>",
        f"Call-ID: {token()}", "CSeq: 1 OPTIONS", "Accept: application/sdp", "Content-Length: 0", "", "",
    ))  # fmt: skip


def asks(message: Message) -> bool:
    return message.method == "OPTIONS"


@pytest.mark.parametrize("status", [200, 404, 503])
async def test_a_carrier_is_asked_where_calls_to_it_go_and_its_answer_is_told_as_its_own(
    edge: RunningEdge, switch: Line, status: int
) -> None:
    carrier = await udp_line(CARRIER_IP, CARRIER_PORT)
    uri = f"sip:{CARRIER_IP}:{CARRIER_PORT}"
    switch.send(options(edge, uri), edge.inner)
    asked = await carrier.hear(asks)
    assert (asked.uri, asked.source) == (uri, edge.carriers)
    assert asked.all("Record-Route") == [] and asked.all("Route") == [], "no dialog begins here"
    carrier.send(reply(asked, status, "So", f"{HEARD}: twice", "X-Offhook-Source: phone"), edge.carriers)
    told = await switch.hear(lambda m: m.status >= 200)
    assert (told.status, told.one(HEARD), told.all("X-Offhook-Source")) == (status, "yes", [])
    carrier.close()


@NEEDS_IPV6
async def test_a_carrier_over_ipv6_is_asked_from_the_socket_it_knows(edge: RunningEdge, switch: Line) -> None:
    carrier = await udp_line("::1")
    await edge.client.take_up({"carriers": {"::1": "yes", carrier.where: "yes"}})
    switch.send(options(edge, f"sip:{carrier.where}"), edge.inner)
    asked = await carrier.hear(asks)
    assert asked.source is not None and asked.source[:2] == ("::1", edge.settings.carrier_port)
    carrier.send(reply(asked, 200), ("::1", edge.settings.carrier_port))
    assert (await switch.hear(lambda m: m.status == 200)).one(HEARD) == "yes"
    carrier.close()


@pytest.fixture
async def impatient(folder: Path) -> AsyncIterator[RunningEdge]:
    """An edge that gives up soon who does not answer."""
    write(settings_in(folder).database, DIRECTORY)
    for _ in range(5):
        settings = replace(settings_in(folder), phone_silence_ms=700)
        running = RunningEdge(settings, Edge(settings))
        try:
            await running.start()
            yield running
            return
        except PortTaken:
            continue
        finally:
            running.end()


async def test_of_a_carrier_that_is_silent_or_not_to_be_had_the_edge_answers_by_itself(impatient: RunningEdge) -> None:
    switch = await udp_line("127.0.0.1", impatient.settings.switch_port)
    for uri in (f"sip:127.0.0.1:{free_ports(1)[0]}", "sip:255.255.255.255:5060"):
        switch.send(options(impatient, uri), impatient.inner)
        told = await switch.hear(lambda m: m.status >= 200)
        assert told.status in (408, 477, 478, 500, 503) and told.all(HEARD) == [], told.text
    switch.close()
