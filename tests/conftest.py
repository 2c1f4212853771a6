"""A real database, fresh for every test that asks for one: a file of SQLite, and where the store is meant one of PostgreSQL too."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from offhook.domain.numbers import E164, NumberKind
from offhook.domain.organizations import OrganizationId, Purpose
from offhook.services.ports.store import Store
from offhook.services.sheets import OnExisting
from offhook.services.stock import Entering
from offhook.store.engine import is_postgres
from offhook.store.migrate import migrate
from offhook.store.transaction import Database
from tests.postgres import Cluster, name_of

MIGRATED = "migrated"
STOCK = tuple(E164(f"+1206555{last:04}") for last in (1, 2, *range(100, 120), 150, 177, *range(190, 200))) + tuple(
    E164(f"+1503555{last:04}") for last in (*range(100, 106), 150, 190)
)
"""What organizations of tests may take."""
_ON_BOTH = ("tests/store/", "tests/services/")
_SOON = ("tests/store/", "tests/services/test_delta.py")
"""Tried on PostgreSQL each time. The services say nothing of SQL, and take minutes there: they are tried on it among the long tests."""


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """What is told of the store holds on both databases; `sqlite_file` says that a test is about SQLite's file itself."""
    path = metafunc.definition.path.relative_to(metafunc.config.rootpath).as_posix()
    if "kind" in metafunc.fixturenames and path.startswith(_ON_BOTH) and "sqlite_file" not in metafunc.fixturenames:
        marks = () if path.startswith(_SOON) else pytest.mark.long
        kinds = ([] if "cluster" in metafunc.fixturenames else ["sqlite"]) + [pytest.param("postgresql", marks=marks)]
        metafunc.parametrize("kind", kinds, indirect=True, scope="function")


@pytest.fixture
def kind(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", "sqlite"))


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """A PostgreSQL server with a database that holds the tables of now."""
    cluster = Cluster()
    try:
        cluster.create(MIGRATED)
        migrate(cluster.url(MIGRATED))
        yield cluster
    finally:
        cluster.close()


@pytest.fixture(scope="session")
def migrated_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of SQLite with the tables of now."""
    file = tmp_path_factory.mktemp("migrated") / "offhook.sqlite"
    migrate(f"sqlite:///{file}")
    return file


@pytest.fixture
def url(kind: str, tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[str]:
    """Where a database can be made: no file yet, or an empty database."""
    if kind == "sqlite":
        yield f"sqlite:///{tmp_path}/offhook.sqlite"
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    url = cluster.new_url(MIGRATED if "database" in request.fixturenames else "template0")
    yield url
    cluster.drop(name_of(url))


@pytest.fixture
def sqlite_file(url: str) -> Path:
    """The file that `url` means."""
    return Path(url.removeprefix("sqlite:///"))


@pytest.fixture
def database(url: str, request: pytest.FixtureRequest) -> Iterator[Database]:
    if not is_postgres(url):
        shutil.copy(request.getfixturevalue("migrated_file"), url.removeprefix("sqlite:///"))
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
    stocked(store, *STOCK)
    with store.provider_change("tests") as provider:
        return provider.organizations.add(name, domain, "US", purpose).id


def stocked(store: Store, *numbers: str) -> None:
    """Have these numbers in the stock, for any organization to take."""
    with store.provider_change("tests") as provider:
        entering = Entering(provider, [E164(number) for number in numbers], OnExisting.SKIP)
        for number in numbers:
            entering.put(E164(number), {"country": "US", "kind": NumberKind.GEOGRAPHIC})
        entering.carry_out()
