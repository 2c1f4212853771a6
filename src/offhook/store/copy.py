"""A copy of the configuration beside the database: what a switch starts with when the database is away."""

import sqlite3
from contextlib import closing
from pathlib import Path

from sqlalchemy import Engine, insert, select
from sqlalchemy.exc import DBAPIError

from offhook.domain.errors import Unavailable
from offhook.store import tables
from offhook.store.engine import READS_ONLY, is_away, open_engine, words_of

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
    try:
        with engine.connect() as connection, connection.execution_options(**{READS_ONLY: True}), connection.begin():
            rows = [(table, [dict(row) for row in connection.execute(select(table)).mappings()]) for table in COPIED]
    except DBAPIError as error:
        if not is_away(error):
            raise
        raise Unavailable(f"The database does not answer ({words_of(error)}).") from error
    new.touch(mode=0o600)
    copy = open_engine(f"sqlite:///{new}", creates=True)
    try:
        with copy.begin() as connection:
            connection.exec_driver_sql("PRAGMA defer_foreign_keys=ON")
            for table, values in rows:
                table.create(connection)
                if values:
                    connection.execute(insert(table), values)
    except DBAPIError as error:
        raise OSError(f"the copy of the configuration cannot be written ({words_of(error)})") from error
    finally:
        copy.dispose()
    _make_one_file(new)
    new.replace(file)


def _make_one_file(path: Path) -> None:
    """Without a write-ahead log beside it a file can be moved."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode=DELETE")
