"""Mail is kept once each, whoever it is of, and goes when its time is up; on both databases."""

import time
from dataclasses import replace

import pytest

from offhook.domain.errors import Missing
from offhook.domain.mails import MailState
from offhook.domain.organizations import OrganizationId
from offhook.services.ports.listing import Listing
from offhook.services.ports.mails import Backlog, Mail, NewMail
from offhook.services.ports.store import NewUser
from offhook.store.transaction import Database

ALL = Listing(100, (("id", False),))
LONG = time.time() + 1_000_000.0
WELCOME = NewMail("welcome", "change-1-0", "anna@example.com", "en", "sealed", LONG)


def listed(database: Database, organization: OrganizationId | None) -> list[Mail]:
    if organization is None:
        with database.provider_view() as provider:
            return provider.mails.page(ALL).items
    with database.view(organization) as transaction:
        return transaction.mails.page(ALL).items


def added(database: Database, organization: OrganizationId | None, *new: NewMail) -> None:
    if organization is None:
        with database.provider_change("mail") as provider:
            provider.mails.add(new)
    else:
        with database.change(organization, "mail") as transaction:
            transaction.mails.add(new)


def test_what_tells_the_same_to_the_same_reader_is_kept_once(database: Database, lumen: OrganizationId, pine: OrganizationId) -> None:
    several = [WELCOME, replace(WELCOME, recipient="ben@example.com"), replace(WELCOME, kind="role"), replace(WELCOME, event="change-2-0")]
    for owner in (lumen, pine, None):
        for _ in range(2):
            added(database, owner, *several)
        found = listed(database, owner)
        assert [(mail.kind, mail.event, mail.recipient) for mail in found] == [(each.kind, each.event, each.recipient) for each in several]
        assert {mail.of_provider for mail in found} == {owner is None}
        assert {mail.organization for mail in found} == {owner}


def test_what_is_due_is_what_waits_and_whose_time_has_come(database: Database, lumen: OrganizationId, pine: OrganizationId) -> None:
    added(database, lumen, *(replace(WELCOME, event=f"change-{number}-0") for number in range(4)))
    added(database, None, WELCOME)
    first, second, third, _ = listed(database, lumen)
    with database.change(lumen, "mail") as transaction:
        transaction.mails.note(first.id, state=MailState.SENT.value, sealed=None)
        transaction.mails.note(second.id, next_at=LONG - 1)
        transaction.mails.note(third.id, expires_at=first.made_at - 1)
    now = time.time() + 1
    with database.provider_view() as provider:
        assert set(provider.all_mails.owners_due(now)) == {lumen, None}
        assert [mail.event for mail in provider.all_mails.due(lumen, now, 10)] == ["change-3-0"]
        assert [mail.event for mail in provider.all_mails.due(None, now, 10)] == ["change-1-0"]
        assert provider.all_mails.due(pine, now, 10) == []
        assert [mail.event for mail in provider.all_mails.due(lumen, LONG - 1, 1)] == ["change-3-0"]
        assert provider.all_mails.backlog() == Backlog(4, first.made_at)
    with database.change(pine, "mail") as transaction:
        transaction.mails.note(first.id, state=MailState.FAILED.value)
        assert transaction.mails.by_id(first.id) is None
    assert listed(database, lumen)[0].state is MailState.SENT, "nobody notes anything of another's"


def test_whose_time_is_up_has_failed_and_what_is_old_goes(database: Database, lumen: OrganizationId) -> None:
    for owner in (lumen, None):
        added(
            database, owner, WELCOME, replace(WELCOME, event="change-2-0", expires_at=time.time() - 1), replace(WELCOME, event="change-3-0")
        )
        sent = listed(database, owner)[2]
        if owner is None:
            with database.provider_change("mail") as provider:
                provider.mails.note(sent.id, state=MailState.SENT.value, sealed=None)
        else:
            with database.change(owner, "mail") as transaction:
                transaction.mails.note(sent.id, state=MailState.SENT.value, sealed=None)
    with database.provider_change("mail") as provider:
        provider.all_mails.expire(time.time(), 0.0)
    for owner in (lumen, None):
        waits, failed, _ = listed(database, owner)
        assert (waits.state, waits.sealed) == (MailState.WAITING, "sealed")
        assert (failed.state, failed.sealed, failed.last_error) == (MailState.FAILED, None, "its time was up before it was tried")
    with database.provider_change("mail") as provider:
        provider.all_mails.expire(time.time(), time.time() + 1)
    for owner in (lumen, None):
        assert [mail.event for mail in listed(database, owner)] == ["change-1-0"], "what waits stays"


