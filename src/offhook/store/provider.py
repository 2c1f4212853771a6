"""The one way to the provider's own rows: every change is written down, in the transaction that makes it."""

import time
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, RowMapping, Table, delete, insert, select, tuple_, update

from offhook.domain.organizations import OrganizationId
from offhook.services.ports.changes import ALL_CHANGES, ChangesWanted, ProviderChange
from offhook.store.answers import KEPT_SECONDS
from offhook.store.history import newest_first, values_of
from offhook.store.scope import Row, key_of, told
from offhook.store.tables import provider, provider_answers, provider_changes

KEYS_AT_ONCE = 1_000
"""So many are named in one statement: databases bound how many values it may have."""


class ProviderScope:
    """The provider's tables inside one transaction. Its first change takes the provider's next revision, and others wait for that row."""

    def __init__(self, connection: Connection, who: str, *, writes: bool) -> None:
        self.connection = connection
        self.who = who
        self.writes = writes
        self._revision: int | None = None
        self._changes = 0

    def hold(self) -> None:
        """What is the provider's stays as it is now until this transaction is over, but for what it changes itself."""
        if self.writes:
            self.connection.execute(select(provider.c.id).with_for_update())

    def rows(
        self, table: Table, *where: ColumnElement[bool], order: Sequence[ColumnElement[Any]] = (), limit: int | None = None
    ) -> list[RowMapping]:
        """The rows of a table that fit, `limit` of them at most; in the order of their keys where no other one is said."""
        found = select(table).where(*where).order_by(*(order or table.primary_key)).limit(limit)
        return [*self.connection.execute(found).mappings()]

    def insert(self, table: Table, **values: Any) -> Row:
        """Add a row; what stands there now."""
        row = self.connection.execute(insert(table).values(**self._versioned(table, values)).returning(table)).mappings().one()
        self._tell(table, [(None, row)])
        return row

    def insert_all(self, table: Table, rows: Sequence[Mapping[str, Any]]) -> None:
        """Add rows whole, their keys too, in few statements."""
        if not rows:
            return
        whole = [self._versioned(table, row) for row in rows]
        # With something to return many rows go in one statement, for which PostgreSQL's driver needs no journey each.
        self.connection.execute(insert(table).returning(*table.primary_key), whole)
        self._tell(table, [(None, row) for row in whole])

    def update(self, table: Table, *where: ColumnElement[bool], **values: Any) -> None:
        """Change the rows that fit. A row that has these values already is not touched."""
        differing = [row for row in self.rows(table, *where) if any(row[name] != value for name, value in values.items())]
        if not differing:
            return
        own = list(table.primary_key)
        key = own[0] if len(own) == 1 else tuple_(*own)
        keys = [row[own[0].name] if len(own) == 1 else tuple(row[column.name] for column in own) for row in differing]
        for begin in range(0, len(keys), KEYS_AT_ONCE):
            these = key.in_(keys[begin : begin + KEYS_AT_ONCE])
            self.connection.execute(update(table).where(these).values(**self._versioned(table, values)))
        self._tell(table, [(row, dict(row) | values) for row in differing])

    def delete(self, table: Table, *where: ColumnElement[bool]) -> list[Row]:
        """Remove the rows that fit; what they were. The row count decides, not a look before: of two who come at once only one gets it."""
        gone: list[Row] = [*self.connection.execute(delete(table).where(*where).returning(table)).mappings()]
        self._tell(table, [(row, None) for row in gone])
        return gone

    def forget(self, table: Table, *where: ColumnElement[bool]) -> None:
        """Remove rows that mean nothing any more. Nobody did that, so it is not written down."""
        self.connection.execute(delete(table).where(*where))

    def note(
        self,
        kind: str,
        id: str,
        before: Mapping[str, Any] | None,
        after: Mapping[str, Any] | None,
        organization: OrganizationId | None = None,
    ) -> None:
        """Write down that something happened to what is no row of ours, or of more than one table."""
        self._write([{"kind": kind, "object_id": id, "organization_id": organization, "before": before, "after": after}])

    @property
    def revision(self) -> int:
        """The revision that this transaction's changes stand under; it is taken by the first who asks."""
        if self._revision is None:
            if not self.writes:
                raise RuntimeError("This transaction was opened to read only.")
            taken = update(provider).values(revision=provider.c.revision + 1).returning(provider.c.revision)
            self._revision = int(self.connection.execute(taken).scalar_one())
        return self._revision

    @property
    def revision_taken(self) -> int | None:
        """The revision of what this transaction changed so far, None while it has changed nothing."""
        return self._revision

    def _versioned(self, table: Table, values: Mapping[str, Any]) -> dict[str, Any]:
        return dict(values) | ({"version": self.revision} if "version" in table.c else {})

    def _tell(self, table: Table, pairs: Sequence[tuple[Row | None, Row | None]]) -> None:
        """Write down the changes of rows: what each was before and what it is now."""
        lines = []
        for before, after in pairs:
            row = after or before or {}
            was, now = (None if each is None else told(table, each) for each in (before, after))
            line = {"kind": table.info["kind"], "object_id": key_of(table, row), "organization_id": row.get("organization_id")}
            lines.append(line | {"before": was, "after": now})
        self._write(lines)

    def _write(self, lines: Sequence[dict[str, Any]]) -> None:
        if not lines:
            return
        taken = {"revision": self.revision, "who": self.who, "at": time.time()}
        numbered = [line | taken | {"seq": self._changes + place} for place, line in enumerate(lines)]
        self.connection.execute(insert(provider_changes).returning(provider_changes.c.seq), numbered)
        self._changes += len(lines)


class ProviderHistory:
    """services.ports.store.ProviderHistory."""

    def __init__(self, scope: ProviderScope) -> None:
        self._scope = scope

    def page(self, limit: int, wanted: ChangesWanted = ALL_CHANGES) -> list[ProviderChange]:
        found = self._scope.connection.execute(newest_first(provider_changes, limit, wanted)).mappings()
        return [ProviderChange(organization=row["organization_id"], **values_of(row)) for row in found]

    def note(self, kind: str, id: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> None:
        self._scope.note(kind, id, before, after)


def forget_what_was(scope: ProviderScope, organization: OrganizationId) -> None:
    """What an organization and its invitations were is told no more; that they were, and who changed them when, stays.

    Nor do answers tell of it that nobody can ask for again.
    """
    scope.forget(provider_answers, provider_answers.c.at <= time.time() - KEPT_SECONDS)
    own = provider_changes.c.organization_id == organization
    for told_of in (provider_changes.c.before, provider_changes.c.after):
        scope.connection.execute(update(provider_changes).where(own, told_of.is_not(None)).values({told_of.name: {}}))
