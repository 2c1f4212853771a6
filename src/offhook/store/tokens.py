"""API tokens and one-time invitations: only their hashes are kept."""

from sqlalchemy import Connection, delete, insert, select

from offhook.domain.organizations import OrganizationId
from offhook.services.ports.store import TokenEntry
from offhook.store.tables import invitations, tokens


class Tokens:
    """services.ports.store.Tokens."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def by_hash(self, hash: str) -> TokenEntry | None:
        row = self._connection.execute(select(tokens).where(tokens.c.hash == hash)).mappings().first()
        if row is None:
            return None
        organization = None if row["organization_id"] is None else OrganizationId(row["organization_id"])
        return TokenEntry(row["hash"], organization, row["label"], row["expires_at"])

    def add(self, entry: TokenEntry) -> None:
        if self.by_hash(entry.hash) is None:
            values = {"organization_id": entry.organization, "label": entry.label, "expires_at": entry.expires_at}
            self._connection.execute(insert(tokens).values(hash=entry.hash, **values))


class Invitations:
    """services.ports.store.Invitations."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def add(self, hash: str, expires_at: float) -> None:
        self._connection.execute(insert(invitations).values(hash=hash, expires_at=expires_at))

    def use(self, hash: str, now: float) -> bool:
        self._connection.execute(delete(invitations).where(invitations.c.expires_at <= now))
        # The row count decides, not a look before: of two who come at once only one deletes the row.
        return self._connection.execute(delete(invitations).where(invitations.c.hash == hash)).rowcount == 1
