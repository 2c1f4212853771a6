"""The database as an SQLAlchemy engine, with the settings that every connection needs."""

import sqlite3
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import DatabaseError, DBAPIError, DisconnectionError, InterfaceError, OperationalError

BUSY_SECONDS = 5.0
"""How long a connection waits for another's write before it reports the database as locked."""

READS_ONLY = "offhook_reads_only"
"""Execution option of a connection that will not write."""


def is_away(error: DBAPIError) -> bool:
    """Whether the database is not there, locked, full or broken, so that the same may succeed later; else it is the statement's fault.

    SQLite reports a file that is damaged or no database as plain DatabaseError, all else of this sort as OperationalError.
    """
    return isinstance(error, OperationalError | InterfaceError) or type(error) is DatabaseError


def open_engine(url: str, busy_seconds: float = BUSY_SECONDS, *, creates: bool = False) -> Engine:
    """An engine for `url` ("sqlite:////absolute/path"). Does not open it: the first transaction finds out whether it is there.

    Only with `creates` is a file made where there is none: an empty one in the place of a database that is away would be taken for it.
    """
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
    return engine


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

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # A transaction that reads first and writes later fails at once, whatever busy_timeout says, when somebody wrote in between
        # (SQLITE_BUSY_SNAPSHOT). So who may write asks for the lock at the beginning, and who only reads waits for nobody.
        reads_only = connection.get_execution_options().get(READS_ONLY, False)
        connection.exec_driver_sql("BEGIN" if reads_only else "BEGIN IMMEDIATE")
