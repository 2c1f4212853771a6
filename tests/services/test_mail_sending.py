"""That mail comes: once, while nothing dies; at least once, whatever does; and that nobody's is held up by another's."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

import pytest
from sqlalchemy import select

from offhook.domain.errors import Missing, Unavailable
from offhook.domain.mails import MailState, NotNow
from offhook.domain.organizations import OrganizationId
from offhook.services import postman
from offhook.services.invitations import Invitee, invite_administrator
from offhook.services.leaving import empty_some
from offhook.services.mail_room import Expired, MailRoom, retry
from offhook.services.organizations import close_organization
from offhook.services.ports.mailing import Letter, Outcome, Verdict
from offhook.services.ports.store import ProviderTransaction, Transaction
from offhook.services.postman import A_MINUTE, A_TURN, AWAY, stop_reading
from offhook.services.users import remove_user
from offhook.store.mails import reads_since
from offhook.store.tables import mails as mails_table
from offhook.store.transaction import Database
from tests.services.post_office import ADA, Office, box, office

__all__ = ["box", "office"]


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


async def test_what_the_server_says_of_the_providers_account_is_told_the_provider_alone(
    office: Office, lumen: OrganizationId, caplog: pytest.LogCaptureFixture
) -> None:
    office.box.mail = "535 5.7.8 account phones4711 is locked"
    office.makes(lumen, "zoe")
    with caplog.at_level("INFO"):
        await office.goes()
    assert office.listed(lumen)[-1].last_error == AWAY and "phones4711 is locked" in caplog.text
    invite_administrator(office.database, lumen, Invitee(email="maria@example.com"), "provider", office.room)
    await office.goes_later(10)  # one mail alone, of who was not tried in the last minute
    (invitation,) = office.listed(None)
    assert "phones4711 is locked" in (invitation.last_error or "") and office.listed(lumen)[-1].last_error == AWAY


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


@asynccontextmanager
async def without_a_mail_server(office: Office, database: Any = None) -> AsyncIterator[None]:
    stopped = asyncio.create_task(stop_reading(database or office.database, office.clock))
    try:
        yield
    finally:
        stopped.cancel()
        await asyncio.wait([stopped])


async def until(what: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not what():
            await asyncio.sleep(0.01)


def reads(office: Office) -> bool:
    with office.database.engine.connect() as connection:
        return bool(connection.execute(select(reads_since())).scalar())


async def test_without_a_mail_server_what_was_kept_goes_when_its_time_is_up(
    office: Office, lumen: OrganizationId, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(postman, "EXPIRE_EVERY_SECONDS", 0.05)
    monkeypatch.setattr(postman, "LOOK_SECONDS", 0.01)
    office.box.rcpt = lambda _address: "451 4.7.1 later"
    office.makes(lumen, "zoe")
    await office.goes()
    forgetful = Forgetful(office.database)
    async with without_a_mail_server(office, forgetful):
        await until(lambda: not reads(office))
        assert office.listed(lumen)[-1].sealed is not None, "its time is not up"
        forgetful.gone = True
        office.ahead += 8 * 86400
        await asyncio.sleep(0.1)
        forgetful.gone = False
        await until(lambda: office.listed(lumen)[-1].state is MailState.FAILED)
        assert office.listed(lumen)[-1].sealed is None
        office.ahead += 31 * 86400
        await until(lambda: office.listed(lumen) == [])


async def test_without_a_mail_server_nothing_is_told_later(office: Office, lumen: OrganizationId, pine: OrganizationId) -> None:
    async with without_a_mail_server(office):
        await until(lambda: not reads(office))
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
