"""What is told by mail, to whom, and that it comes: once, while nothing dies; at least once, whatever does."""

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import pytest
from sqlalchemy import select

from offhook.domain.access import EVERYTHING, Role
from offhook.domain.errors import Missing, Unavailable
from offhook.domain.mails import MailState, NotNow
from offhook.domain.organizations import OrganizationId
from offhook.engines.mail.client import MailServer, SmtpCourier
from offhook.services.blueprint import read, written
from offhook.services.invitations import Invitee, admit, invite_administrator, revoke_invitation
from offhook.services.jobs import Clerk, import_users
from offhook.services.leaving import empty_some
from offhook.services.mail_room import Expired, MailRoom, list_mails, retry
from offhook.services.organizations import close_organization
from offhook.services.people_ledger import OnExisting
from offhook.services.plans import apply
from offhook.services.ports.listing import Listing
from offhook.services.ports.mailing import Letter, Outcome, Verdict
from offhook.services.ports.mails import Mail
from offhook.services.ports.store import NewUser, ProviderTransaction, Transaction
from offhook.services.postman import A_MINUTE, A_TURN, Postman, stop_reading
from offhook.services.sealing import Sealing
from offhook.services.tokens import Access, make_token
from offhook.services.users import add_user, change_user, remove_user
from offhook.store.tables import mails as mails_table
from offhook.store.transaction import Database
from tests.mail_server import Mailbox, a_mailbox

ADA = "ada@lumen.test"
ALL = Listing(500, (("id", False),))


@dataclass
class Office:
    """A database, a mail server, and a postman between them who does what is due when a test says so, at the time it says."""

    database: Database
    box: Mailbox
    room: MailRoom
    ahead: float = 0.0
    postman: Postman = field(init=False)

    def __post_init__(self) -> None:
        self.starts_again()

    def clock(self) -> float:
        return time.time() + self.ahead

    def starts_again(self, database: Any = None) -> None:
        self.postman = Postman(database or self.database, self.room, self.clock)

    async def goes(self) -> None:
        """All that is due is tried once."""
        await self.postman.look()
        await self.postman.settled()

    async def goes_later(self, seconds: float) -> None:
        self.ahead += seconds
        await self.goes()

    def subjects(self) -> list[str]:
        return [came.message["Subject"] for came in self.box.came]

    def to(self) -> list[str]:
        return [came.recipients[0].partition("@")[0] for came in self.box.came]

    def listed(self, organization: OrganizationId | None) -> list[Mail]:
        return list_mails(self.database, organization, ALL).items

    def makes(self, organization: OrganizationId, username: str, *, who: str = ADA, domain: str = "example.com", **more: Any) -> None:
        values = {"name": username.title(), "email": f"{username}@{domain}"} | more
        add_user(self.database, organization, username=username, who=who, **values)


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with a_mailbox() as box:
        yield box


@pytest.fixture
async def office(database: Database, lumen: OrganizationId, pine: OrganizationId, box: Mailbox) -> AsyncIterator[Office]:
    """Where mail is read off the history of two organizations from now on; Lumen has an administrator."""
    courier = SmtpCourier(MailServer("127.0.0.1", box.port, "none"), "phones@example.com", "[127.0.0.1]", step_seconds=2.0)
    room = MailRoom(Sealing(b"key", "mail"), courier, "https://phones.example.com", "192.0.2.1:5060")
    office = Office(database, box, room)
    await office.goes()
    office.makes(lumen, "ada", role=Role.GLOBAL)
    await office.goes()
    box.came.clear()
    yield office
    await office.postman.settled()


async def test_who_is_made_is_greeted_once_in_their_language(office: Office, lumen: OrganizationId) -> None:
    office.makes(lumen, "zoe", language="fr-CA", extension="131", name="Zoë Lind")
    office.makes(lumen, "mute", email=None)
    await office.goes()
    (came,) = office.box.came
    assert came.recipients == ["zoe@example.com"] and came.message["Subject"] == "Votre téléphone chez Lumen Works"
    for told in ("Bonjour Zoë Lind", "131", "zoe@lumen.test", "192.0.2.1:5060", ADA):
        assert told in came.text
    office.starts_again()
    await office.goes()
    assert len(office.box.came) == 1
    mail = office.listed(lumen)[-1]
    assert (mail.kind, mail.state, mail.attempts, mail.sealed) == ("welcome", MailState.SENT, 1, None), "nothing is kept of what it said"


