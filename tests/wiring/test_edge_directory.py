"""What the edge lets in when an organization has left, also when the edge was away at that moment."""

import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from offhook.domain.organizations import Carrier, OrganizationId, Purpose
from offhook.engines.kamailio import directory
from offhook.services.ports.delta import SignIn
from offhook.services.ports.registrar import RegistrarAbsent
from offhook.services.ports.store import CarrierEntry, Profile
from offhook.wiring.edge_directory import EdgeDirectory

LUMEN = Profile(OrganizationId(1), "Lumen Works", "lumen.test", "US", Purpose.CUSTOMER, None, 7, version=7)
PINE = Profile(OrganizationId(2), "Pine Bakery", "pine.test", "US", Purpose.CUSTOMER, None, 3, version=3)
PROOF = SignIn("0123456789abcdef" * 2, "anna")


class Kamailio:
    """Notes what it was told; it can be away."""

    def __init__(self) -> None:
        self.away = False
        self.forgotten: set[str] = set()
        self.reloaded = 0
        self.tables: list[str] = []

    async def take_up(self, lines: Mapping[str, Mapping[str, str | None]]) -> None:
        self._must_be_up()

    async def forget(self, username: str, domain: str) -> None:
        self._must_be_up()
        self.forgotten.add(f"{username}@{domain}")

    async def reload(self, *tables: str) -> None:
        self._must_be_up()
        self.reloaded += 1
        self.tables += tables

    def _must_be_up(self) -> None:
        if self.away:
            raise RegistrarAbsent("away")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "edge.sqlite"
    directory.write(path, directory.Directory({}, {}, ()))
    return path


def register(file: Path, user: str, domain: str) -> None:
    """A telephone is registered, and Kamailio has written it down."""
    with closing(sqlite3.connect(file)) as connection, connection:
        values = (f"{user}-{domain}", user, domain, f"sip:{user}@192.0.2.1", 2_500_000.0)  # expires far away, as a Julian day
        connection.execute("INSERT INTO location (ruid, username, domain, contact, expires) VALUES (?, ?, ?, ?, ?)", values)


def lines(file: Path) -> dict[str, Any]:
    return {name: set(directory.lines_like(file, name, "*")) for name in ("credentials", "domains", "emergency")}


async def both(file: Path) -> tuple[Kamailio, EdgeDirectory]:
    kamailio = Kamailio()
    edge = EdgeDirectory(cast(Any, SimpleNamespace(edge_database=file, off_loopback=False)), cast(Any, kamailio))
    for profile in (LUMEN, PINE):
        await edge.take_in(profile, {"anna": PROOF})
    return kamailio, edge


async def test_nothing_of_who_has_left_stays_and_all_of_the_other(file: Path) -> None:
    kamailio, edge = await both(file)
    assert lines(file)["credentials"] == {"anna@lumen.test", "anna@pine.test"}
    for domain in ("lumen.test", "pine.test"):
        register(file, "anna", domain)
    await edge.give_up(LUMEN.id, {"pine.test"})
    assert lines(file) == {"credentials": {"anna@pine.test"}, "domains": {"pine.test"}, "emergency": {"pine.test:911"}}
    assert kamailio.forgotten == {"anna@lumen.test"} and kamailio.reloaded == 1
    assert edge.known() == {PINE.id} == set(directory.revisions(file))


async def test_only_who_is_registered_is_asked_for_when_many_leave(file: Path) -> None:
    kamailio, edge = await both(file)
    await edge.take_in(LUMEN, {f"user{number}": PROOF._replace(owner=f"user{number}") for number in range(500)})
    register(file, "user7", "lumen.test")
    await edge.give_up(LUMEN.id, {"pine.test"})
    assert lines(file)["credentials"] == {"anna@pine.test"} and kamailio.forgotten == {"user7@lumen.test"}


async def test_who_has_the_domain_next_has_none_of_the_telephones_that_came_at_the_last_moment(file: Path) -> None:
    kamailio, edge = await both(file)
    await edge.give_up(LUMEN.id, {"pine.test"})
    kamailio.forgotten.clear()
    register(file, "anna", "lumen.test")  # Kamailio writes down a registration some seconds later
    register(file, "anna", "pine.test")
    await edge.take_in(replace(LUMEN, id=OrganizationId(3)), {"anna": PROOF})
    assert kamailio.forgotten == {"anna@lumen.test"}
    kamailio.forgotten.clear()
    await edge.take_in(replace(LUMEN, id=OrganizationId(3)), {"anna": PROOF})
    assert kamailio.forgotten == set(), "what is its own stays"


async def test_an_edge_that_was_away_is_told_again(file: Path) -> None:
    kamailio, edge = await both(file)
    kamailio.away = True
    with pytest.raises(RegistrarAbsent):
        await edge.give_up(LUMEN.id, {"pine.test"})
    assert edge.known() == {LUMEN.id, PINE.id}, "so that it is tried again"
    assert lines(file)["credentials"] == {"anna@pine.test"}, "a Kamailio that starts meanwhile does not let them in"
    kamailio.away = False
    await edge.give_up(LUMEN.id, {"pine.test"})
    assert kamailio.reloaded == 1 and edge.known() == {PINE.id}


def carrier(name: str, host: str) -> CarrierEntry:
    return CarrierEntry(Carrier(name, host, 5060), sandbox=False, default=False)


async def test_carriers_are_let_in_and_out_again_also_by_an_edge_that_was_away(file: Path) -> None:
    kamailio, edge = await both(file)
    north, south = carrier("north", "192.0.2.5"), carrier("south", "192.0.2.6")
    await edge.carriers([north, south])
    assert set(directory.lines_like(file, "carriers", "*")) == {"192.0.2.5", "192.0.2.5:5060", "192.0.2.6", "192.0.2.6:5060"}
    await edge.carriers([north, south])
    assert kamailio.tables == ["carriers"], "what is so is not said again"
    kamailio.away = True
    with pytest.raises(RegistrarAbsent):
        await edge.carriers([north])
    kamailio.away = False
    await edge.carriers([north])
    assert kamailio.tables == ["carriers"] * 2, "the file said so already, and Kamailio had not heard it"


async def test_a_switch_that_starts_has_the_edge_hear_of_carriers_that_came_meanwhile(file: Path) -> None:
    _, edge = await both(file)
    await edge.carriers([carrier("north", "192.0.2.5")])
    kamailio, edge = await both(file)
    await edge.carriers([carrier("north", "192.0.2.5"), carrier("south", "192.0.2.6")])
    assert kamailio.tables == ["carriers"] and "192.0.2.6" in directory.lines_like(file, "carriers", "*")
