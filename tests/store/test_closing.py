"""An organization leaves: what goes, what stays, and that nothing of another one changes."""

import contextlib
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from sqlalchemy import insert, select, update

from offhook.domain.errors import Conflict, Missing, Stale, Unavailable
from offhook.domain.jobs import RowState
from offhook.domain.numbers import E164
from offhook.domain.organizations import OrganizationId, Purpose, ToUser
from offhook.services import organizations
from offhook.services.leaving import empty_some
from offhook.services.ports.jobs import RowResult
from offhook.services.ports.listing import Listing
from offhook.services.ports.mails import NewMail
from offhook.services.ports.organizations import Holdings
from offhook.services.ports.people import Deeds
from offhook.services.ports.store import Store
from offhook.services.ports.webhooks import NewDelivery
from offhook.services.snapshot import given_up, load, taken_in
from offhook.store.engine import open_engine
from offhook.store.migrate import migrate
from offhook.store.organizations import OUTLIVE
from offhook.store.records import RecordsWriter
from offhook.store.tables import changes, metadata, provider_answers, quiet_revisions
from offhook.store.tables import organizations as rows_of_organizations
from offhook.store.transaction import Database
from tests.conftest import founded
from tests.postgres import until_somebody_waits
from tests.store.finished import finished
from tests.store.test_tenancy import FIRST, SECOND, furnished

TENANTS = [table for table in metadata.sorted_tables if "organization_id" in table.c]
Two = tuple[OrganizationId, OrganizationId]


@pytest.fixture
def two(database: Database, lumen: OrganizationId, pine: OrganizationId) -> Two:
    """Two organizations with a row in every table that a tenant has."""
    for place, (organization, number, mark) in enumerate(((lumen, FIRST, "ab"), (pine, SECOND, "cd"))):
        furnished(database, organization, number, mark)
        with database.change(organization, mark) as transaction:
            anna = transaction.users.all()[0].id
            transaction.users.set_password(anna, mark)
            transaction.tokens.add(f"{mark}1", "crm", frozenset({"*"}), None)
            transaction.tokens.add(f"{mark}2", "anna", frozenset(), time.time() + 60, anna)
            webhook = transaction.webhooks.add("https://crm.example.com/", ["*"], "sealed")
            transaction.webhooks.add_deliveries([NewDelivery(webhook.id, "change-1-0", "user.created", "{}")])
            transaction.answers.keep("k", "f")
            job = transaction.jobs.add("import-users", mark, 1, {}, b"wanted")
            transaction.jobs.record(job.id, [RowResult(2, RowState.CREATED, "anna", None, None, None)], None)
            transaction.mails.add([NewMail("welcome", f"{mark}-1", f"anna@{mark}.example", "en", "sealed", time.time() + 60)])
        with database.provider_change("provider") as provider:
            provider.invitations.add(f"{mark}3", time.time() + 60, organization, "anna", f"anna@{mark}.example")
            invited = NewMail("invitation", f"{mark}-2", f"anna@{mark}.example", "en", "sealed", time.time() + 60)
            provider.mails.add([invited], organization)
        with database.engine.begin() as connection:
            connection.execute(insert(quiet_revisions).values(organization_id=organization, revision=1))
        called(database, organization, [10 * place + 1, 10 * place + 2])
    return lumen, pine


def called(database: Database, organization: OrganizationId, numbers: Sequence[int]) -> None:
    writer = RecordsWriter(database.engine)
    for number in numbers:
        writer.keep(*finished(number, organization))
    assert writer.close() == 0


def all_of(database: Database, organization: OrganizationId) -> dict[str, list[Any]]:
    """Every row that says it is an organization's."""
    found: dict[str, list[Any]] = {}
    with database.engine.connect() as connection:
        for table in TENANTS:
            rows = connection.execute(select(table).where(table.c.organization_id == organization).order_by(*table.primary_key)).all()
            found[table.name] = [tuple(row) for row in rows]
        own = select(rows_of_organizations).where(rows_of_organizations.c.id == organization)
        found["organizations"] = [tuple(row) for row in connection.execute(own)]
    return found


def test_all_goes_but_history_and_records_and_nothing_of_another_changes(database: Database, two: Two) -> None:
    lumen, pine = two
    before, theirs = all_of(database, lumen), all_of(database, pine)
    assert all(before.values()), f"this test has no row in {[name for name, rows in before.items() if not rows]}"
    revision = organizations.close_organization(database, lumen, gives_back=True, who="provider")
    emptied(database)
    after = all_of(database, lumen)
    kept = {table.name for table in OUTLIVE} | {"organizations"}
    assert {name for name, rows in after.items() if rows} == kept
    assert after["cdrs"] == before["cdrs"] and after["traces"] == before["traces"]
    (line,) = after["changes"][len(before["changes"]) :]
    assert after["changes"][: len(before["changes"])] == before["changes"]
    with database.engine.connect() as connection:
        told = connection.execute(select(changes).where(changes.c.organization_id == lumen, changes.c.revision == revision)).one()
    assert tuple(told) == line and (told.kind, told.who) == ("organization", "provider")
    assert told.before["domain"] == "lumen.test" and told.before["closed_at"] is None and told.after["closed_at"] > 0
    assert all_of(database, pine) == theirs


