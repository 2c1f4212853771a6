"""What only PostgreSQL has: a server that goes and comes, sessions, isolation, an address with a password."""

import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from sqlalchemy import make_url, text
from sqlalchemy.exc import DBAPIError

from offhook.domain.errors import Conflict, Invalid, Unavailable
from offhook.domain.numbers import E164
from offhook.domain.organizations import OrganizationId
from offhook.domain.users import UserId
from offhook.services.ports.store import NewUser, Store
from offhook.store import postgres
from offhook.store.engine import is_away, open_engine
from offhook.store.migrate import migrate
from offhook.store.postgres import Server, server_of
from offhook.store.records import RecordsWriter
from offhook.store.transaction import Database
from tests.conftest import MIGRATED, founded
from tests.postgres import Cluster, name_of
from tests.store.finished import finished, the_call
from tests.store.test_records import eventually, kept


@pytest.fixture(scope="module")
def own() -> Iterator[Cluster]:
    """A server that a test may stop; it listens on a port too."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    cluster = Cluster(port=port, synchronous_commit="on")
    cluster.create(MIGRATED)
    migrate(cluster.url(MIGRATED))
    yield cluster
    cluster.close()


def test_the_server_is_not_roots_and_ends_with_its_pid(cluster: Cluster) -> None:
    assert Path("/proc", str(cluster.pid)).stat().st_uid != 0
    assert cluster.folder.stat().st_mode & 0o077 == 0


def test_a_reader_sees_one_moment(cluster: Cluster, store: Store, lumen: OrganizationId) -> None:
    with store.view(lumen) as reader:
        assert reader.users.all() == []
        with store.change(lumen, "ada") as writer:
            writer.users.add(NewUser("anna", "Anna", "en", "101"))
        assert reader.users.all() == [] and reader.profile().revision == 1
    with store.view(lumen) as reader:
        assert [user.username for user in reader.users.all()] == ["anna"]


def test_writers_of_two_organizations_do_not_wait_for_each_other(
    cluster: Cluster, store: Store, lumen: OrganizationId, pine: OrganizationId
) -> None:
    with store.change(lumen, "ada") as ours, store.change(pine, "ben") as theirs:
        ours.users.add(NewUser("anna", "Anna", "en", "101"))
        theirs.users.add(NewUser("anna", "Anna", "en", "101"))
    for organization in (lumen, pine):
        with store.view(organization) as reader:
            assert len(reader.users.all()) == 1


def test_of_two_who_take_a_number_at_once_one_has_it(cluster: Cluster, store: Store, lumen: OrganizationId, pine: OrganizationId) -> None:
    number, looked = E164("+12065550101"), threading.Barrier(2)

    def take(organization: OrganizationId) -> str:
        try:
            with store.change(organization, "tests") as transaction:
                looked.wait()
                transaction.numbers.assign(number, None)
        except Conflict as taken:
            return taken.code
        return "has it"

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(take, (lumen, pine))) == ["has it", "number.not_available"]


def test_two_who_wait_for_each_other_are_told_to_try_again(
    cluster: Cluster, store: Store, lumen: OrganizationId, pine: OrganizationId
) -> None:
    inside = threading.Barrier(2)

    def crosses(first: OrganizationId, second: OrganizationId) -> str:
        try:
            with store.provider_change("tests") as provider:
                provider.inside(first)
                inside.wait()
                provider.inside(second)
        except Conflict as again:
            return again.code
        return "done"

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(crosses, (lumen, pine), (pine, lumen))) == ["done", "thing.taken"]


def test_what_does_not_fit_is_refused_and_not_our_mistake(cluster: Cluster, store: Store, lumen: OrganizationId) -> None:
    for name in ("x" * 101, "a\0b"):
        with pytest.raises(Invalid), store.change(lumen, "ada") as transaction:
            transaction.users.add(NewUser("anna", name, "en", "101"))
    with pytest.raises(Invalid, match="out of range"), store.view(lumen) as transaction:
        transaction.users.by_id(UserId(10**12))


def test_idle_connections_survive_a_restart_of_the_server_unnoticed(own: Cluster) -> None:
    url = own.new_url(MIGRATED)
    store = Database.at(url)
    lumen = founded(store, "Lumen Works", "lumen.test")
    own.stop()
    with pytest.raises(Unavailable, match="Check that the server runs"), store.view(lumen):
        pass
    own.start()
    with store.view(lumen) as transaction:
        assert transaction.profile().name == "Lumen Works"
    own.stop(signal.SIGQUIT)
    own.start()
    with store.change(lumen, "tests") as transaction:
        transaction.change_profile(name="Lumen")
    store.close()
    own.drop(name_of(url))


def test_records_wait_for_a_server_that_crashes_in_the_middle_of_a_transaction(own: Cluster, caplog: pytest.LogCaptureFixture) -> None:
    url = own.new_url(MIGRATED)
    store = Database.at(url)
    lumen = founded(store, "Lumen Works", "lumen.test")
    writer = RecordsWriter(open_engine(url, busy_seconds=0.2))
    with caplog.at_level(logging.WARNING), pytest.raises(Unavailable), store.change(lumen, "tests") as transaction:
        transaction.change_profile(name="Never")
        own.stop(signal.SIGQUIT)
        writer.keep(*finished(1, lumen))
        eventually(lambda: "wait to be written" in caplog.text)
        transaction.change_profile(name="Never more")
    assert own.password not in caplog.text
    own.start()
    eventually(lambda: kept(store, lumen) == [the_call(1)])
    with store.view(lumen) as transaction:
        assert transaction.profile().name == "Lumen Works"
    assert writer.close() == 0
    store.close()
    own.drop(name_of(url))


def test_a_server_that_hangs_is_given_up(own: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "ANSWER_SECONDS", 0.5)
    store = Database.at(own.url(MIGRATED, by_socket=False))
    with store.provider_view() as provider:
        assert provider.organizations.all() == []
    backends = own.backends(MIGRATED)
    try:
        for pid in backends:
            os.kill(pid, signal.SIGSTOP)
        with pytest.raises(Unavailable), store.provider_view() as provider:
            provider.organizations.all()
    finally:
        for pid in backends:
            os.kill(pid, signal.SIGCONT)
    with store.provider_view() as provider:
        assert provider.organizations.all() == []
    store.close()


def test_a_statement_that_takes_too_long_is_ended(cluster: Cluster, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "STATEMENT_SECONDS", 0.1)
    engine = open_engine(url)
    with pytest.raises(DBAPIError) as ended, engine.begin() as connection:
        connection.execute(text("SELECT pg_sleep(20)"))
    assert is_away(ended.value)
    engine.dispose()


def test_more_who_ask_than_connections_are_told_so(cluster: Cluster, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres, "POOL", 1)
    monkeypatch.setattr(postgres, "POOL_AT_MOST", 1)
    migrate(url)
    store = Database(open_engine(url, busy_seconds=0.05))
    with store.provider_view(), pytest.raises(Unavailable, match="moment"), store.provider_view():
        pass
    store.close()


def test_a_wrong_password_and_a_missing_database_are_said_plainly(cluster: Cluster, url: str) -> None:
    wrong = make_url(url).set(password="wrong").render_as_string(hide_password=False)
    with pytest.raises(Unavailable, match="password authentication failed"):
        migrate(wrong)
    with pytest.raises(Unavailable, match="does not exist"):
        migrate(cluster.url("nowhere"))


def test_a_database_that_sorts_or_writes_otherwise_is_refused(cluster: Cluster) -> None:
    cluster.create("latin", more="ENCODING 'SQL_ASCII' LOCALE 'C'")
    with pytest.raises(Unavailable, match="SQL_ASCII"):
        migrate(cluster.url("latin"))
    cluster.drop("latin")


def test_words_that_postgresql_does_not_take_cost_no_record(cluster: Cluster, database: Database, lumen: OrganizationId) -> None:
    writer = RecordsWriter(database.engine)
    cdr, trace = finished(1, lumen)
    writer.keep(replace(cdr, caller="a\0b", dialled="1\ud83d", findings=("\0",)), trace)
    assert writer.close() == 0
    with database.view(lumen) as transaction:
        (back,) = transaction.calls.page(9, None)
        assert (back.caller, back.dialled, back.findings) == ("a\N{REPLACEMENT CHARACTER}b", "1?", ("\0",))


@pytest.mark.parametrize(
    ("address", "server"),
    [
        ("postgresql://ada:p%40ss@db.test/phones", Server("db.test", 5432, "ada", "p@ss", "phones", "require", None)),
        ("postgresql://ada:x@127.0.0.1:99/phones", Server("127.0.0.1", 99, "ada", "x", "phones", "disable", None)),
        ("postgresql://ada@/phones?host=/run/postgresql", Server("/run/postgresql", 5432, "ada", "", "phones", "disable", None)),
        ("postgresql://ada:x@db/phones?sslrootcert=/ca.pem", Server("db", 5432, "ada", "x", "phones", "verify-full", "/ca.pem")),
        ("postgresql://ada:x@db/phones?sslmode=disable", Server("db", 5432, "ada", "x", "phones", "disable", None)),
    ],
)
def test_what_an_address_means(address: str, server: Server) -> None:
    found = server_of(make_url(address))
    assert found == server
    assert server.password == "" or server.password not in repr(found)


def test_where_encryption_is_wanted_a_server_without_it_is_refused(own: Cluster) -> None:
    address = own.url(MIGRATED, by_socket=False) + "?sslmode=require"
    with pytest.raises(Unavailable, match="SSL"):
        migrate(address)


def test_a_server_with_encryption_is_reached_and_its_certificate_checked(own: Cluster) -> None:
    own.encrypts()
    address = own.url(MIGRATED, by_socket=False)
    migrate(f"{address}?sslmode=require")
    engine = open_engine(f"{address}?sslmode=verify-full&sslrootcert={own.certificate}")
    with engine.connect() as connection:
        assert connection.execute(text("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")).scalar_one() is True
    engine.dispose()
    with pytest.raises(Unavailable, match="certificate"):
        migrate(f"{address}?sslmode=verify-full")


def test_no_server_is_left_when_the_tests_are_killed() -> None:
    script = "import os; from tests.postgres import Cluster; c = Cluster(); print(c.pid, c.folder, flush=True); os.kill(os.getpid(), 9)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    pid, folder = done.stdout.split()
    eventually(lambda: not Path("/proc", pid, "exe").exists())
    shutil.rmtree(folder)
