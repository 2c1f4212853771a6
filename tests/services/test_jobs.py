"""Jobs: people from a file, a few rows a transaction; with crashes, cancels and others who come between."""

import asyncio
import logging
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from offhook.domain.access import SCOPES_OF, Role
from offhook.domain.errors import Conflict, Forbidden, Missing, Unavailable
from offhook.domain.jobs import JobState, Move, NotNow, RowState
from offhook.domain.organizations import OrganizationId, Purpose
from offhook.services.jobs import Clerk, get_job, import_users, list_rows, move_job, refused_file
from offhook.services.people_csv import read_sheet
from offhook.services.people_in_bulk import export_users
from offhook.services.ports.jobs import Job, RowResult
from offhook.services.ports.listing import Listing
from offhook.services.ports.store import Store, Transaction
from offhook.services.sheets import OnExisting
from offhook.services.tokens import Access
from offhook.services.users import add_user, change_user, get_user, list_users
from tests.conftest import stocked
from tests.doors.rooms import LiveRoom

HEADS = "username,name,extension,number\n"


@dataclass
class Office:
    """One organization's files, as its administrator sends them."""

    store: Store
    organization: OrganizationId
    access: Access = field(default_factory=lambda: Access(None, "tests", sovereign=True))
    rows_at_once: int = 3

    def sends(self, text: str | bytes, on_existing: OnExisting = OnExisting.CHANGE, *, dry_run: bool = False) -> Job:
        octets = text.encode() if isinstance(text, str) else text
        return import_users(self.store, self.organization, octets, on_existing, self.access, dry_run=dry_run)

    def clerk(self) -> Clerk:
        return Clerk(self.store, LiveRoom(), self.rows_at_once, pause_seconds=0)

    async def imports(self, text: str | bytes, on_existing: OnExisting = OnExisting.CHANGE, *, dry_run: bool = False) -> list[RowResult]:
        job = self.sends(text, on_existing, dry_run=dry_run)
        await self.clerk().work_off()
        assert self.job(job).state is JobState.DONE
        return self.rows(job)

    def job(self, job: Job) -> Job:
        return get_job(self.store, self.organization, job.id)

    def rows(self, job: Job) -> list[RowResult]:
        return list_rows(self.store, self.organization, job.id, Listing(500, (("row", False),))).items

    def revision(self) -> int:
        with self.store.view(self.organization) as transaction:
            return transaction.profile().revision


@pytest.fixture
def office(store: Store, lumen: OrganizationId) -> Office:
    return Office(store, lumen)


def told(rows: list[RowResult]) -> list[tuple[int, str, str | None]]:
    return [(row.row, row.state.value, row.field) for row in rows]


async def test_one_bad_row_stops_nothing_and_each_says_what_became_of_it(office: Office, pine: OrganizationId) -> None:
    add_user(office.store, pine, username="paul", name="Paul", number="+15035550101", who="tests")
    add_user(office.store, office.organization, username="anna", name="Anna", extension="101", who="tests")
    rows = await office.imports(
        "extension,name,username,number,email,role,language,time_zone,location\n"
        "101,Anna Berg,anna,,anna@lumen.test,,,,\n"
        "102,Ben,ben,+1 206 555 0102,,help desk,fr,Europe/Paris,fr\n"
        "101,Chloe,chloe,,,,,,\n"
        "103,Dora,Dora!,,,,,,\n"
        "102,Emil,emil,,,,,,\n"
        "104,Finn,ben,,,,,,\n"
        "105,Gaia,gaia,+15035550101,,,,,\n"
        "106,Hugo,hugo,911,not mail,king,klingon,Mars/Base,zz\n"
        "107,Ida\0,ida,,,,,,\n"
        "108,Jo\n"
        "109,Kim,kim,,,,,,,more\n"
        "911,Lea,lea,,,,,,\n"
        '110,"Max\nMo",max,,,,,,\n'
    )
    assert told(rows) == [
        (2, "changed", None),
        (3, "created", None),
        (4, "refused", "extension"),
        (5, "refused", "username"),
        (6, "refused", "extension"),
        (7, "refused", "username"),
        (8, "refused", "number"),
        (9, "refused", "number"),
        (10, "refused", "name"),
        (11, "refused", "username"),
        (12, "refused", "location"),
        (13, "refused", "extension"),
        (14, "refused", "name"),
    ]
    words = {row.row: f"{row.code} {row.explanation}" for row in rows}
    assert words[4].startswith("row.twice Row 2 ")
    assert words[6].startswith("row.twice Row 3 ")
    assert words[7].startswith("row.twice Row 3 ")
    assert "number.not_available +15035550101 is not available" in words[8] and "aul" not in words[8]
    assert all(part in words[9] for part in ("911", "mail", "king", "klingon", "Mars/Base", "ZZ"))
    ben = get_user(office.store, office.organization, "ben")
    assert (ben.extension, ben.number, ben.language, ben.time_zone, ben.location) == ("102", "+12065550102", "fr", "Europe/Paris", "FR")
    assert ben.role is Role.HELP_DESK
    assert [user.username for user in list_users(office.store, office.organization)] == ["anna", "ben"]