@pytest.mark.parametrize("rows", [1, 7, 1000])
def test_it_is_emptied_a_little_at_a_time_and_wherever_that_ended_it_goes_on(database: Database, two: Two, rows: int) -> None:
    lumen, pine = two
    had, theirs = sum(len(each) for each in all_of(database, lumen).values()), all_of(database, pine)
    organizations.close_organization(database, lumen, gives_back=True, who="provider")
    assert sum(len(each) for each in all_of(database, lumen).values()) == had + 2  # a line of both histories; the rest is left for later
    steps = emptied(database, rows)
    assert steps > (had - 10) / rows / 2 if rows < 1000 else steps == 1
    assert {name for name, left in all_of(database, lumen).items() if left} == {table.name for table in OUTLIVE} | {"organizations"}
    assert all_of(database, pine) == theirs
    with database.provider_view() as provider:
        assert provider.organizations.to_empty() == []


def emptied(database: Database, rows: int = 1000) -> int:
    """Nothing is left of those that are closed; in how many transactions."""
    steps = 0
    while not empty_some(database, rows):
        steps += 1
    return steps


def test_others_write_while_a_large_one_is_emptied(url: str) -> None:
    """One that is emptied holds no lock for longer than a few rows take: a writer beside it who would wait no longer gets in."""
    impatient = Database(open_engine(url, busy_seconds=0.5))
    migrate(url)
    large, small = founded(impatient, "Large", "large.test"), founded(impatient, "Small", "small.test")
    with impatient.engine.begin() as connection:
        shelved = {"country": "US", "kind": "geographic", "locality": "", "version": 1}
        connection.execute(insert(metadata.tables["stock"]), [{"e164": f"+1{2_000_000_000 + n}"} | shelved for n in range(30_000)])
        rows = ({"e164": f"+1{2_000_000_000 + n}", "organization_id": large, "version": 1} for n in range(30_000))
        connection.execute(insert(metadata.tables["numbers"]), list(rows))
    organizations.close_organization(impatient, large, gives_back=True, who="provider")
    over = threading.Event()

    def empties() -> None:
        emptied = False
        while not emptied:
            time.sleep(0.02)
            with contextlib.suppress(Unavailable):  # others had the lock all the time: it is asked again
                emptied = empty_some(impatient)
        over.set()

    threading.Thread(target=empties).start()
    written = 0
    while not over.is_set() or not written:
        with impatient.change(small, "tests") as transaction:
            transaction.change_profile(name=f"Small {(written := written + 1)}")
    assert written
    impatient.close()


def test_two_who_empty_it_at_once_leave_nothing(database: Database, lumen: OrganizationId) -> None:
    """Who erases its records does so as well as the task that has all of it go."""
    with database.change(lumen, "tests") as transaction:
        for place in range(3):
            transaction.numbers.assign(E164(f"+1206555019{place}"), None)
    organizations.close_organization(database, lumen, gives_back=True, who="provider")
    with ThreadPoolExecutor(1) as threads:
        with database.provider_change("tests") as provider:
            assert not provider.organizations.empty_some(lumen, 2)
            beside = threads.submit(empty_some, database, 2)
            until_somebody_waits(database)
        beside.result()
    emptied(database)
    assert all_of(database, lumen)["numbers"] == []


