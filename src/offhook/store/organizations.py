"""The tenants, as the provider sees them."""

import time
from typing import Any

from sqlalchemy import ColumnElement, Connection, Table, delete, func, insert, select, tuple_, update

from offhook.domain.errors import Conflict, Missing
from offhook.domain.numbers import E164
from offhook.domain.organizations import OrganizationId, Purpose
from offhook.services.ports.changes import ALL_CHANGES, Change, ChangesWanted
from offhook.services.ports.organizations import NOBODYS_DOMAINS, Erased, Holdings, Tenant
from offhook.services.ports.store import Profile
from offhook.store.history import change_of, newest_first
from offhook.store.provider import ProviderScope, forget_what_was
from offhook.store.scope import Row, Scope, is_open, told
from offhook.store.tables import attendants, cdrs, changes, devices, metadata, numbers, organizations, provider_changes, traces, users

OUTLIVE = frozenset({changes, cdrs, traces, provider_changes})
"""Tables that keep what an organization was and did when it is closed; all others of a tenant are emptied."""

_EMPTIED = [table for table in reversed(metadata.sorted_tables) if "organization_id" in table.c and table not in OUTLIVE]
"""What points to something goes before it."""

_OPEN = organizations.c.closed_at.is_(None)
_TENANTS = (organizations.c.purpose != Purpose.PROBE.value, organizations.c.name != "")


