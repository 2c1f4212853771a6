"""One-time invitations, which the provider makes. Errors as in services.ports.store."""

from dataclasses import dataclass
from typing import NewType, Protocol

from offhook.domain.organizations import OrganizationId

InvitationId = NewType("InvitationId", int)


@dataclass(frozen=True, slots=True)
class Invitation:
    """What is kept of an invitation: to administer an organization, or to make one (None). Moments are in seconds since 1970.

    `username` is who shall use it, if that is known; `email` is where it was sent, for whoever sees it in the list.
    """

    id: InvitationId
    organization: OrganizationId | None
    username: str | None
    email: str | None
    made_at: float
    expires_at: float


class Invitations(Protocol):
    """The invitations that nobody has used."""

    def add(
        self,
        hash: str,
        expires_at: float,
        organization: OrganizationId | None = None,
        username: str | None = None,
        email: str | None = None,
    ) -> Invitation:
        """Keep an invitation. Throws away what expired."""

    def by_hash(self, hash: str, now: float) -> Invitation | None:
        """The invitation whose hash this is, None if there is none, it was used or it has expired."""

    def open(self, organization: OrganizationId | None, now: float) -> list[Invitation]:
        """Those into an organization that can be used, or (None) that make one; oldest first."""

    def use(self, hash: str, now: float) -> Invitation | None:
        """Use up an invitation; None as in `by_hash`."""

    def revoke(self, organization: OrganizationId | None, id: InvitationId) -> None:
        """It can be used no more. Raises Missing."""
