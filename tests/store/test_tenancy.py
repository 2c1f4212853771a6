"""Two organizations with equal names and extensions see nothing of each other."""

import pytest
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from offhook.domain.errors import Conflict, Missing
from offhook.domain.numbers import E164
from offhook.domain.organizations import OrganizationId, ToAttendant, ToUser
from offhook.services.ports.store import Credential, NewUser, Store
from offhook.store.engine import has_collided
from offhook.store.transaction import Database

FIRST, SECOND = E164("+12065550101"), E164("+15035550101")


def furnished(store: Store, organization: OrganizationId, number: E164, mark: str) -> None:
    """The same organization twice, but for the number and a mark on everything."""
    with store.change(organization, mark) as transaction:
        anna = transaction.users.add(NewUser("anna", f"Anna {mark}", "en", "101"))
        transaction.devices.add(anna.id, "Telephone", "anna", Credential(mark * 16, mark * 32))
        transaction.attendants.add("Reception", "en", "100", f"Hello from {mark}.", {"1": anna.id})
        transaction.numbers.assign(number, ToUser(anna.id))
        transaction.change_profile(main_number=number)


@pytest.fixture
def two(store: Store, lumen: OrganizationId, pine: OrganizationId) -> tuple[OrganizationId, OrganizationId]:
    furnished(store, lumen, FIRST, "ab")
    furnished(store, pine, SECOND, "cd")
    return lumen, pine


def test_each_organization_sees_only_its_own(store: Store, two: tuple[OrganizationId, OrganizationId]) -> None:
    for organization, number, mark in zip(two, (FIRST, SECOND), ("ab", "cd"), strict=True):
        with store.view(organization) as transaction:
            (anna,) = transaction.users.all()
            (reception,) = transaction.attendants.all()
            assert (anna.name, anna.extension, anna.number) == (f"Anna {mark}", "101", number)
            assert transaction.users.by_username("anna") == anna
            (device,) = transaction.devices.all()
            assert transaction.devices.credential(device.id) == Credential(mark * 16, mark * 32)
            assert (reception.greeting, reception.keys) == (f"Hello from {mark}.", {"1": anna.id})
            assert transaction.numbers.all() == {number: ToUser(anna.id)}
            assert transaction.profile().main_number == number
            assert {change.who for change in transaction.history.since(0)} == {"tests", mark}


def test_ids_of_another_organization_reach_nothing(store: Store, two: tuple[OrganizationId, OrganizationId]) -> None:
    lumen, pine = two
    with store.view(pine) as transaction:
        paul, reception = transaction.users.all()[0].id, transaction.attendants.all()[0].id
        telephone = transaction.devices.all()[0].id
    with store.change(lumen, "thief") as transaction:
        assert transaction.devices.credential(telephone) is None
        assert transaction.users.by_id(paul) is None
        for forbidden in (
            lambda: transaction.devices.set_credential(telephone, Credential("", "")),
            lambda: transaction.devices.add(paul, "Telephone", "paul", Credential("", "")),
            lambda: transaction.devices.remove(telephone),
            lambda: transaction.users.change(paul, name="Thief"),
            lambda: transaction.users.remove(paul),
            lambda: transaction.users.set_password(paul, "hash"),
            lambda: transaction.attendants.change(reception, name="Thief"),
            lambda: transaction.attendants.remove(reception),
            lambda: transaction.tokens.add("hash", "token", frozenset(), None, paul),
            lambda: transaction.numbers.give_back(SECOND),
        ):
            with pytest.raises(Missing):
                forbidden()
        with pytest.raises(Missing):
            transaction.attendants.add("Second", "en", "200", "Hello.", {"1": paul})
        for destination in (ToUser(paul), ToAttendant(reception)):
            with pytest.raises(Missing):
                transaction.numbers.assign(E164("+12065550177"), destination)
        with pytest.raises(Missing):
            transaction.change_profile(main_number=SECOND)
        assert {change.who for change in transaction.history.since(0)} == {"tests", "ab"}


def test_the_database_itself_refuses_a_key_into_another_organization(
    database: Database, two: tuple[OrganizationId, OrganizationId]
) -> None:
    lumen, pine = two
    with database.engine.connect() as connection, pytest.raises(DBAPIError, match=r"(?i)foreign key") as refused:
        theirs = connection.execute(text("SELECT id FROM users WHERE organization_id = :id"), {"id": pine}).scalar_one()
        ours = connection.execute(text("SELECT id FROM attendants WHERE organization_id = :id"), {"id": lumen}).scalar_one()
        connection.execute(
            text("INSERT INTO attendant_keys VALUES (:organization, :a, '9', :u, 1)"), {"organization": lumen, "a": ours, "u": theirs}
        )
    assert has_collided(refused.value)


def test_a_number_is_in_use_once_in_the_whole_system(store: Store, two: tuple[OrganizationId, OrganizationId]) -> None:
    lumen, _ = two
    with store.change(lumen, "lumen") as transaction, pytest.raises(Conflict) as refused:
        transaction.numbers.assign(SECOND, ToUser(transaction.users.all()[0].id))
    assert refused.value.field == "number"


@pytest.mark.parametrize("extension", ["100", "101"])
def test_an_extension_is_a_users_or_an_attendants(store: Store, two: tuple[OrganizationId, OrganizationId], extension: str) -> None:
    with store.change(two[0], "lumen") as transaction:
        with pytest.raises(Conflict) as refused_user:
            transaction.users.add(NewUser("ben", "Ben", "en", extension))
        with pytest.raises(Conflict) as refused_attendant:
            transaction.attendants.add("Second", "en", extension, "Hello.", {})
    assert refused_user.value.field == refused_attendant.value.field == "extension"


def test_many_users_may_have_no_extension(store: Store, lumen: OrganizationId) -> None:
    with store.change(lumen, "tests") as transaction:
        transaction.users.add(NewUser("anna", "Anna", "en", None))
        transaction.users.add(NewUser("ben", "Ben", "en", None))
        assert [user.extension for user in transaction.users.all()] == [None, None]


def test_an_organization_that_is_not_there_is_missing(store: Store) -> None:
    for opened in (store.view(OrganizationId(99)), store.change(OrganizationId(99), "tests")):
        with pytest.raises(Missing), opened:
            pass
