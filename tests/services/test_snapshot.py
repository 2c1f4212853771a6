"""The configuration that the switch and the edge live on."""

from dataclasses import replace
from typing import Any, cast

import pytest

from offhook.domain.numbers import E164
from offhook.domain.organizations import Carrier, OrganizationId, Purpose, ToAttendant, ToUser
from offhook.domain.users import UserId
from offhook.services.devices import set_password
from offhook.services.edge_facts import load_edge_facts
from offhook.services.ports.store import CarrierEntry, Store
from offhook.services.sandbox import SandboxSummary, seed
from offhook.services.snapshot import load
from offhook.services.users import add_user

SANDBOX = Carrier("sandbox", "127.0.0.2", 5070)


@pytest.fixture
def summary(store: Store) -> SandboxSummary:
    return seed(store, b"k" * 32, SANDBOX.host, SANDBOX.port)


def test_what_is_dialled_is_found_without_a_search(store: Store, summary: SandboxSummary) -> None:
    snapshot = load(store)
    lumen = snapshot.by_domain["lumen.test"]
    assert snapshot.organizations[lumen.id] is lumen
    anna = lumen.usernames["anna"]
    assert lumen.users[anna].number == "+12065550101"
    assert lumen.extensions["101"] == lumen.numbers[E164("+12065550101")] == ToUser(anna)
    (attendant,) = lumen.attendants
    assert lumen.extensions["100"] == lumen.numbers[E164("+12065550100")] == ToAttendant(attendant)
    assert lumen.main_number == "+12065550100"
    assert lumen.emergency_numbers == load_edge_facts(store, off_loopback=False).emergency["lumen.test"] == {"911"}
    assert lumen.dial_rules.international_prefix == "011"


def test_the_index_knows_whose_every_number_is(store: Store, summary: SandboxSummary) -> None:
    snapshot = load(store)
    assert len(snapshot.numbers) == 8
    for number, (organization, destination) in snapshot.numbers.items():
        assert snapshot.organizations[organization].numbers[number] == destination
    pine = snapshot.by_domain["pine.test"]
    assert snapshot.numbers[E164("+15035550101")] == (pine.id, ToUser(pine.usernames["paul"]))


def test_equal_extensions_lead_to_each_organizations_own(store: Store, summary: SandboxSummary) -> None:
    snapshot = load(store)
    lumen, pine = snapshot.by_domain["lumen.test"], snapshot.by_domain["pine.test"]
    assert lumen.extensions["101"] == ToUser(lumen.usernames["anna"]) != pine.extensions["101"] == ToUser(pine.usernames["paul"])
    assert not set(lumen.users) & set(pine.users)


def test_a_change_is_in_the_next_snapshot_and_never_in_this_one(store: Store, summary: SandboxSummary) -> None:
    before = load(store)
    add_user(store, summary.first.profile.id, username="dora", name="Dora", extension="104", number="+12065550104", who="ada")
    after = load(store)
    assert "dora" not in before.by_domain["lumen.test"].usernames
    assert "dora" in after.by_domain["lumen.test"].usernames
    assert after.by_domain["lumen.test"].revision == before.by_domain["lumen.test"].revision + 1
    assert after.by_domain["pine.test"] == before.by_domain["pine.test"]
    with pytest.raises(TypeError):
        cast(Any, after.organizations)[OrganizationId(99)] = after.by_domain["pine.test"]
    with pytest.raises(TypeError):
        cast(Any, after.by_domain["pine.test"].users)[UserId(99)] = None
    (reception,) = after.by_domain["lumen.test"].attendants.values()
    with pytest.raises(TypeError):
        cast(Any, reception.keys)["5"] = UserId(99)


def test_off_loopback_the_sandboxs_passwords_are_refused_and_others_stay(
    store: Store, summary: SandboxSummary, lumen: OrganizationId
) -> None:
    add_user(store, lumen, username="dora", name="Dora", who="ada")
    set_password(store, lumen, "dora", "ada")
    everybody = {*load_edge_facts(store, off_loopback=False).sign_ins}
    refused = everybody - {*load_edge_facts(store, off_loopback=True).sign_ins}
    assert refused == {("anna", "lumen.test"), ("ben", "lumen.test"), ("chloe", "lumen.test"), ("paul", "pine.test")}


@pytest.fixture
def lumen(store: Store, summary: SandboxSummary) -> OrganizationId:
    """A customer beside the sandbox."""
    with store.provider_change("tests") as provider:
        return provider.organizations.add("Customer", "customer.example", "DE", Purpose.CUSTOMER).id


def test_the_self_test_never_reaches_a_real_carrier(store: Store, summary: SandboxSummary) -> None:
    real = Carrier("real", "192.0.2.1", 5060)
    with store.provider_change("ada") as provider:
        provider.carriers.put(CarrierEntry(real, sandbox=False, default=True))
    snapshot = load(store)
    assert snapshot.by_domain["lumen.test"].carrier == real
    assert snapshot.by_domain["selftest.invalid"].carrier == SANDBOX
    with store.provider_change("ada") as provider:
        provider.stock.change_all(provider.stock.of_carrier("sandbox"), carrier=None)
        provider.carriers.remove("sandbox")
    assert load(store).by_domain["selftest.invalid"].carrier is None


def test_a_carrier_that_is_not_the_default_takes_no_calls(store: Store, summary: SandboxSummary) -> None:
    with store.provider_change("ada") as provider:
        provider.carriers.put(CarrierEntry(Carrier("asleep", "192.0.2.1", 5060), sandbox=False, default=False))
    snapshot = load(store)
    assert snapshot.by_domain["lumen.test"].carrier == SANDBOX
    assert set(load_edge_facts(store, off_loopback=False).carriers) == {("192.0.2.1", 5060), ("127.0.0.2", 5070)}


def test_who_has_several_numbers_shows_the_lowest(store: Store, summary: SandboxSummary) -> None:
    pine = summary.others[0].profile.id
    with store.change(pine, "ada") as transaction:
        paul = transaction.users.all()[0]
        for number in ("+15035550180", "+15035550100", "+15035550150"):
            transaction.numbers.assign(E164(number), ToUser(paul.id))
        assert [user.number for user in transaction.users.all()] == ["+15035550100"]
        assert transaction.users.by_username("paul") == replace(paul, number=E164("+15035550100"), version=transaction.revision or 0)
    held = load(store).by_domain["pine.test"]
    assert held.users[paul.id].number == "+15035550100"
    assert len(held.numbers) == 4