async def test_only_columns_that_are_there_are_changed_and_an_empty_cell_clears(office: Office) -> None:
    add_user(
        office.store, office.organization, username="anna", name="Anna", extension="101", email="a@b.de", number="+12065550101", who="t"
    )
    await office.imports("username,name,extension\nanna,Anna Berg,")
    anna = get_user(office.store, office.organization, "anna")
    assert (anna.name, anna.extension, anna.email, anna.number) == ("Anna Berg", None, "a@b.de", "+12065550101")
    await office.imports("username,name,number,email\nanna,Anna Berg,,")
    anna = get_user(office.store, office.organization, "anna")
    assert (anna.email, anna.number) == (None, None)


@pytest.mark.parametrize(("on_existing", "state"), [(OnExisting.SKIP, "skipped"), (OnExisting.REFUSE, "refused")])
async def test_who_is_there_can_be_left_alone(office: Office, on_existing: OnExisting, state: str) -> None:
    add_user(office.store, office.organization, username="anna", name="Anna", who="tests")
    assert [row.state.value for row in await office.imports("username,name\nanna,Other\nben,Ben", on_existing)] == [state, "created"]
    assert get_user(office.store, office.organization, "anna").name == "Anna"


FREED = HEADS + "anna,Anna,111,+12065550111\nzoe,Zoe,,\nyan,Yan,,\nxaver,Xaver,,\nben,Ben,101,+12065550101\nanna2,A,111,\n"


async def test_a_dry_run_finds_the_same_across_transactions_and_writes_nothing(office: Office) -> None:
    add_user(office.store, office.organization, username="anna", name="Anna", extension="101", number="+12065550101", who="tests")
    before = office.revision()
    dry = await office.imports(FREED, dry_run=True)
    assert office.revision() == before
    assert [user.username for user in list_users(office.store, office.organization)] == ["anna"]
    assert dry == await office.imports(FREED)
    assert [row.state.value for row in dry] == ["changed", "created", "created", "created", "created", "refused"]
    assert get_user(office.store, office.organization, "ben").number == "+12065550101"


async def test_a_few_rows_are_one_revision_and_nothing_changed_is_none(office: Office) -> None:
    before = office.revision()
    job = office.sends("username,name\n" + "".join(f"u{n},User {n}\n" for n in range(7)))
    await office.clerk().work_off()
    assert (office.revision() - before, office.job(job).revision) == (3, office.revision())
    with office.store.view(office.organization) as transaction:
        assert Counter(change.who for change in transaction.history.since(before)) == {"tests": 7}
    at = office.revision()
    assert {row.state for row in await office.imports(export_users(office.store, office.organization))} == {RowState.UNCHANGED}
    assert office.revision() == at


class Struck:
    """A store whose transactions end without a commit after so many that were committed, as if the power had gone; so many `times`."""

    def __init__(self, store: Store, commits: int, error: Exception, times: int = 1_000_000) -> None:
        self._store, self._left, self._error, self._times = store, commits, error, times
        self.provider_change, self.provider_view, self.view, self.trial = (
            store.provider_change,
            store.provider_view,
            store.view,
            store.trial,
        )

    @contextmanager
    def change(self, organization: OrganizationId, who: str) -> Iterator[Transaction]:
        with self._store.change(organization, who) as transaction:
            yield transaction
            if self._left == 0 and self._times > 0:
                self._times -= 1
                raise self._error
            self._left = max(self._left - 1, 0)


