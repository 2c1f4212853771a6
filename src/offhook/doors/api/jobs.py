"""Work on many objects at once: people from a file, how far it has come, what became of each row."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Path, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from offhook.domain.errors import Unavailable
from offhook.domain.jobs import UNFINISHED, JobId, JobState, Move, RowState
from offhook.doors.api.access import Inside, Own, needs
from offhook.doors.api.files import CSV, attachment, csv_sent
from offhook.doors.api.house import House
from offhook.doors.api.paging import LARGEST_ID, PRINTABLE, PageAsked, cursor, listing
from offhook.services.jobs import get_job, import_users, list_jobs, list_rows, move_job, options_told, refused_file
from offhook.services.people_in_bulk import export_users
from offhook.services.ports.jobs import Job, RowResult
from offhook.services.sheets import OnExisting
from offhook.services.tokens import Access

_EXAMPLE = "username,name,extension,number\r\nanna,Anna Berg,101,'+12065550101\r\nzoe,Zoe Lind,131,\r\n"
_FILE: dict[str, Any] = {
    "requestBody": {
        "required": True,
        "description": "Columns by name in any order; username and name are needed. At most 16 MB and 100 000 rows.",
        "content": {CSV: {"schema": {"type": "string"}, "example": _EXAMPLE}},
    }
}
_ANSWER: dict[int | str, dict[str, Any]] = {200: {"content": {CSV: {"schema": {"type": "string"}, "example": _EXAMPLE}}}}
_READS = [needs("jobs:read")]
_REFUSED = [needs("jobs:read"), needs("users:read")]

router = APIRouter(tags=["many people"])

JobPath = Annotated[int, Path(ge=1, le=LARGEST_ID, description="A job's id.")]


class JobsAsked(PageAsked):
    """Which jobs to list."""

    sorts: ClassVar[tuple[str, ...]] = ("id", "kind", "state", "who")

    state: JobState | None = None
    kind: str | None = Field(None, max_length=40, pattern=PRINTABLE)


class RowsAsked(PageAsked):
    """Which rows to list."""

    sorts: ClassVar[tuple[str, ...]] = ("row", "state", "field", "code")
    key: ClassVar[str] = "row"
    ids: ClassVar[frozenset[str]] = frozenset({"row"})

    state: RowState | None = None
    field: str | None = Field(None, max_length=40, pattern=PRINTABLE)
    code: str | None = Field(None, max_length=40, pattern=PRINTABLE)


class JobShown(BaseModel):
    """A job. `done` of `total` rows have a result, counted in `results`.

    `revision` is the last that it made; `in_effect`, whether the switch holds it, is told of one job that is over.
    """

    id: int
    kind: str
    state: JobState
    who: str
    made_at: datetime
    ended_at: datetime | None
    total: int
    done: int
    results: dict[RowState, int]
    options: dict[str, Any]
    revision: int | None
    explanation: str | None
    in_effect: bool | None = None

    model_config = {
        "json_schema_extra": {
            "example": {
                "id": 7,
                "kind": "import-users",
                "state": "running",
                "who": "anna",
                "made_at": "2026-11-24T10:00:00Z",
                "ended_at": None,
                "total": 10000,
                "done": 2500,
                "results": {"created": 2498, "refused": 2},
                "options": {"on_existing": "change", "dry_run": False, "encoding": "UTF-8", "delimiter": "comma"},
                "revision": 42,
                "explanation": None,
                "in_effect": None,
            }
        }
    }


class JobsShown(BaseModel):
    """A page of jobs."""

    jobs: list[JobShown]
    next: str | None


class RowShown(BaseModel):
    """What became of a row. `row` is its number in a spreadsheet; `code`, `field` and `explanation` are those of a refusal."""

    row: int
    state: RowState
    username: str | None
    code: str | None
    field: str | None
    explanation: str | None


class RowsShown(BaseModel):
    """A page of rows."""

    rows: list[RowShown]
    next: str | None


@router.post("/jobs/import-users", status_code=202, openapi_extra=_FILE)
async def new_import(
    house: Inside,
    own: Own,
    request: Request,
    response: Response,
    visitor: Annotated[Access, needs("users:write")],
    _jobs: Annotated[Access, needs("jobs:write")],
    on_existing: Annotated[OnExisting, Query(description="What becomes of a row whose user is there already.")] = OnExisting.CHANGE,
    dry_run: Annotated[bool, Query(description="Find out the same, change nothing.")] = False,
    welcome: Annotated[bool, Query(description="Greet those who are new and have an address by mail.")] = False,
) -> JobShown:
    """Make and change people from a CSV file, after this answer: one bad row stops no other.

    Of a user who is there already, the columns that are there are changed; an empty cell takes away what was there.
    """
    octets = await csv_sent(request)
    job = await run_in_threadpool(lambda: import_users(house.store, own, octets, on_existing, visitor, dry_run=dry_run, welcome=welcome))
    house.jobs.wake()
    response.headers["Location"] = f"{request.url.path.removesuffix('import-users')}{job.id}"
    return job_shown(job)


@router.get("/users.csv", dependencies=[needs("users:read")], response_class=Response, responses=_ANSWER)
def users_as_file(house: Inside, own: Own) -> Response:
    """Everybody, as a file that imports unchanged. What a spreadsheet would run or change has an apostrophe before it."""
    return attachment("users.csv", export_users(house.store, own))


@router.get("/jobs", dependencies=_READS)
def jobs(house: Inside, own: Own, asked: Annotated[JobsAsked, Query()]) -> JobsShown:
    """Jobs, oldest first; with `sort=-id` the newest."""
    page = list_jobs(house.store, own, listing(asked))
    return JobsShown(jobs=[job_shown(job) for job in page.items], next=cursor(asked, page.next))


@router.get("/jobs/{job}", dependencies=_READS)
async def one_job(house: Inside, own: Own, job: JobPath) -> JobShown:
    """How far a job has come."""
    return await _told(house, own, await run_in_threadpool(get_job, house.store, own, JobId(job)))


@router.post("/jobs/{job}/cancel", dependencies=[needs("jobs:write"), needs("users:write")])
def cancel(house: Inside, own: Own, visitor: Annotated[Access, needs("jobs:write")], job: JobPath) -> JobShown:
    """Stop a job. What it did stays done; it can be resumed."""
    return job_shown(move_job(house.store, own, JobId(job), Move.CANCEL, visitor))


@router.post("/jobs/{job}/resume", dependencies=[needs("jobs:write"), needs("users:write")])
async def resume(house: Inside, own: Own, visitor: Annotated[Access, needs("jobs:write")], job: JobPath) -> JobShown:
    """Go on with a job that was cancelled or failed, behind the last row that has a result; as whoever made it."""
    moved = await run_in_threadpool(move_job, house.store, own, JobId(job), Move.RESUME, visitor)
    house.jobs.wake()
    return job_shown(moved)


@router.get("/jobs/{job}/rows", dependencies=_READS)
def rows(house: Inside, own: Own, job: JobPath, asked: Annotated[RowsAsked, Query()]) -> RowsShown:
    """What became of each row so far, in the file's order."""
    page = list_rows(house.store, own, JobId(job), listing(asked))
    return RowsShown(rows=[_row_shown(row) for row in page.items], next=cursor(asked, page.next))