class Organizations:
    """services.ports.organizations.Organizations."""

    def __init__(self, scope: ProviderScope) -> None:
        self._scope = scope
        self._connection = scope.connection

    def all(self) -> list[Profile]:
        return profiles(self._connection)

    def by_domain(self, domain: str) -> Profile | None:
        row = self._connection.execute(select(organizations).where(organizations.c.domain == domain, _OPEN)).mappings().first()
        return profile_of(row) if row else None

    def add(self, name: str, domain: str, country: str, purpose: Purpose, time_zone: str = "UTC") -> Profile:
        if self.by_domain(domain) is not None:
            raise Conflict(f"The domain {domain} is taken; choose another one.", "domain")
        values = {"name": name, "domain": domain, "country": country, "time_zone": time_zone, "purpose": purpose.value, "main_number": None}
        added = insert(organizations).values(revision=0, version=1, whole_since=1, **values).returning(organizations.c.id)
        id = OrganizationId(self._connection.execute(added).scalar_one())
        self._inside(id).founded()
        if purpose is not Purpose.PROBE:
            self._note(id, None, self._told(id))
        return Profile(id, name, domain, country, purpose, None, 1, time_zone, 1)

    def revisions(self) -> dict[OrganizationId, int]:
        rows = self._connection.execute(select(organizations.c.id, organizations.c.revision).where(_OPEN))
        return {OrganizationId(id): revision for id, revision in rows}

    def page(self, limit: int, after: int, *, closed: bool | None = None, domain: str | None = None) -> list[Tenant]:
        wanted = select(organizations).where(*_TENANTS, organizations.c.id > after)
        if closed is not None:
            wanted = wanted.where(organizations.c.closed_at.is_not(None) if closed else _OPEN)
        if domain is not None:
            wanted = wanted.where(organizations.c.domain == domain)
        rows = self._connection.execute(wanted.order_by(organizations.c.id).limit(limit)).mappings()
        return [_tenant_of(row) for row in rows]

    def tenant(self, id: OrganizationId) -> Tenant | None:
        row = self._connection.execute(select(organizations).where(*_TENANTS, organizations.c.id == id)).mappings().first()
        return _tenant_of(row) if row else None

    def holdings(self, id: OrganizationId) -> Holdings:
        own = [(table, table.c.organization_id) for table in (users, devices, attendants, numbers)]
        counted = [select(func.count()).select_from(table).where(column == id, is_open(column)) for table, column in own]
        return Holdings(*(self._connection.execute(count).scalar_one() for count in counted))

    def close(self, id: OrganizationId) -> int:
        scope, before = self._inside(id), self._told(id)
        # From here on nobody finds it. The domain is free for others, as the numbers are (stock.let_go); the history has both.
        scope.update(organizations, closed_at=time.time(), main_number=None, domain=_nobodys(id))
        self._note(id, before, self._told(id))
        return scope.revision

    def to_empty(self) -> list[OrganizationId]:
        left = select(organizations.c.id).where(organizations.c.closed_at.is_not(None), organizations.c.emptied_at.is_(None))
        return [OrganizationId(id) for id in self._connection.execute(left.order_by(organizations.c.id)).scalars()]

    def empty_some(self, id: OrganizationId, most: int) -> bool:
        if not self._held(id, organizations.c.closed_at.is_not(None), organizations.c.emptied_at.is_(None)):
            return True
        left = most
        for table in _EMPTIED:
            left -= self._remove_some(table, id, left)
            if left <= 0:
                return False
        self._connection.execute(update(organizations).where(organizations.c.id == id).values(emptied_at=time.time()))
        return True

    def history(self, id: OrganizationId, limit: int, wanted: ChangesWanted = ALL_CHANGES) -> list[Change]:
        found = newest_first(changes, limit, wanted).where(changes.c.organization_id == id)
        return [change_of(row) for row in self._connection.execute(found).mappings()]

    def erase_some(self, id: OrganizationId, most: int) -> Erased:
        if not self._held(id, *_TENANTS, organizations.c.closed_at.is_not(None)):
            raise Missing("There is no such organization that is closed.", "organization")
        if not self.empty_some(id, most):
            return Erased(0, 0, complete=False)
        calls = list(self._connection.execute(select(cdrs.c.call).where(cdrs.c.organization_id == id).limit(most)).scalars())
        for table in (traces, cdrs):
            self._connection.execute(delete(table).where(table.c.call.in_(calls)))
        if len(calls) == most:
            return Erased(len(calls), 0, complete=False)
        gone = self._remove_some(changes, id, most)
        if gone == most:
            return Erased(len(calls), gone, complete=False)
        # The row stays: its number in a database is nobody else's, whatever is written down late.
        nothing = {"name": "", "country": "", "time_zone": "UTC"}
        self._connection.execute(update(organizations).where(organizations.c.id == id).values(**nothing))
        forget_what_was(self._scope, id)
        self._note(id, {}, None)
        return Erased(len(calls), gone, complete=True)

    def _held(self, id: OrganizationId, *where: ColumnElement[bool]) -> bool:
        """Whether it is so, and stays so: of two who go through its rows at once one would pass over those that the other is removing."""
        own = select(organizations.c.id).where(organizations.c.id == id, *where)
        return self._connection.execute(own.with_for_update(key_share=True)).first() is not None

    def _remove_some(self, table: Table, id: OrganizationId, most: int) -> int:
        """Remove so many of its rows; how many there were."""
        key = tuple_(*table.primary_key) if len(table.primary_key) > 1 else next(iter(table.primary_key))
        some = select(*table.primary_key).where(table.c.organization_id == id).limit(most)
        return self._connection.execute(delete(table).where(key.in_(some))).rowcount

    def _inside(self, id: OrganizationId) -> Scope:
        return Scope(self._connection, id, self._scope.who, writes=self._scope.writes)

    def _told(self, id: OrganizationId) -> dict[str, Any]:
        return told(organizations, self._connection.execute(select(organizations).where(organizations.c.id == id)).mappings().one())

    def _note(self, id: OrganizationId, before: dict[str, Any] | None, after: dict[str, Any] | None) -> None:
        self._scope.note(organizations.info["kind"], str(id), before, after, id)


def _nobodys(id: OrganizationId) -> str:
    """A domain that nobody can have."""
    return f"{id}.closed{NOBODYS_DOMAINS}"


def profiles(connection: Connection) -> list[Profile]:
    """The own row of every organization that is open, by name."""
    rows = connection.execute(select(organizations).where(_OPEN).order_by(organizations.c.name)).mappings()
    return [profile_of(row) for row in rows]


def profile_of(row: Row, revision: int | None = None) -> Profile:
    """A row of `organizations`; as the history tells it, it needs the revision beside it."""
    return Profile(
        OrganizationId(row["id"]),
        row["name"],
        row["domain"],
        row["country"],
        Purpose(row["purpose"]),
        E164(row["main_number"]) if row["main_number"] else None,
        row["revision"] if revision is None else revision,
        row["time_zone"],
        row["version"],
    )


def _tenant_of(row: Row) -> Tenant:
    return Tenant(profile_of(row), row["closed_at"])
