"""A copy of the configuration beside the database: what a switch starts with when the database is away."""

import sqlite3
from collections.abc import Collection, Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from urllib.parse import quote

from sqlalchemy import Connection, Engine, Table, insert, select
from sqlalchemy.exc import DBAPIError

from offhook.domain.errors import Unavailable
from offhook.domain.organizations import OrganizationId
from offhook.store import tables
from offhook.store.configuration import ROWS_AT_ONCE
from offhook.store.delta import touched_since
from offhook.store.engine import READS_ONLY, is_away, open_engine
from offhook.store.history import History
from offhook.store.organizations import Organizations
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
    copy = open_engine(f"sqlite:///{new}", creates=True)
    try:
        with _view(engine) as source, copy.begin() as connection:
            connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            for table in COPIED:
                table.create(connection)
                rows = source.execute(select(table).execution_options(yield_per=ROWS_AT_ONCE))
                for some in rows.mappings().partitions():
                    connection.execute(insert(table), [dict(row) for row in some])
    except DBAPIError as error:
        raise OSError(f"the copy of the configuration cannot be written ({error.orig})") from error
    finally:
        copy.dispose()
    _make_one_file(new)
    with suppress(sqlite3.Error), closing(sqlite3.connect(file)) as former:
        former.execute("SELECT 1 FROM organizations")  # takes what a writer that was killed left beside it, or it would go into the new one
    new.replace(file)


def follow(engine: Engine, file: Path, held: Collection[OrganizationId]) -> None:
    """Bring a copy up to date: what was touched in its organizations since, and the carriers. Costs by what was touched.

    `held` are the organizations that there are. Where it cannot be followed (there is no copy, or it knows others) it is made anew. Raises
    as copy_configuration.
    """
    try:
        with closing(sqlite3.connect(f"file:{quote(str(file))}?mode=rw", uri=True, isolation_level=None)) as copy:
            had = dict(copy.execute("SELECT id, revision FROM organizations").fetchall())
            followed = had.keys() == set(held) and _followed(engine, copy, had)
    except sqlite3.Error:
        followed = False
    if not followed:
        copy_configuration(engine, file)


def _followed(engine: Engine, copy: sqlite3.Connection, had: dict[OrganizationId, int]) -> bool:
    with _view(engine) as source:
        now = Organizations(source, "", writes=False).revisions()
        if now.keys() != had.keys() or any(now[id] < revision for id, revision in had.items()):
            return False
        copy.execute("BEGIN IMMEDIATE")
        copy.execute("PRAGMA defer_foreign_keys=ON")
        for id in (id for id, revision in now.items() if revision != had[id]):
            scope = Scope(source, id, "", writes=False)
            touched = History(scope).touched_since(had[id]) | {"organization": {str(id)}}
            touched["user"] = touched.get("user", set()) | {str(user) for user in touched_since(scope, had[id]).showing}
            for table in COPIED:
                if ids := touched.get(table.info.get("kind", ""), set()):
                    _replace(source, copy, table, ids)
        _replace(source, copy, tables.carriers, None)
        copy.execute("COMMIT")
    return True


def _replace(source: Connection, copy: sqlite3.Connection, table: Table, ids: set[str] | None) -> None:
    """The rows of a table that the history calls so, or with None all, as they are now."""
    keys, columns = [column.name for column in table.primary_key], [column.name for column in table.c]
    if ids is None:
        copy.execute(f"DELETE FROM {table.name}")
        found = source.execute(select(table)).fetchall()
    else:
        wanted = [tuple(column.type.python_type(part) for column, part in zip(table.primary_key, id.split(":"), strict=True)) for id in ids]
        copy.executemany(f"DELETE FROM {table.name} WHERE {' AND '.join(f'{key} = ?' for key in keys)}", wanted)
        own = list(table.primary_key)
        found = [
            row for key in wanted for row in source.execute(select(table).where(*(c == part for c, part in zip(own, key, strict=True))))
        ]
    copy.executemany(
        f"INSERT INTO {table.name} ({', '.join(columns)}) VALUES ({', '.join('?' * len(columns))})", [tuple(row) for row in found]
    )


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