async def test_what_waits_cannot_be_read_in_the_database(office: Office, lumen: OrganizationId) -> None:
    office.box.rcpt = lambda _address: "451 later"
    office.makes(lumen, "zoe", name="Zoe Lind")
    await office.goes()
    with office.database.engine.connect() as connection:
        rows = connection.execute(select(mails_table).where(mails_table.c.recipient == "zoe@example.com")).mappings().all()
    assert len(rows) == 1 and rows[0]["sealed"] and "Lind" not in str(rows) and "451 later" in rows[0]["last_error"]


async def test_whom_something_was_done_to_is_told_by_whom(office: Office, lumen: OrganizationId) -> None:
    office.makes(lumen, "ben")
    await office.goes()
    office.box.came.clear()
    with office.database.change(lumen, ADA) as transaction:
        ben = transaction.users.by_username("ben")
        assert ben is not None
        transaction.users.set_password(ben.id, "hash")
    await office.goes()
    with office.database.change(lumen, "ben@lumen.test") as transaction:
        transaction.users.set_password(ben.id, "another")
    change_user(office.database, lumen, "ben", {"role": "help_desk"}, who=ADA)
    await office.goes()
    make_token(office.database, Access(lumen, "ben@lumen.test", EVERYTHING), "crm", ["calls:read"], None)
    make_token(office.database, Access(lumen, "some program", EVERYTHING), "other", ["calls:read"], None)
    await office.goes()
    assert office.to() == ["ben"] * 4
    assert office.subjects() == [
        "Your password at Lumen Works was set",
        "Your password at Lumen Works was changed",
        "Your role at Lumen Works was changed",
        "A token was made in your name at Lumen Works",
    ]
    by = [came.text for came in office.box.came]
    assert f"By: {ADA}" in by[0] and "By: ben@lumen.test" in by[1] and "Now: help desk" in by[2] and "calls:read" in by[3]
    change_user(office.database, lumen, "ben", {"name": "Benjamin", "email": "b@example.com"}, who=ADA)
    await office.goes()
    assert len(office.box.came) == 4, "what is no news to anybody is told to nobody"


async def test_global_administrators_hear_of_another_one(office: Office, lumen: OrganizationId, pine: OrganizationId) -> None:
    office.makes(pine, "paul", role=Role.GLOBAL)
    office.makes(lumen, "ben")
    await office.goes()
    office.box.came.clear()
    change_user(office.database, lumen, "ben", {"role": "global"}, who=ADA)
    await office.goes()
    told = dict(zip(office.to(), office.box.came, strict=True))
    assert told.keys() == {"ben", "ada"} and "new global administrator" in told["ada"].message["Subject"]
    assert "Ben (ben@lumen.test)" in told["ada"].text and "Your role" in told["ben"].message["Subject"]


async def test_who_comes_in_by_an_invitation_is_greeted_and_not_told_of_a_password(office: Office, lumen: OrganizationId) -> None:
    made = invite_administrator(office.database, lumen, Invitee("maria", "maria@example.com"), "provider")
    with office.database.view(lumen) as transaction:
        profile = transaction.profile()
    admit(office.database, made.token, profile, NewUser("maria", "Maria", "en"), "hash")
    await office.goes()
    assert sorted(zip(office.to(), office.subjects(), strict=True)) == [
        ("ada", "Lumen Works has a new global administrator"),
        ("maria", "Your telephone at Lumen Works"),
    ]
    assert "You administer it as: global administrator" in next(came.text for came in office.box.came if came.recipients[0][0] == "m")


@pytest.mark.parametrize("welcome", [False, True])
async def test_many_at_once_are_greeted_only_if_that_was_asked_for(office: Office, lumen: OrganizationId, welcome: bool) -> None:
    octets = b"username,name,email\nben,Ben,ben@example.com\nzoe,Zoe,zoe@example.com\n"
    access = Access(lumen, ADA, EVERYTHING, sovereign=True)
    job = import_users(office.database, lumen, octets, OnExisting.CHANGE, access, dry_run=False, welcome=welcome)
    Clerk(office.database, None)._step(lumen, job.id)  # type: ignore[arg-type]
    await office.goes()
    assert sorted(office.to()) == (["ben", "zoe"] if welcome else [])
    office.makes(lumen, "one")
    await office.goes()
    assert office.to()[-1] == "one", "who comes alone is greeted as ever"