@router.get("/jobs/{job}/refused.csv", dependencies=_REFUSED, response_class=Response, responses=_ANSWER)
def refused(house: Inside, own: Own, job: JobPath) -> Response:
    """The rows that were refused, with why in the first two columns; mended, the file imports as it is."""
    return attachment(f"refused-{job}.csv", refused_file(house.store, own, JobId(job)))


async def _told(house: House, own: Own, job: Job) -> JobShown:
    shown = job_shown(job)
    if job.state not in UNFINISHED and job.revision is not None:
        try:
            shown.in_effect = await house.switch.take_up(own, job.revision) >= job.revision
        except Unavailable:
            shown.in_effect = False
    return shown


def job_shown(job: Job) -> JobShown:
    """As JSON has it."""
    return JobShown(
        id=job.id,
        kind=job.kind,
        state=job.state,
        who=job.who,
        made_at=datetime.fromtimestamp(job.made_at, UTC),
        ended_at=None if job.ended_at is None else datetime.fromtimestamp(job.ended_at, UTC),
        total=job.total,
        done=job.done,
        results={RowState(name): count for name, count in job.results.items()},
        options=options_told(job),
        revision=job.revision,
        explanation=job.explanation,
    )


def _row_shown(row: RowResult) -> RowShown:
    return RowShown(row=row.row, state=row.state, username=row.object_id, code=row.code, field=row.field, explanation=row.explanation)
