"""A real database file, fresh for every test that asks for one."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from offhook.domain.organizations import OrganizationId, Purpose
from offhook.services.ports.store import Store
from offhook.store.migrate import migrate
from offhook.store.transaction import Database


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"sqlite:///{tmp_path}/offhook.sqlite"


@pytest.fixture
def database(url: str) -> Iterator[Database]:
    migrate(url)
    database = Database.at(url)
    yield database
    database.close()


@pytest.fixture
def store(database: Database) -> Store:
    return database


@pytest.fixture
def lumen(store: Store) -> OrganizationId:
    return founded(store, "Lumen Works", "lumen.test")


@pytest.fixture
def pine(store: Store) -> OrganizationId:
    return founded(store, "Pine Bakery", "pine.test")


def founded(store: Store, name: str, domain: str, purpose: Purpose = Purpose.CUSTOMER) -> OrganizationId:
    with store.provider_change("tests") as provider:
        return provider.organizations.add(name, domain, "US", purpose).id
