"""Every change stands in the history of its organization, under revisions without gaps."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from offhook.domain.errors import Unavailable
from offhook.domain.organizations import OrganizationId
from offhook.services.ports.store import Credential, NewUser, Store
from offhook.store.engine import open_engine
from offhook.store.transaction import Database
from tests.store.trouble import nobody_writes


def test_a_transaction_is_one_revision(store: Store, lumen: OrganizationId) -> None:
    with store.change(lumen, "ada") as transaction:
        anna = transaction.users.add(NewUser("anna", "Anna", "en", "101"))
        transaction.devices.add(anna.id, "Telephone", "anna", Credential("0" * 32, "1" * 64))
    with store.view(lumen) as transaction:
        assert transaction.profile().revision == 2
        _, added, device = transaction.history.since(0)
    assert (added.revision, added.kind, added.id, added.before, added.who) == (2, "user", str(anna.id), None, "ada")
    nothing = {"email": None, "location": "", "time_zone": "", "role": None}
    assert added.after == nothing | {"id": anna.id, "username": "anna", "name": "Anna", "language": "en", "extension": "101"}
    assert (device.revision, device.kind) == (2, "device")
    assert device.after is not None and (device.after["ha1_md5"], device.after["ha1_sha256"]) == ("set", "set")


def test_reading_and_changing_nothing_takes_no_revision(store: Store, lumen: OrganizationId) -> None:
    with store.change(lumen, "ada") as transaction:
        transaction.users.all()
    with store.view(lumen) as transaction:
        assert transaction.profile().revision == 1


def test_what_was_taken_back_leaves_no_trace(store: Store, lumen: OrganizationId) -> None:
    with pytest.raises(ZeroDivisionError), store.change(lumen, "ada") as transaction:
        transaction.users.add(NewUser("anna", "Anna", "en", "101"))
        raise ZeroDivisionError
    with store.view(lumen) as transaction:
        assert transaction.users.all() == []
        assert (transaction.profile().revision, len(transaction.history.since(0))) == (1, 1)


def test_who_only_reads_cannot_write(store: Store, lumen: OrganizationId) -> None:
    with store.view(lumen) as transaction, pytest.raises(RuntimeError):
        transaction.users.add(NewUser("anna", "Anna", "en", "101"))


def test_two_writers_never_share_a_revision(store: Store, lumen: OrganizationId, pine: OrganizationId) -> None:
    def writes(writer: int) -> None:
        for number in range(20):
            with store.change(lumen, f"writer {writer}") as transaction:
                users = len(transaction.users.all())
                transaction.users.add(NewUser(f"user{writer}x{number}", "Somebody", "en", str(100 + users)))

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(writes, range(3)))
    with store.view(lumen) as transaction:
        assert [change.revision for change in transaction.history.since(0)] == list(range(1, 62))
        assert transaction.profile().revision == 61
        assert len(transaction.users.all()) == 60
        assert {change.revision for change in transaction.history.since(59)} == {60, 61}
    with store.view(pine) as transaction:
        assert transaction.profile().revision == 1


def test_readers_do_not_wait_for_a_writer(store: Store, lumen: OrganizationId) -> None:
    with store.change(lumen, "ada") as writer:
        writer.users.add(NewUser("anna", "Anna", "en", "101"))
        with store.view(lumen) as reader:
            assert reader.users.all() == []


def test_a_damaged_database_is_said_plainly(sqlite_file: Path, store: Store, database: Database, lumen: OrganizationId) -> None:
    database.close()
    for path in sqlite_file.parent.iterdir():
        path.write_bytes(b"rubbish " * 4096)
    with pytest.raises(Unavailable), store.view(lumen) as transaction:
        transaction.users.all()


def test_a_locked_database_is_said_plainly(url: str, store: Store, lumen: OrganizationId) -> None:
    impatient = Database(open_engine(url, busy_seconds=0.05))
    with nobody_writes(url), pytest.raises(Unavailable, match="lock"), impatient.change(lumen, "ada"):
        pass
    with impatient.change(lumen, "ada") as transaction:
        transaction.users.add(NewUser("anna", "Anna", "en", "101"))
    impatient.close()
