"""Brings a database to the tables that this release knows."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from offhook.domain.errors import Unavailable
from offhook.store.engine import is_away, is_postgres, open_engine, words_of
from offhook.store.postgres import unfit_for_us

_MIGRATIONS = Path(__file__).with_name("migrations")
_ONE_AT_A_TIME = "SELECT pg_advisory_xact_lock(6433665)"
"""Of two that migrate one database of PostgreSQL the second waits."""


def newest_revision() -> str:
    """The revision of this release's tables."""
    return str(ScriptDirectory.from_config(_config()).get_current_head())


def known_revisions() -> frozenset[str]:
    """The revisions of this release's tables and of all earlier ones."""
    return frozenset(each.revision for each in ScriptDirectory.from_config(_config()).walk_revisions())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    return config


def migrate(url: str, revision: str = "head") -> None:
    """Create or upgrade the tables of the database at `url`, all in one transaction; does nothing when they are up to date.

    Up to an earlier `revision` only where a test wants the tables of an earlier release.

    Raises Unavailable when the database cannot be opened, is none for us, or was made by a later release. On PostgreSQL it must be there,
    empty at first.
    """
    config = _config()
    engine = open_engine(url, creates=True)
    try:
        if is_postgres(url) and (why := unfit_for_us(engine)):
            raise Unavailable(f"The PostgreSQL database cannot be used: {why}.")
        # One transaction around all of it: SQLite, like PostgreSQL, takes CREATE TABLE back too, so half a migration never stays.
        with engine.begin() as connection:
            if is_postgres(url):
                connection.exec_driver_sql(_ONE_AT_A_TIME)
            config.attributes["connection"] = connection
            command.upgrade(config, revision)
    except DBAPIError as error:
        if not is_away(error):
            raise
        check = "that the server runs and the database is ours" if is_postgres(url) else "that its folder exists and is writable"
        raise Unavailable(f"The database cannot be opened ({words_of(error)}). Check {check}.") from error
    except CommandError as unknown:
        raise Unavailable(f"The database was made by another release of Offhook ({unknown}). Start that one, or a later one.") from unknown
    finally:
        engine.dispose()
