"""What was touched, taken up, makes the same of a snapshot as loading everything anew."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from offhook.domain.errors import Missing
from offhook.domain.numbers import E164
from offhook.domain.organizations import Carrier, OrganizationId, ToAttendant, ToUser
from offhook.domain.users import UserId
from offhook.services.devices import add_device, remove_device, renew_device, set_password
from offhook.services.edge_facts import load_edge_facts
from offhook.services.ports.delta import Delta
from offhook.services.ports.store import CarrierEntry, Profile, Store, Transaction
from offhook.services.snapshot import Snapshot, given_up, load, organization_of, taken_in, taken_up, with_carriers
from offhook.services.users import add_user, change_user, remove_user
from offhook.store.copy import copy_configuration, follow
from offhook.store.transaction import Database
from tests.conftest import founded

Edit = Callable[[Store, OrganizationId], object]


def people(store: Store, own: OrganizationId) -> None:
    """Three people with numbers and telephones, and an attendant."""
    for place, name in enumerate(("anna", "ben", "chloe")):
        add_user(store, own, username=name, name=name.title(), extension=f"10{place}", number=f"+1206555010{place}", who="ada")
        set_password(store, own, name, "ada")
    with store.change(own, "ada") as transaction:
        ids = {user.username: user.id for user in transaction.users.all()}
        menu = transaction.attendants.add("Menu", "en", "100100", "Welcome.", {"1": ids["anna"]})
        transaction.numbers.assign(E164("+12065550199"), ToAttendant(menu.id))


def change(edit: Callable[[Transaction], object]) -> Edit:
    def made(store: Store, own: OrganizationId) -> None:
        with store.change(own, "ada") as transaction:
            edit(transaction)

    return made


def user(transaction: Transaction, name: str) -> UserId:
    found = transaction.users.by_username(name)
    assert found is not None
    return found.id


def swap_extensions(transaction: Transaction) -> None:
    anna, ben = user(transaction, "anna"), user(transaction, "ben")
    transaction.users.change(anna, extension=None)
    transaction.users.change(ben, extension="100")
    transaction.users.change(anna, extension="101")


def another_menu(transaction: Transaction) -> None:
    (menu,) = transaction.attendants.all()
    transaction.attendants.change(menu.id, extension="199", keys={"1": user(transaction, "ben"), "2": user(transaction, "anna")})


def no_menu(transaction: Transaction) -> None:
    (menu,) = transaction.attendants.all()
    transaction.attendants.remove(menu.id)


def a_lower_number(transaction: Transaction) -> None:
    transaction.numbers.assign(E164("+12065550001"), ToUser(user(transaction, "anna")))
    transaction.numbers.assign(E164("+12065550002"), None)


def number_moves(transaction: Transaction) -> None:
    transaction.numbers.assign(E164("+12065550100"), None)
    transaction.numbers.assign(E164("+12065550100"), ToUser(user(transaction, "ben")))
    transaction.numbers.give_back(E164("+12065550102"))


EDITS: dict[str, Edit] = {
    "nothing": lambda store, own: None,
    "a user comes": lambda store, own: add_user(
        store, own, username="dora", name="Dora", extension="110", number="+12065550110", who="ada"
    ),
    "a user goes": lambda store, own: remove_user(store, own, "chloe", who="ada"),
    "a user is called otherwise": lambda store, own: change_user(
        store, own, "ben", {"username": "benjamin", "name": "Benjamin"}, who="ada"
    ),
    "an extension is given up": lambda store, own: change_user(store, own, "ben", {"extension": None}, who="ada"),
    "extensions are swapped": change(swap_extensions),
    "a number is lower": change(a_lower_number),
    "numbers move": change(number_moves),
    "a menu changes": change(another_menu),
    "a menu goes": change(no_menu),
    "the organization changes": change(lambda t: t.change_profile(name="Lumen", country="DE", main_number="+12065550199")),
    "a password": lambda store, own: set_password(store, own, "anna", "ada"),
    "a second telephone": lambda store, own: add_device(store, own, "anna", "Desk", "ada"),
}


def touched(store: Store, id: OrganizationId, since: int) -> tuple[Profile, Delta]:
    with store.view(id) as transaction:
        return transaction.profile(), transaction.delta(since)


def followed(store: Store, held: Snapshot, id: OrganizationId) -> Snapshot:
    return taken_up(held, *touched(store, id, held.organizations[id].revision))


@pytest.mark.parametrize("name", EDITS)
def test_a_delta_makes_what_loading_anew_makes(store: Store, lumen: OrganizationId, pine: OrganizationId, name: str) -> None:
    people(store, lumen)
    held, before = load(store), load(store)
    EDITS[name](store, lumen)
    assert followed(store, held, lumen) == load(store)
    assert held == before


def test_deltas_follow_each_other_and_may_come_twice(store: Store, lumen: OrganizationId) -> None:
    people(store, lumen)
    first = held = load(store)
    last = ("a menu goes", "a user goes", "a user is called otherwise")
    for name in (*(name for name in EDITS if name not in last), *last):
        EDITS[name](store, lumen)
        held = followed(store, held, lumen)
        assert held == load(store)
    late = taken_up(held, *touched(store, lumen, first.organizations[lumen].revision))
    assert late == load(store)


def test_what_touches_a_number_shows_in_whose_it_was_and_whose_it_is(store: Store, lumen: OrganizationId) -> None:
    people(store, lumen)
    held = load(store)
    EDITS["numbers move"](store, lumen)
    after = followed(store, held, lumen).organizations[lumen]
    shown = {after.users[id].username: after.users[id].number for id in after.users}
    assert shown == {"anna": None, "ben": "+12065550100", "chloe": None}


def test_a_number_that_went_to_another_organization_stays_there(store: Store, lumen: OrganizationId, pine: OrganizationId) -> None:
    number = E164("+12065550150")
    add_user(store, lumen, username="anna", name="Anna", number=number, who="ada")
    held = load(store)
    with store.change(lumen, "ada") as transaction:
        transaction.numbers.give_back(number)
    add_user(store, pine, username="paul", name="Paul", number=number, who="ada")
    assert followed(store, followed(store, held, pine), lumen) == load(store)
    assert followed(store, followed(store, held, lumen), pine) == load(store)


def test_organizations_come_and_go_and_carriers_change(store: Store, lumen: OrganizationId) -> None:
    people(store, lumen)
    held = load(store)
    pine = founded(store, "Pine Bakery", "pine.test")
    add_user(store, pine, username="paul", name="Paul", number="+12065550150", who="ada")
    with store.view(pine) as transaction:
        configured = transaction.configured()
    more = taken_in(held, organization_of(configured, held.carriers))
    assert more == load(store)
    assert given_up(more, pine) == held == given_up(held, pine)
    with store.provider_change("ada") as provider:
        provider.carriers.put(CarrierEntry(Carrier("real", "192.0.2.1", 5060), sandbox=False, default=True))
    with store.provider_view() as view:
        assert with_carriers(more, view.carriers.all()) == load(store)


def test_the_edge_is_told_of_telephones_and_of_whose_they_are(store: Store, lumen: OrganizationId) -> None:
    people(store, lumen)
    held = dict(load_edge_facts(store, off_loopback=False).sign_ins)
    since = load(store).organizations[lumen].revision
    second = add_device(store, lumen, "anna", "Desk", "ada")
    third = add_device(store, lumen, "anna", "Lobby", "ada")
    renew_device(store, lumen, second.device, "ada")
    remove_device(store, lumen, third.device, "ada")
    change_user(store, lumen, "ben", {"username": "benjamin"}, who="ada")
    remove_user(store, lumen, "chloe", who="ada")
    _, delta = touched(store, lumen, since)
    assert delta.sign_ins.keys() == {"ben", "chloe", "anna-2", "anna-3"}
    for name, proof in delta.sign_ins.items():
        held.pop((name, "lumen.test"), None)
        if proof is not None:
            held[name, "lumen.test"] = proof
    assert held == load_edge_facts(store, off_loopback=False).sign_ins
    assert held["anna-2", "lumen.test"].owner == "anna" and held["ben", "lumen.test"].owner == "benjamin"


def test_nobody_is_told_of_another_organizations_changes(store: Store, lumen: OrganizationId, pine: OrganizationId) -> None:
    people(store, lumen)
    assert touched(store, pine, 0)[1] == Delta({}, {}, {}, {})
    with pytest.raises(Missing):
        touched(store, OrganizationId(99), 0)


@pytest.mark.parametrize("name", EDITS)
def test_the_copy_follows(database: Database, lumen: OrganizationId, tmp_path: Path, name: str) -> None:
    people(database, lumen)
    copy = tmp_path / "configuration.sqlite"
    follow(database.engine, copy)
    same = copy.stat().st_ino
    EDITS[name](database, lumen)
    follow(database.engine, copy)
    beside = Database.at(f"sqlite:///{copy}")
    assert load(beside) == load(database)
    assert load_edge_facts(beside, off_loopback=False) == load_edge_facts(database, off_loopback=False)
    beside.close()
    assert copy.stat().st_ino == same
    assert copy.stat().st_mode & 0o777 == 0o600


def test_the_copy_follows_organizations_that_come_and_go(database: Database, lumen: OrganizationId, tmp_path: Path) -> None:
    copy = tmp_path / "configuration.sqlite"
    copy_configuration(database.engine, copy)
    same = copy.stat().st_ino
    pine = founded(database, "Pine Bakery", "pine.test")
    people(database, pine)
    follow(database.engine, copy)
    with closing(Database.at(f"sqlite:///{copy}")) as beside:
        assert load(beside) == load(database)
    with closing(sqlite3.connect(copy)) as edited, edited:  # one that the database has not got
        edited.execute("UPDATE users SET organization_id = 99")
        edited.execute(
            "INSERT INTO organizations SELECT 99, name, 'gone.test', country, time_zone, purpose, NULL, 1, 1, 1, NULL, NULL "
            "FROM organizations WHERE id = ?",
            (pine,),
        )
        edited.execute("UPDATE organizations SET revision = 1 WHERE id <> 99")
    follow(database.engine, copy)
    with closing(Database.at(f"sqlite:///{copy}")) as beside:
        assert load(beside) == load(database)
    assert copy.stat().st_ino == same


def test_a_copy_that_cannot_be_followed_is_made_anew(database: Database, lumen: OrganizationId, tmp_path: Path) -> None:
    copy = tmp_path / "configuration.sqlite"
    copy_configuration(database.engine, copy)
    founded(database, "Pine Bakery", "pine.test")
    follow(database.engine, copy)
    assert load(Database.at(f"sqlite:///{copy}")) == load(database)
    copy.write_bytes(b"no database at all" * 100)
    follow(database.engine, copy)
    held = load(Database.at(f"sqlite:///{copy}"))
    assert held == load(database) and held != replace(held, carriers=(CarrierEntry(Carrier("x", "192.0.2.9", 1), False, False),))
