"""The corpus of session descriptions: what the reader finds in them, and a caller who calls with them while a call stands."""

import re

import pytest

from offhook.sip import sdp
from offhook.sip.harmless import harmless
from tests.calls.stories import eventually
from tests.calls.system import System
from tests.hostile.cases import Case, cases
from tests.hostile.peers import TRUSTED, Peer, ended, peer_at, plain
from tests.hostile.standing import undisturbed
from tests.hostile.vitals import look, settled

CASES = cases("sdp")
UNSENDABLE = "longer-than-64-kilobytes"
"""No datagram holds it."""


def readers_verdict(data: bytes) -> str:
    """The audio that is found: codecs, address, direction; or "refused"."""
    try:
        found = sdp.parse(data)
    except sdp.BadSdp:
        return "refused"
    where = sdp.address(found)
    names = ",".join(codec.name for codec in sdp.codecs(found)) or "nothing"
    return f"{names} {f'{where[0]}:{where[1]}' if where else 'nowhere'} {sdp.direction(found)}"


def test_there_are_as_many_as_were_wanted() -> None:
    assert len(CASES) >= 60
    assert all(case.lesson and case.verdicts.keys() == {"reader", "call"} for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_readers_verdict(case: Case) -> None:
    assert {readers_verdict(case.data)} == case.verdicts["reader"], case.lesson


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_what_is_left_for_an_engine_is_read_alike_and_short(case: Case) -> None:
    try:
        left = str(harmless(sdp.parse(case.data)))
    except sdp.BadSdp:
        return
    assert left.isprintable() or all(line.isprintable() for line in left.split("\r\n"))
    assert max(map(len, left.split("\r\n"))) <= 1024
    assert readers_verdict(left.encode()).split()[1:] == readers_verdict(case.data).split()[1:]


async def calls_with(peer: Peer, case: Case) -> str:
    """Call the attendant with this description; the status, and no call left."""
    kind = "Content-Type: application/sdp"
    head = plain("INVITE", "sip:100@lumen.test", peer, case.name, kind).replace(b"Length: 0", b"Length: %d" % len(case.data))
    peer.send(peer.signed(head + case.data))

    def final() -> bytes | None:
        of_it = (data for data in peer.heard if f"Call-ID: {case.name}-".encode() in data and b"CSeq: 1 INVITE" in data)
        return next((data for data in of_it if re.match(rb"SIP/2\.0 [2-6]", data)), None)

    answer = await eventually(final, f"an answer to {case.name}")
    status = answer[8:11].decode()
    if status == "200":
        ended(peer, answer, case.name)
    return status


@pytest.mark.long
@pytest.mark.engines
async def test_calls_with_each_while_another_stands(system: System) -> None:
    async with undisturbed(system), peer_at(system, f"{TRUSTED}.201") as peer:
        await peer.prove()
        before = await look(system)
        found = {}
        for case in CASES:
            if case.name != UNSENDABLE and (status := await calls_with(peer, case)) not in case.verdicts["call"]:
                found[case.name] = f"{status}, not {case.verdicts['call']} ({case.lesson})"
        assert not found
        await settled(system, before)
