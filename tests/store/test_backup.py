"""A backup is taken while others write, and is put back whole or not at all."""

import json
import os
import random
import tarfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from offhook.domain.errors import Unavailable
from offhook.domain.organizations import OrganizationId
from offhook.doors.cli.app import cli
from offhook.doors.cli.server import Exit
from offhook.services.ports.store import NewUser, Store
from offhook.store.archive import ArchiveDamaged, pack, unpack
from offhook.store.backup import dump, revision_of
from offhook.store.engine import is_postgres, open_engine
from offhook.store.migrate import migrate, newest_revision
from offhook.store.records import RecordsWriter, spooled
from offhook.store.spool import Spool
from offhook.store.transaction import Database
from offhook.supervisor.datafolder import hold, prepare
from offhook.supervisor.refusals import FolderUnusable
from offhook.wiring import backup as _commands  # noqa: F401  the commands are there once it is read
from tests.conftest import founded
from tests.postgres import Cluster, name_of
from tests.store.finished import finished
from tests.store.test_records import eventually, kept


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    return tmp_path / "kept" / "offhook.backup"


@pytest.fixture
def folder(url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, archive: Path) -> Iterator[Path]:
    """A data folder as a system leaves it; on SQLite the database is to be made in it."""
    folder = tmp_path / "var"
    os.close(prepare(folder).lock)
    (folder / "tls").mkdir()
    (folder / "tls" / "authority.key").write_text("a key")
    archive.parent.mkdir()
    monkeypatch.setenv("OFFHOOK_DATA_DIR", str(folder))
    if is_postgres(url):
        monkeypatch.setenv("OFFHOOK_DATABASE_URL", url)
    before = os.umask(0o022)
    yield folder
    os.umask(before)


@pytest.fixture
def here(url: str, folder: Path) -> str:
    """Where the commands find the database, with tables in it."""
    here = url if is_postgres(url) else f"sqlite:///{folder / 'offhook.sqlite'}"
    migrate(here)
    return here


def names(here: str) -> list[str]:
    """The organizations that are there."""
    store = Database.at(here)
    try:
        with store.provider_view() as provider:
            return [profile.name for profile in provider.organizations.all()]
    finally:
        store.close()


def add(here: str, name: str) -> OrganizationId:
    store = Database.at(here)
    try:
        return founded(store, name, f"{name.lower()}.test")
    finally:
        store.close()


def test_what_was_backed_up_is_put_back_and_what_came_later_laid_aside(here: str, folder: Path, archive: Path) -> None:
    add(here, "Lumen")
    secret = (folder / "secret.key").read_bytes()
    (folder / "records.spool").write_bytes(b'{"a call": "that waits"}\n')
    assert cli(["backup", str(archive)]) == Exit.DONE
    assert archive.stat().st_mode & 0o777 == 0o600 and [path.name for path in archive.parent.iterdir()] == [archive.name]
    add(here, "Later")
    (folder / "secret.key").write_bytes(b"x" * 32)
    (folder / "records.spool").unlink()
    (folder / "calls.journal").write_text("of later calls")
    assert cli(["restore", str(archive)]) == Exit.REFUSED and names(here) == ["Later", "Lumen"]
    there = {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != "lock"}
    assert cli(["restore", str(archive), "--dry-run"]) == Exit.REFUSED  # as it would be
    assert cli(["restore", str(archive), "--force", "--dry-run"]) == Exit.DONE and names(here) == ["Later", "Lumen"]
    assert {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.name != "lock"} == there
    assert cli(["restore", str(archive), "--force", "--yes"]) == Exit.DONE
    assert names(here) == ["Lumen"] and revision_of(here) == newest_revision()
    assert (folder / "secret.key").read_bytes() == secret and (folder / "tls" / "authority.key").read_text() == "a key"
    assert (folder / "records.spool").read_bytes() == b'{"a call": "that waits"}\n'
    (aside,) = folder.glob("before-*")
    assert (
        (aside / "secret.key").read_bytes() == b"x" * 32 and (aside / "calls.journal").exists() and not (folder / "calls.journal").exists()
    )
    assert add(here, "Next") == 2, "what the database numbers goes on where it was"
    restored = [
        path for name in ("secret.key", "records.spool", "tls", "tls/authority.key", "offhook.sqlite") if (path := folder / name).exists()
    ]
    assert not [path for path in restored if path.stat().st_mode & 0o077]
    assert not list(folder.glob(".unpacked*")) and not (folder / "restoring").exists()


