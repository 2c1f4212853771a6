"""What is there at the first start, and at the second."""

import json
from pathlib import Path

import pytest

from offhook.domain.catalogue import ProductState
from offhook.domain.numbers import E164, StockState
from offhook.domain.organizations import Carrier, Purpose
from offhook.domain.prices import Period
from offhook.services.attendants import add_attendant
from offhook.services.devices import set_password
from offhook.services.edge_facts import load_edge_facts
from offhook.services.numbers import take_number
from offhook.services.organizations import close_organization, list_organizations
from offhook.services.ports.catalogue import NewPrice
from offhook.services.ports.listing import Listing
from offhook.services.ports.store import CarrierEntry, Store
from offhook.services.sandbox import OUTSIDE, PROBE_DOMAIN, STOCK, SandboxSummary, sandbox_json, seed, seed_probe
from offhook.services.secrets import ha1
from offhook.services.snapshot import load
from offhook.services.stock import change_stock_number, remove_stock_number
from offhook.services.tokens import authenticate
from offhook.services.users import add_user

KEY = b"k" * 32


@pytest.fixture
def summary(store: Store) -> SandboxSummary:
    return seed(store, KEY, "127.0.0.2", 5070)


def test_the_second_start_finds_what_the_first_one_made(store: Store, summary: SandboxSummary) -> None:
    before = load(store)
    assert seed(store, KEY, "127.0.0.2", 5070) == summary
    assert load(store) == before


def test_the_summary_for_programs_has_its_promised_shape(summary: SandboxSummary) -> None:
    where = {"sip_host": "127.0.0.1", "sip_port": 5060, "edge_host": "127.0.0.1", "edge_port": 5080, "api_url": "http://127.0.0.1:8080"}
    told = json.loads(json.dumps(sandbox_json(summary, **where)))  # type: ignore[arg-type]
    assert told.keys() == {"sip", "attendant", "carrier", "api", "others"}
    assert {key: told["sip"][key] for key in ("host", "port", "domain")} == {"host": "127.0.0.1", "port": 5060, "domain": "lumen.test"}
    people = [(user["username"], user["extension"], user["number"]) for user in told["sip"]["users"]]
    assert people == [("anna", "101", "+12065550101"), ("ben", "102", "+12065550102"), ("chloe", "103", "+12065550103")]
    assert told["attendant"] == {"extension": "100", "number": "+12065550100"}
    assert told["carrier"] == {"host": "127.0.0.2", "port": 5070, "edge_host": "127.0.0.1", "edge_port": 5080}
    assert told["api"].keys() == {"url", "token"}
    (pine,) = told["others"]
    assert (pine["sip"]["domain"], [user["username"] for user in pine["sip"]["users"]]) == ("pine.test", ["paul"])


def test_passwords_and_tokens_open_what_they_are_for(store: Store, summary: SandboxSummary) -> None:
    credentials = load_edge_facts(store, off_loopback=False).sign_ins
    for organization in (summary.first, *summary.others, summary.probe):
        domain = organization.profile.domain
        for entry in organization.users:
            assert entry.password is not None
            assert credentials[entry.user.username, domain].ha1 == ha1(entry.user.username, domain, entry.password).ha1_md5
        assert authenticate(store, organization.token).organization == organization.profile.id
    passwords = [entry.password for organization in (summary.first, *summary.others, summary.probe) for entry in organization.users]
    assert len(set(passwords)) == 6


def test_nothing_clear_is_in_the_database(sqlite_file: Path, summary: SandboxSummary) -> None:
    kept = b"".join(path.read_bytes() for path in sqlite_file.parent.iterdir())
    assert b"lumen.test" in kept
    for organization in (summary.first, *summary.others, summary.probe):
        assert organization.token.encode() not in kept
        for entry in organization.users:
            assert entry.password and entry.password.encode() not in kept


def test_the_attendant_connects_by_key(summary: SandboxSummary) -> None:
    attendant = summary.first.attendant
    assert attendant is not None
    ids = {entry.user.username: entry.user.id for entry in summary.first.users}
    assert attendant.keys == {"1": ids["anna"], "2": ids["ben"], "0": ids["chloe"]}
    assert attendant.operator == ids["chloe"]


