"""Timers ring in order, once, and cancelled ones neither ring nor pile up."""

from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from offhook.sip.alarms import FEW, Alarms


@given(st.lists(st.tuples(st.integers(0, 50), st.booleans()), max_size=300), st.integers(0, 50))
def test_what_is_due_rings_in_its_order_and_nothing_else_does(wanted: list[tuple[int, bool]], now: int) -> None:
    alarms, rung = Alarms(), list[tuple[int, int]]()
    alarmed = [alarms.set(due, partial(rung.append, (due, number))) for number, (due, _) in enumerate(wanted)]
    for alarm, (_, cancelled) in zip(alarmed, wanted, strict=True):
        if cancelled:
            alarm.cancel()
            alarm.cancel()
    kept = sorted((due, number) for number, (due, cancelled) in enumerate(wanted) if not cancelled)
    assert len(alarms) == len(kept)
    alarms.ring_due(now)
    assert rung == [entry for entry in kept if entry[0] <= now]
    later = [due for due, _ in kept if due > now]
    assert alarms.next_due() == (later[0] if later else None)
    alarms.ring_due(50)
    assert rung == kept


def test_a_hundred_thousand_cancelled_timers_take_no_room() -> None:
    alarms = Alarms()
    kept = [alarms.set(1000.0 - number, _nothing) for number in range(10)]
    for number in range(100_000):
        alarms.set(float(number), _nothing).cancel()
    assert len(alarms._heap) <= 2 * FEW + len(kept) + 1
    assert len(alarms) == len(kept)
    assert alarms.next_due() == 991.0


def test_a_timer_set_by_one_that_rings_waits_for_its_own_time() -> None:
    alarms, rung = Alarms(), list[str]()

    def first() -> None:
        rung.append("first")
        alarms.set(2.0, partial(rung.append, "second"))

    alarms.set(1.0, first)
    alarms.ring_due(1.5)
    assert rung == ["first"]
    alarms.ring_due(2.0)
    assert rung == ["first", "second"]


def _nothing() -> None:
    """Rings unheard."""
