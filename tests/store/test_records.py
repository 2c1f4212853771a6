"""Finished calls are on disk a moment later, once, whatever the database does meanwhile."""

import random
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import event, text

from offhook.domain.organizations import OrganizationId
from offhook.services.ports.records import Records
from offhook.services.ports.store import Store
from offhook.store.engine import open_engine
from offhook.store.records import BATCH, PIECE, REST_SECONDS, RecordsWriter
from offhook.store.transaction import Database
from tests.store.finished import finished, the_call
from tests.store.trouble import nobody_writes


def eventually(holds: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


@pytest.fixture
def writer(url: str, database: Database) -> Iterator[RecordsWriter]:
    engine = open_engine(url, busy_seconds=0.05)
    writer = RecordsWriter(engine)
    yield writer
    writer.close()
    engine.dispose()


def kept(store: Store, organization: OrganizationId) -> list[str]:
    with store.view(organization) as transaction:
        return [cdr.call for cdr in transaction.calls.page(2 * BATCH + 10, None)]


def test_a_call_comes_back_as_it_went(writer: RecordsWriter, store: Store, lumen: OrganizationId) -> None:
    port: Records = writer
    cdr, trace = finished(1, lumen)
    port.keep(cdr, trace)
    eventually(lambda: kept(store, lumen) == [cdr.call])
    with store.view(lumen) as transaction:
        assert transaction.calls.page(1, None) == [cdr]
        assert transaction.calls.trace(cdr.call) == trace


def test_a_call_is_written_once(writer: RecordsWriter, store: Store, lumen: OrganizationId) -> None:
    cdr, trace = finished(1, lumen)
    writer.keep(cdr, trace)
    writer.keep(replace(cdr, caller="again in one batch"), trace)
    eventually(lambda: kept(store, lumen) == [cdr.call])
    writer.keep(replace(cdr, caller="again later"), trace)
    writer.keep(*finished(2, lumen))
    eventually(lambda: len(kept(store, lumen)) == 2)
    with store.view(lumen) as transaction:
        assert transaction.calls.page(2, None)[1] == cdr
    assert writer.close() == 0


def test_a_batch_leaves_the_interpreter_to_the_calls_again_and_again(
    monkeypatch: pytest.MonkeyPatch, writer: RecordsWriter, store: Store, lumen: OrganizationId
) -> None:
    rests, sleep = list[float](), time.sleep

    def noted(seconds: float) -> None:
        if threading.current_thread().name == "records":
            rests.append(seconds)
        sleep(seconds)

    monkeypatch.setattr(time, "sleep", noted)
    for number in range(3 * PIECE):
        writer.keep(*finished(number, lumen))
    eventually(lambda: len(kept(store, lumen)) == 3 * PIECE)
    assert rests == [REST_SECONDS] * 3


def test_half_a_surrogate_pair_in_a_story_costs_nothing(writer: RecordsWriter, store: Store, lumen: OrganizationId) -> None:
    cdr, trace = finished(1, lumen)
    trace = {**trace, "dialled": "1\ud83d2", "findings": ["\udc00"]}
    writer.keep(replace(cdr, findings=("\udc00",)), trace)
    eventually(lambda: kept(store, lumen) == [cdr.call])
    with store.view(lumen) as transaction:
        assert transaction.calls.trace(cdr.call) == trace
        assert transaction.calls.page(1, None)[0].findings == ("\udc00",)


def test_calls_wait_while_the_database_is_locked(
    caplog: pytest.LogCaptureFixture, url: str, writer: RecordsWriter, store: Store, lumen: OrganizationId
) -> None:
    with nobody_writes(url):
        for number in range(30):
            writer.keep(*finished(number, lumen))
        eventually(lambda: caplog.text.count("wait to be written") >= 2)
        assert kept(store, lumen) == []
    eventually(lambda: len(kept(store, lumen)) == 30)


def test_calls_wait_while_the_tables_are_away(
    caplog: pytest.LogCaptureFixture, database: Database, writer: RecordsWriter, lumen: OrganizationId
) -> None:
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE traces RENAME TO gone"))
    writer.keep(*finished(1, lumen))
    eventually(lambda: "wait to be written" in caplog.text)
    assert kept(database, lumen) == []
    with database.engine.begin() as connection:
        connection.execute(text("ALTER TABLE gone RENAME TO traces"))
    eventually(lambda: kept(database, lumen) == [the_call(1)])


def test_calls_wait_while_the_disk_is_full(
    caplog: pytest.LogCaptureFixture, sqlite_file: Path, database: Database, lumen: OrganizationId
) -> None:
    engine = open_engine(f"sqlite:///{sqlite_file}")
    full = threading.Event()
    full.set()

    @event.listens_for(engine, "checkout")
    def limit(connection: sqlite3.Connection, *_: object) -> None:
        connection.execute(f"PRAGMA max_page_count={1 if full.is_set() else 1_000_000}")  # SQLite takes 1 as "no more than there are"

    writer = RecordsWriter(engine)
    cdr, _ = finished(1, lumen)
    writer.keep(cdr, {"text": random.Random(1).randbytes(100_000).hex()})
    eventually(lambda: "disk is full" in caplog.text)
    assert kept(database, lumen) == []
    full.clear()
    eventually(lambda: kept(database, lumen) == [cdr.call])
    assert writer.close() == 0
    engine.dispose()


def test_closing_writes_all_that_waits(writer: RecordsWriter, store: Store, lumen: OrganizationId) -> None:
    for number in range(2 * BATCH + 1):
        writer.keep(*finished(number, lumen))
    assert writer.close() == 0
    assert len(kept(store, lumen)) == 2 * BATCH + 1


def test_many_calls_share_a_transaction(monkeypatch: pytest.MonkeyPatch, url: str, database: Database, lumen: OrganizationId) -> None:
    engine = open_engine(url)
    monkeypatch.setattr("offhook.store.records.FLUSH_SECONDS", 3600.0)
    commits: list[object] = []
    event.listen(engine, "commit", commits.append)
    writer = RecordsWriter(engine)
    for number in range(10):
        writer.keep(*finished(number, lumen))
        time.sleep(0.01)  # time in which a writer that does not gather would write
    writer.close()
    assert len(kept(database, lumen)) == 10
    assert len(commits) == 1
    engine.dispose()


def test_one_record_that_cannot_be_stored_costs_only_itself(writer: RecordsWriter, store: Store, lumen: OrganizationId) -> None:
    cdr, trace = finished(2, lumen)
    writer.keep(*finished(1, lumen))
    writer.keep(cdr, {**trace, "steps": object()})
    writer.keep(*finished(3, lumen))
    assert writer.close() == 1
    assert kept(store, lumen) == [the_call(3), the_call(1)]


def test_a_database_that_stays_away_costs_calls_but_not_the_switch(url: str, database: Database, lumen: OrganizationId) -> None:
    engine = open_engine(url, busy_seconds=0.05)
    writer = RecordsWriter(engine, capacity=5)
    with nobody_writes(url):
        for number in range(9):
            writer.keep(*finished(number, lumen))
        assert writer.lost == 4
        assert writer.close(patience_seconds=0.3) == 9
    writer.keep(*finished(10, lumen))
    assert writer.lost == 10
    engine.dispose()