async def test_a_file_that_is_applied_greets_nobody(office: Office, lumen: OrganizationId) -> None:
    with office.database.view(lumen) as transaction:
        text = written(transaction.configured())
    users = "users:\n  zoe:\n    name: Zoe\n    email: zoe@example.com\n"
    apply(office.database, lumen, read(text.replace("users:\n", users, 1)), ADA)
    await office.goes()
    with office.database.view(lumen) as transaction:
        assert transaction.users.by_username("zoe") is not None
    assert office.box.came == []


async def test_a_mail_that_is_not_taken_now_is_tried_again(office: Office, lumen: OrganizationId) -> None:
    office.box.rcpt = lambda address: "451 4.7.1 later" if address.startswith("zoe") else None
    office.makes(lumen, "zoe")
    office.makes(lumen, "ben")
    await office.goes()
    assert office.to() == ["ben"], "who is refused now holds up nobody behind"
    await office.goes_later(30)
    office.box.rcpt = lambda _address: None
    assert office.to() == ["ben"]
    await office.goes_later(31)
    assert office.to() == ["ben", "zoe"]
    zoe = next(mail for mail in office.listed(lumen) if mail.recipient.startswith("zoe"))
    assert (zoe.state, zoe.attempts, zoe.last_error) == (MailState.SENT, 2, None)


async def test_a_mail_that_is_refused_has_failed_until_somebody_says_otherwise(office: Office, lumen: OrganizationId) -> None:
    office.box.rcpt = lambda _address: "550 5.1.1 no such user"
    office.makes(lumen, "zoe")
    await office.goes()
    await office.goes_later(86400)
    mail = office.listed(lumen)[-1]
    assert (mail.state, mail.attempts) == (MailState.FAILED, 1) and "550 5.1.1 no such user" in (mail.last_error or "")
    office.box.rcpt = lambda _address: None
    assert retry(office.database, lumen, mail.id, ADA).state is MailState.WAITING
    await office.goes()
    assert office.to() == ["zoe"]
    with pytest.raises(NotNow):
        retry(office.database, lumen, mail.id, ADA)


async def test_a_server_that_is_away_is_left_alone_longer_and_longer_and_nothing_is_lost(office: Office, lumen: OrganizationId) -> None:
    tried: list[float] = []

    async def away(_letter: Letter) -> Outcome:
        tried.append(office.clock())
        return Outcome(Verdict.AWAY, "nobody there")

    good, office.room = office.room.courier, MailRoom(office.room.sealing, away, "", "")
    office.starts_again()
    for name in ("ben", "zoe", "kim"):
        office.makes(lumen, name)
    for _ in range(2000):
        await office.goes_later(1.0)
    assert len(tried) == 14, "after 1, 2, 4 ... 256, 300, 300 ... s, one mail each time"
    assert {mail.state for mail in office.listed(lumen)[-3:]} == {MailState.WAITING}
    office.room = MailRoom(office.room.sealing, good, "", "")
    office.starts_again()
    await office.goes()
    assert sorted(office.to()) == ["ben", "kim", "zoe"]


async def test_the_mail_of_one_organization_waits_for_no_other(office: Office, lumen: OrganizationId, pine: OrganizationId) -> None:
    held, went = asyncio.Event(), []

    async def courier(letter: Letter) -> Outcome:
        if letter.recipient.endswith("lumen.example"):
            await held.wait()
        went.append(letter.recipient)
        return Outcome(Verdict.SENT)

    office.room = MailRoom(office.room.sealing, courier, "", "")
    office.starts_again()
    for number in range(25):
        office.makes(lumen, f"user{number}", domain="lumen.example")
    office.makes(pine, "paul", domain="pine.example")
    await office.postman.look()
    async with asyncio.timeout(10):
        while went != ["paul@pine.example"]:
            await asyncio.sleep(0.01)
    held.set()
    await office.postman.settled()
    assert len(went) == A_TURN + 1, "a turn of one, then others"


async def test_one_organization_sends_so_much_a_minute(office: Office, lumen: OrganizationId) -> None:
    for number in range(A_MINUTE + 20):
        office.makes(lumen, f"user{number}")
    for _ in range(12):
        await office.goes()
    assert len(office.box.came) == A_MINUTE - 1, "the administrator was greeted in this minute too"
    await office.goes_later(61)
    assert len(office.box.came) > A_MINUTE