def test_the_carrier_follows_to_its_new_address(store: Store, summary: SandboxSummary) -> None:
    assert seed(store, KEY, "127.0.0.9", 5071).carrier == Carrier("sandbox", "127.0.0.9", 5071)
    snapshot = load(store)
    assert load_edge_facts(store, off_loopback=False).carriers == (("127.0.0.9", 5071),)
    assert {organization.carrier for organization in snapshot.organizations.values()} == {Carrier("sandbox", "127.0.0.9", 5071)}


def test_a_carrier_that_was_made_the_default_stays_it(store: Store, summary: SandboxSummary) -> None:
    with store.provider_change("ada") as provider:
        provider.carriers.put(CarrierEntry(Carrier("real", "192.0.2.1", 5060), sandbox=False, default=True))
    seed(store, KEY, "127.0.0.9", 5071)
    with store.provider_view() as provider:
        assert [(entry.carrier.name, entry.default) for entry in provider.carriers.all()] == [("real", True), ("sandbox", False)]


def test_what_people_changed_stays_changed(store: Store, summary: SandboxSummary) -> None:
    lumen = summary.first.profile.id
    set_password(store, lumen, "anna", "ada")
    add_user(store, lumen, username="dora", name="Dora", extension="104", who="ada")
    users = {entry.user.username: entry.password for entry in seed(store, KEY, "127.0.0.2", 5070).first.users}
    assert list(users) == ["anna", "ben", "chloe"]  # nobody knows dora's password here
    assert users["anna"] is None and users["ben"] is not None


def test_an_attendant_that_was_added_later_is_not_taken_for_the_sandboxs(store: Store, summary: SandboxSummary) -> None:
    add_attendant(
        store,
        summary.first.profile.id,
        {"name": "Aardvark", "language": "en", "extension": "180", "greeting": "Welcome.", "keys": {}},
        who="ada",
    )
    again = seed(store, KEY, "127.0.0.2", 5070).first
    assert (again.attendant, again.attendant_number) == (summary.first.attendant, summary.first.attendant_number)


def test_the_self_test_has_its_place_without_a_sandbox_too(store: Store) -> None:
    probe = seed_probe(store, KEY)
    assert (probe.profile.domain, probe.profile.purpose) == (PROBE_DOMAIN, Purpose.PROBE)
    snapshot = load(store)
    assert list(snapshot.by_domain) == [PROBE_DOMAIN]
    assert snapshot.by_domain[PROBE_DOMAIN].carrier is None
    assert {username for username, _ in load_edge_facts(store, off_loopback=True).sign_ins} == {"probe1", "probe2"}
    assert list_organizations(store) == []


def test_without_the_sandbox_its_carrier_is_gone(store: Store, summary: SandboxSummary) -> None:
    assert seed_probe(store, KEY) == summary.probe
    assert load(store).carriers == ()


def test_the_first_products_come_once_and_what_the_provider_removed_does_not_come_back(store: Store) -> None:
    seed_probe(store, KEY)
    with store.provider_view() as provider:
        drafts = provider.products.all()
        assert {each.state for each in drafts.values()} == {ProductState.DRAFT} and provider.prices.page(9) == []
    with store.provider_change("ada") as provider:
        for sku in drafts:
            provider.products.remove(sku)
    seed_probe(store, KEY)
    seed(store, KEY, "127.0.0.2", 5070)
    with store.provider_view() as provider:
        assert provider.products.all() == {} and provider.prices.page(9) == []


def test_made_up_prices_go_with_the_sandbox_and_real_ones_stay(store: Store, summary: SandboxSummary) -> None:
    real = NewPrice("phone-system", None, "USD", Period.YEAR, 99_000_000, 5.0)
    with store.provider_change("ada") as provider:
        made_up = provider.prices.page(999)
        assert made_up and all(each.made_up for each in made_up)
        kept = provider.prices.add(real)
    seed(store, KEY, "127.0.0.2", 5070)
    with store.provider_view() as provider:
        assert provider.prices.page(999) == [*made_up, kept]
    seed_probe(store, KEY)
    with store.provider_view() as provider:
        assert provider.prices.page(999) == [kept]
        assert {each.state for each in provider.products.all().values()} == {ProductState.ON_SALE}


