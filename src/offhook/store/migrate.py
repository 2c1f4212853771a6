"""Brings a database to the tables that this release knows."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.util import CommandError
from sqlalchemy.exc import DBAPIError

from offhook.domain.errors import Unavailable
from offhook.store.engine import is_away, open_engine

_MIGRATIONS = Path(__file__).with_name("migrations")


def migrate(url: str) -> None:
    """Create or upgrade the tables of the database at `url`, all in one transaction; does nothing when they are up to date.

    Raises Unavailable when the database cannot be opened or was made by a later release.
    """
    config = Config()
    config.set_main_option("script_location", str(_MIGRATIONS).replace("%", "%%"))
    engine = open_engine(url, creates=True)
    try:
        # One transaction around all of it: SQLite, like PostgreSQL, takes CREATE TABLE back too, so half a migration never stays.
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    except DBAPIError as error:
        if not is_away(error):
            raise
        raise Unavailable(f"The database cannot be opened ({error.orig}). Check that its folder exists and is writable.") from error
    except CommandError as unknown:
        raise Unavailable(f"The database was made by another release of Offhook ({unknown}). Start that one, or a later one.") from unknown
    finally:
        engine.dispose()
