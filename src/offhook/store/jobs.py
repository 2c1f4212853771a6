"""Jobs: work on many objects, how far it has come, and what became of each row."""

import time
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, select

from offhook.domain.errors import Missing
from offhook.domain.jobs import UNFINISHED, JobId, JobState, Move, RowState, moved
from offhook.domain.organizations import OrganizationId
from offhook.services.ports.jobs import Job, RowResult
from offhook.services.ports.listing import Listing, Page
from offhook.store.listing import Listed
from offhook.store.scope import Row, Scope, is_open
from offhook.store.tables import job_inputs, job_rows, jobs

KEPT_SECONDS = 90 * 24 * 3600.0
"""A job that ended so long ago is forgotten when the next one is made: what people sent is not kept for ever."""


def _of_job(_scope: Scope, id: Any) -> ColumnElement[bool]:
    condition: ColumnElement[bool] = job_rows.c.job_id == id
    return condition


JOBS = Listed(jobs, "id", {name: jobs.c[name] for name in ("id", "kind", "state", "who")}, searched=("kind", "state", "who"))
ROWS = Listed(
    job_rows,
    "row",
    {name: job_rows.c[name] for name in ("row", "state", "field", "code", "object_id", "explanation")},
    searched=("object_id", "explanation"),
    also={"job": _of_job},
)


class Jobs:
    """The jobs of one organization; services.ports.jobs.Jobs."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def page(self, listing: Listing) -> Page[Job]:
        rows, following = JOBS.page(self._scope, listing)
        return Page([_job_of(row) for row in rows], following)

    def get(self, id: JobId) -> Job | None:
        row = self._scope.row(jobs, jobs.c.id == id)
        return _job_of(row) if row else None

    def wanted(self, id: JobId) -> bytes:
        row = self._scope.row(job_inputs, job_inputs.c.job_id == id)
        if row is None:
            raise _missing()
        return bytes(row["wanted"])

    def rows(self, id: JobId, listing: Listing) -> Page[RowResult]:
        of_job = Listing(listing.limit, listing.sort, {**listing.equal, "job": id}, listing.text, listing.after)
        rows, following = ROWS.page(self._scope, of_job)
        return Page([_result_of(row) for row in rows], following)

    def refused(self, id: JobId) -> list[RowResult]:
        own = (job_rows.c.job_id == id, job_rows.c.state == RowState.REFUSED.value)
        return [_result_of(row) for row in self._scope.rows(job_rows, *own, order=[job_rows.c.row])]

    def add(self, kind: str, who: str, total: int, options: Mapping[str, Any], wanted: bytes) -> Job:
        now = time.time()
        self._forget(now - KEPT_SECONDS)
        values = {"kind": kind, "state": JobState.WAITING.value, "who": who, "made_at": now, "total": total, "done": 0}
        whole = values | {"organization_id": self._scope.organization, "results": {}, "options": dict(options)}
        id = self._scope.connection.execute(jobs.insert().values(**whole).returning(jobs.c.id)).scalar_one()
        given = {"organization_id": self._scope.organization, "job_id": id, "wanted": wanted}
        self._scope.connection.execute(job_inputs.insert().values(**given))
        return self._known(JobId(id))

    def move(self, id: JobId, move: Move, explanation: str | None = None) -> Job:
        state = moved(self._known(id).state, move)
        ended_at = None if state in UNFINISHED else time.time()
        self._change(id, state=state.value, ended_at=ended_at, explanation=explanation)
        return self._known(id)

    def record(self, id: JobId, results: Sequence[RowResult], revision: int | None) -> Job:
        known = self._known(id)
        common = {"organization_id": self._scope.organization, "job_id": id}
        if results:
            self._scope.connection.execute(job_rows.insert(), [common | _row_of(result) for result in results])
        counts = Counter(known.results) + Counter(result.state.value for result in results)
        self._change(id, done=known.done + len(results), results=dict(counts), revision=revision or known.revision)
        return self._known(id)

    def _known(self, id: JobId) -> Job:
        known = self.get(id)
        if known is None:
            raise _missing()
        return known

    def _change(self, id: JobId, **values: Any) -> None:
        own = (jobs.c.organization_id == self._scope.organization, jobs.c.id == id)
        self._scope.connection.execute(jobs.update().where(*own).values(**values))

    def _forget(self, before: float) -> None:
        old = [row["id"] for row in self._scope.rows(jobs, jobs.c.ended_at < before)]
        for table, column in ((job_rows, job_rows.c.job_id), (job_inputs, job_inputs.c.job_id), (jobs, jobs.c.id)):
            if old:
                own = (table.c.organization_id == self._scope.organization, column.in_(old))
                self._scope.connection.execute(table.delete().where(*own))


def unfinished_jobs(connection: Connection) -> list[tuple[OrganizationId, JobId]]:
    """Of each organization that has work to be done, the job whose turn it is: the oldest."""
    states = [state.value for state in UNFINISHED]
    first = (
        select(jobs.c.organization_id, func.min(jobs.c.id))
        .where(jobs.c.state.in_(states), is_open(jobs.c.organization_id))
        .group_by(jobs.c.organization_id)
    )
    return [(OrganizationId(organization), JobId(id)) for organization, id in connection.execute(first)]


def _missing() -> Missing:
    return Missing("There is no such job.", "job")


def _job_of(row: Row) -> Job:
    return Job(
        JobId(row["id"]),
        row["kind"],
        JobState(row["state"]),
        row["who"],
        row["made_at"],
        row["ended_at"],
        row["total"],
        row["done"],
        row["results"],
        row["revision"],
        row["options"],
        row["explanation"],
    )


def _row_of(result: RowResult) -> dict[str, Any]:
    return {
        "row": result.row,
        "state": result.state.value,
        "object_id": result.object_id,
        "code": result.code,
        "field": result.field,
        "explanation": result.explanation,
    }


def _result_of(row: Row) -> RowResult:
    return RowResult(row["row"], RowState(row["state"]), row["object_id"], row["code"], row["field"], row["explanation"])
