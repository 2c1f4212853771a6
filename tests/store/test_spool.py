"""Records while the database is away: on disk at once, in the database once, and in no file that should not be there."""

import logging
import random
import resource
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from offhook.domain.calls.ids import CallId
from offhook.domain.errors import Unavailable
from offhook.domain.organizations import OrganizationId
from offhook.services.ports.store import NewUser, Store
from offhook.services.snapshot import load
from offhook.store.copy import copy_configuration
from offhook.store.engine import open_engine
from offhook.store.records import RecordsWriter, spooled
from offhook.store.spool import Spool, SpoolFull
from offhook.store.transaction import Database
from tests.store.finished import finished, the_call
from tests.store.test_records import eventually, kept
from tests.store.trouble import gone, nobody_writes


class Desk:
    """A writer with a spool, and what it said it has on disk."""

    def __init__(self, url: str, spool: Path) -> None:
        self.engine = open_engine(url, busy_seconds=0.05)
        self.told: list[CallId] = []
        self.writer = RecordsWriter(self.engine, spool=spool, on_kept=self._told)

    def _told(self, calls: Sequence[CallId]) -> None:
        self.told += calls

    def dies(self) -> int:
        """Ended without patience; how many records were lost."""
        lost = self.writer.close(patience_seconds=0)
        self.engine.dispose()
        return lost


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "records.spool"


@pytest.fixture
def sit_down(url: str, spool: Path, database: Database) -> Iterator[Callable[[], Desk]]:
    desks: list[Desk] = []

    def sits() -> Desk:
        desks.append(Desk(url, spool))
        return desks[-1]

    yield sits
    for desk in desks:
        desk.dies()


def test_records_wait_on_disk_while_the_database_is_locked_and_are_written_once(
    url: str, spool: Path, store: Store, lumen: OrganizationId, sit_down: Callable[[], Desk]
) -> None:
    desk = sit_down()
    with nobody_writes(url):
        for number in range(20):
            desk.writer.keep(*finished(number, lumen))
        eventually(lambda: len(desk.told) == 20)
        assert spool.stat().st_mode & 0o777 == 0o600 and not kept(store, lumen)
    eventually(lambda: len(kept(store, lumen)) == 20)
    eventually(lambda: not spool.exists())
    with store.view(lumen) as transaction:
        cdr, trace = finished(7, lumen)
        assert cdr in transaction.calls.page(50, None) and transaction.calls.trace(cdr.call) == trace
    assert sorted(desk.told) == [the_call(number) for number in range(20)]


def test_a_database_that_is_moved_away_is_missed_at_once_and_not_replaced_by_an_empty_one(
    url: str, spool: Path, store: Store, lumen: OrganizationId, sit_down: Callable[[], Desk]
) -> None:
    desk = sit_down()
    desk.writer.keep(*finished(1, lumen))
    eventually(lambda: kept(store, lumen) == [the_call(1)])
    with gone(url):
        desk.writer.keep(*finished(2, lumen))
        eventually(lambda: desk.told == [the_call(1), the_call(2)])
        assert spool.exists()
    eventually(lambda: kept(store, lumen) == [the_call(2), the_call(1)])
    assert desk.dies() == 0


def test_a_writer_that_dies_between_database_and_spool_writes_nothing_twice(
    url: str, spool: Path, store: Store, lumen: OrganizationId, sit_down: Callable[[], Desk]
) -> None:
    Spool(spool).add([spooled(*finished(number, lumen)) for number in range(3)])
    saved = spool.read_bytes()
    sit_down()
    eventually(lambda: len(kept(store, lumen)) == 3)
    eventually(lambda: not spool.exists())
    spool.write_bytes(saved)  # as it was when the writer had committed and not yet removed it
    second = sit_down()
    second.writer.keep(*finished(3, lumen))
    eventually(lambda: len(kept(store, lumen)) == 4)
    eventually(lambda: not spool.exists())
    assert kept(store, lumen) == [the_call(number) for number in (3, 2, 1, 0)]
    assert second.dies() == 0