async def test_the_end_of_a_postman_in_the_middle_sends_nothing_twice(office: Office, lumen: OrganizationId) -> None:
    """As when the system is stopped: what is handed over is noted."""
    going, held = asyncio.Event(), asyncio.Event()
    good = office.room.courier

    async def slow(letter: Letter) -> Outcome:
        outcome = await good(letter)
        going.set()
        await held.wait()
        return outcome

    office.room = MailRoom(office.room.sealing, slow, "", "")
    office.starts_again()
    office.makes(lumen, "zoe")
    running = asyncio.create_task(office.postman.run())
    await going.wait()
    running.cancel()
    asyncio.get_running_loop().call_later(0.2, held.set)
    with pytest.raises(asyncio.CancelledError):
        await running
    office.room = MailRoom(office.room.sealing, good, "", "")
    office.starts_again()
    await office.goes()
    assert office.to() == ["zoe"]


async def test_a_postman_who_dies_after_it_was_taken_sends_the_same_again(office: Office, lumen: OrganizationId) -> None:
    good = office.room.courier

    async def deadly(letter: Letter) -> Outcome:
        await good(letter)
        raise KeyError("killed here")

    office.room = MailRoom(office.room.sealing, deadly, "https://phones.example.com", "192.0.2.1:5060")
    office.starts_again()
    office.makes(lumen, "zoe")
    await office.goes()
    office.room = MailRoom(office.room.sealing, good, "https://phones.example.com", "192.0.2.1:5060")
    office.starts_again()
    await office.goes()
    first, second = (came.message for came in office.box.came)
    assert first["Message-ID"] == second["Message-ID"] and first.as_string() == second.as_string()


