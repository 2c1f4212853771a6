"""What happens to databases: somebody holds the lock, or it is gone for a while. The same on SQLite and PostgreSQL."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import make_url

from offhook.store.engine import is_postgres, open_engine
from offhook.store.tables import metadata


@contextmanager
def nobody_writes(url: str) -> Iterator[None]:
    """Somebody else holds what every writer needs."""
    if is_postgres(url):
        engine = open_engine(url)
        with engine.begin() as holder:
            holder.exec_driver_sql(f"LOCK TABLE {', '.join(metadata.tables)} IN EXCLUSIVE MODE")
            yield
        engine.dispose()
        return
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.execute("ROLLBACK")


@contextmanager
def gone(url: str) -> Iterator[None]:
    """The database is not there: the file is moved away, or the server closes every connection and takes no new one."""
    if not is_postgres(url):
        file = Path(url.removeprefix("sqlite:///"))
        away = file.rename(file.with_suffix(".away"))
        yield
        assert not file.exists(), "an empty database stands in the place of the real one"
        away.rename(file)
        return
    name = make_url(url).database
    engine = open_engine(make_url(url).set(database="postgres").render_as_string(hide_password=False))
    with engine.begin() as connection:
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS false')
    with engine.begin() as connection:
        connection.exec_driver_sql(f"SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = '{name}'")
    yield
    with engine.begin() as connection:
        connection.exec_driver_sql(f'ALTER DATABASE "{name}" WITH ALLOW_CONNECTIONS true')
    engine.dispose()
