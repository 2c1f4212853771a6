"""Work on many objects at once: the states of a job, and what can become of each of its rows."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType
from typing import NewType

from offhook.domain.errors import Conflict

JobId = NewType("JobId", int)


class JobState(StrEnum):
    """How a job stands."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    CANCELLED = "cancelled"
    FAILED = "failed"
    """Stopped by a mistake of ours; it can be resumed."""


class Move(StrEnum):
    """What happens to a job."""

    BEGIN = "begin"
    END = "end"
    CANCEL = "cancel"
    FAIL = "fail"
    RESUME = "resume"


MOVES: Mapping[tuple[JobState, Move], JobState] = MappingProxyType(
    {
        (JobState.WAITING, Move.BEGIN): JobState.RUNNING,
        (JobState.WAITING, Move.CANCEL): JobState.CANCELLED,
        (JobState.RUNNING, Move.END): JobState.DONE,
        (JobState.RUNNING, Move.CANCEL): JobState.CANCELLED,
        (JobState.RUNNING, Move.FAIL): JobState.FAILED,
        (JobState.CANCELLED, Move.RESUME): JobState.WAITING,
        (JobState.FAILED, Move.RESUME): JobState.WAITING,
    }
)
UNFINISHED = frozenset({JobState.WAITING, JobState.RUNNING})


class NotNow(Conflict):
    """A job is not in a state in which this can be done with it."""

    code = "job.not_now"


def moved(state: JobState, move: Move) -> JobState:
    """The state after a move. Raises NotNow when the table has none."""
    if (state, move) not in MOVES:
        raise NotNow(f"The job is {state}; you cannot {move} it.", "job")
    return MOVES[state, move]


class RowState(StrEnum):
    """What became of a row."""

    CREATED = "created"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    SKIPPED = "skipped"
    REFUSED = "refused"