def test_the_self_tests_organization_is_in_no_listing(store: Store, summary: SandboxSummary) -> None:
    assert [profile.name for profile in list_organizations(store)] == ["Lumen Works", "Pine Bakery"]


def test_one_of_the_sandbox_that_was_closed_is_made_anew_at_once(store: Store, summary: SandboxSummary) -> None:
    """Before its rows are gone: the next start must not wait for them."""
    (pine,) = summary.others
    close_organization(store, pine.profile.id, gives_back=True, who="provider")
    (anew,) = seed(store, KEY, "127.0.0.2", 5070).others
    assert anew.profile.id != pine.profile.id and anew.token == pine.token
    assert authenticate(store, anew.token).organization == anew.profile.id
    assert [entry.user.number for entry in anew.users] == [entry.user.number for entry in pine.users]


def test_a_number_that_somebody_took_since_stays_theirs_and_keeps_nothing_from_starting(store: Store, summary: SandboxSummary) -> None:
    (pine,) = summary.others
    numbers = [entry.user.number for entry in pine.users if entry.user.number]
    close_organization(store, pine.profile.id, gives_back=True, who="provider")
    with store.change(summary.first.profile.id, "anna") as transaction:
        for number in numbers:
            transaction.numbers.assign(number, None)
    (anew,) = seed(store, KEY, "127.0.0.2", 5070).others
    assert numbers and [entry.user.number for entry in anew.users] == [None] * len(pine.users)
    assert {number: owner for number, (owner, _) in load(store).numbers.items() if number in numbers} == {}
    with store.view(summary.first.profile.id) as transaction:
        assert set(numbers) <= transaction.numbers.all().keys()


def test_the_sandbox_has_a_stock_in_which_its_numbers_lie(store: Store, summary: SandboxSummary) -> None:
    with store.provider_view() as provider:
        states = {number: provider.stock.held([number])[number] for number in STOCK}
    had = {"+12065550100", "+12065550101", "+12065550102", "+12065550103", "+15035550101"}
    assert {number for number, each in states.items() if each.state is StockState.IN_USE} == had
    assert {number for number, each in states.items() if each.state is StockState.WITHHELD} == OUTSIDE and "+12065550199" in OUTSIDE
    assert {each.carrier for each in states.values()} == {"sandbox"}
    with store.view(summary.others[0].profile.id) as transaction:
        free = [each.number for each in transaction.numbers.available(Listing(500)).items]
    assert free == sorted(set(STOCK) - had - OUTSIDE)


def test_what_the_provider_changed_of_the_sandboxs_stock_stays_changed(store: Store, summary: SandboxSummary) -> None:
    remove_stock_number(store, "+12065550142", who="provider")
    change_stock_number(store, "+12065550199", {"withheld": None}, who="provider")
    seed(store, KEY, "127.0.0.2", 5070)
    with store.provider_view() as provider:
        assert provider.stock.held([E164("+12065550142")]) == {}
        assert provider.stock.held([E164("+12065550199")])[E164("+12065550199")].state is StockState.FREE


def test_without_the_sandbox_only_what_is_in_use_of_its_stock_stays(store: Store, summary: SandboxSummary) -> None:
    seed_probe(store, KEY)
    with store.provider_view() as provider:
        kept = {each.number: (each.state, each.carrier) for each in provider.stock.page(Listing(500)).items}
    assert len(kept) == 8 and set(kept.values()) == {(StockState.IN_USE, None)}
    seed(store, KEY, "127.0.0.2", 5070)
    with store.provider_view() as provider:
        assert len(provider.stock.page(Listing(500)).items) == len(STOCK) + 3


def test_an_organization_that_is_made_anew_lets_others_keep_what_they_took_meanwhile(store: Store, summary: SandboxSummary) -> None:
    close_organization(store, summary.first.profile.id, gives_back=True, who="provider")
    pine = summary.others[0].profile.id
    for number in ("+12065550100", "+12065550102"):
        take_number(store, pine, number, {}, who="paul")
    again = seed(store, KEY, "127.0.0.2", 5070).first
    assert [(each.user.username, each.user.number) for each in again.users] == [
        ("anna", "+12065550101"),
        ("ben", None),
        ("chloe", "+12065550103"),
    ]
    assert (again.attendant_number, again.profile.main_number) == (None, None)
