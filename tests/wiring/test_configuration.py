"""What the switch holds of an organization that has left, until the last call of it is over, and how it lets go of that."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from weakref import ref

import pytest
from immutables import Map

from offhook.domain.organizations import OrganizationId
from offhook.engines.kamailio import directory
from offhook.services import letting_go
from offhook.services.letting_go import Versions, take_apart
from offhook.services.organizations import close_organization
from offhook.services.users import add_user, change_user
from offhook.store.transaction import Database
from offhook.wiring import configuration
from offhook.wiring.configuration import Configuration
from tests.wiring.test_edge_directory import Kamailio


class Thing:
    """Something whose end can be seen."""


@pytest.fixture
def held(database: Database, lumen: OrganizationId, pine: OrganizationId, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configuration:
    """Two organizations of three people each; everything counts as large, and is looked at often."""
    monkeypatch.setattr(letting_go, "FEW", 0)
    monkeypatch.setattr(configuration, "LOOK_AGAIN_SECONDS", 0.01)
    edge = tmp_path / "edge.sqlite"
    directory.write(edge, directory.Directory({}, {}, ()))
    for organization in (lumen, pine):
        for name in ("anna", "ben", "chloe"):
            add_user(database, organization, username=name, name=name.title(), who="tests")
    plan = SimpleNamespace(folder=tmp_path, edge_database=edge, off_loopback=False)
    return Configuration(cast(Any, plan), database.engine, cast(Any, Kamailio()))


async def test_what_a_call_uses_stays_whole_until_it_is_over(held: Configuration, database: Database, lumen: OrganizationId) -> None:
    await held.refresh()
    early = held.snapshot.organizations[lumen]
    change_user(database, lumen, "anna", {"name": "Anna B."}, who="tests")
    await held.refresh()
    late = held.snapshot.organizations[lumen]
    users = late.users
    close_organization(database, lumen, gives_back=True, who="tests")
    await held.refresh()
    assert lumen not in held.snapshot.organizations
    letting = asyncio.create_task(held.let_go())
    for call in ("late", "early"):
        await asyncio.sleep(0.05)
        assert not letting.done()
        assert len(early.users) == 3, call
        if call == "late":
            del late
    del early
    await asyncio.wait_for(letting, 10)
    assert len(users) == 3, "whoever holds a map has it as it was"


async def test_another_organization_is_as_it_was(
    held: Configuration, database: Database, lumen: OrganizationId, pine: OrganizationId
) -> None:
    await held.refresh()
    before = held.snapshot.organizations[pine]
    close_organization(database, lumen, gives_back=True, who="tests")
    await held.refresh()
    await asyncio.wait_for(held.let_go(), 10)
    assert held.snapshot.organizations[pine] is before and set(before.usernames) == {"anna", "ben", "chloe"}
    assert set(held.snapshot.by_domain) == {"pine.test"}


def things(many: int) -> Iterator[tuple[str, Thing]]:
    return ((f"+1206{n:07}", Thing()) for n in range(many))


def test_a_map_is_emptied_entry_by_entry() -> None:
    """What it held ends one after the other: between any two of them another thread can have the interpreter."""
    held = Map(things(2_000))
    ends: list[int] = []
    refs = [ref(thing, lambda _ref: ends.append(len(maps))) for thing in held.values()]
    shared = held.set("another", Thing())
    maps: list[Any] = [held]
    del held
    take_apart(maps)
    assert not ends and len(shared) == 2_001, "what another map shares is not touched"
    maps = [shared]
    del shared
    take_apart(maps)
    assert len(ends) == len(refs) == 2_000 and not maps


def test_an_earlier_version_counts_as_long_as_somebody_has_it() -> None:
    versions = Versions()
    first, second = Thing(), Thing()
    for each in (first, second):
        versions.note(cast(Any, each))
    del second, each
    assert versions.used
    del first
    assert not versions.used and versions.maps() == []
