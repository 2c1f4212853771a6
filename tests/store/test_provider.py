"""What is the provider's own is written down in the transaction that changes it, on both databases."""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from offhook.domain.errors import Conflict, Stale
from offhook.domain.organizations import Carrier, OrganizationId
from offhook.services.carriers import add_carrier, change_carrier, list_carriers
from offhook.services.ports.store import CarrierEntry, Store
from offhook.store.transaction import Database
from tests.postgres import until_somebody_waits

NORTH = CarrierEntry(Carrier("north", "192.0.2.5", 5060), sandbox=False, default=True)


def lines(store: Store) -> list[tuple[int, str, str]]:
    with store.provider_view() as provider:
        return [(change.revision, change.kind, change.id) for change in provider.history.page(99)]


def test_a_change_and_its_line_are_there_together_or_not_at_all(store: Store) -> None:
    with store.provider_change("ada") as provider:
        provider.carriers.put(NORTH)
        provider.tokens.add_of_provider("h" * 64, "billing", None)
        assert provider.revision == 1
    with pytest.raises(Conflict), store.provider_change("ada") as provider:
        provider.tokens.add_of_provider("i" * 64, "mail", None)
        provider.carriers.put(CarrierEntry(Carrier("south", "192.0.2.5", 5060), sandbox=False, default=False))
    with store.provider_change("ada") as provider:
        provider.carriers.put(NORTH)
        assert provider.revision is None, "what is so already is no change"
    assert lines(store) == [(1, "provider_token", "1"), (1, "carrier", "north")]
    with store.provider_view() as provider:
        token, carrier = provider.history.page(2)
        assert carrier.before is None and carrier.after and (carrier.after["host"], carrier.who) == ("192.0.2.5", "ada")
        assert token.after and token.after["hash"] == "set" and "h" * 64 not in str(token)
        assert [entry.version for entry in provider.carriers.all()] == [1]


def test_who_changes_at_once_gets_revisions_of_their_own_in_order(store: Store) -> None:
    def adds(number: int) -> None:
        with store.provider_change("ada") as provider:
            provider.tokens.add_of_provider(f"{number:064}", f"program {number}", None)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(adds, range(8)))
    assert [revision for revision, _, _ in lines(store)] == list(range(8, 0, -1))


def test_of_two_carriers_that_come_at_once_one_is_the_default(database: Database) -> None:
    with ThreadPoolExecutor(1) as threads:
        with database.provider_change("ada") as provider:
            provider.carriers.put(NORTH)
            south = threads.submit(add_carrier, database, "south", "192.0.2.6", 5060, default=None, who="ben")
            until_somebody_waits(database)
        assert not south.result().default
    assert [entry.carrier.name for entry in list_carriers(database) if entry.default] == ["north"]


def test_of_two_who_change_a_carrier_they_looked_at_one_is_late(database: Database) -> None:
    north = add_carrier(database, "north", "192.0.2.5", 5060, default=None, who="ada")
    with ThreadPoolExecutor(1) as threads:
        with database.provider_change("ada") as provider:
            provider.carriers.put(replace(north, carrier=replace(north.carrier, port=5070)))
            late = threads.submit(change_carrier, database, "north", {"port": 5080}, version=north.version, who="ben")
            until_somebody_waits(database)
        with pytest.raises(Stale):
            late.result()


def test_an_invitation_that_expires_was_revoked_by_nobody(store: Store, lumen: OrganizationId) -> None:
    with store.provider_change("ada") as provider:
        provider.invitations.add("f" * 64, time.time() - 1, lumen, "anna", None)
    with store.provider_change("ben") as provider:
        provider.invitations.add("s" * 64, time.time() + 60, lumen)
    with store.provider_view() as provider:
        told = [(change.who, change.before is None) for change in provider.history.page(9) if change.kind == "invitation"]
        assert told == [("ben", True), ("ada", True)]
        assert provider.invitations.by_hash("f" * 64, time.time() - 60) is None, "it is kept no longer"


def test_an_invitation_is_used_once_and_its_number_is_nobody_elses(database: Database, lumen: OrganizationId, pine: OrganizationId) -> None:
    soon = time.time() + 60
    with database.provider_change("ada") as provider:
        first = provider.invitations.add("f" * 64, soon, lumen, "anna", None)
        assert provider.invitations.open(pine, time.time()) == [] and provider.invitations.open(lumen, time.time()) == [first]
        assert provider.invitations.by_hash("f" * 64, soon + 1) is None
    with database.provider_change("anna@lumen.test") as provider:
        assert provider.invitations.use("f" * 64, soon + 1) is None
        assert provider.invitations.use("f" * 64, time.time()) == first
        assert provider.invitations.use("f" * 64, time.time()) is None
        assert provider.invitations.add("s" * 64, soon, lumen).id != first.id
