"""The provider's stock in the database: what organizations take of it, what the provider sees, and who comes first."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text
from sqlalchemy.exc import DBAPIError

from offhook.domain.errors import Conflict
from offhook.domain.numbers import E164, NumberInUse, NumberNotAvailable, StockState
from offhook.domain.organizations import OrganizationId
from offhook.domain.users import User
from offhook.services.ports.listing import Listing
from offhook.services.ports.people import Deeds
from offhook.services.ports.store import NewUser, Store, Transaction
from offhook.services.sheets import OnExisting
from offhook.services.stock import add_range, change_stock_number, get_stock_number, remove_stock_number
from offhook.store.engine import has_collided
from offhook.store.tables import provider_changes
from offhook.store.transaction import Database
from tests.postgres import until_somebody_waits

FREE, NEXT, ABSENT = E164("+12065550110"), E164("+12065550111"), E164("+12065559999")


def take(store: Store, organization: OrganizationId, *numbers: E164) -> None:
    with store.change(organization, "tests") as transaction:
        for number in numbers:
            transaction.numbers.assign(number, None)


def available(transaction: Transaction, prefix: str = "+1206") -> list[E164]:
    return [each.number for each in transaction.numbers.available(Listing(500, equal={"prefix": prefix})).items]


def refusal(store: Store, organization: OrganizationId, number: E164) -> tuple[str, str | None, str]:
    with pytest.raises(NumberNotAvailable) as refused:
        take(store, organization, number)
    return refused.value.code, refused.value.field, refused.value.explanation.replace(number, "")


def test_what_another_has_what_is_withheld_and_what_is_nowhere_is_refused_alike(
    store: Store, lumen: OrganizationId, pine: OrganizationId
) -> None:
    take(store, pine, FREE)
    change_stock_number(store, NEXT, {"withheld": "quarantine"}, who="provider")
    told = {refusal(store, lumen, number) for number in (FREE, NEXT, ABSENT)}
    assert len(told) == 1 and told.pop()[:2] == ("number.not_available", "number")
    with store.view(lumen) as transaction:
        assert transaction.numbers.all() == {} and not {FREE, NEXT, ABSENT} & set(available(transaction))


def test_what_is_given_back_is_free_again(store: Store, lumen: OrganizationId, pine: OrganizationId) -> None:
    take(store, pine, FREE)
    assert get_stock_number(store, FREE).domain == "pine.test"
    with store.change(pine, "tests") as transaction:
        transaction.numbers.give_back(FREE)
    assert get_stock_number(store, FREE).state is StockState.FREE
    take(store, lumen, FREE)
    assert get_stock_number(store, FREE).organization == lumen


def test_what_was_withheld_while_it_was_in_use_is_not_offered_once_it_is_given_back(store: Store, pine: OrganizationId) -> None:
    take(store, pine, FREE)
    change_stock_number(store, FREE, {"withheld": "to be ported"}, who="provider")
    assert get_stock_number(store, FREE).state is StockState.IN_USE
    with store.change(pine, "tests") as transaction:
        transaction.numbers.give_back(FREE)
        assert FREE not in available(transaction)
    assert get_stock_number(store, FREE).state is StockState.WITHHELD
    change_stock_number(store, FREE, {"withheld": None}, who="provider")
    take(store, pine, FREE)


def test_the_numbers_of_a_closed_organization_are_free_before_its_rows_are_gone(
    store: Store, lumen: OrganizationId, pine: OrganizationId
) -> None:
    take(store, pine, FREE, NEXT)
    with store.provider_change("provider") as provider:
        provider.organizations.close(pine)
    assert get_stock_number(store, FREE).state is StockState.FREE
    with store.view(lumen) as transaction:
        assert FREE in available(transaction)
    take(store, lumen, FREE)
    remove_stock_number(store, NEXT, who="provider")


def test_many_people_at_once_take_what_is_free_and_nothing_else(store: Store, lumen: OrganizationId, pine: OrganizationId) -> None:
    take(store, pine, FREE)
    take(store, lumen, NEXT)
    free = E164("+12065550112")
    with store.view(lumen) as transaction:
        facts = transaction.people.facts([], [], [FREE, NEXT, ABSENT, free])
        assert facts.not_available == {FREE, ABSENT} and facts.numbers == {}
    for number in (FREE, ABSENT):
        with store.change(lumen, "tests") as transaction, pytest.raises(NumberNotAvailable):
            user = transaction.users.by_username("anna") or _anna(transaction)
            transaction.people.carry_out(Deeds(given=[(number, user.id), (free, user.id)]))
        with store.view(lumen) as transaction:
            assert set(transaction.numbers.all()) == {NEXT}


def _anna(transaction: Transaction) -> User:
    return transaction.users.add(NewUser("anna", "Anna", "en", "101"))


def test_the_database_itself_keeps_what_is_in_use(database: Database, lumen: OrganizationId) -> None:
    take(database, lumen, FREE)
    for statement in ("DELETE FROM stock WHERE e164 = :e164", "UPDATE numbers SET e164 = '+19' WHERE e164 = :e164"):
        with database.engine.connect() as connection, pytest.raises(DBAPIError) as refused:
            connection.execute(text(statement), {"e164": FREE})
        assert has_collided(refused.value)


@pytest.mark.parametrize("how", ["take", "remove", "withhold"])
def test_of_two_who_want_a_number_at_once_one_has_it_and_the_other_is_told_why(
    database: Database, lumen: OrganizationId, pine: OrganizationId, how: str
) -> None:
    """The other waits for the end of the first, and sees what that did."""

    def second() -> str:
        try:
            if how == "take":
                take(database, pine, FREE)
            elif how == "remove":
                remove_stock_number(database, FREE, who="provider")
            else:
                change_stock_number(database, FREE, {"withheld": "kept"}, who="provider")
        except Conflict as refused:
            return refused.code
        return "done"

    with ThreadPoolExecutor(1) as threads:
        with database.change(lumen, "tests") as transaction:
            transaction.numbers.assign(FREE, None)
            asked = threads.submit(second)
            until_somebody_waits(database)
            assert not asked.done()
        assert asked.result(10) == {"take": "number.not_available", "remove": "number.in_use", "withhold": "done"}[how]
    assert get_stock_number(database, FREE).organization == lumen


def test_of_many_who_take_all_numbers_at_once_each_number_has_one(store: Store, lumen: OrganizationId, pine: OrganizationId) -> None:
    wanted = [E164(f"+1206555{last:04}") for last in range(100, 120)]
    begin = threading.Barrier(2)

    def takes(organization: OrganizationId) -> set[str]:
        begin.wait()
        codes = set()
        for number in wanted:
            try:
                take(store, organization, number)
            except Conflict as refused:
                codes.add(refused.code)
        return codes

    with ThreadPoolExecutor(2) as threads:
        codes = set().union(*threads.map(takes, (lumen, pine)))
    assert codes == {"number.not_available"}
    had = []
    for organization in (lumen, pine):
        with store.view(organization) as transaction:
            had += list(transaction.numbers.all())
    assert sorted(had) == wanted


def test_a_range_is_one_revision_with_a_line_for_each_number(database: Database, lumen: OrganizationId) -> None:
    before = get_stock_number(database, FREE).version
    entered = add_range(database, "+13125550000", "+13125552999", {"locality": "Chicago"}, OnExisting.REFUSE, "provider")
    assert entered.results == {"created": 3000}
    with database.engine.connect() as connection:
        lines = connection.execute(
            select(provider_changes).where(provider_changes.c.kind == "stock_number", provider_changes.c.revision > before)
        ).mappings()
        found = [(line["revision"], line["seq"], line["object_id"], line["after"]["locality"]) for line in lines]
    (revision,) = {each[0] for each in found}
    assert sorted(each[1] for each in found) == list(range(3000)) and {each[3] for each in found} == {"Chicago"}
    assert len({each[2] for each in found}) == 3000 and get_stock_number(database, "+13125551234").version == revision


LISTINGS = [
    ({"state": "free"}, 5),
    ({"state": "in_use"}, 2),
    ({"state": "withheld"}, 1),
    ({"organization": "pine"}, 1),
    ({"organization": "pine", "state": "free"}, 0),
    ({"prefix": "+1312555000"}, 6),
    ({"prefix": "+1312555"}, 8),
    ({"country": "CA", "prefix": "+1312"}, 1),
    ({"kind": "mobile", "prefix": "+1312"}, 1),
    ({"carrier": "north"}, 0),
    ({"locality": "Chicago"}, 6),
]


@pytest.mark.parametrize(("equal", "many"), LISTINGS, ids=str)
def test_the_provider_finds_numbers_by_what_they_are_and_who_has_them(
    store: Store, lumen: OrganizationId, pine: OrganizationId, equal: dict[str, str], many: int
) -> None:
    add_range(store, "+13125550000", "+13125550005", {"locality": "Chicago"}, OnExisting.REFUSE, "provider")
    add_range(store, "+13125551000", "+13125551001", {}, OnExisting.REFUSE, "provider")
    take(store, lumen, E164("+13125550003"))
    take(store, pine, E164("+13125551000"))
    change_stock_number(store, "+13125550001", {"withheld": "kept", "country": "CA", "kind": "mobile"}, who="provider")
    wanted = ({"prefix": "+1312"} | equal) | ({"organization": pine} if "organization" in equal else {})
    found: list[E164] = []
    after = None
    with store.provider_view() as provider:
        while True:
            page = provider.stock.page(Listing(2, equal=wanted, after=after))
            found += [each.number for each in page.items]
            after = page.next
            if after is None:
                break
    assert len(found) == many and found == sorted(set(found))


def test_a_number_in_use_stays_in_the_stock(store: Store, lumen: OrganizationId) -> None:
    take(store, lumen, FREE)
    with pytest.raises(NumberInUse, match=r"lumen\.test"):
        remove_stock_number(store, FREE, who="provider")
    assert get_stock_number(store, FREE).organization == lumen