def test_a_backup_is_of_one_moment_while_others_write(here: str, folder: Path, archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offhook.store.backup._PAGES", 1)
    lumen, stop = add(here, "Lumen"), threading.Event()
    store = Database.at(here)

    def write() -> None:
        while not stop.is_set():
            with store.change(lumen, "busy") as change:
                count = len(change.users.all())
                change.users.add(NewUser(f"user{count}", "Somebody", "en", str(1000 + count)))
                change.users.change(change.users.all()[0].id, name=f"one of {count + 1}")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert [cli(["backup", f"{archive}.{number}"]) for number in range(3)] == [Exit.DONE] * 3
    finally:
        stop.set()
        writer.join()
        store.close()
    assert cli(["restore", f"{archive}.1", "--force", "--yes"]) == Exit.DONE
    back = Database.at(here)
    with back.view(lumen) as view:
        users = view.users.all()
        assert users and users[0].name == f"one of {len(users)}"
        assert view.profile().revision == view.history.page(1)[0].revision == len(users) + 1
    back.close()


@pytest.mark.parametrize("answer", ["n\n", "\n"])
def test_who_does_not_say_yes_changes_nothing(
    here: str, folder: Path, archive: Path, answer: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cli(["backup", str(archive)])
    add(here, "Later")
    said = tmp_path / "answer"
    said.write_text(answer)
    with said.open() as stdin:
        monkeypatch.setattr("sys.stdin", stdin)
        assert cli(["restore", str(archive), "--force"]) != Exit.DONE
    assert names(here) == ["Later"] and not (folder / "restoring").exists() and not list(folder.glob("before-*"))


def test_a_backup_of_an_earlier_release_is_brought_up_to_date(url: str, folder: Path, archive: Path) -> None:
    here = url if is_postgres(url) else f"sqlite:///{folder / 'offhook.sqlite'}"
    migrate(here, "0001")
    assert cli(["backup", str(archive)]) == Exit.DONE
    assert cli(["migrate"]) == Exit.DONE
    add(here, "Later")
    assert cli(["restore", str(archive), "--force", "--yes"]) == Exit.DONE
    assert revision_of(here) == "0001"
    assert cli(["migrate"]) == Exit.DONE
    assert revision_of(here) == newest_revision() and names(here) == []


def test_records_that_wait_for_the_lost_database_are_kept(here: str, folder: Path, archive: Path) -> None:
    lumen = add(here, "Lumen")
    Spool(folder / "records.spool").add([spooled(*finished(1, lumen))])
    cli(["backup", str(archive)])
    Spool(folder / "records.spool").add([spooled(*finished(number, lumen)) for number in (2, 3)])
    assert cli(["restore", str(archive), "--force", "--yes"]) == Exit.DONE
    writer = RecordsWriter(open_engine(here), spool=folder / "records.spool")
    store = Database.at(here)
    eventually(lambda: len(kept(store, lumen)) == 3)
    assert writer.close() == 0
    store.close()


def test_a_running_system_is_not_overwritten(here: str, folder: Path, archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cli(["backup", str(archive)])
    lock = hold(folder)
    assert lock is not None
    try:
        assert cli(["restore", str(archive), "--force", "--yes"]) == Exit.REFUSED
        assert cli(["migrate"]) == Exit.REFUSED
    finally:
        os.close(lock)
    assert "runs" in capsys.readouterr().err
    assert cli(["migrate"]) == Exit.DONE


def test_a_backup_replaces_no_file_and_needs_something_to_back_up(here: str, folder: Path, archive: Path, tmp_path: Path) -> None:
    archive.write_text("somebody's")
    assert cli(["backup", str(archive)]) == Exit.REFUSED and archive.read_text() == "somebody's"
    assert cli(["backup", str(tmp_path / "no" / "folder")]) == Exit.NOT_THERE
    (folder / "secret.key").unlink()
    assert cli(["backup", f"{archive}.2"]) == Exit.NOT_THERE


def test_a_backup_of_a_later_release_or_another_kind_is_refused(
    here: str, folder: Path, archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    kind = "postgresql" if is_postgres(here) else "sqlite"
    name = dump(here, tmp_path)
    files = {"secret.key": folder / "secret.key", name.name: name}
    pack(archive, files, "9.0", "9999", kind, 1.0)
    assert cli(["restore", str(archive), "--force", "--yes"]) == Exit.REFUSED
    assert "later release (9.0" in capsys.readouterr().err
    other = "sqlite" if is_postgres(here) else "postgresql"
    pack(archive.with_suffix(".other"), files, "0.1", newest_revision(), other, 1.0)
    assert cli(["restore", str(archive.with_suffix(".other")), "--force", "--yes"]) == Exit.REFUSED
    assert "et OFFHOOK_DATABASE_URL" in capsys.readouterr().err
    pack(archive.with_suffix(".half"), {"secret.key": folder / "secret.key"}, "0.1", newest_revision(), kind, 1.0)
    assert cli(["restore", str(archive.with_suffix(".half")), "--force", "--yes"]) == Exit.REFUSED
    assert "not whole" in capsys.readouterr().err


def test_a_restore_that_was_broken_off_is_noticed_at_the_start(here: str, folder: Path, archive: Path) -> None:
    cli(["backup", str(archive)])
    (folder / "restoring").mkdir()
    (folder / "secret.key").unlink()
    with pytest.raises(FolderUnusable, match="broken off"):
        prepare(folder)
    assert cli(["restore", str(archive), "--force", "--yes"]) == Exit.DONE
    os.close(prepare(folder).lock)


def test_a_database_that_fails_half_way_stays_as_it_was(cluster: Cluster, here: str, folder: Path, archive: Path, tmp_path: Path) -> None:
    add(here, "Lumen")
    wrong = tmp_path / "database.dump"
    wrong.write_bytes(b"PGDMP but no dump")
    pack(archive, {"secret.key": folder / "secret.key", "database.dump": wrong}, "0.1", newest_revision(), "postgresql", 1.0)
    assert cli(["restore", str(archive), "--force", "--yes"]) == Exit.SYSTEM_FAILED
    assert names(here) == ["Lumen"] and (folder / "secret.key").exists()


def test_tables_that_cannot_be_made_leave_the_old_ones(cluster: Cluster, here: str, folder: Path, archive: Path) -> None:
    add(here, "Lumen")
    cli(["backup", str(archive)])
    add(here, "Later")
    engine = open_engine(here)
    with engine.begin() as connection:
        connection.exec_driver_sql("DROP TABLE traces")
        connection.exec_driver_sql("CREATE VIEW traces AS SELECT 1 AS in_the_way")
    engine.dispose()
    assert cli(["restore", str(archive), "--force", "--yes"]) == Exit.SYSTEM_FAILED
    assert names(here) == ["Later", "Lumen"] and not list(folder.glob("before-*"))
    os.close(prepare(folder).lock)


def test_who_is_connected_to_the_server_keeps_a_restore_out(cluster: Cluster, here: str, folder: Path, archive: Path) -> None:
    cli(["backup", str(archive)])
    store = Database.at(here)
    with store.provider_view() as provider:
        provider.organizations.all()
        assert cli(["restore", str(archive), "--force", "--yes"]) == Exit.SYSTEM_FAILED
    store.close()


def test_a_backup_goes_into_an_empty_database_without_force(
    cluster: Cluster, here: str, folder: Path, archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    add(here, "Lumen")
    cli(["backup", str(archive)])
    other = cluster.new_url()
    monkeypatch.setenv("OFFHOOK_DATA_DIR", str(tmp_path / "other"))
    monkeypatch.setenv("OFFHOOK_DATABASE_URL", other)
    assert cli(["restore", str(archive)]) == Exit.DONE
    assert names(other) == ["Lumen"]
    cluster.drop(name_of(other))


def test_a_damaged_database_is_not_backed_up_as_if_it_were_whole(sqlite_file: Path, database: Database, tmp_path: Path) -> None:
    founded(database, "Lumen", "lumen.test")
    database.close()
    content = bytearray(sqlite_file.read_bytes())
    content[4096 * 3 : 4096 * 3 + 2000] = b"\xff" * 2000
    sqlite_file.write_bytes(content)
    (tmp_path / "staging").mkdir()
    with pytest.raises(Unavailable):
        dump(f"sqlite:///{sqlite_file}", tmp_path / "staging")


Harm = Callable[[bytes, random.Random], bytes]
HARMS: dict[str, Harm] = {
    "cut short": lambda whole, chance: whole[: chance.randrange(len(whole))],
    "an octet changed": lambda whole, chance: _changed(whole, chance.randrange(20, len(whole) - 8)),
    "something else": lambda whole, chance: chance.randbytes(len(whole)),
    "nothing": lambda whole, chance: b"",
}


def _changed(whole: bytes, place: int) -> bytes:
    return whole[:place] + bytes([whole[place] ^ 0x55]) + whole[place + 1 :]


@pytest.mark.parametrize("harm", HARMS)
def test_a_damaged_archive_is_refused_wherever_it_is_damaged(harm: str, sqlite_file: Path, tmp_path: Path) -> None:
    chance = random.Random(harm)
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(chance.randbytes(3000))
    two.write_bytes(b"words " * 500)
    archive = tmp_path / "archive"
    pack(archive, {"secret.key": one, "tls/server.pem": two}, "0.1", newest_revision(), "sqlite", 1.0)
    whole = archive.read_bytes()
    for number in range(40):
        archive.write_bytes(HARMS[harm](whole, chance))
        into = tmp_path / f"into{number}"
        into.mkdir()
        with pytest.raises(ArchiveDamaged):
            unpack(archive, into)


@pytest.mark.parametrize("name", ["../secret.key", "/etc/passwd", "tls/../../x", "a/b/c", "stranger"])
def test_an_archive_reaches_nothing_outside_its_folder(name: str, sqlite_file: Path, tmp_path: Path) -> None:
    archive, into, manifest = tmp_path / "archive", tmp_path / "into", tmp_path / "manifest"
    into.mkdir()
    told = {"octets": 4, "sha256": "0" * 64}
    facts = {"format": 1, "release": "", "schema": "", "database": "", "made_at": 1, "files": {} if name == "stranger" else {name: told}}
    manifest.write_text(json.dumps(facts))
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(manifest, "manifest.json")
        tar.add(manifest, name)
    with pytest.raises(ArchiveDamaged, match="does not belong"):
        unpack(archive, into)
    assert list(into.iterdir()) == []


def test_a_file_that_was_exchanged_in_an_archive_is_noticed(sqlite_file: Path, tmp_path: Path) -> None:
    archive, into, file = tmp_path / "archive", tmp_path / "into", tmp_path / "file"
    into.mkdir()
    file.write_text("right")
    pack(archive, {"secret.key": file}, "0.1", newest_revision(), "sqlite", 1.0)
    file.write_text("wrong")
    with tarfile.open(archive) as tar:
        tar.extract("manifest.json", tmp_path)
    with tarfile.open(archive, "w:gz") as tar:
        tar.add(tmp_path / "manifest.json", "manifest.json")
        tar.add(file, "secret.key")
    with pytest.raises(ArchiveDamaged, match="not what it was"):
        unpack(archive, into)


def test_the_tables_that_stand_in_a_database(url: str, store: Store) -> None:
    assert revision_of(url) == newest_revision()