def test_between_two_portions_of_its_records_the_database_is_free_for_others(
    database: Database, two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    lumen, _ = two
    organizations.close_organization(database, lumen, gives_back=True, who="provider")
    emptied(database)
    free: list[float] = []
    monkeypatch.setattr(organizations, "_ERASED_AT_ONCE", 1)
    monkeypatch.setattr(time, "sleep", free.append)
    erased = organizations.erase_records(database, lumen, "provider", seconds=60.0)
    assert len(free) >= erased.changes and min(free) >= 0.02


def test_of_a_revision_with_many_lines_a_few_go_at_a_time(database: Database, lumen: OrganizationId) -> None:
    with database.change(lumen, "tests") as transaction:
        for place in range(9):
            transaction.numbers.assign(E164(f"+1206555019{place}"), None)
    organizations.close_organization(database, lumen, gives_back=True, who="provider")
    emptied(database)
    lines = len(all_of(database, lumen)["changes"])
    with database.provider_change("tests") as provider:
        erased = provider.organizations.erase_some(lumen, 4)
    assert (erased.changes, erased.complete, len(all_of(database, lumen)["changes"])) == (4, False, lines - 4)


def test_nothing_that_is_left_of_it_opens_a_door(database: Database, two: Two) -> None:
    """Before it is emptied as after it."""
    lumen, pine = two
    with database.change(lumen, "tests") as transaction:
        job = transaction.jobs.page(Listing(1)).items[0]
    organizations.close_organization(database, lumen, gives_back=True, who="provider")
    with database.provider_view() as provider:
        assert provider.tokens.by_hash("ab1") is None and provider.tokens.by_hash("ab2") is None
        assert provider.tokens.by_hash("cd1") is not None
        assert set(provider.sign_ins()) == {pine} == {each for each, _ in provider.unfinished_jobs()} and job.id
        assert provider.webhooks.organizations() == [pine]
        assert {each.organization for each in provider.webhooks.due(time.time() + 60, 9)} == {pine}
        assert provider.organizations.holdings(lumen) == Holdings(0, 0, 0, 0)
        assert [each.profile.id for each in provider.configuration().organizations] == [pine]


def test_many_at_once_take_the_numbers_that_it_had(database: Database, two: Two) -> None:
    lumen, pine = two
    with database.change(pine, "tests") as transaction:
        assert transaction.people.facts([], [], [E164(FIRST)]).not_available == {FIRST}
    organizations.close_organization(database, lumen, gives_back=True, who="provider")
    with database.change(pine, "tests") as transaction:
        assert transaction.people.facts([], [], [E164(FIRST)]).not_available == frozenset()
        transaction.people.carry_out(Deeds(given=[(E164(FIRST), transaction.users.all()[0].id)]))
    emptied(database)
    with database.view(pine) as transaction:
        assert E164(FIRST) in transaction.numbers.all()


def test_it_is_nowhere_any_more(database: Database, two: Two) -> None:
    lumen, pine = two
    organizations.close_organization(database, lumen, gives_back=True, who="provider")
    for opened in (database.view(lumen), database.change(lumen, "tests")):
        with pytest.raises(Missing), opened:
            pass
    with database.provider_view() as provider:
        assert [each.id for each in provider.organizations.all()] == [pine]
        assert set(provider.organizations.revisions()) == {pine} == {each.profile.id for each in provider.configuration().organizations}
        assert provider.organizations.by_domain("lumen.test") is None and set(provider.sign_ins()) == {pine}
        assert provider.tokens.by_hash("ab1") is None and provider.tokens.by_hash("ab2") is None
        assert provider.unfinished_jobs()[0][0] == pine and provider.webhooks.organizations() == [pine]
        assert len(provider.calls.page(10, None)) == 4
    assert set(load(database).by_domain) == {"pine.test"}


def test_its_numbers_and_its_domain_are_free(database: Database, two: Two) -> None:
    lumen, pine = two
    organizations.close_organization(database, lumen, gives_back=True, who="provider")
    with database.change(pine, "tests") as transaction:
        transaction.numbers.assign(FIRST, ToUser(transaction.users.all()[0].id))
    again = founded(database, "Lumen Works", "lumen.test")
    assert again not in two
    with database.view(again) as transaction:
        assert transaction.users.all() == [] and transaction.calls.page(10, None) == [] and len(transaction.history.since(0)) == 1


def test_who_has_numbers_is_not_closed_unless_they_are_given_back(database: Database, two: Two) -> None:
    lumen, _ = two
    before = all_of(database, lumen)
    with pytest.raises(organizations.StillHasNumbers) as refused:
        organizations.close_organization(database, lumen, gives_back=False, who="provider")
    assert refused.value.field == "numbers" and "has 1 numbers" in refused.value.explanation
    with pytest.raises(Stale):
        organizations.close_organization(database, lumen, gives_back=True, version=1, who="provider")
    assert all_of(database, lumen) == before
    with database.change(lumen, "tests") as transaction:
        transaction.change_profile(main_number=None)
        transaction.numbers.give_back(FIRST)
        version = transaction.profile().version
    organizations.close_organization(database, lumen, gives_back=False, version=version, who="provider")
    with pytest.raises(organizations.AlreadyClosed):
        organizations.close_organization(database, lumen, gives_back=True, who="provider")


@pytest.mark.parametrize("id", [99, 0])
def test_who_is_not_there_or_hidden_is_not_closed(store: Store, id: int) -> None:
    hidden = founded(store, "Self-test", "selftest.invalid", Purpose.PROBE)
    for organization in (OrganizationId(id), hidden):
        with pytest.raises(Missing):
            organizations.close_organization(store, organization, gives_back=True, who="provider")
        with pytest.raises(Missing):
            organizations.erase_records(store, organization, "provider")
    assert organizations.list_tenants(store, 10, 0) == ([], None)


def test_records_are_erased_when_it_is_closed_and_nothing_tells_of_it(
    database: Database, two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    lumen, pine = two
    theirs = all_of(database, pine)
    with pytest.raises(organizations.NotClosed):
        organizations.erase_records(database, lumen, "provider")
    organizations.close_organization(database, lumen, gives_back=True, who="provider")
    emptied(database)
    lines = len(all_of(database, lumen)["changes"])
    monkeypatch.setattr(organizations, "_ERASED_AT_ONCE", 1)
    assert not organizations.erase_records(database, lumen, "provider", seconds=1e-9).complete, "a little at a time"
    erased = organizations.erase_records(database, lumen, "provider", seconds=60.0)
    assert (erased.calls, erased.changes, erased.complete) == (1, lines, True)
    ((_, name, domain, *_),) = all_of(database, lumen).pop("organizations")
    assert name == "" and "lumen" not in domain
    left = all_of(database, lumen)
    assert {table for table, rows in left.items() if rows} == {"organizations", "provider_changes"}
    told = [(row[2], row[5] or {}, row[6] or {}) for row in left["provider_changes"]]
    assert told == [("organization", {}, {}), ("invitation", {}, {}), ("organization", {}, {}), ("organization", {}, {})]
    assert all_of(database, pine) == theirs
    assert [each.profile.id for each in organizations.list_tenants(database, 10, 0)[0]] == [pine]
    with pytest.raises(Missing):
        organizations.get_tenant(database, lumen)


def test_records_are_erased_with_what_is_left_of_the_rest(database: Database, two: Two) -> None:
    lumen, _ = two
    organizations.close_organization(database, lumen, gives_back=True, who="provider")
    assert organizations.erase_records(database, lumen, "provider", seconds=60.0).complete
    assert {table for table, rows in all_of(database, lumen).items() if rows} == {"organizations", "provider_changes"}


def test_an_answer_that_nobody_can_ask_for_again_tells_nothing_of_it(database: Database, lumen: OrganizationId) -> None:
    for key in ("long ago", "now"):
        with database.provider_change("provider") as provider:
            provider.answers.keep(key, "f")
            provider.answers.complete(key, 201, {}, b"Lumen Works")
    with database.engine.begin() as connection:
        old = update(provider_answers).where(provider_answers.c.key == "long ago")
        connection.execute(old.values(at=time.time() - 25 * 3600))
    organizations.close_organization(database, lumen, gives_back=True, who="provider")
    assert organizations.erase_records(database, lumen, "provider").complete
    with database.engine.connect() as connection:
        assert list(connection.execute(select(provider_answers.c.key)).scalars()) == ["now"]


def test_what_is_written_down_late_is_nobody_elses(database: Database, two: Two) -> None:
    lumen, pine = two
    for leaving in (pine, lumen):
        organizations.close_organization(database, leaving, gives_back=True, who="provider")
        organizations.erase_records(database, leaving, "provider")
    called(database, pine, [99])
    for domain in ("new.test", "pine.test"):
        with database.view(founded(database, "New", domain)) as transaction:
            assert transaction.calls.page(10, None) == []


def test_tenants_are_listed_a_page_at_a_time(store: Store) -> None:
    ids = [founded(store, f"Organization {number}", f"o{number}.test") for number in range(5)]
    organizations.close_organization(store, ids[1], gives_back=False, who="provider")
    first, following = organizations.list_tenants(store, 3, 0)
    assert [each.profile.id for each in first] == ids[:3] and following == ids[2]
    rest, end = organizations.list_tenants(store, 3, following)
    assert [each.profile.id for each in rest] == ids[3:] and end is None
    assert [each.profile.id for each in organizations.list_tenants(store, 9, 0, closed=True)[0]] == [ids[1]]
    assert [each.profile.id for each in organizations.list_tenants(store, 9, 0, closed=False, domain="o3.test")[0]] == [ids[3]]


def test_a_number_cannot_be_taken_while_it_is_being_closed(store: Store, lumen: OrganizationId) -> None:
    """Whoever waited for the lock finds nobody: the look at whether it is open is part of taking it."""
    organizations.close_organization(store, lumen, gives_back=False, who="provider")
    with pytest.raises((Missing, Conflict)), store.change(lumen, "late") as transaction:
        transaction.numbers.assign(FIRST, None)
    with store.provider_view() as provider:
        assert provider.organizations.holdings(lumen).numbers == 0


def test_the_domain_of_one_that_left_may_be_anothers_by_now(store: Store, lumen: OrganizationId) -> None:
    before = load(store)
    organizations.close_organization(store, lumen, gives_back=False, who="provider")
    again = founded(store, "Lumen Works", "lumen.test")
    late = given_up(taken_in(before, load(store).organizations[again]), lumen)
    assert late.by_domain["lumen.test"].id == again and set(late.organizations) == {again}
