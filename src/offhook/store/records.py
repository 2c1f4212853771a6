"""The writer of finished calls: the call loop hands over, one thread writes, many calls a transaction."""

import logging
import threading
import time
from collections import deque
from itertools import islice
from typing import Any

from sqlalchemy import Connection, Engine, insert, select
from sqlalchemy.exc import DBAPIError

from offhook.domain.calls.cdr import Cdr
from offhook.services.ports.records import Trace
from offhook.store.calls import cdr_values, pack
from offhook.store.engine import is_away
from offhook.store.tables import cdrs, traces

log = logging.getLogger(__name__)

FLUSH_SECONDS = 0.2
BATCH = 500
LONGEST_PAUSE_SECONDS = 5.0

_Finished = tuple[Cdr, Trace]


class _Away(Exception):
    """The database cannot be written to for now; the text says why."""


class RecordsWriter:
    """services.ports.records.Records on a database. A call is written once, however often it is handed over.

    While the database is locked or away, calls wait in memory, `capacity` at most; what comes then is counted in `lost` and logged.
    """

    def __init__(self, engine: Engine, capacity: int = 20_000) -> None:
        self._engine = engine
        self._capacity = capacity
        self._waiting: deque[_Finished] = deque()
        self._news = threading.Condition()
        self._closing = False
        self._give_up_at = float("inf")
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
            self._news.notify()

    def close(self, patience_seconds: float = 10.0) -> int:
        """Write what waits and end; how many calls could not be written in that time (they are logged)."""
        with self._news:
            self._closing = True
            self._give_up_at = time.monotonic() + patience_seconds
            self._news.notify()
        self._thread.join()
        return self.lost

    def _run(self) -> None:
        pause = FLUSH_SECONDS
        while batch := self._next_batch():
            try:
                self._write(batch)
            except _Away as away:
                if time.monotonic() >= self._give_up_at:
                    self._give_up()
                    return
                log.warning("Calls wait to be written (%d): %s", len(self._waiting), away)
                self._sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                pause = FLUSH_SECONDS

    def _next_batch(self) -> list[_Finished]:
        """What to write now; empty when the writer was closed and nothing waits. Calls gather for FLUSH_SECONDS after the first one."""
        with self._news:
            self._news.wait_for(lambda: self._waiting or self._closing)
            self._news.wait_for(lambda: self._closing or len(self._waiting) >= BATCH, FLUSH_SECONDS)
            return list(islice(self._waiting, BATCH))

    def _settle(self, count: int) -> None:
        """The oldest `count` calls wait no longer."""
        with self._news:
            for _ in range(count):
                self._waiting.popleft()

    def _sleep(self, seconds: float) -> None:
        with self._news:
            if not self._closing:
                self._news.wait_for(lambda: self._closing, seconds)
                return
        time.sleep(FLUSH_SECONDS)

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
            self._settle(len(batch))

    def _write_singly(self, batch: list[_Finished]) -> None:
        """One record that cannot be stored must not keep the others from being stored, nor be tried for ever."""
        for finished in batch:
            try:
                self._commit([finished])
            except _Away:
                raise
            except Exception as unfit:
                self._lose(finished[0], f"it cannot be stored ({unfit})")
            self._settle(1)

    def _commit(self, calls: list[_Finished]) -> None:
        try:
            with self._engine.begin() as connection:
                _insert_new(connection, [_rows(finished) for finished in calls])
        except DBAPIError as error:
            if is_away(error):
                raise _Away(str(error.orig)) from error
            raise


def _rows(finished: _Finished) -> tuple[dict[str, Any], dict[str, Any]]:
    cdr, trace = finished
    return cdr_values(cdr), {"call": cdr.call, "organization_id": cdr.organization, "packed": pack(trace)}


def _insert_new(connection: Connection, rows: list[tuple[dict[str, Any], dict[str, Any]]]) -> None:
    by_call = {cdr["call"]: (cdr, trace) for cdr, trace in reversed(rows)}
    known = set(connection.execute(select(cdrs.c.call).where(cdrs.c.call.in_(by_call))).scalars())
    new = [row for call, row in by_call.items() if call not in known]
    if new:
        connection.execute(insert(cdrs), [cdr for cdr, _ in new])
        connection.execute(insert(traces), [trace for _, trace in new])
