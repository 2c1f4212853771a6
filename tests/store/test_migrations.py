"""A database comes from nothing to the tables the code knows."""

from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import inspect, text

from offhook.domain.errors import Unavailable
from offhook.store.engine import open_engine
from offhook.store.migrate import migrate
from offhook.store.tables import metadata


def test_migrations_make_exactly_the_tables_that_the_code_knows(url: str) -> None:
    migrate(url)
    engine = open_engine(url, creates=True)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    found = inspect(engine)
    for table in metadata.sorted_tables:
        assert sorted(found.get_pk_constraint(table.name)["constrained_columns"]) == sorted(table.primary_key.columns.keys())
        references = {(tuple(key["constrained_columns"]), key["referred_table"]) for key in found.get_foreign_keys(table.name)}
        assert references == {(tuple(key.column_keys), key.referred_table.name) for key in table.foreign_key_constraints}
        if engine.dialect.name == "sqlite":  # PostgreSQL gives no number twice
            with engine.connect() as connection:
                made = connection.execute(text("SELECT sql FROM sqlite_master WHERE name = :name"), {"name": table.name}).scalar_one()
            assert ("AUTOINCREMENT" in made) is table.dialect_options["sqlite"]["autoincrement"], table.name
    engine.dispose()


def test_every_table_of_a_tenant_says_whose_it_is() -> None:
    shared = {"organizations", "carriers", "stock", "invitations", "countries", "products", "prices"} | {
        table.name for table in metadata.sorted_tables if table.name.startswith("provider")
    }
    calls = {"cdrs", "traces"}  # a call can be given to no organization
    for table in metadata.sorted_tables:
        if table.name not in shared | calls:
            assert not table.c.organization_id.nullable, table.name


def test_migrating_twice_changes_nothing(url: str) -> None:
    migrate(url)
    engine = open_engine(url, creates=True)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO invitations (hash, made_at, expires_at) VALUES ('kept', 1.0, 2.0)"))
    migrate(url)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT hash FROM invitations")).scalar() == "kept"
    engine.dispose()


def test_half_a_migration_leaves_nothing_behind(url: str) -> None:
    engine = open_engine(url, creates=True)
    with engine.begin() as connection:
        connection.execute(text("CREATE TABLE traces (in_the_way INTEGER)"))
    with pytest.raises(Unavailable):
        migrate(url)
    assert inspect(engine).get_table_names() == ["traces"]
    engine.dispose()


def test_a_database_of_a_later_release_is_refused(url: str) -> None:
    migrate(url)
    engine = open_engine(url, creates=True)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Unavailable, match="another release"):
        migrate(url)
    engine.dispose()


def test_a_missing_folder_is_said_plainly(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="folder"):
        migrate(f"sqlite:///{tmp_path}/not/there/offhook.sqlite")


def test_a_file_that_is_no_database_is_said_plainly(sqlite_file: Path, url: str) -> None:
    sqlite_file.write_bytes(b"no database " * 500)
    with pytest.raises(Unavailable, match="not a database"):
        migrate(url)


def test_the_settings_that_keep_sqlite_safe_are_on(sqlite_file: Path, url: str) -> None:
    engine = open_engine(url, creates=True)
    with engine.connect() as connection:
        wanted = {"journal_mode": "wal", "foreign_keys": 1, "synchronous": 1, "busy_timeout": 5000}
        assert {name: connection.execute(text(f"PRAGMA {name}")).scalar() for name in wanted} == wanted
    engine.dispose()
