"""How many new calls are let in: fewer while the switch is late, as many as ever once it is not."""

import pytest

from offhook.services.ports.registrar import RegistrarAbsent
from offhook.switch.pace import (
    EASY_SECONDS,
    FEWEST,
    HOLD_LOOKS,
    LATE_LOOKS,
    LATE_SECONDS,
    LONGEST_STEP_DOWN,
    LOOK_SECONDS,
    REMIND_LOOKS,
    STEP_DOWN,
    Pace,
    Seen,
)


class Switch:
    """A switch that is offered calls and bears so many a second."""

    def __init__(self, usual: int = 400) -> None:
        self.seen, self.told, self.absent = Seen(0, 0, 0.0), list[int](), False
        self.pace = Pace(usual, lambda: self.seen, self.tell)

    async def tell(self, limit: int) -> None:
        if self.absent:
            raise RegistrarAbsent("gone")
        self.told.append(limit)

    def goes(self, rate: float, wait: float, looks: int = 1) -> float:
        """Let time pass with calls at this rate and engines heard after so long; the limit then."""
        for _ in range(looks):
            calls = round(rate * LOOK_SECONDS)
            self.seen = Seen(self.seen.calls + calls, self.seen.orders + 3 * calls, self.seen.seconds + 3 * calls * wait)
            self.pace.look(LOOK_SECONDS)
        return self.pace.limit


def test_a_switch_that_is_not_late_is_left_alone() -> None:
    switch = Switch()
    assert switch.goes(300, 0.002, looks=40) == 400
    assert switch.goes(0, 0.0, looks=40) == 400


def test_a_late_switch_gets_less_than_it_was_given_and_time_to_catch_up() -> None:
    switch = Switch()
    late, between = LATE_SECONDS + 0.001, (LATE_SECONDS + EASY_SECONDS) / 2
    assert switch.goes(200, late, looks=LATE_LOOKS - 1) == 400, "held up once"
    assert switch.goes(200, late) == pytest.approx(STEP_DOWN * 200, rel=0.01)
    assert switch.goes(160, late, looks=HOLD_LOOKS - 1) == pytest.approx(STEP_DOWN * 200, rel=0.01)
    assert switch.goes(160, late) == pytest.approx(STEP_DOWN * 160, rel=0.01)
    assert switch.goes(140, between, looks=10) == pytest.approx(STEP_DOWN * 160, rel=0.01)
    assert switch.goes(100, 2.0, looks=LATE_LOOKS) == pytest.approx(LONGEST_STEP_DOWN * 100, rel=0.01), "far behind"
    assert switch.goes(8, 2.0, looks=60) == FEWEST


def test_it_finds_its_way_back() -> None:
    switch = Switch()
    low = switch.goes(100, 0.2, looks=LATE_LOOKS)
    crept = switch.goes(low, 0.001, looks=4)
    assert low < crept < 1.3 * low, "while it is fully asked it creeps"
    assert switch.goes(10, 0.001, looks=20) == 400, "an idle one is soon as ever"


async def test_the_edge_is_told_what_changed_and_reminded() -> None:
    switch = Switch()
    await switch.pace._say()
    assert switch.told == []
    switch.goes(200, LATE_SECONDS + 0.001, looks=LATE_LOOKS)
    switch.absent = True
    await switch.pace._say()
    switch.absent = False
    await switch.pace._say()
    assert switch.told == [169]
    for _ in range(REMIND_LOOKS):
        await switch.pace._say()
    assert switch.told == [169, 169]
    switch.goes(0, 0.0, looks=30)
    await switch.pace._say()
    await switch.pace._say()
    assert switch.told == [169, 169, 400]
