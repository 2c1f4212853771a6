"""Mail that is on its way, and how far mail has read the history."""

import time
from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, exists, func, insert, or_, select, true, update
from sqlalchemy.dialects import postgresql, sqlite

from offhook.domain.mails import MailState
from offhook.domain.organizations import OrganizationId
from offhook.services.ports.listing import Listing, Page
from offhook.services.ports.mails import Backlog, Mail, MailId, NewMail
from offhook.store.listing import Listed
from offhook.store.provider import ProviderScope
from offhook.store.scope import Row, Scope, is_open
from offhook.store.tables import cursors, mails, organizations, provider_mails, quiet_revisions

MAIL = "mail"
"""The reader's name among the cursors. Who reads is known by having one: without a mail server there are none."""

_LISTED = {
    table: Listed(table, "id", {name: table.c[name] for name in ("id", "kind", "state", "recipient")}, searched=("recipient", "kind"))
    for table in (mails, provider_mails)
}


class _Outbox:
    """What an organization and the provider have in common; services.ports.mails.Mails."""

    def __init__(self, scope: Scope | ProviderScope, table: Table, own: ColumnElement[bool]) -> None:
        self._rows = scope
        self._connection = scope.connection
        self._table = table
        self._own = own

    def _added(self, new: Sequence[NewMail], **whose: Any) -> None:
        if not new:
            return
        now = time.time()
        common = {"state": MailState.WAITING.value, "attempts": 0, "next_at": now, "made_at": now, **whose}
        rows = [
            common
            | {"kind": each.kind, "event": each.event, "recipient": each.recipient, "language": each.language}
            | {"sealed": each.sealed, "expires_at": each.expires_at}
            for each in new
        ]
        adding = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        self._connection.execute(adding(self._table).on_conflict_do_nothing(), rows)

    def page(self, listing: Listing) -> Page[Mail]:
        rows, following = _LISTED[self._table].page(self._rows, listing)
        return Page([_mail_of(self._table, row) for row in rows], following)

    def by_id(self, id: MailId) -> Mail | None:
        found = self._rows.rows(self._table, self._table.c.id == id, limit=1)
        return _mail_of(self._table, found[0]) if found else None

    def note(self, id: MailId, **values: Any) -> None:
        self._connection.execute(update(self._table).where(self._own, self._table.c.id == id).values(**values))

    def give_up(self, event: str, why: str) -> None:
        unsent = (self._own, self._table.c.event == event, self._table.c.state != MailState.SENT.value)
        self._connection.execute(update(self._table).where(*unsent).values(state=MailState.FAILED.value, sealed=None, last_error=why))


class OwnMails(_Outbox):
    """The mail of one organization; services.ports.mails.OwnMails."""

    def __init__(self, scope: Scope) -> None:
        super().__init__(scope, mails, mails.c.organization_id == scope.organization)
        self._scope = scope
        self._quiet = quiet_revisions.c.organization_id == scope.organization

    def add(self, new: Sequence[NewMail]) -> None:
        self._added(new, organization_id=self._scope.organization)

    def quiet(self) -> None:
        revision = self._scope.revision_taken
        if revision is None or revision in self.quiet_since(revision - 1):
            return
        if self._connection.execute(select(reads_since())).scalar():  # else nobody would ever take the row away
            self._connection.execute(insert(quiet_revisions).values(organization_id=self._scope.organization, revision=revision))

    def quiet_since(self, revision: int) -> frozenset[int]:
        found = select(quiet_revisions.c.revision).where(self._quiet, quiet_revisions.c.revision > revision)
        return frozenset(self._connection.execute(found).scalars())

    def forget_quiet(self, revision: int) -> None:
        self._connection.execute(delete(quiet_revisions).where(self._quiet, quiet_revisions.c.revision <= revision))


class ProviderMails(_Outbox):
    """The provider's own mail; services.ports.mails.Mails."""

    def __init__(self, scope: ProviderScope) -> None:
        super().__init__(scope, provider_mails, true())

    def add(self, new: Sequence[NewMail], about: OrganizationId | None = None) -> None:
        self._added(new, organization_id=about)


