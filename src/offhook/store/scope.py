"""The one way to a tenant's rows: every statement is bound to one organization, every change is written down."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Table, insert, select, update

from offhook.domain.errors import Missing
from offhook.domain.organizations import OrganizationId
from offhook.store import tables


class Scope:
    """One organization's part of the database inside one transaction.

    A writing scope holds the lock on the organization's row from the beginning, so that "is it free?" and "take it" see the same world and
    revisions are committed in their order. On SQLite the write lock of the whole file does the same.
    """

    def __init__(self, connection: Connection, organization: OrganizationId, who: str, *, writes: bool) -> None:
        self.connection = connection
        self.organization = organization
        self._who = who
        self._writes = writes
        self._revision: int | None = None
        self._changes = 0
        row = select(tables.organizations.c.id).where(tables.organizations.c.id == organization)
        if connection.execute(row.with_for_update() if writes else row).first() is None:
            raise Missing("There is no such organization.", "organization")

    def rows(self, table: Table, *where: ColumnElement[bool], order: Sequence[ColumnElement[Any]] = ()) -> list[RowMapping]:
        """The organization's rows of a table that fit."""
        wanted = select(table).where(table.c.organization_id == self.organization, *where).order_by(*order)
        return list(self.connection.execute(wanted).mappings())

    def has(self, table: Table, *where: ColumnElement[bool]) -> bool:
        """Whether the organization has such a row."""
        return bool(self.rows(table, *where))

    def insert(self, table: Table, **values: Any) -> int:
        """Add a row of the organization; its number where the table numbers its rows, else 0."""
        self._must_write()
        key = self.connection.execute(insert(table).values(organization_id=self.organization, **values)).inserted_primary_key
        return key[0] if key and isinstance(key[0], int) else 0

    def update(self, table: Table, *where: ColumnElement[bool], **values: Any) -> int:
        """Change the organization's rows that fit; how many there were."""
        self._must_write()
        return self.connection.execute(update(table).where(table.c.organization_id == self.organization, *where).values(**values)).rowcount

    def changed(self, kind: str, id: str | int, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> None:
        """Write a change into the organization's history, one new revision for all of a transaction. Secrets do not belong here."""
        self._must_write()
        self.connection.execute(
            insert(tables.changes).values(
                organization_id=self.organization,
                revision=self._take_revision(),
                seq=self._changes,
                kind=kind,
                object_id=str(id),
                before=before and dict(before),
                after=after and dict(after),
                who=self._who,
                at=time.time(),
            )
        )
        self._changes += 1

    def extension_taken(self, extension: str) -> bool:
        """Whether a user or an attendant of the organization has this extension."""
        return any(self.has(table, table.c.extension == extension) for table in (tables.users, tables.attendants))

    def _take_revision(self) -> int:
        if self._revision is None:
            row = update(tables.organizations).where(tables.organizations.c.id == self.organization)
            next_revision = row.values(revision=tables.organizations.c.revision + 1).returning(tables.organizations.c.revision)
            self._revision = self.connection.execute(next_revision).scalar_one()
        return self._revision

    def _must_write(self) -> None:
        if not self._writes:
            raise RuntimeError("This transaction was opened to read only.")
