"""The tenants, as the provider sees them."""

from sqlalchemy import Connection, insert, select

from offhook.domain.errors import Conflict
from offhook.domain.numbers import E164
from offhook.domain.organizations import OrganizationId, Purpose
from offhook.services.ports.store import Profile
from offhook.store.scope import Row, Scope
from offhook.store.tables import organizations


class Organizations:
    """services.ports.store.Organizations."""

    def __init__(self, connection: Connection, who: str, *, writes: bool) -> None:
        self._connection = connection
        self._who = who
        self._writes = writes

    def all(self) -> list[Profile]:
        return profiles(self._connection)

    def by_domain(self, domain: str) -> Profile | None:
        row = self._connection.execute(select(organizations).where(organizations.c.domain == domain)).mappings().first()
        return profile_of(row) if row else None

    def add(self, name: str, domain: str, country: str, purpose: Purpose, time_zone: str = "UTC") -> Profile:
        if self.by_domain(domain) is not None:
            raise Conflict(f"The domain {domain} is taken; choose another one.", "domain")
        values = {"name": name, "domain": domain, "country": country, "time_zone": time_zone, "purpose": purpose.value, "main_number": None}
        added = insert(organizations).values(revision=0, version=1, whole_since=1, **values).returning(organizations.c.id)
        id = OrganizationId(self._connection.execute(added).scalar_one())
        Scope(self._connection, id, self._who, writes=self._writes).founded()
        return Profile(id, name, domain, country, purpose, None, 1, time_zone, 1)

    def revisions(self) -> dict[OrganizationId, int]:
        return {
            OrganizationId(id): revision for id, revision in self._connection.execute(select(organizations.c.id, organizations.c.revision))
        }


def profiles(connection: Connection) -> list[Profile]:
    """Every organization's own row, by name."""
    return [profile_of(row) for row in connection.execute(select(organizations).order_by(organizations.c.name)).mappings()]


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
