"""Work on many objects: asked for by a request, carried out afterwards, a few rows a transaction, so that nobody waits for it."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NoReturn, Protocol

from offhook.domain.errors import Conflict, Forbidden, Missing, Unavailable
from offhook.domain.jobs import UNFINISHED, JobId, JobState, Move
from offhook.domain.organizations import OrganizationId
from offhook.services.people_csv import read_sheet
from offhook.services.people_in_bulk import IMPORT, Import, refused_rows
from offhook.services.ports.jobs import Job, RowResult
from offhook.services.ports.listing import Listing, Page
from offhook.services.ports.live import LiveSwitch
from offhook.services.ports.store import Profile, Store, Transaction
from offhook.services.sheets import OnExisting, Sheet
from offhook.services.tokens import Access

ROWS_AT_ONCE = 250
"""So many rows are one transaction and one revision."""
LEAST_PAUSE_SECONDS = 0.05
"""Between two transactions the database is everybody's for at least so long, and for as long as the last one took."""
LOOK_AGAIN_SECONDS = 2.0
"""How often work is looked for that nobody told of, and how soon it is tried again while the database is away."""
MOST_COLLISIONS = 5

log = logging.getLogger(__name__)


class Work(Protocol):
    """A kind of job that goes on."""

    def carry_out(self, transaction: Transaction, start: int, count: int) -> list[RowResult]:
        """Do so many rows from the one at `start` on; what became of each. Raises Conflict when somebody else came between."""


KINDS: Mapping[str, Callable[[Job, bytes, Profile], Work]] = {IMPORT: Import}


def import_users(
    store: Store,
    organization: OrganizationId,
    octets: bytes,
    on_existing: OnExisting,
    access: Access,
    *,
    dry_run: bool,
    welcome: bool = False,
) -> Job:
    """A job that makes and changes the people of a file; with `welcome` those who are new are greeted by mail.

    Raises Invalid with what is wrong with the file as a whole, Missing.
    """
    sheet = read_sheet(octets)
    options = {
        "on_existing": on_existing.value,
        "dry_run": dry_run,
        "welcome": welcome,
        "encoding": sheet.encoding,
        "delimiter": sheet.delimiter,
        "columns": sheet.columns,
        "scopes": sorted(access.scopes),
        "sovereign": access.sovereign,
    }
    with store.change(organization, access.label) as transaction:
        return transaction.jobs.add(IMPORT, access.label, len(sheet.rows), options, sheet.packed())


def list_jobs(store: Store, organization: OrganizationId, listing: Listing) -> Page[Job]:
    """Some of the jobs. Raises Missing."""
    with store.view(organization) as transaction:
        return transaction.jobs.page(listing)


def get_job(store: Store, organization: OrganizationId, id: JobId) -> Job:
    """One job. Raises Missing."""
    with store.view(organization) as transaction:
        return _found(transaction, id)


def list_rows(store: Store, organization: OrganizationId, id: JobId, listing: Listing) -> Page[RowResult]:
    """What became of some of a job's rows. Raises Missing."""
    with store.view(organization) as transaction:
        _found(transaction, id)
        return transaction.jobs.rows(id, listing)


def refused_file(store: Store, organization: OrganizationId, id: JobId) -> bytes:
    """The rows that were refused, as a file that imports once it is mended. Raises Missing."""
    with store.view(organization) as transaction:
        _found(transaction, id)
        return refused_rows(Sheet.unpacked(transaction.jobs.wanted(id)), transaction.jobs.refused(id))


def move_job(store: Store, organization: OrganizationId, id: JobId, move: Move, access: Access) -> Job:
    """Cancel or resume a job; what it did stays done. Raises Missing, NotNow.

    It goes on with the rights of whoever made it: who has fewer cannot resume it (Forbidden).
    """
    with store.change(organization, access.label) as transaction:
        if move is Move.RESUME and not frozenset(_found(transaction, id).options["scopes"]) <= access.scopes:
            raise Forbidden("It was made by somebody who may do more than you, and would go on so; ask an administrator.", "job")
        return transaction.jobs.move(id, move)


def _found(transaction: Transaction, id: JobId) -> Job:
    job = transaction.jobs.get(id)
    if job is None:
        raise Missing("There is no such job.", "job")
    return job


@dataclass(slots=True)
class _AtWork:
    """A job that goes on."""

    job: Job
    work: Work
    collisions: int = 0


