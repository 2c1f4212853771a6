"""The tenants, as the provider sees them."""

from sqlalchemy import Connection, RowMapping, insert, select

from offhook.domain.errors import Conflict
from offhook.domain.numbers import E164
from offhook.domain.organizations import OrganizationId, Purpose
from offhook.services.ports.store import Profile
from offhook.store.scope import Scope
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

    def add(self, name: str, domain: str, country: str, purpose: Purpose) -> Profile:
        if self.by_domain(domain) is not None:
            raise Conflict(f"The domain {domain} is taken; choose another one.", "domain")
        values = {"name": name, "domain": domain, "country": country, "purpose": purpose.value}
        key = self._connection.execute(insert(organizations).values(revision=0, main_number=None, **values)).inserted_primary_key
        assert key is not None
        id = OrganizationId(key[0])
        Scope(self._connection, id, self._who, writes=self._writes).changed("organization", id, None, values)
        return Profile(id, name, domain, country, purpose, None, 1)


def profiles(connection: Connection) -> list[Profile]:
    """Every organization's own row, by name."""
    return [profile_of(row) for row in connection.execute(select(organizations).order_by(organizations.c.name)).mappings()]


def profile_of(row: RowMapping) -> Profile:
    """A row of `organizations`."""
    return Profile(
        OrganizationId(row["id"]),
        row["name"],
        row["domain"],
        row["country"],
        Purpose(row["purpose"]),
        E164(row["main_number"]) if row["main_number"] else None,
        row["revision"],
    )
