"""Mutants: at the agent alone, and at a whole system whose processes, memory and standing call must not suffer."""

import faulthandler
import time
from dataclasses import replace
from random import Random

import pytest

from offhook.sip.agent import Agent, SessionRefuses
from offhook.sip.facts import InviteReceived, Output, ReofferReceived, RequestReceived
from offhook.sip.framing import Framer, StreamBroken
from tests.calls.system import System
from tests.hostile.attacker import Attacker, attacker_at
from tests.hostile.cases import cases
from tests.hostile.mutations import Mutator
from tests.hostile.peers import GUARDED, TRUSTED
from tests.hostile.standing import undisturbed
from tests.hostile.vitals import Vitals, blocked, look, settled
from tests.sip.lines import ANSWER
from tests.sip.raw import PEER, an_agent, invite
from tests.sip.test_hostile import corpus

SEED = 5118
SHORT, LONG, STEP = 1_500, 100_000, 10_000
WARM = 3 * STEP
"""Mutants before memory is looked at first: longer than a call rings, a transaction lingers and a cache takes to fill."""
A_SECOND = 500.0
"""What a loaded machine of two cores takes beside the other tests."""
SLOWEST_SECONDS = 2.0
"""Of CPU for one message: nothing takes time by the square of its length, which would be minutes. The collector may come meanwhile."""


def act(agent: Agent, outputs: list[Output], now: float, random: Random) -> None:
    """What the switch might do with a call, at random."""
    for fact in outputs:
        try:
            if isinstance(fact, InviteReceived):
                agent.ring(fact.session, now=now)
                if random.random() < 0.7:
                    agent.answer(fact.session, sdp=ANSWER, now=now)
                else:
                    agent.refuse(fact.session, status=486, now=now)
            elif isinstance(fact, ReofferReceived) and random.random() < 0.7:
                agent.accept_reoffer(fact.session, sdp=ANSWER, now=now)
            elif isinstance(fact, RequestReceived) and random.random() < 0.7:
                agent.respond(fact.key, status=200, now=now)
        except SessionRefuses:
            pass


@pytest.mark.parametrize("seed", [SEED, 4475, 3261])
def test_thousands_of_mutants_at_the_agent_leave_nothing(seed: int) -> None:
    random, agent, now = Random(seed), an_agent(), 0.0
    mutator, known = Mutator(random), [case.data for case in cases("sip")] + corpus()
    slowest = 0.0
    for _ in range(3_000):
        now += random.random() * 0.2
        data = mutator.mutated(random.choice(known), most=5)
        begun = time.process_time()
        outputs = agent.receive(data, PEER, now)
        slowest = max(slowest, time.process_time() - begun)
        act(agent, outputs, now, random)
        if random.random() < 0.2:
            agent.tick(now)
    assert slowest < SLOWEST_SECONDS
    for session in list(agent._core.sessions):
        agent.forget(session)
    while (due := agent.next_due()) is not None:
        assert due < now + 1_000
        agent.tick(due)
    core = agent._core
    assert (core.sessions, core.dialogs, core.clients) == ({}, {}, {})
    # What was given out and never answered waits for its answer for ever; that is the driver's mistake, played above.
    assert len(core.servers) == len(core.pending)
    assert any(isinstance(fact, InviteReceived) for fact in agent.receive(invite(call_id="next", branch="z9hG4bKnext"), PEER, now + 2_000))


def test_mutants_in_a_stream_cut_anywhere() -> None:
    random = Random(SEED)
    mutator, known = Mutator(random), corpus()
    for _ in range(300):
        stream = b"".join(mutator.mutated(random.choice(known)) for _ in range(5))
        framer = Framer()
        try:
            while stream:
                size = random.randint(1, 900)
                for message in framer.feed(stream[:size]):
                    an_agent().receive(message, PEER._replace(transport="tcp"), 0.0)
                stream = stream[size:]
        except StreamBroken:
            continue


async def besieged(system: System, attacker: Attacker, before: Vitals, messages: int) -> Vitals:
    """What the end is compared with: all as it was before, but memory as the first mutants leave it (a cache that is full is no leak).

    Of Kamailio's shared memory, which it takes whole at its start, counts what it has in use: once its transactions are over, as before.
    """
    for said in range(STEP, WARM + messages + 1, STEP):
        await attacker.attacks(STEP, A_SECOND)
        now = await look(system)
        print(f"{said:7} mutants, MB: {', '.join(f'{name} {kilobytes / 1024:.1f}' for name, kilobytes in now.resident.items())}")
        if said == WARM:
            before = replace(before, resident=now.resident)
    return before


async def attacked(system: System, host: str, messages: int, seed: int) -> None:
    """So many mutants while a call stands; everything must be as before in the end."""
    # It takes minutes, and the traceback that tells of a test which hangs has crashed this process in the middle of one.
    faulthandler.cancel_dump_traceback_later()
    async with undisturbed(system) as standing, attacker_at(system, host, seed) as attacker:
        before = await look(system)
        blocked_before = await blocked(system)
        if messages <= SHORT:
            await attacker.attacks(messages, A_SECOND)
        else:
            before = await besieged(system, attacker, before, messages)
        standing.check()
        # A telephone is registered there, so the address is not banned; but what is too much of it is not answered.
        assert (await blocked(system) > blocked_before) == host.startswith(GUARDED)
        await attacker.leave()
        await settled(system, before, 360)


@pytest.mark.long
@pytest.mark.engines
async def test_mutants_from_a_trusted_address(system: System) -> None:
    await attacked(system, f"{TRUSTED}.202", SHORT, SEED)


@pytest.mark.engines
@pytest.mark.long
async def test_a_hundred_thousand_mutants_from_a_trusted_address(system: System) -> None:
    await attacked(system, f"{TRUSTED}.203", LONG, SEED + 1)


@pytest.mark.engines
@pytest.mark.long
async def test_a_hundred_thousand_mutants_from_an_address_that_is_guarded(system: System) -> None:
    await attacked(system, f"{GUARDED}.1", LONG, SEED + 2)