class AllMails:
    """services.ports.mails.AllMails."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def begin(self) -> None:
        known = select(cursors.c.organization_id).where(cursors.c.consumer == MAIL)
        fresh = (organizations.c.closed_at.is_(None), organizations.c.id.not_in(known))
        rows = self._connection.execute(select(organizations.c.id, organizations.c.revision).where(*fresh)).all()
        if rows:
            now = time.time()
            begun = [{"organization_id": id, "consumer": MAIL, "revision": revision, "at": now} for id, revision in rows]
            self._connection.execute(insert(cursors), begun)
            self._connection.execute(delete(quiet_revisions).where(quiet_revisions.c.organization_id.in_([id for id, _ in rows])))

    def stop(self) -> None:
        self._connection.execute(delete(cursors).where(cursors.c.consumer == MAIL))
        self._connection.execute(delete(quiet_revisions))

    def behind(self) -> list[OrganizationId]:
        own = (cursors.c.organization_id == organizations.c.id, cursors.c.consumer == MAIL, cursors.c.revision >= organizations.c.revision)
        found = select(organizations.c.id).where(organizations.c.closed_at.is_(None), ~exists(select(cursors.c.revision).where(*own)))
        return [OrganizationId(id) for id in self._connection.execute(found.order_by(organizations.c.id)).scalars()]

    def owners_due(self, now: float) -> list[OrganizationId | None]:
        owners: list[OrganizationId | None] = []
        waiting = (*_waiting(mails, now), is_open(mails.c.organization_id))
        for id in self._connection.execute(select(mails.c.organization_id).where(*waiting).distinct()).scalars():
            owners.append(OrganizationId(id))
        if self.due(None, now, 1):
            owners.append(None)
        return owners

    def due(self, owner: OrganizationId | None, now: float, most: int) -> list[Mail]:
        table = provider_mails if owner is None else mails
        about = provider_mails.c.organization_id
        whose = or_(about.is_(None), is_open(about)) if owner is None else mails.c.organization_id == owner
        found = select(table).where(*_waiting(table, now), whose).order_by(table.c.next_at, table.c.id).limit(most)
        return [_mail_of(table, row) for row in self._connection.execute(found).mappings()]

    def expire(self, now: float, forget_before: float) -> None:
        for table in (mails, provider_mails):
            waits, late = table.c.state == MailState.WAITING.value, table.c.expires_at <= now
            why = func.coalesce("its time was up; the last attempt: " + table.c.last_error, "its time was up before it was tried")
            self._connection.execute(update(table).where(waits, late).values(state=MailState.FAILED.value, last_error=why))
            self._connection.execute(update(table).where(late, table.c.sealed.is_not(None)).values(sealed=None))
            self._connection.execute(delete(table).where(~waits, table.c.made_at < forget_before))

    def backlog(self) -> Backlog:
        waiting, oldest = 0, 0.0
        for table in (mails, provider_mails):
            counted = select(func.count(), func.min(table.c.made_at)).where(table.c.state == MailState.WAITING.value)
            count, first = self._connection.execute(counted).one()
            waiting += count
            oldest = min(oldest or first, first) if count else oldest
        return Backlog(waiting, oldest)


def reads_since() -> ColumnElement[bool]:
    """Whether mail reads histories at all."""
    return exists(select(cursors.c.revision).where(cursors.c.consumer == MAIL))


def _waiting(table: Table, now: float) -> tuple[ColumnElement[bool], ...]:
    """What is to be tried: what nothing is left of is not."""
    return (table.c.state == MailState.WAITING.value, table.c.next_at <= now, table.c.expires_at > now)


def _mail_of(table: Table, row: Row) -> Mail:
    organization = row["organization_id"]
    return Mail(
        MailId(row["id"]),
        None if organization is None else OrganizationId(organization),
        table is provider_mails,
        row["kind"],
        row["event"],
        row["recipient"],
        row["language"],
        row["sealed"],
        MailState(row["state"]),
        row["attempts"],
        row["next_at"],
        row["made_at"],
        row["expires_at"],
        row["last_error"],
    )