@pytest.mark.parametrize("dry_run", [False, True])
async def test_after_a_crash_a_job_goes_on_where_it_was_and_no_row_is_done_twice(office: Office, dry_run: bool) -> None:
    add_user(office.store, office.organization, username="anna", name="Anna", extension="101", number="+12065550101", who="tests")
    job = office.sends(FREED, dry_run=dry_run)
    with pytest.raises(Unavailable):
        await Clerk(Struck(office.store, 1, Unavailable("gone")), LiveRoom(), 2, pause_seconds=0).work_off()
    stopped = office.job(job)
    assert (stopped.state, stopped.done, len(office.rows(job))) == (JobState.RUNNING, 2, 2)
    await office.clerk().work_off()
    assert [row.state.value for row in office.rows(job)] == ["changed", "created", "created", "created", "created", "refused"]
    assert dict(office.job(job).results) == {"changed": 1, "created": 4, "refused": 1}


async def test_while_the_database_is_away_the_clerk_waits_and_says_so_once(
    office: Office, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("offhook.services.jobs.LOOK_AGAIN_SECONDS", 0.01)
    job = office.sends("username,name\nanna,Anna\nben,Ben")
    struck = Struck(office.store, 0, Unavailable("The disk is full."))
    clerk = Clerk(struck, LiveRoom(), 1, pause_seconds=0)
    caplog.set_level(logging.WARNING)
    running = asyncio.create_task(clerk.run())
    while not caplog.records:
        await asyncio.sleep(0.01)
    struck._times = 0
    while office.job(job).state is not JobState.DONE:
        assert not running.done()
        await asyncio.sleep(0.01)
    running.cancel()
    assert len([record for record in caplog.records if "The disk is full" in record.getMessage()]) == 1


async def test_a_mistake_of_ours_stops_one_job_which_can_be_resumed(office: Office) -> None:
    job = office.sends("username,name\nanna,Anna\nben,Ben")
    await Clerk(Struck(office.store, 1, ZeroDivisionError(), times=1), LiveRoom(), 1, pause_seconds=0).work_off()
    failed = office.job(job)
    assert (failed.state, failed.done) == (JobState.FAILED, 1) and failed.explanation
    move_job(office.store, office.organization, job.id, Move.RESUME, Access(office.organization, "tests"))
    await office.clerk().work_off()
    assert (office.job(job).state, office.job(job).explanation) == (JobState.DONE, None)
    assert [row.state.value for row in office.rows(job)] == ["created", "created"]


@pytest.mark.parametrize(("times", "state"), [(2, JobState.DONE), (5, JobState.FAILED)])
async def test_who_collides_with_others_looks_again_and_not_for_ever(office: Office, times: int, state: JobState) -> None:
    job = office.sends(FREED)
    await Clerk(Struck(office.store, 1, Conflict("taken"), times), LiveRoom(), 1, pause_seconds=0).work_off()
    assert office.job(job).state is state
    assert sorted(row.row for row in office.rows(job)) == list(range(2, 2 + office.job(job).done))


async def test_a_job_is_cancelled_between_two_transactions_and_resumed(office: Office) -> None:
    job = office.sends("username,name\nanna,Anna\nben,Ben\nchloe,Chloe")
    clerk = Clerk(office.store, LiveRoom(), 1, pause_seconds=0)
    assert await clerk._round()
    somebody = Access(office.organization, "tests")
    assert move_job(office.store, office.organization, job.id, Move.CANCEL, somebody).state is JobState.CANCELLED
    assert clerk._step(office.organization, job.id) is None  # its turn was decided before it was cancelled
    await clerk.work_off()
    assert [user.username for user in list_users(office.store, office.organization)] == ["anna"]
    with pytest.raises(NotNow):
        move_job(office.store, office.organization, job.id, Move.CANCEL, Access(office.organization, "tests"))
    move_job(office.store, office.organization, job.id, Move.RESUME, Access(office.organization, "tests"))
    await clerk.work_off()
    assert (office.job(job).done, len(list_users(office.store, office.organization))) == (3, 3)
    with pytest.raises(NotNow):
        move_job(office.store, office.organization, job.id, Move.RESUME, Access(office.organization, "tests"))


async def test_who_may_do_less_than_its_maker_cannot_resume_a_job(office: Office) -> None:
    job = office.sends("username,name,role\nanna,Anna,global")
    move_job(office.store, office.organization, job.id, Move.CANCEL, Access(office.organization, "ben", SCOPES_OF[Role.VOICE]))
    with pytest.raises(Forbidden) as refused:
        move_job(office.store, office.organization, job.id, Move.RESUME, Access(office.organization, "ben", SCOPES_OF[Role.VOICE]))
    assert refused.value.field == "job" and office.job(job).state is JobState.CANCELLED
    move_job(office.store, office.organization, job.id, Move.RESUME, Access(office.organization, "ada"))


async def test_the_address_of_somebody_who_may_do_more_is_not_imported(office: Office) -> None:
    add_user(office.store, office.organization, username="maria", name="Maria", email="m@example.com", role=Role.GLOBAL, who="t")
    voice = Access(office.organization, "ben", SCOPES_OF[Role.VOICE])
    job = import_users(
        office.store, office.organization, b"username,name,email\nmaria,Mary,x@example.com", OnExisting.CHANGE, voice, dry_run=False
    )
    await office.clerk().work_off()
    (row,) = office.rows(job)
    assert (row.state, row.code, row.field) == (RowState.REFUSED, "access.forbidden", "email")
    assert get_user(office.store, office.organization, "maria").email == "m@example.com"


async def test_an_organization_does_one_job_at_a_time_and_waits_for_no_other(office: Office, pine: OrganizationId) -> None:
    bakery = Office(office.store, pine)
    first, second = (office.sends("username,name\nanna,Anna\nben,Ben"), office.sends("username,name\nanna,Anna A\n"))
    theirs = bakery.sends("username,name\nanna,Anna of Pine\n")
    clerk = Clerk(office.store, LiveRoom(), 1, pause_seconds=0)
    await clerk._round()
    assert [job.state.value for job in (office.job(first), office.job(second), bakery.job(theirs))] == ["running", "waiting", "done"]
    await clerk.work_off()
    assert office.rows(second)[0].state is RowState.CHANGED
    assert get_user(office.store, pine, "anna").name == "Anna of Pine"
    with pytest.raises(Missing):
        bakery.job(first)


async def test_what_was_taken_between_two_transactions_is_seen(office: Office) -> None:
    job = office.sends(HEADS + "anna,Anna,101,\nben,Ben,102,\n")
    clerk = Clerk(office.store, LiveRoom(), 1, pause_seconds=0)
    await clerk._round()
    add_user(office.store, office.organization, username="zoe", name="Zoe", extension="102", who="tests")
    await clerk.work_off()
    assert told(office.rows(job)) == [(2, "created", None), (3, "refused", "extension")]


async def test_nobody_gives_a_role_that_can_do_more_than_they(office: Office) -> None:
    add_user(office.store, office.organization, username="gia", name="Gia", role=Role.GLOBAL, who="tests")
    office.access = Access(None, "vera", SCOPES_OF[Role.VOICE])
    file = "username,name,role\nvera,Vera,global\nrick,Rick,reader\ngia,Gia,\nben,Ben,\n"
    rows = await office.imports(file)
    assert [(row.state.value, row.code) for row in rows] == [
        ("refused", "access.forbidden"), ("created", None), ("refused", "access.forbidden"), ("created", None),
    ]  # fmt: skip
    office.access = Access(None, "gia", SCOPES_OF[Role.GLOBAL])
    assert [row.code for row in await office.imports("username,name,role\ngia,Gia,\n")] == ["role.last_administrator"]
    assert [row.state.value for row in await office.imports("username,name,role\nvera,Vera,global\ngia,Gia,\n")] == ["created", "changed"]


async def test_refused_rows_are_handed_back_and_import_once_they_are_mended(office: Office) -> None:
    job = office.sends('name;number;username\n=Anna;\'+12065550101;anna\nBen;12;ben\n"Chloe; C";;Chloe\nDora;;dora;9;9\n'.encode("cp1252"))
    await office.clerk().work_off()
    octets = refused_file(office.store, office.organization, job.id)
    back = read_sheet(octets)
    assert back.columns == ("name", "number", "username")
    assert [cells for _, cells in back.rows] == [["Ben", "12", "ben"], ["Chloe; C", "", "Chloe"], ["Dora", "", "dora", "9", "9"]]
    mended = octets.decode().replace(",12,", ",'+12065550102,").replace(",Chloe\r", ",chloe\r").replace(",dora,9,9", ",dora")
    assert [row.state.value for row in await office.imports(mended)] == ["created"] * 3
    assert get_user(office.store, office.organization, "ben").number == "+12065550102"
    assert get_user(office.store, office.organization, "anna").name == "=Anna"


async def test_all_numbers_of_a_user_go_out_and_come_in(office: Office) -> None:
    await office.imports("username,name,number\nanna,Anna,+12065550102 +1 (206) 555-0101\n")
    assert b"'+12065550101 +12065550102" in export_users(office.store, office.organization)
    await office.imports("username,name,number\nanna,Anna,+12065550103 +12065550102\n")
    with office.store.view(office.organization) as transaction:
        assert {number: to is not None for number, to in transaction.numbers.all().items()} == {
            "+12065550101": False, "+12065550102": True, "+12065550103": True,
        }  # fmt: skip
    change_user(office.store, office.organization, "anna", {"number": None}, who="tests")
    assert [row.state.value for row in await office.imports("username,name,number\nben,Ben,+12065550101\n")] == ["created"]


LETTERS = st.text(st.characters(categories=["L", "N", "P", "S", "Zs"]), min_size=1, max_size=20)
NAMES = LETTERS.filter(lambda name: name.strip().isprintable() and name.strip())
PEOPLE = st.lists(
    st.fixed_dictionaries(
        {
            "name": NAMES.map(str.strip) | st.sampled_from(["=1+1", "+49", "-", "@x", "'=x", "'t Hooft", 'a "b"', "a;b,c"]),
            "language": st.sampled_from(["en", "fr", "pt-BR"]),
            "location": st.sampled_from(["", "FR"]),
            "time_zone": st.sampled_from(["", "Europe/Paris"]),
            "role": st.sampled_from([None, Role.VOICE]),
            "extension": st.integers(0, 99).map(lambda n: f"0{n:02}") | st.none(),
            "number": st.integers(0, 99).map(lambda n: f"+120655501{n:02}") | st.none(),
        }
    ),
    max_size=6,
    unique_by=(lambda one: one["extension"] or id(one), lambda one: one["number"] or id(one)),
)  # fmt: skip


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(PEOPLE)
def test_an_export_imports_unchanged_here_and_makes_the_same_people_elsewhere(store: Store, people: list[dict[str, str]]) -> None:
    with store.provider_change("tests") as provider:
        count = len(provider.organizations.all())
    here, there = (Office(store, _founded(store, f"o{count + place}.test"), rows_at_once=4) for place in range(2))
    stocked(store, *(number for one in people if one["number"] for number in _numbers(one["number"], count)))
    for place, one in enumerate(people):
        add_user(store, here.organization, username=f"u{place}", who="tests", **one | {"number": None})
        if one["number"]:
            change_user(store, here.organization, f"u{place}", {"number": _numbers(one["number"], count)[0]}, who="tests")
    octets = export_users(store, here.organization)
    at = here.revision()
    if people:
        assert {row.state for row in asyncio.run(here.imports(octets))} == {RowState.UNCHANGED}
        assert here.revision() == at
        elsewhere = octets.decode().replace(f"'+1{count:03}", f"'+2{count:03}")
        assert {row.state for row in asyncio.run(there.imports(elsewhere))} == {RowState.CREATED}
        assert export_users(store, there.organization).decode() == elsewhere


def _numbers(number: str, count: int) -> tuple[str, str]:
    """A number of each example's own, for here and for there."""
    return f"+1{count:03}{number[-7:]}", f"+2{count:03}{number[-7:]}"


def _founded(store: Store, domain: str) -> OrganizationId:
    with store.provider_change("tests") as provider:
        return provider.organizations.add(domain, domain, "US", Purpose.CUSTOMER).id
