"""Whether a carrier lives: what it takes to say so, and what is kept of its answers."""

import pytest

from offhook.domain.carrier_life import LIFE_MOVES, Answered, CarrierLife, CarrierState, LifeStage, Unanswered, came_of_asking

UNKNOWN, UP, DOWN = CarrierState.UNKNOWN, CarrierState.UP, CarrierState.DOWN


@pytest.mark.parametrize(
    ("heard", "states"),
    [
        ("+", [UP]),
        ("-", [UNKNOWN]),
        ("--", [UNKNOWN, DOWN]),
        ("-+", [UNKNOWN, UP]),
        ("+-", [UP, UP]),
        ("+--", [UP, UP, DOWN]),
        ("+-+-+", [UP, UP, UP, UP, UP]),
        ("---+", [UNKNOWN, DOWN, DOWN, UP]),
        ("--+-", [UNKNOWN, DOWN, UP, UP]),
    ],
)
def test_two_times_in_vain_it_is_down_and_with_one_answer_up(heard: str, states: list[CarrierState]) -> None:
    life, told = CarrierLife(), []
    assert (life.state, life.since) == (UNKNOWN, None)
    for at, word in enumerate(heard, start=100):
        before = life.state
        changed = life.handle(Answered(at, 200, 0.1) if word == "+" else Unanswered(at))
        assert changed is (life.state is not before)
        assert life.since == (at if changed else life.since)
        told.append(life.state)
    assert told == states


def test_since_when_and_the_last_answer_are_kept() -> None:
    life = CarrierLife()
    life.handle(Answered(100.0, 200, 0.02))
    life.handle(Answered(130.0, 404, 0.03))
    assert (life.since, life.status, life.round_trip_seconds) == (100.0, 404, 0.03)
    life.handle(Unanswered(160.0))
    life.handle(Unanswered(190.0, 503))
    assert (life.state, life.since, life.status, life.round_trip_seconds) == (DOWN, 190.0, 404, 0.03)


@pytest.mark.parametrize("status", [200, 301, 400, 401, 403, 404, 405, 480, 481, 483, 486, 500, 501, 504, 603])
def test_whoever_answers_lives(status: int) -> None:
    assert came_of_asking(5.0, 0.1, status) == Answered(5.0, status, 0.1)


@pytest.mark.parametrize("status", [None, 408, 503])
def test_silence_and_what_says_no_more_than_that(status: int | None) -> None:
    assert came_of_asking(5.0, 8.0, status) == Unanswered(5.0, status)


def test_every_stage_knows_every_event() -> None:
    assert set(LIFE_MOVES) == set(LifeStage)
    assert all(set(row) == {Answered, Unanswered} for row in LIFE_MOVES.values())
