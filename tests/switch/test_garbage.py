"""The garbage collector stays away from calls: they need none, and it looks only while nobody calls."""

import asyncio
import gc
import weakref
from collections.abc import Iterator

import pytest

from offhook.domain.calls.events import DigitPressed
from offhook.domain.calls.ids import leg_id
from offhook.switch import garbage
from offhook.switch.executor import now
from offhook.switch.garbage import MOST_YOUNG, collect_when_quiet, spare_the_old
from tests.switch.office import Office, eventually


class Ring:
    """Refers to itself: only the collector frees it."""

    def __init__(self) -> None:
        self.itself = self


@pytest.fixture
def no_collector() -> Iterator[None]:
    threshold = gc.get_threshold()
    gc.collect()
    gc.disable()
    yield
    gc.enable()
    gc.unfreeze()
    gc.set_threshold(*threshold)


async def _calls_that_end_in_every_way(office: Office) -> None:
    for side in (0, 1):
        call = await office.talking()
        office.hangs_up(leg_id(call, side))
        await office.ended(call)
    cancelled = office.dials("103")
    office.rings(await office.called(cancelled))
    office.cancels(leg_id(cancelled, 0))
    await office.ended(cancelled)
    refused = office.dials("103")
    office.refuses(await office.called(refused))
    await office.ended(refused)
    await office.ended(office.dials("999"))
    attended = office.dials("100")
    await office.stands(attended, "listening")
    office.exchange.deliver(DigitPressed(now(), leg_id(attended, 0), "2", by_info=False))
    office.hangs_up(leg_id(attended, 0))
    await office.ended(attended)


async def test_calls_leave_nothing_to_the_collector(office: Office, no_collector: None) -> None:
    await _calls_that_end_in_every_way(office)
    gc.collect()
    for _ in range(5):
        await _calls_that_end_in_every_way(office)
    await eventually(lambda: not office.exchange.calls())
    assert gc.collect() <= 5, "thirty calls"


async def test_it_looks_once_nobody_has_called_for_a_while(no_collector: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(garbage, "WORTH", -1)
    alive, begun = [True], [1]
    ring = weakref.ref(Ring())
    looking = asyncio.create_task(collect_when_quiet(lambda: begun[0], lambda: alive[0], quiet=0.05))
    try:
        await asyncio.sleep(0.3)
        assert ring() is not None, "while a call lives it stays away"
        alive[0] = False
        await eventually(lambda: ring() is None, "the look")
        ring = weakref.ref(Ring())
        for _ in range(30):
            begun[0] += 1  # calls so short that none is seen alive
            await asyncio.sleep(0.01)
        assert ring() is not None
        await eventually(lambda: ring() is None, "the look after them")
    finally:
        looking.cancel()


def test_what_is_there_is_spared(no_collector: None) -> None:
    frozen = gc.get_freeze_count()
    spare_the_old()
    assert gc.get_threshold()[0] == MOST_YOUNG and gc.get_freeze_count() > frozen
