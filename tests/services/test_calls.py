"""Past calls: whose they are, pages, and how one is found."""

from collections.abc import Iterator

import pytest

from offhook.domain.errors import Conflict, Invalid, Missing
from offhook.domain.organizations import OrganizationId, Purpose
from offhook.services.calls import get_trace, list_calls
from offhook.services.ports.store import Store
from offhook.store.records import RecordsWriter
from offhook.store.transaction import Database
from tests.conftest import founded
from tests.store.finished import finished, the_call


@pytest.fixture
def probe(store: Store) -> OrganizationId:
    return founded(store, "Self-test", "selftest.invalid", Purpose.PROBE)


@pytest.fixture(autouse=True)
def calls(database: Database, lumen: OrganizationId, pine: OrganizationId, probe: OrganizationId) -> Iterator[None]:
    """Ten calls of Lumen Works (0 to 9), one of the bakery (10), one of nobody (11), one of the self-test (12)."""
    writer = RecordsWriter(database.engine)
    for number in range(13):
        writer.keep(*finished(number, lumen if number < 10 else {10: pine, 12: probe}.get(number)))
    assert writer.close() == 0
    yield


def numbers(store: Store, organization: OrganizationId | None, limit: int = 50, before: int | None = None) -> list[int]:
    found = list_calls(store, organization, limit, None if before is None else the_call(before))
    known = {the_call(number): number for number in range(13)}
    return [known[cdr.call] for cdr in found]


def test_an_organization_sees_its_own_calls_newest_first(store: Store, lumen: OrganizationId, pine: OrganizationId) -> None:
    assert numbers(store, lumen) == list(range(9, -1, -1))
    assert numbers(store, pine) == [10]


def test_the_provider_sees_all_but_the_self_tests(store: Store, probe: OrganizationId) -> None:
    assert numbers(store, None) == list(range(11, -1, -1))
    assert numbers(store, probe) == [12]
    assert get_trace(store, None, the_call(12))["call"] == the_call(12)


def test_pages_follow_each_other(store: Store, lumen: OrganizationId) -> None:
    assert numbers(store, lumen, 4) == [9, 8, 7, 6]
    assert numbers(store, lumen, 4, before=6) == [5, 4, 3, 2]
    assert numbers(store, lumen, 4, before=2) == [1, 0]
    assert numbers(store, lumen, 4, before=0) == []


@pytest.mark.parametrize("limit", [0, -1, 1001])
def test_a_page_has_bounds(store: Store, lumen: OrganizationId, limit: int) -> None:
    with pytest.raises(Invalid) as refused:
        list_calls(store, lumen, limit)
    assert refused.value.field == "limit"


def test_a_call_is_found_by_id_by_its_beginning_and_as_the_last(store: Store, lumen: OrganizationId, pine: OrganizationId) -> None:
    fifth, last = finished(5, lumen)[1], finished(9, lumen)[1]
    assert get_trace(store, lumen, the_call(5)) == get_trace(store, lumen, the_call(5).upper()) == fifth
    own = next(
        the_call(5)[:length]
        for length in range(1, 20)
        if not any(the_call(n).startswith(the_call(5)[:length]) for n in range(13) if n != 5)
    )
    assert len(own) < len(the_call(5))
    assert get_trace(store, lumen, own) == fifth
    assert get_trace(store, lumen, "last") == last
    assert get_trace(store, pine, the_call(10)[:3]) == finished(10, pine)[1]


def test_a_beginning_that_several_calls_share_is_refused(store: Store, lumen: OrganizationId) -> None:
    with pytest.raises(Conflict, match=the_call(9)) as refused:
        get_trace(store, lumen, the_call(5)[:3])
    assert refused.value.field == "call"


@pytest.mark.parametrize("call", ["", "%", "_", "zzzz", the_call(10), the_call(11), the_call(12), the_call(10)[:-1]])
def test_another_organizations_call_is_not_there(store: Store, lumen: OrganizationId, call: str) -> None:
    with pytest.raises(Missing) as refused:
        get_trace(store, lumen, call)
    assert refused.value.field == "call"