def test_closing_while_the_database_is_away_loses_nothing(
    url: str, spool: Path, store: Store, lumen: OrganizationId, sit_down: Callable[[], Desk]
) -> None:
    with nobody_writes(url):
        first = sit_down()
        for number in range(1200):
            first.writer.keep(*finished(number, lumen))
        assert first.dies() == 0
    sit_down()
    eventually(lambda: not spool.exists())
    with store.view(lumen) as transaction:
        assert len(transaction.calls.page(2000, None)) == 1200


@pytest.mark.parametrize("harm", ["torn", "junk", "unfit"])
def test_one_spoiled_line_costs_only_itself(
    harm: str, spool: Path, store: Store, lumen: OrganizationId, sit_down: Callable[[], Desk], caplog: pytest.LogCaptureFixture
) -> None:
    writes = Spool(spool)
    writes.add([spooled(*finished(1, lumen))])
    with spool.open("ab") as file:
        file.write({"torn": b'{"cdr": {"call": "to', "junk": b"\x00\xff\n[1]\n", "unfit": b'{"cdr": {}, "trace": ""}\n'}[harm])
    writes.add([spooled(*finished(2, lumen))])
    sit_down()
    eventually(lambda: kept(store, lumen) == [the_call(2), the_call(1)])
    eventually(lambda: not spool.exists())
    assert any(record.levelno == logging.ERROR for record in caplog.records)


def test_a_spool_that_is_full_keeps_nothing_of_what_it_refused_and_memory_takes_over(
    url: str, spool: Path, store: Store, lumen: OrganizationId, sit_down: Callable[[], Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    small = Spool(spool, largest=1500)
    small.add([{"a": "x" * 1000}])
    with pytest.raises(SpoolFull):
        small.add([{"b": "y" * 1000}])
    assert small.oldest(5)[0] == [{"a": "x" * 1000}]
    small.taken(small.oldest(5)[1])
    assert not spool.exists()
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    for size, kept_rows in ((0, []), (100, [{"a": "x"}])):
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, most))
        try:
            if size:
                small.add([{"a": "x"}])
            with pytest.raises(SpoolFull):
                small.add([{"b": "y" * 1000}])
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
        assert (small.oldest(5)[0] if small.waits else []) == kept_rows
        assert not size or spool.read_bytes() == b'{"a":"x"}\n'
        assert spool.exists() == bool(size)
    spool.unlink()
    spool.mkdir()  # no file can be made of it
    desk = sit_down()
    with nobody_writes(url):
        desk.writer.keep(*finished(1, lumen))
        time.sleep(0.5)
        assert desk.told == []
    spool.rmdir()
    eventually(lambda: kept(store, lumen) == [the_call(1)])


def test_the_spool_survives_whatever_stands_in_it(spool: Path) -> None:
    chance = random.Random(5)
    for _ in range(300):
        spool.write_bytes(bytes(chance.choice(b'{}[]"\n:1ax\x00\xff') for _ in range(chance.randint(0, 60))))
        reading = Spool(spool)
        while reading.waits:
            _, end = reading.oldest(3)
            reading.taken(end)
    assert not spool.exists()


def test_the_copy_of_the_configuration_is_what_the_database_says(
    tmp_path: Path, url: str, database: Database, lumen: OrganizationId, pine: OrganizationId
) -> None:
    with database.change(lumen, "test") as change:
        change.users.add(NewUser("anna", "Anna", "en", "101"))
    copy = tmp_path / "configuration.sqlite"
    for _ in range(2):
        copy_configuration(database.engine, copy)
    assert copy.stat().st_mode & 0o777 == 0o600
    assert load(Database.at(f"sqlite:///{copy}")) == load(database)
    with gone(url), pytest.raises(Unavailable):
        copy_configuration(database.engine, copy)
    assert set(load(Database.at(f"sqlite:///{copy}")).by_domain) == {"lumen.test", "pine.test"}
    assert set(load(database).by_domain) == {"lumen.test", "pine.test"}
