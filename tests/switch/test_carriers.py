"""Carriers are asked whether they live: each at its own moments, as long as it is one, and only a change is told in the log."""

import asyncio
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import pytest

from offhook.domain.carrier_life import CarrierLife
from offhook.domain.organizations import Carrier
from offhook.services.ports.signalling import SignallingRefused
from offhook.switch import carriers as asking
from offhook.switch.carriers import CarrierWatch

NORTH, SOUTH = Carrier("north", "192.0.2.5", 5060), Carrier("south", "2001:db8::5", 5070)
OFTEN = 0.02


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    """Look for carriers that come and go all the time."""
    monkeypatch.setattr(asking, "LOOK_SECONDS", 0.005)


class PublicNetwork:
    """Carriers that answer what a test says: a status, None (silence), or a mistake that is raised."""

    def __init__(self, *carriers: Carrier) -> None:
        self.carriers = list(carriers)
        self.says: dict[str, int | Exception | None] = {}
        self.asked: list[str] = []

    async def ask(self, uri: str) -> int | None:
        self.asked.append(uri)
        await asyncio.sleep(0)
        said = self.says.get(uri, 200)
        if isinstance(said, Exception):
            raise said
        return said


@asynccontextmanager
async def watched(network: PublicNetwork, seconds: float = OFTEN) -> AsyncIterator[CarrierWatch]:
    watch = CarrierWatch(lambda: network.carriers, network.ask, seconds)
    task = asyncio.create_task(watch.watch())
    try:
        yield watch
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], object]) -> None:
    async with asyncio.timeout(5):
        while not holds():
            await asyncio.sleep(0.002)


def states(watch: CarrierWatch) -> dict[str, str]:
    return {each.name: each.state for each in watch.told()}


async def test_every_carrier_is_asked_again_and_again_where_calls_to_it_go() -> None:
    network = PublicNetwork(NORTH, SOUTH)
    network.says["sip:[2001:db8::5]:5070"] = 405
    async with watched(network) as watch:
        await until(lambda: states(watch) == {"north": "up", "south": "up"})
        await until(lambda: len(network.asked) > 6)
        assert set(network.asked) == {"sip:192.0.2.5:5060", "sip:[2001:db8::5]:5070"}
        north, south = watch.told()
        assert (north.status, south.status) == (200, 405) and north.since and north.round_trip_seconds is not None


async def test_a_death_and_a_return_are_told_once_each(caplog: pytest.LogCaptureFixture) -> None:
    network = PublicNetwork(NORTH)
    with caplog.at_level(logging.INFO, "offhook.switch.carriers"):
        async with watched(network) as watch:
            await until(lambda: states(watch) == {"north": "up"})
            for said in (None, 503):
                network.says["sip:192.0.2.5:5060"] = said
                await until(lambda: states(watch) == {"north": "down"})
                asked = len(network.asked)
                await until(lambda since=asked: len(network.asked) > since + 3)  # type: ignore[misc]
                network.says.clear()
                await until(lambda: states(watch) == {"north": "up"})
    assert [record.getMessage().split(": ")[0] for record in caplog.records] == [
        f"carrier north at 192.0.2.5:5060 is {state}" for state in ("up", "down", "up", "down", "up")
    ]


async def test_while_the_edge_is_away_nothing_new_is_known_and_a_mistake_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    network = PublicNetwork(NORTH)
    async with watched(network) as watch:
        await until(lambda: states(watch) == {"north": "up"})
        for said, mistaken in ((SignallingRefused("the edge has not answered"), False), (RuntimeError("ours"), True)):
            network.says["sip:192.0.2.5:5060"] = said
            asked = len(network.asked)
            await until(lambda since=asked: len(network.asked) > since + 4)  # type: ignore[misc]
            assert states(watch) == {"north": "up"}
            assert ("carrier north could not be asked" in caplog.text) is mistaken


async def test_a_carrier_that_goes_or_moves_is_asked_there_no_more() -> None:
    network = PublicNetwork(NORTH, SOUTH)
    network.says["sip:192.0.2.5:5060"] = None
    async with watched(network) as watch:
        await until(lambda: states(watch) == {"north": "down", "south": "up"})
        network.carriers[:] = [Carrier("north", "192.0.2.6", 5060)]
        await until(lambda: states(watch) == {"north": "up"})
        network.asked.clear()
        await until(lambda: len(network.asked) > 3)
        assert set(network.asked) == {"sip:192.0.2.6:5060"}
    network.asked.clear()
    await asyncio.sleep(3 * OFTEN)
    assert network.asked == [] and watch.told() == [], "with the watch its questions end"


async def test_with_a_pause_of_nothing_nobody_is_asked() -> None:
    network = PublicNetwork(NORTH)
    await CarrierWatch(lambda: network.carriers, network.ask, 0).watch()
    assert network.asked == []


async def test_questions_to_many_do_not_go_out_together(monkeypatch: pytest.MonkeyPatch) -> None:
    pauses: list[float] = []
    dice = iter((0.5, 0.0, 1.0))

    async def sleeps(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 3:
            raise asyncio.CancelledError

    async def answers(uri: str) -> int:
        return 200

    monkeypatch.setattr(asyncio, "sleep", sleeps)
    with pytest.raises(asyncio.CancelledError):
        await CarrierWatch(list, answers, 30.0, lambda: next(dice))._ask_for_ever(NORTH, CarrierLife())
    assert pauses == [pytest.approx(seconds) for seconds in (1.0, 27.0, 33.0)]
