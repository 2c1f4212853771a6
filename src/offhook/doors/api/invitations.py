"""Links that work once, by which somebody comes into an organization as its global administrator; the provider makes them."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from offhook.domain.organizations import OrganizationId
from offhook.doors.api.access import Inside, Provider
from offhook.doors.api.paging import LARGEST_ID
from offhook.doors.api.shapes import Asked, examples, pattern
from offhook.services import invitations as service
from offhook.services.ports.invitations import Invitation, InvitationId

router = APIRouter(tags=["organizations"])

OrganizationPath = Annotated[int, Path(ge=1, le=LARGEST_ID, examples=[2])]
InvitationPath = Annotated[int, Path(ge=1, le=LARGEST_ID, examples=[4])]
GUEST = {"username": "maria", "email": "maria@example.com"}
_OPEN = {"id": 4, "made_at": "2026-11-24T09:30:00Z", "expires_at": "2026-12-01T09:30:00Z"}


class InvitationAsked(Asked):
    """Who is invited, as far as that is known."""

    model_config = ConfigDict(json_schema_extra=examples(GUEST, {}))

    username: str | None = Field(
        None,
        max_length=64,
        json_schema_extra=pattern("^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$"),
        description="Who there is called so already becomes global administrator by it; without it, only somebody new comes in.",
    )
    email: str | None = Field(
        None, max_length=300, description="Where the link is sent, if mail is set up; else you send it. A new user gets it as theirs."
    )
    language: str | None = Field(
        None, max_length=35, description="What the mail is written in: a BCP 47 tag; English where there is no such text."
    )

    def invitee(self) -> service.Invitee:
        """As the services have it."""
        return service.Invitee(self.username, self.email, self.language)


class InvitationShown(BaseModel):
    """An invitation that nobody has used, without its link."""

    model_config = ConfigDict(json_schema_extra=examples(_OPEN | GUEST))

    id: int
    username: str | None
    email: str | None
    made_at: datetime
    expires_at: datetime


class InvitationsShown(BaseModel):
    """The invitations into an organization, oldest first."""

    invitations: list[InvitationShown]


class InvitationMade(InvitationShown):
    """A new invitation. `link` works once; it is shown here only, and null where an answer is repeated for its idempotency key.

    `mailed`: it goes by mail to `email` too. If it is false, hand the link over yourself.
    """

    model_config = ConfigDict(json_schema_extra=examples(_OPEN | GUEST | {"link": "https://pbx.example.com/welcome/TOKEN", "mailed": True}))

    link: str | None
    mailed: bool


class InvitationRevoked(BaseModel):
    """Its link leads nowhere any more."""

    id: int


@router.get("/organizations/{organization}/invitations")
def invitations(house: Inside, _provider: Provider, organization: OrganizationPath) -> InvitationsShown:
    """The invitations into an organization that can still be used."""
    found = service.list_invitations(house.store, OrganizationId(organization))
    return InvitationsShown(invitations=[InvitationShown(**_shown(each)) for each in found])


@router.get("/provider/invitations")
def founding_invitations(house: Inside, _provider: Provider) -> InvitationsShown:
    """The invitations that make an organization and can still be used: the links of first starts."""
    return InvitationsShown(invitations=[InvitationShown(**_shown(each)) for each in service.list_invitations(house.store, None)])


@router.delete("/provider/invitations/{invitation}")
async def revoke_founding(house: Inside, provider: Provider, invitation: InvitationPath) -> InvitationRevoked:
    """Nobody makes an organization by its link from now on. A start without any organization prints another one."""
    await run_in_threadpool(service.revoke_invitation, house.store, None, InvitationId(invitation), provider.label)
    return InvitationRevoked(id=invitation)


@router.post("/organizations/{organization}/invitations", status_code=201)
def invite(house: Inside, provider: Provider, request: Request, organization: OrganizationPath, asked: InvitationAsked) -> InvitationMade:
    """Make a link by which somebody becomes a global administrator, once, within a week; also when there is none any more.

    It goes by mail to `email`, if mail is set up (`mailed`); else hand it over yourself.
    """
    id, room = OrganizationId(organization), house.mail_room
    return invitation_made(request, service.invite_administrator(house.store, id, asked.invitee(), provider.label, room))


@router.delete("/organizations/{organization}/invitations/{invitation}")
async def revoke(house: Inside, provider: Provider, organization: OrganizationPath, invitation: InvitationPath) -> InvitationRevoked:
    """Its link leads nowhere from now on."""
    id, of = InvitationId(invitation), OrganizationId(organization)
    await run_in_threadpool(service.revoke_invitation, house.store, of, id, provider.label)
    return InvitationRevoked(id=invitation)


def invitation_made(request: Request, invited: service.Invited) -> InvitationMade:
    """An invitation with its link, which leads to where the request came to."""
    link = f"{request.base_url}welcome/{invited.token}"
    return InvitationMade(**_shown(invited.invitation), link=link, mailed=invited.mailed)


def _shown(invitation: Invitation) -> dict[str, Any]:
    return {
        "id": invitation.id,
        "username": invitation.username,
        "email": invitation.email,
        "made_at": datetime.fromtimestamp(invitation.made_at, UTC),
        "expires_at": datetime.fromtimestamp(invitation.expires_at, UTC),
    }
