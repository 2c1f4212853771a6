"""The one way to a tenant's rows: every statement is bound to one organization, every change is written down."""

import time
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Table, bindparam, delete, exists, insert, select, update

from offhook.domain.errors import Missing
from offhook.domain.organizations import OrganizationId
from offhook.store import tables

Row = RowMapping | Mapping[str, Any]
"""A row of the database, or one as the history tells it."""
_NOT_TOLD = frozenset({"organization_id", "version"})
SET = "set"
"""What the history says in the place of a secret."""


class Scope:
    """One organization's part of the database inside one transaction.

    A writing scope holds the lock on the organization's row from the beginning, so that "is it free?" and "take it" see the same world and
    revisions are committed in their order; rows that only point to the organization wait for nobody. On SQLite the write lock of the whole
    file does the same.
    """

    def __init__(self, connection: Connection, organization: OrganizationId, who: str, *, writes: bool) -> None:
        self.connection = connection
        self.organization = organization
        self._who = who
        self._writes = writes
        self._revision: int | None = None
        self._changes = 0
        own = tables.organizations.c
        row = select(own.id).where(own.id == organization, own.closed_at.is_(None))
        if connection.execute(row.with_for_update(key_share=True) if writes else row).first() is None:
            raise Missing("There is no such organization.", "organization")

    def rows(
        self, table: Table, *where: ColumnElement[bool], order: Sequence[ColumnElement[Any]] = (), limit: int | None = None
    ) -> list[RowMapping]:
        """The organization's rows of a table that fit, `limit` of them at most."""
        return list(self.connection.execute(select(table).where(self._own(table), *where).order_by(*order).limit(limit)).mappings())

    def row(self, table: Table, *where: ColumnElement[bool]) -> RowMapping | None:
        """The organization's first row that fits, None if there is none."""
        return self.connection.execute(select(table).where(self._own(table), *where).limit(1)).mappings().first()

    def has(self, table: Table, *where: ColumnElement[bool]) -> bool:
        """Whether the organization has such a row."""
        return self.row(table, *where) is not None

    def insert(self, table: Table, **values: Any) -> int:
        """Add a row of the organization; its number where the table numbers its rows, else 0."""
        return self.insert_all(table, [values])[0]

    def insert_all(self, table: Table, rows: Sequence[Row]) -> list[int]:
        """Add rows of the organization, all with the same columns; the numbers they got, in their order (0 where the table gives none)."""
        self._must_write()
        if not rows:
            return []
        whole = [{"organization_id": self.organization, "version": self.revision} | dict(row) for row in rows]
        if "id" in table.c:
            added = insert(table).returning(table.c.id, sort_by_parameter_order=True)
            ids = [int(id) for id in self.connection.execute(added, whole).scalars()]
        else:
            self.connection.execute(insert(table), whole)
            ids = [0] * len(whole)
        after = [{"id": id} | row if id else row for id, row in zip(ids, whole, strict=True)]
        self._tell(table, [(None, row) for row in after])
        return ids

    def update(self, table: Table, *where: ColumnElement[bool], **values: Any) -> int:
        """Change the organization's rows that fit; how many there were. A row that has these values already is not touched."""
        self._must_write()
        found = self.rows(table, *where)
        differing = [row for row in found if any(row[name] != value for name, value in values.items())]
        for row in differing:
            self.connection.execute(update(table).where(self._own(table), *_same_key(table, row)).values(**values, version=self.revision))
        self._tell(table, [(row, dict(row) | values) for row in differing])
        return len(found)

    def update_each(self, table: Table, changes: Sequence[tuple[int, Row]]) -> None:
        """Change rows by their id, each once and in this order; in few statements. What is not there stays so."""
        self._must_write()
        known = {row["id"]: row for row in self.rows(table, table.c.id.in_([id for id, _ in changes]))}
        wanted = [(known[id], values) for id, values in changes if id in known and any(known[id][name] != values[name] for name in values)]
        for names, alike in groupby(wanted, key=lambda change: tuple(sorted(change[1]))):
            new: dict[str, Any] = {name: bindparam(f"new_{name}") for name in names}
            statement = update(table).where(self._own(table), table.c.id == bindparam("of")).values(**new, version=self.revision)
            each = [{"of": row["id"]} | {f"new_{name}": values[name] for name in names} for row, values in alike]
            self.connection.execute(statement, each)
        self._tell(table, [(row, dict(row) | dict(values)) for row, values in wanted])

    def touch(self, table: Table, *where: ColumnElement[bool]) -> None:
        """What is shown of these rows has changed, though nothing in them: whoever looked at them before must look again."""
        self._must_write()
        self.connection.execute(update(table).where(self._own(table), *where).values(version=self.revision))

    def delete(self, table: Table, *where: ColumnElement[bool]) -> int:
        """Remove the organization's rows that fit; how many there were."""
        self._must_write()
        found = self.rows(table, *where)
        if found:
            self.connection.execute(delete(table).where(self._own(table), *where))
            self._tell(table, [(row, None) for row in found])
        return len(found)

    def extension_taken(self, extension: str, *, user: int = 0, attendant: int = 0) -> bool:
        """Whether somebody in the organization has this extension, other than the user or the attendant of these numbers."""
        users, attendants = tables.users, tables.attendants
        by_user = self.has(users, users.c.extension == extension, users.c.id != user)
        return by_user or self.has(attendants, attendants.c.extension == extension, attendants.c.id != attendant)

    def founded(self) -> None:
        """Write down that the organization's own row was made."""
        own = self.row(tables.organizations)
        assert own is not None
        self._tell(tables.organizations, [(None, own)])

    @property
    def revision(self) -> int:
        """The revision that this transaction's changes stand under; it is taken by the first who asks."""
        if self._revision is None:
            self._must_write()
            row = update(tables.organizations).where(tables.organizations.c.id == self.organization)
            next_revision = row.values(revision=tables.organizations.c.revision + 1).returning(tables.organizations.c.revision)
            self._revision = int(self.connection.execute(next_revision).scalar_one())
        return self._revision

    @property
    def revision_taken(self) -> int | None:
        """The revision of what this transaction changed so far, None while it has changed nothing."""
        return self._revision

    def _tell(self, table: Table, pairs: Sequence[tuple[Row | None, Row | None]]) -> None:
        """Write down the changes of rows: what each was before and what it is now."""
        if "kind" not in table.info or not pairs:
            return
        now = time.time()
        lines = []
        for before, after in pairs:
            key = key_of(table, after or before or {})
            lines.append({"object_id": key, "before": before and told(table, before), "after": after and told(table, after)})
        common = {"organization_id": self.organization, "revision": self.revision, "kind": table.info["kind"], "who": self._who, "at": now}
        numbered = [common | line | {"seq": self._changes + place} for place, line in enumerate(lines)]
        self.connection.execute(insert(tables.changes), numbered)
        self._changes += len(numbered)

    def _own(self, table: Table) -> ColumnElement[bool]:
        return (table.c.id if table is tables.organizations else table.c.organization_id) == self.organization

    def _must_write(self) -> None:
        if not self._writes:
            raise RuntimeError("This transaction was opened to read only.")


def is_open(organization: ColumnElement[int]) -> ColumnElement[bool]:
    """Whether the organization of a row is not closed: for whoever reads the rows of all. What is left of a closed one goes by and by."""
    own = tables.organizations.alias().c  # whoever asks may be reading that table itself
    return exists(select(own.id).where(own.id == organization, own.closed_at.is_(None)))


def key_of(table: Table, row: Row) -> str:
    """What a row is called in the history: its key's values with colons between them."""
    return ":".join(str(row[column.name]) for column in table.primary_key)


def told(table: Table, row: Row) -> dict[str, Any]:
    """A row as the history tells it: whole, but for secrets and what stands there anyway."""
    secret, left_out = table.info.get("secret", ()), _NOT_TOLD.union(table.info.get("left_out", ()))
    return {name: SET if name in secret and value else value for name, value in row.items() if name not in left_out}


def _same_key(table: Table, row: Row) -> list[ColumnElement[bool]]:
    return [column == row[column.name] for column in table.primary_key]
