"""The corpus of odd and broken messages: at the agent alone, and at a whole system while a call stands."""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack

import pytest

from offhook.sip.addresses import Address
from offhook.sip.facts import Heard, Send
from offhook.sip.framing import Framer, StreamBroken
from tests.calls.stories import PATIENCE_SECONDS, eventually
from tests.calls.system import System
from tests.hostile.cases import ACCEPTED, DROPPED, Case, cases
from tests.hostile.peers import SIP_PORT, TRUSTED, Peer, peer_at
from tests.hostile.standing import undisturbed
from tests.hostile.vitals import look, settled
from tests.sip.raw import PEER, an_agent

CASES = cases("sip")
AT_ONCE = 50
SILENCE_SECONDS = 2.0
"""How long a dropped message is watched: longer than the edge waits for the switch."""


def agents_verdict(data: bytes, source: Address = PEER) -> str:
    """What the agent alone makes of one datagram."""
    outputs = an_agent().receive(data, source, 0.0)
    if any(not isinstance(output, Send | Heard) for output in outputs):
        return ACCEPTED
    statuses = [output.data.split()[1].decode() for output in outputs if isinstance(output, Send) and output.data.startswith(b"SIP")]
    return next((status for status in statuses if status >= "200"), DROPPED)


def test_there_are_as_many_as_were_wanted() -> None:
    assert len(CASES) >= 80
    assert all(case.lesson and case.verdicts.keys() == {"agent", "edge"} for case in CASES)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_agents_verdict(case: Case) -> None:
    assert agents_verdict(case.data) in case.verdicts["agent"], case.lesson


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_the_same_octet_by_octet_out_of_a_stream(case: Case) -> None:
    framer, messages = Framer(), []
    try:
        for at in range(len(case.data)):
            messages += framer.feed(case.data[at : at + 1])
    except StreamBroken:
        return
    whole = Framer()
    assert whole.feed(case.data) == messages
    for message in messages:
        agents_verdict(message, PEER._replace(transport="tcp"))


def batches() -> Iterator[list[Case]]:
    return (CASES[at : at + AT_ONCE] for at in range(0, len(CASES), AT_ONCE))


def wrong(peers: dict[str, Peer], batch: list[Case]) -> list[str]:
    """The cases whose verdict so far is none of the right ones."""
    found = []
    for case in batch:
        verdict = peers[case.name].status() or DROPPED
        if verdict not in case.verdicts["edge"]:
            found.append(f"{case.name}: {verdict}, not {'|'.join(sorted(case.verdicts['edge']))} ({case.lesson})")
    return found


@pytest.mark.engines
async def test_the_verdict_of_a_whole_system_and_a_call_that_stands(system: System) -> None:
    """Each from an address of its own, with a right password put in, so that what is well-formed goes all the way to the switch."""
    async with undisturbed(system):
        before = await look(system)
        for batch in batches():
            async with AsyncExitStack() as stack:
                peers: dict[str, Peer] = {}
                for number, case in enumerate(batch, 1):
                    peers[case.name] = await stack.enter_async_context(peer_at(system, f"{TRUSTED}.{number}", SIP_PORT))
                await asyncio.gather(*(peer.prove() for peer in peers.values()))
                for case in batch:
                    peers[case.name].send(peers[case.name].signed(case.data))
                answered = [case for case in batch if DROPPED not in case.verdicts["edge"]]
                try:
                    await eventually(lambda a=answered, p=peers: not wrong(p, a), "the answers", PATIENCE_SECONDS)  # type: ignore[misc]
                except AssertionError:
                    raise AssertionError("\n".join(wrong(peers, batch))) from None
                await asyncio.sleep(SILENCE_SECONDS)
                assert not wrong(peers, batch), "\n".join(wrong(peers, batch))
        await settled(system, before)
