"""The writer of finished calls: the call loop hands over, one thread writes, many calls a transaction."""

import base64
import json
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import JSON, Connection, Dialect, Engine, LargeBinary, Table
from sqlalchemy.exc import DBAPIError

from offhook.domain.calls.cdr import Cdr
from offhook.domain.calls.ids import CallId
from offhook.services.ports.records import Trace
from offhook.store.calls import as_json, cdr_of, cdr_values, pack, unpack
from offhook.store.engine import is_away, words_of
from offhook.store.spool import Spool, SpoolFull
from offhook.store.tables import cdrs, traces

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.3
"""How long calls gather: a transaction costs as much as ten calls in it. The switch can tell of a call itself for longer than that."""

BATCH = 500
PIECE, REST_SECONDS = 4, 0.002
"""So many calls are made into rows (a millisecond), then the thread rests. It shares the interpreter with the call loop, which else goes at
half its speed for as long as a batch takes: at 300 calls a second the p95 of a set-up fell from 140 ms to 17 on the same machine."""
FIRST_PAUSE_SECONDS = 0.2
LONGEST_PAUSE_SECONDS = 5.0

_Finished = tuple[Cdr, Trace]
_Given = TypeVar("_Given")
_Made = TypeVar("_Made")


class _Away(Exception):
    """The database cannot be written to for now; the text says why."""


class RecordsWriter:
    """services.ports.records.Records on a database. A call is written once, however often it is handed over.

    While the database is locked, full or away, calls are put aside in `spool`, and where that cannot be written either they wait in memory,
    `capacity` at most; what comes then is counted in `lost` and logged. `on_kept` is told, from the writer's thread, of calls that are on
    disk, in the database or the spool.
    """

    def __init__(
        self,
        engine: Engine,
        capacity: int = 20_000,
        spool: Path | None = None,
        on_kept: Callable[[Sequence[CallId]], None] = lambda calls: None,
    ) -> None:
        self._engine = engine
        self._into_cdrs, self._into_traces = _Insert(cdrs, engine.dialect), _Insert(traces, engine.dialect)
        self._capacity = capacity
        self._spool = Spool(spool) if spool else None
        self._on_kept = on_kept
        self._waiting: deque[_Finished] = deque()
        self._news = threading.Condition()
        self._closing = False
        self._give_up_at = float("inf")
        self._pause = FIRST_PAUSE_SECONDS
        self._try_at = 0.0
        self._away = ""
        self.lost = 0
        self._thread = threading.Thread(target=self._run, name="records", daemon=True)
        self._thread.start()

    def keep(self, cdr: Cdr, trace: Trace) -> None:
        """Take a finished call. The trace is the writer's from now on: change it no more."""
        with self._news:
            if self._closing or len(self._waiting) >= self._capacity:
                self._lose(cdr, "the database is away and too many calls wait" if not self._closing else "the writer was closed")
                return
            self._waiting.append((cdr, trace))
            if len(self._waiting) in (1, BATCH):  # all others can wait for the thread to look
                self._news.notify()

    def waiting(self) -> int:
        """How many calls are not yet on disk."""
        return len(self._waiting)

    def close(self, patience_seconds: float = 10.0) -> int:
        """Write what waits and end; how many calls could not be written in that time (they are logged). Those in the spool wait there."""
        with self._news:
            self._closing = True
            self._give_up_at = time.monotonic() + patience_seconds
            self._news.notify()
        self._thread.join()
        return self.lost

    def _run(self) -> None:
        while True:
            batch = self._next_batch()
            if not batch and self._closing:
                return
            try:
                self._write_or_put_aside(batch)
            except _Away as away:
                if time.monotonic() >= self._give_up_at:
                    self._give_up()
                    return
                log.warning("Calls wait to be written (%d): %s", len(self._waiting), away)
                self._sleep(self._pause)

    def _write_or_put_aside(self, batch: list[_Finished]) -> None:
        """Raises _Away when the calls can neither be written nor put aside."""
        try:
            if time.monotonic() < self._try_at:
                raise _Away(self._away)
            self._empty_spool()
            if batch:
                self._write(batch)
        except _Away as away:
            self._stay_away(str(away))
            if batch:
                self._put_aside(batch, str(away))
        else:
            if self._away:
                log.warning("The database is back")
            self._pause, self._try_at, self._away = FIRST_PAUSE_SECONDS, 0.0, ""

    def _stay_away(self, why: str) -> None:
        if time.monotonic() >= self._try_at:
            self._try_at = time.monotonic() + self._pause
            self._pause = min(2 * self._pause, LONGEST_PAUSE_SECONDS)
            if self._spool is not None:
                log.warning("The database is away, calls wait on disk: %s", why)
        self._away = why

    def _put_aside(self, batch: list[_Finished], why: str) -> None:
        if self._spool is None:
            raise _Away(why)
        try:
            self._spool.add(self._unhurried(lambda finished: spooled(*finished), batch))
        except SpoolFull as full:
            raise _Away(f"{why}; {full}") from full
        self._kept(batch)

    def _empty_spool(self) -> None:
        while self._spool is not None and self._spool.waits:
            try:
                rows, end = self._spool.oldest(BATCH)
            except OSError as why:
                raise _Away(f"the calls that wait on disk cannot be read ({why})") from why
            finished = [call for call in self._unhurried(_unspooled, rows) if call is not None]
            try:
                self._commit(finished)
            except _Away:
                raise
            except Exception:
                self._commit_singly(finished)
            self._spool.taken(end)
            log.info("%d calls that waited on disk are in the database", len(finished))

    def _next_batch(self) -> list[_Finished]:
        """What to write now; empty when nothing waits but the spool, or the writer was closed. Calls gather for FLUSH_SECONDS."""
        spooled = self._spool is not None and self._spool.waits
        with self._news:
            self._news.wait_for(lambda: self._waiting or self._closing, max(0.0, self._try_at - time.monotonic()) if spooled else None)
            if self._waiting:
                self._news.wait_for(lambda: self._closing or len(self._waiting) >= BATCH, FLUSH_SECONDS)
            return list(islice(self._waiting, BATCH))

    def _kept(self, calls: Sequence[_Finished]) -> None:
        """The oldest calls, which are these, wait no longer."""
        with self._news:
            for _ in calls:
                self._waiting.popleft()
        self._on_kept([cdr.call for cdr, _ in calls])

    def _sleep(self, seconds: float) -> None:
        with self._news:
            if not self._closing:
                self._news.wait_for(lambda: self._closing, seconds)
                return
        time.sleep(FIRST_PAUSE_SECONDS)

    def _give_up(self) -> None:
        with self._news:
            while self._waiting:
                self._lose(self._waiting.popleft()[0], "the database stayed away until the end")

    def _lose(self, cdr: Cdr, why: str) -> None:
        with self._news:
            self.lost += 1
        log.error("Call %s is not recorded, %s: %s", cdr.call, why, cdr)

    def _write(self, batch: list[_Finished]) -> None:
        try:
            self._commit(batch)
        except _Away:
            raise
        except Exception:
            log.exception("A batch of %d calls cannot be stored as it is; storing them one by one", len(batch))
            self._write_singly(batch)
        else:
            self._kept(batch)

    def _write_singly(self, batch: list[_Finished]) -> None:
        for finished in batch:
            self._commit_singly([finished])
            self._kept([finished])

    def _commit_singly(self, calls: list[_Finished]) -> None:
        """One record that cannot be stored must not keep the others from being stored, nor be tried for ever."""
        for finished in calls:
            try:
                self._commit([finished])
            except _Away:
                raise
            except Exception as unfit:
                self._lose(finished[0], f"it cannot be stored ({unfit})")

    def _commit(self, calls: list[_Finished]) -> None:
        if not calls:
            return
        try:
            rows = self._unhurried(_rows, calls)
            with self._engine.begin() as connection:
                self._into_cdrs.add(connection, [cdr for cdr, _ in rows])
                self._into_traces.add(connection, [trace for _, trace in rows])
        except DBAPIError as error:
            if is_away(error):
                raise _Away(words_of(error)) from error
            raise

    def _unhurried(self, make: Callable[[_Given], _Made], given: Iterable[_Given]) -> list[_Made]:
        """What is made of each, with rests in between unless we are asked to end."""
        made = []
        for count, one in enumerate(given, 1):
            made.append(make(one))
            if count % PIECE == 0 and not self._closing:
                time.sleep(REST_SECONDS)
        return made