@dataclass(slots=True)
class Clerk:
    """Carries out every organization's jobs, its oldest first, a few rows of each in turn.

    What a row became is written in the transaction of the row itself: after a crash the next clerk goes on behind the last row that has a
    result. While the database is away it waits; the switch is told of each revision and nobody waits for it.
    """

    store: Store
    switch: LiveSwitch
    rows_at_once: int = ROWS_AT_ONCE
    pause_seconds: float = LEAST_PAUSE_SECONDS
    _woken: asyncio.Event = field(default_factory=asyncio.Event)
    _at_work: dict[JobId, _AtWork] = field(default_factory=dict)
    _telling: set[asyncio.Task[None]] = field(default_factory=set)
    _away: bool = False

    def wake(self) -> None:
        """There is work to do."""
        self._woken.set()

    async def run(self) -> NoReturn:
        """For ever: do what there is to do."""
        while True:
            self._woken.clear()
            try:
                await self.work_off()
            except Unavailable as why:
                # Only what was committed counts: what a dry run had in mind may be more.
                self._at_work.clear()
                if not self._away:
                    log.warning("jobs wait for the database: %s", why)
                self._away = True
            except Exception:
                log.exception("jobs could not be looked for")
            try:
                # While the database is away, nobody who wakes us up can have left anything in it.
                await asyncio.wait_for(self._woken.wait(), LOOK_AGAIN_SECONDS)
            except TimeoutError:
                continue

    async def work_off(self) -> None:
        """Do what there is to do now, to its end. Raises Unavailable."""
        while await self._round():
            self._away = False

    async def _round(self) -> bool:
        """Do a few rows for each organization that has work; whether there was any."""
        turns = await asyncio.to_thread(self._unfinished)
        for organization, id in turns:
            began = time.monotonic()
            revision = await asyncio.to_thread(self._step, organization, id)
            if revision is not None:
                self._tell(organization, revision)
            await asyncio.sleep(max(self.pause_seconds, time.monotonic() - began))
        return bool(turns)

    def _unfinished(self) -> list[tuple[OrganizationId, JobId]]:
        with self.store.provider_view() as provider:
            return provider.unfinished_jobs()

    def _step(self, organization: OrganizationId, id: JobId) -> int | None:
        """Do the next rows of a job; the revision they made. Raises Unavailable."""
        try:
            known = self._at_work.get(id) or self._taken_up(organization, id)
            return self._rows(organization, known)
        except Conflict as between:
            self._collided(organization, id, between)
            return None
        except Missing:
            self._at_work.pop(id, None)
            return None
        except Unavailable:
            raise
        except Exception:
            log.exception("job %s of organization %s failed", id, organization)
            self._fail(organization, id, "Offhook made a mistake of its own; the log of the web process has the details.")
            return None

    def _taken_up(self, organization: OrganizationId, id: JobId) -> _AtWork:
        with self.store.view(organization) as transaction:
            job, profile = _found(transaction, id), transaction.profile()
            wanted = transaction.jobs.wanted(id)
        self._at_work[id] = _AtWork(job, KINDS[job.kind](job, wanted, profile))
        return self._at_work[id]

    def _rows(self, organization: OrganizationId, known: _AtWork) -> int | None:
        id = known.job.id
        with self.store.change(organization, known.job.who) as transaction:
            job = _found(transaction, id)
            if job.state not in UNFINISHED:  # cancelled since we looked
                self._at_work.pop(id, None)
                return None
            if job.state is JobState.WAITING:
                transaction.jobs.move(id, Move.BEGIN)
            results = known.work.carry_out(transaction, job.done, self.rows_at_once)
            revision = transaction.revision
            job = transaction.jobs.record(id, results, revision)
            over = job.done >= job.total
            if over:
                transaction.jobs.move(id, Move.END)
        known.collisions = 0
        if over:
            self._at_work.pop(id, None)
        return revision

    def _collided(self, organization: OrganizationId, id: JobId, why: Conflict) -> None:
        """Somebody took between our look and our commit what a row wants: look again, not for ever."""
        known = self._at_work.pop(id, None)
        if known is None or known.collisions + 1 >= MOST_COLLISIONS:
            self._fail(organization, id, f"Others change the same things all the time ({why.explanation}). Resume it later.")
            return
        again = self._taken_up(organization, id)
        again.collisions = known.collisions + 1

    def _fail(self, organization: OrganizationId, id: JobId, explanation: str) -> None:
        self._at_work.pop(id, None)
        with self.store.change(organization, "jobs") as transaction:
            job = _found(transaction, id)
            if job.state is JobState.WAITING:
                transaction.jobs.move(id, Move.BEGIN)
            if job.state in UNFINISHED:
                transaction.jobs.move(id, Move.FAIL, explanation)

    def _tell(self, organization: OrganizationId, revision: int) -> None:
        """Have the switch take it up, unless it is still at an earlier one: it looks by itself every few seconds."""
        if not self._telling:
            task = asyncio.create_task(self._told(organization, revision), name="telling the switch of a job")
            self._telling.add(task)
            task.add_done_callback(self._telling.discard)

    async def _told(self, organization: OrganizationId, revision: int) -> None:
        try:
            await self.switch.take_up(organization, revision)
        except Unavailable as why:
            log.info("the switch was not told of a job's changes: %s", why)


def options_told(job: Job) -> dict[str, Any]:
    """The options of a job that people are shown: all but whose rights it has."""
    return {name: value for name, value in job.options.items() if name not in ("scopes", "sovereign")}