def test_the_number_of_a_mail_that_is_gone_is_never_another_ones(database: Database, lumen: OrganizationId) -> None:
    """What came of the first may be noted after it went."""
    for owner in (lumen, None):
        added(database, owner, replace(WELCOME, expires_at=time.time() - 1))
        (gone,) = listed(database, owner)
        with database.provider_change("mail") as provider:
            provider.all_mails.expire(time.time(), 0.0)
            provider.all_mails.expire(time.time(), time.time() + 1)
        assert listed(database, owner) == []
        added(database, owner, WELCOME)
        (fresh,) = listed(database, owner)
        assert fresh.id != gone.id, owner


def test_what_is_given_up_and_was_not_sent_keeps_nothing(database: Database, lumen: OrganizationId) -> None:
    added(database, lumen, WELCOME, replace(WELCOME, recipient="ben@example.com"), replace(WELCOME, event="change-2-0"))
    sent = listed(database, lumen)[1]
    with database.change(lumen, "mail") as transaction:
        transaction.mails.note(sent.id, state=MailState.SENT.value)
        transaction.mails.give_up("change-1-0", "no more")
    told = [(mail.state, mail.sealed, mail.last_error) for mail in listed(database, lumen)]
    assert told == [(MailState.FAILED, None, "no more"), (MailState.SENT, "sealed", None), (MailState.WAITING, "sealed", None)]


def test_a_revision_that_greets_nobody_is_known_until_it_was_read(database: Database, lumen: OrganizationId, pine: OrganizationId) -> None:
    with database.provider_change("mail") as provider:
        provider.all_mails.begin()
    with database.change(lumen, "tests") as transaction:
        transaction.mails.quiet()
        assert transaction.mails.quiet_since(0) == frozenset(), "nothing was changed"
        transaction.users.add(NewUser("anna", "Anna", "en"))
        for _ in range(2):
            transaction.mails.quiet()
        revision = transaction.revision
    assert revision is not None
    with database.change(lumen, "mail") as transaction:
        assert transaction.mails.quiet_since(revision - 1) == {revision} and transaction.mails.quiet_since(revision) == frozenset()
        transaction.mails.forget_quiet(revision - 1)
        assert transaction.mails.quiet_since(0) == {revision}
        transaction.mails.forget_quiet(revision)
        assert transaction.mails.quiet_since(0) == frozenset()
    with database.view(pine) as transaction:
        assert transaction.mails.quiet_since(0) == frozenset()


def test_who_is_behind_is_told_until_it_was_read(database: Database, lumen: OrganizationId, pine: OrganizationId) -> None:
    with database.provider_change("mail") as provider:
        provider.all_mails.begin()
        assert provider.all_mails.behind() == []
    with database.change(lumen, "tests") as transaction:
        transaction.users.add(NewUser("anna", "Anna", "en"))
    with database.provider_view() as provider:
        assert provider.all_mails.behind() == [lumen]
    with database.change(lumen, "mail") as transaction:
        changes, revision = transaction.history.fresh("mail", 10)
        assert [change.kind for change in changes] == ["user"]
        transaction.history.move_cursor("mail", revision)
    with database.provider_view() as provider:
        assert provider.all_mails.behind() == []
    with database.provider_change("mail") as provider:
        provider.organizations.close(lumen)
        assert provider.all_mails.behind() == []
    with pytest.raises(Missing), database.view(lumen):
        pass
