"""Strangers who send RTP to the port of a plain call: when they are heard, and when they take the stream (decision 0042).

rtpengine learns where a telephone sends from: what counts is the first packet that comes three seconds after the last offer or answer.
"""

import asyncio
import random
from collections.abc import AsyncIterator, Callable

import pytest

from offhook.domain.calls.ids import CallId, LegId, leg_id
from offhook.domain.media import MediaShape
from offhook.engines.rtpengine.relay import RtpEngine
from tests.engines.rtpengine.calls import new_call
from tests.engines.rtpengine.conftest import Daemon, eventually
from tests.engines.rtpengine.parties import Party

pytestmark = pytest.mark.engines

PLAIN = MediaShape.PLAIN
LEARNED_SECONDS = 4.2
"""Three whole seconds by the engine's clock, which has no fractions."""
LISTENED_SECONDS = 1.5
PRIVATE = "10.11.12.13"


@pytest.fixture
async def at(daemon: Daemon) -> AsyncIterator[Callable[..., Party]]:
    """Makes parties, each with a tone of its own: at the engine's own address, or `elsewhere`."""
    made: list[Party] = []

    def make(elsewhere: bool = False) -> Party:
        address = f"127.20.{random.randint(0, 254)}.{random.randint(1, 254)}" if elsewhere else daemon.settings.address
        made.append(Party(address, 400 + 150 * len(made)))
        return made[-1]

    yield make
    for each in made:
        each.leaves()


class Talk:
    """Anna and ben talk."""

    def __init__(self, engine: RtpEngine, anna: Party, ben: Party) -> None:
        self.engine, self.anna, self.ben, self.call = engine, anna, ben, new_call()
        self.legs: tuple[LegId, LegId] = leg_id(self.call, 0), leg_id(self.call, 1)
        self.to_anna = self.to_ben = ""

    async def exchanged(self, said: str = "") -> CallId:
        """Anna's offer, or `said` in its place, and ben's answer: at the beginning, and again as a re-INVITE."""
        self.to_ben = await self.engine.offer(self.call, *self.legs, said or self.anna.sdp(), PLAIN)
        self.to_anna = await self.engine.answer(self.call, *self.legs, self.ben.sdp(), PLAIN)
        return self.call

    def begins(self) -> None:
        """Both speak."""
        self.anna.speaks_to(self.to_anna)
        self.ben.speaks_to(self.to_ben)

    async def stands(self) -> None:
        """Each hears the other and nobody else."""
        await eventually(lambda: self.anna.hears() == {self.ben.hertz} and self.ben.hears() == {self.anna.hertz}, "both hear each other")


async def never(heard: Callable[[], bool], what: str) -> None:
    """It is not so for a while."""
    until = asyncio.get_running_loop().time() + LISTENED_SECONDS
    while asyncio.get_running_loop().time() < until:
        assert not heard(), what
        await asyncio.sleep(0.05)


@pytest.mark.parametrize("elsewhere", [True, False], ids=["from elsewhere", "from anna's address"])
async def test_a_stranger_in_mid_call_is_not_heard_and_hears_nothing(engine: RtpEngine, at: Callable[..., Party], elsewhere: bool) -> None:
    talk, stranger = Talk(engine, at(), at()), at(elsewhere)
    await talk.exchanged()
    talk.begins()
    await talk.stands()
    await asyncio.sleep(LEARNED_SECONDS)
    stranger.speaks_to(talk.to_anna)
    await never(lambda: stranger.hertz in talk.ben.hears() or bool(stranger.packets), "the stranger is in the call")
    await engine.figures(talk.call)  # after the first figures rtpengine is told the same once more, and learns anew
    await talk.stands()
    await engine.close(talk.call)


@pytest.mark.long
async def test_a_stranger_who_speaks_while_it_is_learned_is_heard_and_the_next_exchange_undoes_it(
    engine: RtpEngine, at: Callable[..., Party]
) -> None:
    """What is left open: said here so that a later rtpengine, whose heuristic works, is noticed."""
    talk, stranger = Talk(engine, at(), at()), at(elsewhere=True)
    await talk.exchanged()
    stranger.speaks_to(talk.to_anna)
    talk.ben.speaks_to(talk.to_ben)
    await eventually(lambda: stranger.hertz in talk.ben.hears(), "the stranger is heard")
    await asyncio.sleep(LEARNED_SECONDS)
    talk.begins()
    await never(lambda: talk.anna.hertz in talk.ben.hears(), "anna is heard")
    stranger.falls_silent()
    await talk.exchanged()
    await talk.stands()
    await engine.close(talk.call)


async def test_a_telephone_that_moves_to_another_port_by_reinvite_is_heard_at_once(engine: RtpEngine, at: Callable[..., Party]) -> None:
    talk = Talk(engine, at(), at())
    await talk.exchanged()
    talk.begins()
    await asyncio.sleep(LEARNED_SECONDS)
    talk.anna.falls_silent()
    talk.anna = at()
    await talk.exchanged()
    talk.begins()
    await talk.stands()
    await engine.close(talk.call)


async def test_a_telephone_behind_nat_is_heard_and_hears(engine: RtpEngine, at: Callable[..., Party]) -> None:
    talk = Talk(engine, at(elsewhere=True), at())
    await talk.exchanged(talk.anna.sdp().replace(talk.anna.address, PRIVATE))
    talk.begins()
    await talk.stands()
    await asyncio.sleep(LEARNED_SECONDS)
    await talk.stands()
    await talk.exchanged(talk.anna.sdp().replace(talk.anna.address, PRIVATE))
    await talk.stands()
    await engine.close(talk.call)
