"""What is told by mail, to whom, in which words."""

from collections.abc import Callable
from typing import Any

import pytest
from sqlalchemy import select

from offhook.domain.access import EVERYTHING, Role
from offhook.domain.mails import MailState
from offhook.domain.organizations import OrganizationId
from offhook.services.blueprint import read, written
from offhook.services.invitations import Invitee, admit, invite_administrator, revoke_invitation
from offhook.services.jobs import Clerk, import_users
from offhook.services.mail_room import Expired, MailRoom, retry
from offhook.services.plans import apply
from offhook.services.ports.store import NewUser
from offhook.services.sealing import Sealing
from offhook.services.sheets import OnExisting
from offhook.services.tokens import Access, make_token
from offhook.services.users import change_user
from offhook.store.tables import mails as mails_table
from tests.services.post_office import ADA, Office, box, office

__all__ = ["box", "office"]


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
