"""What was changed, by whom, and what anything was at an earlier revision."""

import time
from collections.abc import Mapping
from typing import Any

from sqlalchemy import Select, Table, func, select

from offhook.domain.errors import Missing
from offhook.services.ports.changes import ALL_CHANGES, Change, ChangesWanted
from offhook.store.scope import Row, Scope
from offhook.store.tables import changes, cursors, organizations


class History:
    """The changes of one organization; services.ports.store.History."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def page(self, limit: int, wanted: ChangesWanted = ALL_CHANGES) -> list[Change]:
        found = newest_first(changes, limit, wanted).where(changes.c.organization_id == self._scope.organization)
        return [change_of(row) for row in self._scope.connection.execute(found).mappings()]

    def called(self, kind: str, field: str, name: str) -> list[str]:
        own = (changes.c.organization_id == self._scope.organization, changes.c.kind == kind, changes.c.after[field].as_string() == name)
        wanted = select(changes.c.object_id).where(*own).group_by(changes.c.object_id).order_by(func.max(changes.c.revision).desc())
        return list(self._scope.connection.execute(wanted).scalars())

    def since(self, revision: int) -> list[Change]:
        rows = self._scope.rows(changes, changes.c.revision > revision, order=(changes.c.revision, changes.c.seq))
        return [change_of(row) for row in rows]

    def between(self, since: int, until: int) -> list[Change]:
        own = (changes.c.revision > since, changes.c.revision <= until)
        return [change_of(row) for row in self._scope.rows(changes, *own, order=(changes.c.revision, changes.c.seq))]

    def in_revision(self, revision: int, kind: str) -> list[Change]:
        own = (changes.c.revision == revision, changes.c.kind == kind)
        return [change_of(row) for row in self._scope.rows(changes, *own, order=(changes.c.seq,))]

    def touched_since(self, revision: int) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        wanted = select(changes.c.kind, changes.c.object_id).where(changes.c.organization_id == self._scope.organization)
        for kind, id in self._scope.connection.execute(wanted.where(changes.c.revision > revision).distinct()):
            found.setdefault(kind, set()).add(id)
        return found

    def revision_at(self, moment: float) -> int:
        latest = select(func.max(changes.c.revision)).where(changes.c.organization_id == self._scope.organization, changes.c.at <= moment)
        found = self._scope.connection.execute(latest).scalar_one()
        if found is None:
            raise Missing("The organization was not there yet at that time.", "at")
        return int(found)

    def as_of(self, kind: str, id: str, revision: int) -> Mapping[str, Any] | None:
        self.whole_at(revision)
        wanted = select(changes.c.after).where(
            changes.c.organization_id == self._scope.organization,
            changes.c.kind == kind,
            changes.c.object_id == id,
            changes.c.revision <= revision,
        )
        row = self._scope.connection.execute(wanted.order_by(changes.c.revision.desc(), changes.c.seq.desc()).limit(1)).first()
        after: Mapping[str, Any] | None = row.after if row else None
        return after

    def rows_as_of(self, table: Table, revision: int) -> list[dict[str, Any]]:
        """Every row that a table of configuration had for the organization at a revision, secrets left out; in no order.

        Raises Missing when that revision is not there, or was before history was whole.
        """
        self.whole_at(revision)
        own, kind = changes.c.organization_id == self._scope.organization, changes.c.kind == table.info["kind"]
        latest = func.row_number().over(partition_by=changes.c.object_id, order_by=(changes.c.revision.desc(), changes.c.seq.desc()))
        lines = (
            select(changes.c.after, changes.c.revision, latest.label("place")).where(own, kind, changes.c.revision <= revision).subquery()
        )
        rows = self._scope.connection.execute(select(lines.c.after, lines.c.revision).where(lines.c.place == 1))
        return [{"organization_id": self._scope.organization, "version": version} | after for after, version in rows if after is not None]

    def whole_at(self, revision: int) -> None:
        """Raises Missing unless the organization can be told as it was at this revision."""
        own = self._scope.row(organizations)
        assert own is not None
        if not 1 <= revision <= own["revision"]:
            raise Missing(f"There is no revision {revision} yet; the last one is {own['revision']}.", "revision")
        if revision < own["whole_since"]:
            raise Missing(
                f"Revisions before {own['whole_since']} were written down in an older form; ask for that one or later.", "revision"
            )

    def cursor(self, consumer: str) -> int:
        row = self._scope.row(cursors, cursors.c.consumer == consumer)
        return int(row["revision"]) if row else 0

    def fresh(self, consumer: str, most: int) -> tuple[list[Change], int]:
        since = self.cursor(consumer)
        own = (changes.c.organization_id == self._scope.organization, changes.c.revision > since)
        counts = select(changes.c.revision, func.count()).where(*own).group_by(changes.c.revision).order_by(changes.c.revision).limit(most)
        total, until = 0, since
        for revision, count in self._scope.connection.execute(counts):
            if total and total + count > most:
                break
            total, until = total + count, revision
        if until == since:
            own_row = self._scope.row(organizations)
            return [], int(own_row["revision"]) if own_row else since
        return self.between(since, until), until

    def move_cursor(self, consumer: str, revision: int) -> None:
        # Not configuration: it stands in no history and takes no revision.
        values = {"revision": revision, "at": time.time()}
        own = (cursors.c.organization_id == self._scope.organization, cursors.c.consumer == consumer)
        moved = self._scope.connection.execute(cursors.update().where(*own).values(**values)).rowcount
        if not moved:
            row = {"organization_id": self._scope.organization, "consumer": consumer} | values
            self._scope.connection.execute(cursors.insert().values(**row))


def newest_first(table: Table, limit: int, wanted: ChangesWanted) -> Select[Any]:
    """The newest lines of a history that are wanted first."""
    own = table.c
    found = select(table).order_by(own.revision.desc(), own.seq.desc()).limit(limit)
    if wanted.before is not None:
        revision, seq = wanted.before
        found = found.where((own.revision < revision) | ((own.revision == revision) & (own.seq < seq)))
    if wanted.hidden:
        found = found.where(own.kind.not_in(wanted.hidden))
    if wanted.kind is not None:
        found = found.where(own.kind == wanted.kind)
    if wanted.ids is not None:
        found = found.where(own.object_id.in_(wanted.ids))
    if wanted.who is not None:
        found = found.where(own.who == wanted.who)
    if wanted.since is not None:
        found = found.where(own.at >= wanted.since)
    return found if wanted.until is None else found.where(own.at < wanted.until)


def change_of(row: Row) -> Change:
    """A line of a history."""
    return Change(**values_of(row))


def values_of(row: Row) -> dict[str, Any]:
    """What every line of a history has."""
    names = ("revision", "seq", "kind", "before", "after", "who", "at")
    return {"id": row["object_id"]} | {name: row[name] for name in names}
