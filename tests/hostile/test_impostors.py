"""Ways around the edge that there must not be, and identities that only the edge may write."""

import asyncio

import pytest

from offhook.intercom import ask
from tests.calls.stories import PATIENCE_SECONDS, registered
from tests.calls.system import System
from tests.hostile.bad_phone import KIND, bad_phone, sdp
from tests.hostile.peers import TRUSTED, peer_at, plain
from tests.hostile.vitals import look, settled

pytestmark = pytest.mark.engines

FORGED = (
    ("P-Asserted-Identity", "<sip:chloe@lumen.test>"),
    ("P-Preferred-Identity", "<sip:chloe@lumen.test>"),
    ("Remote-Party-ID", "<sip:chloe@lumen.test>;party=calling"),
    ("X-Offhook-Source", "carrier"),
    ("x-offhook-address", "udp:192.0.2.1:1"),
    ("X-Offhook-Source ", "emergency"),
)


@pytest.mark.parametrize("host", ["127.0.0.1", f"{TRUSTED}.230"])
async def test_neither_the_switch_nor_its_door_hears_anybody_but_the_edge(system: System, host: str) -> None:
    plan = system.plan
    async with peer_at(system, host) as peer:
        before = await look(system)
        for number, port in enumerate((plan.switch_port, plan.edge_inner_port)):
            for method in ("INVITE", "OPTIONS", "REGISTER", "BYE", "CANCEL"):
                lines = ("X-Offhook-Source: phone", "P-Asserted-Identity: <sip:anna@lumen.test>", KIND)
                request = plain(method, "sip:100@lumen.test", peer, f"inner{number}", *lines, body=sdp())
                peer.transport.sendto(request, ("127.0.0.1", port))
        await asyncio.sleep(1.0)
        assert peer.heard == []
        assert len(await ask(plan.switch_desk, "calls")) <= before.calls
        await settled(system, before)
    assert f"edge.inner_refused source=udp:{host}" in system.log("kamailio")


async def test_forged_identities_reach_nobody(system: System) -> None:
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call = await anna.dials("102", headers=FORGED)
        other = await ben.rings(PATIENCE_SECONDS)
        assert other.caller is not None and other.caller.user == "101"
        assert other.invite is not None
        assert "chloe" not in str(other.invite) and "X-Offhook" not in str(other.invite)
        await call.hangs_up()


async def test_a_route_or_alias_of_ones_own_leads_nowhere(system: System) -> None:
    async with peer_at(system, "127.0.7.9") as victim, bad_phone(system, f"{TRUSTED}.231", "anna", registered=False) as anna:
        host, port = victim.address
        name = await anna.dials("100", f"Route: <sip:{host}:{port};lr>")
        answer = await anna.answered(name)
        anna.further("ACK", name, answer, 1, f"Route: <sip:{host}:{port};lr>")
        for cseq, target in ((2, f"sip:x@{host}:{port}"), (3, f"sip:x@127.0.0.1;alias={host}~{port}~1")):
            moved = plain("INFO", target, anna, name, *[], cseq=cseq, to="<sip:100@lumen.test>;tag=x")
            anna.send(moved)
            anna.further("OPTIONS", name, answer, cseq + 10, f"Route: <{target};lr>")
        anna.further("BYE", name, answer, 30)
        await anna.hears(lambda data: data.startswith(b"SIP/2.0 200") and b"30 BYE" in data)
        assert victim.heard == []