class Forgetful:
    """A store whose transactions that write fail while `gone`."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self.gone = False

    def __getattr__(self, name: str) -> Any:
        return getattr(self._database, name)

    @contextmanager
    def change(self, organization: OrganizationId, who: str) -> Iterator[Transaction]:
        if self.gone:
            raise Unavailable("gone")
        with self._database.change(organization, who) as transaction:
            yield transaction

    @contextmanager
    def provider_change(self, who: str) -> Iterator[ProviderTransaction]:
        if self.gone:
            raise Unavailable("gone")
        with self._database.provider_change(who) as provider:
            yield provider


async def test_a_database_that_is_away_when_it_is_to_be_noted_sends_nothing_twice(office: Office, lumen: OrganizationId) -> None:
    forgetful, good = Forgetful(office.database), office.room.courier

    async def courier(letter: Letter) -> Outcome:
        outcome = await good(letter)
        forgetful.gone = True
        return outcome

    office.room = MailRoom(office.room.sealing, courier, "", "")
    office.starts_again(forgetful)
    office.makes(lumen, "zoe")
    await office.goes()
    for _ in range(3):
        with pytest.raises(Unavailable):
            await office.goes()
    forgetful.gone = False
    await office.goes_later(70)
    await office.goes()
    assert office.to() == ["zoe"] and office.listed(lumen)[-1].state is MailState.SENT


async def test_what_was_not_sent_in_its_time_has_failed_and_is_kept_no_more(office: Office, lumen: OrganizationId) -> None:
    office.box.rcpt = lambda _address: "451 4.7.1 later"
    office.makes(lumen, "zoe")
    await office.goes()
    await office.goes_later(8 * 86400)
    mail = office.listed(lumen)[-1]
    assert (mail.state, mail.sealed) == (MailState.FAILED, None) and mail.last_error == (
        "its time was up; the last attempt: RCPT was answered 451 4.7.1 later"
    )
    with pytest.raises(Expired):
        retry(office.database, lumen, mail.id, ADA)
    await office.goes_later(31 * 86400)
    assert office.listed(lumen) == []


async def test_who_leaves_before_a_mail_is_written_gets_none(office: Office, lumen: OrganizationId) -> None:
    office.makes(lumen, "zoe")
    remove_user(office.database, lumen, "zoe", who=ADA)
    await office.goes()
    assert office.box.came == []


async def test_a_closed_organization_sends_nothing(office: Office, lumen: OrganizationId, pine: OrganizationId) -> None:
    office.box.rcpt = lambda _address: "451 later"
    office.makes(lumen, "zoe")
    office.makes(pine, "paul")
    invite_administrator(office.database, lumen, Invitee(email="maria@example.com"), "provider", office.room)
    await office.goes()
    office.box.rcpt = lambda _address: None
    close_organization(office.database, lumen, gives_back=True, who="provider")
    await office.goes_later(70)
    assert office.to() == ["paul"]
    while not empty_some(office.database):
        pass
    with office.database.engine.connect() as connection:
        assert set(connection.execute(select(mails_table.c.organization_id)).scalars()) == {pine}
    assert office.listed(None) == []
    with pytest.raises(Missing):
        office.listed(lumen)


async def test_without_a_mail_server_nothing_is_told_later(office: Office, lumen: OrganizationId, pine: OrganizationId) -> None:
    await stop_reading(office.database)
    office.makes(lumen, "zoe")
    office.starts_again()
    await office.goes()
    assert office.box.came == []
    office.makes(lumen, "kim")
    with office.database.provider_change("provider") as provider:
        from_now = provider.organizations.add("Maple", "maple.test", "US", provider.organizations.all()[0].purpose).id
    office.makes(from_now, "max")
    await office.goes()
    assert sorted(office.to()) == ["kim", "max"]


@pytest.mark.parametrize("language", ["fr", None])
async def test_an_invitation_goes_by_mail_and_nobody_but_its_reader_has_the_link(
    office: Office, lumen: OrganizationId, language: str | None
) -> None:
    made = invite_administrator(office.database, lumen, Invitee("maria", "maria@example.com", language), "provider", office.room)
    assert made.mailed
    link = f"https://phones.example.com/welcome/{made.token}"
    with office.database.engine.connect() as connection:
        kept = str(connection.exec_driver_sql("SELECT * FROM provider_mails").fetchall())
    assert "maria@example.com" in kept and made.token not in kept
    await office.goes()
    (came,) = office.box.came
    assert link in came.text and ("Bonjour maria" if language else "Hello maria") in came.text and "Lumen Works" in came.text
    (mail,) = office.listed(None)
    assert (mail.kind, mail.state, mail.sealed, mail.organization) == ("invitation", MailState.SENT, None, lumen)
    assert all(mail.kind != "invitation" for mail in office.listed(lumen))


def revoked(office: Office, organization: OrganizationId, made: Any) -> None:
    revoke_invitation(office.database, organization, made.invitation.id, "provider")


def used(office: Office, organization: OrganizationId, made: Any) -> None:
    with office.database.view(organization) as transaction:
        profile = transaction.profile()
    admit(office.database, made.token, profile, NewUser("maria", "Maria", "en"), "hash")


@pytest.mark.parametrize("end", [revoked, used])
async def test_an_invitation_that_is_over_is_not_mailed(office: Office, lumen: OrganizationId, end: Callable[..., None]) -> None:
    made = invite_administrator(office.database, lumen, Invitee("maria", "maria@example.com"), "provider", office.room)
    end(office, lumen, made)
    await office.goes()
    assert not any("invitation" in subject for subject in office.subjects())
    (mail,) = office.listed(None)
    assert (mail.state, mail.sealed) == (MailState.FAILED, None) and end.__name__ in (mail.last_error or "")
    with pytest.raises(Expired):
        retry(office.database, None, mail.id, "provider")


async def test_an_invitation_without_mail_or_address_says_that_it_is_to_be_handed_over(office: Office, lumen: OrganizationId) -> None:
    assert not invite_administrator(office.database, lumen, Invitee("maria", "maria@example.com"), "provider").mailed
    assert not invite_administrator(office.database, lumen, Invitee("maria"), "provider", office.room).mailed
    await office.goes()
    assert office.listed(None) == [] and office.box.came == []


async def test_what_another_installation_sealed_is_refused(office: Office, lumen: OrganizationId) -> None:
    office.box.rcpt = lambda _address: "451 later"
    office.makes(lumen, "zoe")
    await office.goes()
    office.box.rcpt = lambda _address: None
    office.room = MailRoom(Sealing(b"another", "mail"), office.room.courier, "", "")
    office.starts_again()
    await office.goes_later(70)
    mail = office.listed(lumen)[-1]
    assert mail.state is MailState.FAILED and "secret.key" in (mail.last_error or "") and office.box.came == []
