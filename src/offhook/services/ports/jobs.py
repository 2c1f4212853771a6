"""What is kept of jobs: the work, how far it has come, and what became of each row."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from offhook.domain.jobs import JobId, JobState, Move, RowState
from offhook.services.ports.listing import Listing, Page


@dataclass(frozen=True, slots=True)
class Job:
    """Work on many objects. `done` of `total` rows have a result; `results` counts them by it. Times are seconds since 1970.

    `revision` is the last that it made, None while it has made none; `explanation` says why it failed.
    """

    id: JobId
    kind: str
    state: JobState
    who: str
    made_at: float
    ended_at: float | None
    total: int
    done: int
    results: Mapping[str, int]
    revision: int | None
    options: Mapping[str, Any]
    explanation: str | None


@dataclass(frozen=True, slots=True)
class RowResult:
    """What became of a row. `row` counts as a spreadsheet does, from the heads, which are row 1; the last three are of a refusal."""

    row: int
    state: RowState
    object_id: str | None
    code: str | None = None
    field: str | None = None
    explanation: str | None = None


class Jobs(Protocol):
    """The jobs of one organization. They are no configuration: they stand in no history and take no revision."""

    def page(self, listing: Listing) -> Page[Job]:
        """Some of them. Fields: id, kind, state, who."""

    def get(self, id: JobId) -> Job | None:
        """One job, None when there is none."""

    def wanted(self, id: JobId) -> bytes:
        """What was given with `add`. Raises Missing."""

    def rows(self, id: JobId, listing: Listing) -> Page[RowResult]:
        """Some of a job's results. Fields: row, state, field, code."""

    def refused(self, id: JobId) -> list[RowResult]:
        """The rows that were refused, first one first."""

    def add(self, kind: str, who: str, total: int, options: Mapping[str, Any], wanted: bytes) -> Job:
        """A job that waits; forgets jobs that ended long ago."""

    def move(self, id: JobId, move: Move, explanation: str | None = None) -> Job:
        """Begin, end, cancel or resume it. Raises Missing, NotNow."""

    def record(self, id: JobId, results: Sequence[RowResult], revision: int | None) -> Job:
        """The next rows have these results, and made this revision. Raises Missing."""
