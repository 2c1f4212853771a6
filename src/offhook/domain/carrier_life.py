"""Whether a carrier lives, by what came of asking it now and then (OPTIONS, RFC 3261 section 11). It is told, and routes nothing."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class LifeStage(StrEnum):
    """What is known of it."""

    UNKNOWN = "unknown"
    UNHEARD = "unheard"
    """Never heard, and asked once in vain."""
    UP = "up"
    DOUBTED = "doubted"
    """It was up, and has not answered the last time."""
    DOWN = "down"


class CarrierState(StrEnum):
    """How that is told."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


@dataclass(frozen=True, slots=True)
class Answered:
    """It answered with a SIP status after so many seconds. `at` is seconds since 1970."""

    at: float
    status: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Unanswered:
    """It did not answer, or that it serves nobody now (the status)."""

    at: float
    status: int | None = None


SERVES_NOBODY = frozenset({408, 503})
"""What says no more than silence. All else comes from who lives: many know no OPTIONS (405), or nobody of that name (404, 483)."""


def came_of_asking(at: float, seconds: float, status: int | None) -> Answered | Unanswered:
    """What it means that a carrier answered so, or not at all (None)."""
    return Unanswered(at, status) if status is None or status in SERVES_NOBODY else Answered(at, status, seconds)


_S = LifeStage

LIFE_MOVES: Mapping[LifeStage, Mapping[type, LifeStage]] = MappingProxyType(
    {
        _S.UNKNOWN: {Answered: _S.UP, Unanswered: _S.UNHEARD},
        _S.UNHEARD: {Answered: _S.UP, Unanswered: _S.DOWN},
        _S.UP: {Answered: _S.UP, Unanswered: _S.DOUBTED},
        # One datagram more that is lost is no death: it takes two in a row.
        _S.DOUBTED: {Answered: _S.UP, Unanswered: _S.DOWN},
        _S.DOWN: {Answered: _S.UP, Unanswered: _S.DOWN},
    }
)
"""Two times without an answer in a row it is down, with the first answer up."""

_TOLD: Mapping[LifeStage, CarrierState] = MappingProxyType(
    {
        _S.UNKNOWN: CarrierState.UNKNOWN,
        _S.UNHEARD: CarrierState.UNKNOWN,
        _S.UP: CarrierState.UP,
        _S.DOUBTED: CarrierState.UP,
        _S.DOWN: CarrierState.DOWN,
    }
)


@dataclass(slots=True)
class CarrierLife:
    """One carrier's. `since` is when its state became what it is, in seconds since 1970; `status` and `round_trip_seconds` are those of
    its last answer.
    """

    stage: LifeStage = LifeStage.UNKNOWN
    since: float | None = None
    status: int | None = None
    round_trip_seconds: float | None = None

    @property
    def state(self) -> CarrierState:
        """Whether it is up."""
        return _TOLD[self.stage]

    def handle(self, event: Answered | Unanswered) -> bool:
        """Whether its state is another one now."""
        before = self.state
        self.stage = LIFE_MOVES[self.stage][type(event)]
        if isinstance(event, Answered):
            self.status, self.round_trip_seconds = event.status, event.seconds
        if self.state is before:
            return False
        self.since = event.at
        return True
