"""The database as one file, taken while others use it, and put back."""

import os
import shutil
import sqlite3
import subprocess
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

from sqlalchemy import inspect, make_url
from sqlalchemy.exc import DBAPIError

from offhook.domain.errors import Unavailable
from offhook.store.engine import READS_ONLY, is_postgres, open_engine, words_of
from offhook.store.postgres import server_of, unfit_for_us

NAMES = {"sqlite": "database.sqlite", "postgresql": "database.dump"}
"""What the database is called in an archive, by its kind."""

_PAGES = 2_000
"""Of 4 KB, between two looks at the progress."""

Progress = Callable[[float], None]
"""Is told how much is done, from 0 to 1."""


def kind_of(url: str) -> str:
    """The kind of database at `url`."""
    return "postgresql" if is_postgres(url) else "sqlite"


def revision_of(url: str) -> str | None:
    """Which tables stand in the database, None if there are none (or no file). Raises Unavailable."""
    if not is_postgres(url) and not Path(make_url(url).database or "").exists():
        return None
    engine = open_engine(url)
    try:
        with engine.connect() as connection, connection.execution_options(**{READS_ONLY: True}):
            if "alembic_version" not in inspect(connection).get_table_names():
                return None
            return str(connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar_one())
    except DBAPIError as error:
        raise Unavailable(f"The database does not answer ({words_of(error)}).") from error
    finally:
        engine.dispose()


def dump(url: str, folder: Path, progress: Progress = lambda done: None) -> Path:
    """The database as it is at one moment, as a file in `folder`; nobody who uses it waits. Raises Unavailable, OSError."""
    file = folder / NAMES[kind_of(url)]
    if is_postgres(url):
        _program("pg_dump", url, "--format=custom", "--no-owner", "--no-privileges", f"--file={file}")
    else:
        _copy_sqlite(Path(make_url(url).database or ""), file, progress)
    return file


def _copy_sqlite(source: Path, target: Path, progress: Progress) -> None:
    target.touch(mode=0o600)
    try:
        with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None)) as used:
            # Within a transaction that reads, each step copies from the same moment; without it a write in between begins the copy anew.
            used.execute("BEGIN")
            used.execute("SELECT count(*) FROM sqlite_master").fetchone()
            with closing(sqlite3.connect(target)) as copy:
                used.backup(copy, pages=_PAGES, progress=lambda _, left, whole: progress(1 - left / max(whole, 1)), sleep=0)
                copy.execute("PRAGMA journal_mode=DELETE")
        check_sqlite(target)
    except sqlite3.Error as why:
        raise Unavailable(f"The database {source} cannot be copied ({why}).") from why


def check_sqlite(file: Path) -> None:
    """Raises Unavailable when a file of SQLite is damaged."""
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            found = [row[0] for row in connection.execute("PRAGMA integrity_check")]
            loose = connection.execute("PRAGMA foreign_key_check").fetchone()
    except sqlite3.Error as why:
        raise Unavailable(f"The copy of the database cannot be read ({why}).") from why
    if found != ["ok"] or loose:
        raise Unavailable(f"The database is damaged ({'; '.join(found[:3])}{', keys lead nowhere' if loose else ''}).")


def must_be_restorable(url: str, *, replaces: bool) -> None:
    """Raises Unavailable when the PostgreSQL database at `url` is none for us, is used, or (unless it `replaces`) is not empty."""
    engine = open_engine(url)
    try:
        if why := unfit_for_us(engine):
            raise Unavailable(f"The PostgreSQL database cannot be used: {why}.")
        others = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        with engine.connect() as connection:
            if connection.exec_driver_sql(others).scalar_one():
                raise Unavailable("Somebody is connected to the PostgreSQL database; stop every system and program that uses it.")
            if not replaces and inspect(connection).get_table_names():
                raise Unavailable("The PostgreSQL database is not empty; --force replaces what is there.")
    except DBAPIError as error:
        raise Unavailable(f"The database does not answer ({words_of(error)}).") from error
    finally:
        engine.dispose()


def restore_postgres(url: str, file: Path, folder: Path) -> None:
    """Put the database of `file` in the place of the one at `url`, in one transaction: until it is whole there is the old one.

    `folder` is for what is needed meanwhile. Raises Unavailable.
    """
    engine = open_engine(url)
    with engine.connect() as connection:
        tables = inspect(connection).get_table_names()
    engine.dispose()
    away, script = folder / "away.sql", folder / "restore.sql"
    away.write_text("".join(f'DROP TABLE public."{name}" CASCADE;\n' for name in tables))
    _program("pg_restore", None, "--no-owner", "--no-privileges", f"--file={script}", str(file))
    _program("psql", url, "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--single-transaction", f"--file={away}", f"--file={script}")


def _program(name: str, url: str | None, *arguments: str) -> None:
    """Run one of PostgreSQL's own programs. Raises Unavailable with what it said."""
    if shutil.which(name) is None:
        raise Unavailable(f"{name} is not installed. Install: apt-get install --no-install-recommends postgresql-client")
    environment: Mapping[str, str] = os.environ | (server_of(make_url(url)).environment if url else {})
    done = subprocess.run(
        [name, *arguments],
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        raise Unavailable(f"{name} did not succeed: {done.stderr.strip()[-500:]}")