def _rows(finished: _Finished) -> tuple[dict[str, Any], dict[str, Any]]:
    cdr, trace = finished
    return cdr_values(cdr), {"call": cdr.call, "organization_id": cdr.organization, "packed": pack(trace)}


def spooled(cdr: Cdr, trace: Trace) -> dict[str, Any]:
    """A finished call as the spool has it, in plain JSON values."""
    try:
        packed = pack(trace)
    except (TypeError, ValueError):
        packed = pack({})  # a story that cannot be written must not cost the record
    return {"cdr": json.loads(as_json(cdr_values(cdr))), "trace": base64.b64encode(packed).decode()}


def _unspooled(row: dict[str, Any]) -> _Finished | None:
    try:
        return cdr_of(row["cdr"]), unpack(base64.b64decode(row["trace"]))
    except Exception as unfit:
        log.error("A call that waited on disk cannot be read (%s): %s", unfit, row)
        return None


class _Insert:
    """Puts rows into a table, but for those that stand there. Its statement is made once: SQLAlchemy's work costs more than SQLite's."""

    def __init__(self, table: Table, dialect: Dialect) -> None:
        self._columns = [column.name for column in table.columns]
        self._documents = [column.name for column in table.columns if isinstance(column.type, JSON)]
        self._octets = [column.name for column in table.columns if isinstance(column.type, LargeBinary)]
        self._whole = dialect.name == "postgresql"
        values = _one_document(table, dialect) if self._whole else f"VALUES ({', '.join('?' for _ in self._columns)})"
        self._text = f"INSERT INTO {table.name} ({', '.join(self._columns)}) {values} ON CONFLICT DO NOTHING"

    def add(self, connection: Connection, rows: list[dict[str, Any]]) -> None:
        """Documents as plain values, everything else as the driver takes it."""
        written = [row | {name: as_json(row[name]).decode() for name in self._documents} for row in rows]
        if self._whole:
            readable = [row | {name: "\\x" + row[name].hex() for name in self._octets} for row in written]
            connection.exec_driver_sql(self._text, (as_json(readable).decode(),))
        else:
            connection.exec_driver_sql(self._text, [tuple(row[column] for column in self._columns) for row in written])


def _one_document(table: Table, dialect: Dialect) -> str:
    """A batch as one JSON text, for PostgreSQL: with a journey for each row it took twenty times as long.

    Documents are text within it: taken apart as JSON, what a stranger wrote (half a surrogate pair, a NUL) would be refused.
    """
    kinds = {column.name: column.type.compile(dialect) for column in table.columns}
    as_text = ", ".join(f"{name} {'TEXT' if kind in ('JSON', 'BYTEA') else kind}" for name, kind in kinds.items())
    return f"SELECT {', '.join(f'{name}::{kind}' for name, kind in kinds.items())} FROM json_to_recordset(%s) AS row({as_text})"
