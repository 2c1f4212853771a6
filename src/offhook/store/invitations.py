"""One-time invitations: only their hashes are kept."""

import time

from offhook.domain.errors import Missing
from offhook.domain.organizations import OrganizationId
from offhook.services.ports.invitations import Invitation, InvitationId
from offhook.store.provider import ProviderScope
from offhook.store.scope import Row
from offhook.store.tables import invitations


class Invitations:
    """services.ports.invitations.Invitations."""

    def __init__(self, scope: ProviderScope) -> None:
        self._scope = scope

    def add(
        self,
        hash: str,
        expires_at: float,
        organization: OrganizationId | None = None,
        username: str | None = None,
        email: str | None = None,
    ) -> Invitation:
        self._scope.forget(invitations, invitations.c.expires_at <= time.time())
        values = {"organization_id": organization, "username": username, "email": email}
        return _invitation_of(self._scope.insert(invitations, hash=hash, made_at=time.time(), expires_at=expires_at, **values))

    def by_hash(self, hash: str, now: float) -> Invitation | None:
        good = (invitations.c.hash == hash, invitations.c.expires_at > now)
        return next((_invitation_of(row) for row in self._scope.rows(invitations, *good)), None)

    def open(self, organization: OrganizationId | None, now: float) -> list[Invitation]:
        own = (invitations.c.organization_id == organization, invitations.c.expires_at > now)
        return [_invitation_of(row) for row in self._scope.rows(invitations, *own)]

    def use(self, hash: str, now: float) -> Invitation | None:
        used = self._scope.delete(invitations, invitations.c.hash == hash, invitations.c.expires_at > now)
        return next((_invitation_of(row) for row in used), None)

    def revoke(self, organization: OrganizationId | None, id: InvitationId) -> None:
        if not self._scope.delete(invitations, invitations.c.organization_id == organization, invitations.c.id == id):
            raise Missing("There is no such invitation; it was used, has expired, or is another organization's.", "invitation")


def _invitation_of(row: Row) -> Invitation:
    organization = None if row["organization_id"] is None else OrganizationId(row["organization_id"])
    return Invitation(InvitationId(row["id"]), organization, row["username"], row["email"], row["made_at"], row["expires_at"])
