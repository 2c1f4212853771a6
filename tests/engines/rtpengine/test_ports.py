"""Ports for sound: what is counted is what rtpengine has taken, and a full block is never asked for more."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from offhook.domain.calls.ids import CallId, leg_id
from offhook.domain.media import MediaShape
from offhook.engines.rtpengine.client import NgClient
from offhook.engines.rtpengine.figures import standing_of
from offhook.engines.rtpengine.ports import FEWEST_RESERVED, Ports
from offhook.engines.rtpengine.relay import RtpEngine
from offhook.services.ports.media import MediaFull
from tests.engines.rtpengine.calls import new_call
from tests.engines.rtpengine.conftest import DEADLINE_SECONDS, Daemon, eventually
from tests.engines.rtpengine.parties import Party

BLOCK = 100
PLAIN = MediaShape.PLAIN
VIDEO = "m=video 7000 RTP/AVP 97\r\na=rtpmap:97 H264/90000\r\nm=audio 0 RTP/AVP 0\r\n"
ONE, TWO = CallId("one"), CallId("two")


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    """An engine with few ports."""
    engine = Daemon(tmp_path_factory.mktemp("small") / "log")
    engine.settings = replace(engine.settings, port_max=engine.settings.port_min + BLOCK - 1)
    engine.start()
    yield engine
    engine.kill()


@pytest.fixture
async def crowded(small: Daemon) -> AsyncIterator[RtpEngine]:
    """Asks it."""
    client = await NgClient.connect("127.0.0.1", small.settings.ng_port)
    yield RtpEngine(client, Ports(BLOCK))
    client.close()


@pytest.fixture
async def party(small: Daemon) -> AsyncIterator[Callable[..., Party]]:
    """Makes parties, each with a tone of its own."""
    made: list[Party] = []

    def make() -> Party:
        made.append(Party(small.settings.address, 400 + 200 * len(made)))
        return made[-1]

    yield make
    for each in made:
        each.leaves()


def test_a_call_counts_with_what_it_has_now() -> None:
    ports = Ports(BLOCK)
    ports.take(ONE, 10)
    ports.take(TWO, 4)
    ports.take(ONE, 4)
    assert (ports.used, ports.free) == (8, BLOCK - 8)
    ports.release(ONE)
    ports.release(ONE)
    assert (ports.used, ports.free) == (4, BLOCK - 4)


def test_the_last_are_kept_for_help_and_what_is_there_may_always_become_less() -> None:
    ports = Ports(BLOCK)
    ports.take(ONE, BLOCK - FEWEST_RESERVED)
    with pytest.raises(MediaFull, match="76 of 100 are in use, and 24 kept for help"):
        ports.take(TWO, 4)
    ports.take(TWO, FEWEST_RESERVED, urgent=True)
    with pytest.raises(MediaFull):
        ports.take(TWO, FEWEST_RESERVED + 2, urgent=True)
    ports.take(ONE, 70)
    assert ports.used == 70 + FEWEST_RESERVED


def test_a_large_block_keeps_a_share() -> None:
    ports = Ports(2000)
    ports.take(ONE, 1900)
    with pytest.raises(MediaFull):
        ports.take(TWO, 2)


def test_what_the_engine_has_for_others_is_not_free() -> None:
    ports = Ports(BLOCK)
    ports.take(ONE, 20)
    ports.seen(60)
    assert ports.free == 40
    with pytest.raises(MediaFull):
        ports.take(TWO, 20)
    ports.seen(16)
    assert ports.used == 20


@pytest.mark.engines
async def test_what_is_counted_is_what_the_engine_has_taken(crowded: RtpEngine, party: Callable[..., Party]) -> None:
    anna, ben = party(), party()
    call = new_call()
    caller, *called = (leg_id(call, number) for number in range(5))

    async def taken() -> int:
        async with asyncio.timeout(DEADLINE_SECONDS):  # it lets go of ports a moment after it has said so
            while standing_of(await crowded.client.ask("statistics", {})).ports_used != crowded.ports.used:
                await asyncio.sleep(0.01)
        return crowded.ports.used

    await crowded.answer_alone(call, caller, anna.sdp(), PLAIN, "PCMU")
    assert await taken() == 4
    for leg in called:
        await crowded.offer(call, caller, leg, anna.sdp(), PLAIN)
    assert await taken() == 12
    await crowded.remove(call, caller, called[3])
    assert await taken() == 10
    await crowded.answer(call, caller, called[0], ben.sdp(), PLAIN)
    for leg in called[1:3]:
        await crowded.remove(call, caller, leg)
    await crowded.leave_alone(call, caller)
    assert await taken() == 4
    await crowded.offer(call, called[0], caller, ben.sdp() + VIDEO, PLAIN)
    assert await taken() == 8
    await crowded.close(call)
    assert await taken() == 0


@pytest.mark.engines
async def test_nothing_is_kept_of_a_call_whose_legs_are_removed_after_its_end(crowded: RtpEngine, party: Callable[..., Party]) -> None:
    call = new_call()
    await crowded.offer(call, leg_id(call, 0), leg_id(call, 1), party().sdp(), PLAIN)
    await crowded.close(call)
    await crowded.remove(call, leg_id(call, 0), leg_id(call, 1))
    assert crowded.ports._held == {} and not crowded.carried()


@pytest.mark.engines
async def test_a_flood_of_forks_leaves_standing_calls_and_calls_for_help_alone(crowded: RtpEngine, party: Callable[..., Party]) -> None:
    anna, ben, chloe, desk = party(), party(), party(), party()
    standing, helped = new_call(), new_call()
    flood = [new_call() for _ in range(30)]
    ben.speaks_to(await crowded.offer(standing, leg_id(standing, 0), leg_id(standing, 1), anna.sdp(), PLAIN))
    anna.speaks_to(await crowded.answer(standing, leg_id(standing, 0), leg_id(standing, 1), ben.sdp(), PLAIN))
    refused = 0
    for call in flood:
        for number in range(1, 11):
            try:
                await crowded.offer(call, leg_id(call, 0), leg_id(call, number), chloe.sdp(), PLAIN)
            except MediaFull:
                refused += 1
    assert 0 < (await crowded.look()).ports_used <= BLOCK - FEWEST_RESERVED and refused > 200
    # A telephone that rings already goes on, and may answer.
    await crowded.answer(flood[0], leg_id(flood[0], 0), leg_id(flood[0], 1), ben.sdp(), PLAIN)
    desk.speaks_to(await crowded.offer(helped, leg_id(helped, 0), leg_id(helped, 1), chloe.sdp(), PLAIN, urgent=True))
    chloe.speaks_to(await crowded.answer(helped, leg_id(helped, 0), leg_id(helped, 1), desk.sdp(), PLAIN))
    await eventually(lambda: anna.hears() == {ben.hertz} and ben.hears() == {anna.hertz}, "the standing call")
    await eventually(lambda: chloe.hears() == {desk.hertz} and desk.hears() == {chloe.hertz}, "the call for help")
    for call in (*flood, standing, helped):
        await crowded.close(call)
    async with asyncio.timeout(DEADLINE_SECONDS):
        while (await crowded.look()).ports_used:
            await asyncio.sleep(0.01)
    assert crowded.ports.used == 0


@pytest.mark.engines
async def test_an_engine_that_is_asked_for_too_many_ends_the_whole_call(small: Daemon, party: Callable[..., Party], tmp_path: Path) -> None:
    """Why it never is: of rtpengine 10.5; the ports that were counted here are too many."""
    client = await NgClient.connect("127.0.0.1", small.settings.ng_port)
    engine, anna, call = RtpEngine(client), party(), new_call()
    try:
        with pytest.raises(Exception, match="Ran out of ports"):
            for number in range(1, BLOCK):
                await engine.offer(call, leg_id(call, 0), leg_id(call, number), anna.sdp(), PLAIN)
        assert not await engine.knows(call)
    finally:
        client.close()
