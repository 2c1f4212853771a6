"""A copy of the configuration beside the database: what a switch starts with when the database is away."""

import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import quote

from sqlalchemy import Column, Connection, Engine, Row, Table, select
from sqlalchemy.exc import DBAPIError

from offhook.domain.errors import Unavailable
from offhook.domain.organizations import OrganizationId
from offhook.store import tables
from offhook.store.configuration import ROWS_AT_ONCE
from offhook.store.delta import touched_since
from offhook.store.engine import READS_ONLY, is_away, open_engine
from offhook.store.history import History
from offhook.store.organizations import Organizations
from offhook.store.provider import ProviderScope
from offhook.store.scope import Scope

COPIED = (
    tables.organizations,
    tables.users,
    tables.devices,
    tables.attendants,
    tables.attendant_keys,
    tables.numbers,
    tables.carriers,
)
"""What read_configuration reads."""


def copy_configuration(engine: Engine, file: Path) -> None:
    """Make `file` a small SQLite database with the configuration of this moment; it is there whole or as it was before.

    Raises Unavailable when the database, OSError when the copy cannot be read or written. It holds HA1s, so only the owner may read it.
    """
    new = file.with_name(f"{file.name}.new")
    new.unlink(missing_ok=True)
    new.touch(mode=0o600)
    try:
        _make_tables(new)
        # A view of the database first: it says in our words when it is away.
        with _view(engine) as source, _opened(new) as copy:
            copy.execute("BEGIN")
            _fill(source, copy)
            copy.execute("COMMIT")
    except sqlite3.Error as error:
        raise OSError(f"the copy of the configuration cannot be written ({error})") from error
    with suppress(sqlite3.Error), closing(sqlite3.connect(file)) as former:
        former.execute("SELECT 1 FROM organizations")  # takes what a writer that was killed left beside it, or it would go into the new one
    new.replace(file)


def _make_tables(new: Path) -> None:
    engine = open_engine(f"sqlite:///{new}", creates=True)
    try:
        with engine.begin() as connection:
            for table in COPIED:
                table.create(connection)
    except DBAPIError as error:
        raise OSError(f"the copy of the configuration cannot be written ({error.orig})") from error
    finally:
        engine.dispose()
    _make_one_file(new)


def _fill(source: Connection, copy: sqlite3.Connection) -> None:
    """All rows of all tables. From SQLite in SQLite itself: a million rows through Python would be in the calls' way for half a minute."""
    if source.dialect.name != "sqlite":
        for table in COPIED:
            _insert(copy, table, source.execute(select(table).execution_options(yield_per=ROWS_AT_ONCE)))
        return
    file = source.exec_driver_sql("PRAGMA database_list").fetchone()
    assert file is not None
    copy.execute("COMMIT")  # nothing can be attached in a transaction
    copy.execute("ATTACH ? AS source", (f"file:{quote(file[2])}?mode=ro",))
    copy.execute("BEGIN")
    for table in COPIED:
        columns = ", ".join(column.name for column in table.c)
        copy.execute(f"INSERT INTO main.{table.name} ({columns}) SELECT {columns} FROM source.{table.name}")


def follow(engine: Engine, file: Path) -> None:
    """Bring a copy up to date: what was touched in its organizations since, and the carriers. Costs by what was touched.

    Where it cannot be followed (there is no copy, or it is of a later time than the database) it is made anew. Raises as
    copy_configuration.
    """
    try:
        with _opened(file) as copy:
            followed = _followed(engine, copy)
    except sqlite3.Error:
        followed = False
    if not followed:
        copy_configuration(engine, file)


def _followed(engine: Engine, copy: sqlite3.Connection) -> bool:
    had = {OrganizationId(id): revision for id, revision in copy.execute("SELECT id, revision FROM organizations")}
    with _view(engine) as source:
        now = Organizations(ProviderScope(source, "", writes=False)).revisions()
        if any(now.get(id, revision) < revision for id, revision in had.items()):
            return False
        copy.execute("BEGIN IMMEDIATE")
        for id in now.keys() - had.keys():
            for table in COPIED:
                if (own := _owner(table)) is not None:
                    _insert(copy, table, source.execute(select(table).where(own == id)))
        for id in had.keys() - now.keys():
            for table in COPIED:
                if (own := _owner(table)) is not None:
                    copy.execute(f"DELETE FROM {table.name} WHERE {own.name} = ?", (id,))
        for id in (id for id, revision in now.items() if revision != had.get(id, revision)):
            _follow_organization(Scope(source, id, "", writes=False), copy, had[id])
        copy.execute(f"DELETE FROM {tables.carriers.name}")
        _insert(copy, tables.carriers, source.execute(select(tables.carriers)))
        copy.execute("COMMIT")
    return True


def _follow_organization(scope: Scope, copy: sqlite3.Connection, since: int) -> None:
    touched = History(scope).touched_since(since) | {"organization": {str(scope.organization)}}
    touched["user"] = touched.get("user", set()) | {str(user) for user in touched_since(scope, since).showing}
    for table in COPIED:
        if ids := touched.get(table.info.get("kind", "")):
            _replace(scope.connection, copy, table, ids)


def _owner(table: Table) -> Column[Any] | None:
    """The column that says whose a row is."""
    return table.c.id if table is tables.organizations else table.c.get("organization_id")


def _replace(source: Connection, copy: sqlite3.Connection, table: Table, ids: set[str]) -> None:
    """The rows of a table that the history calls so, as they are now."""
    own = list(table.primary_key)
    wanted = [tuple(column.type.python_type(part) for column, part in zip(own, id.split(":"), strict=True)) for id in ids]
    copy.executemany(f"DELETE FROM {table.name} WHERE {' AND '.join(f'{column.name} = ?' for column in own)}", wanted)
    for key in wanted:
        _insert(copy, table, source.execute(select(table).where(*(column == part for column, part in zip(own, key, strict=True)))))


def _insert(copy: sqlite3.Connection, table: Table, rows: Iterable[Row[Any]]) -> None:
    columns = [column.name for column in table.c]
    statement = f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})"
    copy.executemany(statement, (tuple(row) for row in rows))


@contextmanager
def _opened(file: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True, isolation_level=None)) as connection:
        yield connection


@contextmanager
def _view(engine: Engine) -> Iterator[Connection]:
    try:
        with engine.connect() as connection, connection.execution_options(**{READS_ONLY: True}), connection.begin():
            yield connection
    except DBAPIError as error:
        if not is_away(error):
            raise
        raise Unavailable(f"The database does not answer ({error.orig}).") from error


def _make_one_file(path: Path) -> None:
    """Without a write-ahead log beside it a file can be moved."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
