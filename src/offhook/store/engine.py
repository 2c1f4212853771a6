"""The database as an SQLAlchemy engine, with the settings that every connection needs."""

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DatabaseError, DBAPIError, DisconnectionError, IntegrityError, InterfaceError, OperationalError

from offhook.store.postgres import begin_statement, open_postgres, says_away, says_collided, says_unfit, sqlstate

BUSY_SECONDS = 5.0
"""How long a connection waits for another's write before it reports the database as locked."""

READS_ONLY = "offhook_reads_only"
"""Execution option of a connection that will not write."""


def is_away(error: DBAPIError) -> bool:
    """Whether the database is not there, locked, full or broken, so that the same may succeed later; else it is the statement's fault.

    SQLite reports a file that is damaged or no database as plain DatabaseError, all else of this sort as OperationalError.
    """
    if (code := sqlstate(error.orig)) is not None:
        return says_away(code)
    return isinstance(error, OperationalError | InterfaceError) or type(error) is DatabaseError


def has_collided(error: DBAPIError) -> bool:
    """Whether a row was refused because of others: a key that is taken, one that leads nowhere, two who waited for each other."""
    code = sqlstate(error.orig)
    return says_collided(code) if code is not None else isinstance(error, IntegrityError)


def was_unfit(error: DBAPIError) -> bool:
    """Whether a value does not fit into its column."""
    code = sqlstate(error.orig)
    return code is not None and says_unfit(code)


def words_of(error: DBAPIError) -> str:
    """What the database said, for people."""
    told = error.orig.args[0] if error.orig is not None and error.orig.args else error.orig
    return str(told.get("M", told)) if isinstance(told, dict) else str(told)


def is_postgres(url: str) -> bool:
    """Whether `url` is of PostgreSQL; else it is of SQLite."""
    return make_url(url).get_backend_name() == "postgresql"


def open_engine(url: str, busy_seconds: float = BUSY_SECONDS, *, creates: bool = False) -> Engine:
    """An engine for `url` ("sqlite:////absolute/path", or as postgres.server_of takes it).

    Does not open it: the first transaction finds out whether it is there. Only with `creates` is a file made where there is none: an empty
    one in the place of a database that is away would be taken for it; and only then may a statement take as long as it takes.
    """
    if is_postgres(url):
        return _begun(open_postgres(make_url(url), busy_seconds, patient=creates))
    path = make_url(url).database if make_url(url).get_backend_name() == "sqlite" else None
    if path is None or path == ":memory:":
        return _prepared(create_engine(url), None, busy_seconds)
    mode = "rwc" if creates else "rw"
    return _prepared(create_engine(f"sqlite:///file:{quote(path)}?mode={mode}&uri=true"), Path(path), busy_seconds)


def _prepared(engine: Engine, file: Path | None, busy_seconds: float) -> Engine:
    if engine.dialect.name == "sqlite":
        _prepare_sqlite(engine, round(busy_seconds * 1000))
    if file is not None:
        _notice_another_file(engine, file)
    return _begun(engine)


def _notice_another_file(engine: Engine, file: Path) -> None:
    """A connection goes on writing to a file that was moved away or removed, and says that all is well: look before each use."""

    def inode() -> tuple[int, int] | None:
        try:
            found = file.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    @event.listens_for(engine, "connect")
    def opened(_connection: sqlite3.Connection, record: Any) -> None:
        record.info["inode"] = inode()

    @event.listens_for(engine, "checkout")
    def taken(_connection: sqlite3.Connection, record: Any, _proxy: Any) -> None:
        if record.info.get("inode") != inode():
            raise DisconnectionError(f"{file} is not the file it was")


def _prepare_sqlite(engine: Engine, busy_milliseconds: int) -> None:
    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: Any) -> None:
        # Python's driver begins transactions late and by itself (PEP 249); ours begin below, when we say so.
        connection.isolation_level = None
        for pragma in (f"busy_timeout={busy_milliseconds}", "journal_mode=WAL", "synchronous=NORMAL", "foreign_keys=ON"):
            connection.execute(f"PRAGMA {pragma}")


def _begun(engine: Engine) -> Engine:
    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        reads_only = bool(connection.get_execution_options().get(READS_ONLY, False))
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(begin_statement(reads_only=reads_only))
            return
        # A transaction that reads first and writes later fails at once, whatever busy_timeout says, when somebody wrote in between
        # (SQLITE_BUSY_SNAPSHOT). So who may write asks for the lock at the beginning, and who only reads waits for nobody.
        connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")

    return engine
