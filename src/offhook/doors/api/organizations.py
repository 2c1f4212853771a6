"""The tenants, for the provider: how each comes to be, what it has, and how it leaves."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Query, Request, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from offhook.domain.errors import Invalid
from offhook.domain.organizations import OrganizationId
from offhook.doors.api.access import Inside, Provider
from offhook.doors.api.history import ChangeShown, HistoryAsked, HistoryShown, change_shown, page_of, wanted
from offhook.doors.api.invitations import GUEST, InvitationAsked, InvitationMade, OrganizationPath, invitation_made
from offhook.doors.api.paging import PRINTABLE, Paged, cursor, is_id, place_of
from offhook.doors.api.people import in_effect
from offhook.doors.api.resources import Expected, Looked, made
from offhook.doors.api.shapes import Asked, Saved, examples
from offhook.services import organizations as service
from offhook.services.invitations import Invitee, found_organization
from offhook.services.ports.organizations import Tenant

router = APIRouter(tags=["organizations"])

_PINE: dict[str, Any] = {
    "id": 2,
    "name": "Pine Bakery",
    "domain": "pine.test",
    "country": "US",
    "time_zone": "America/Los_Angeles",
    "purpose": "customer",
    "revision": 41,
    "version": 7,
    "closed_at": None,
}
_MAPLE = {"name": "Maple Workshop", "domain": "maple.example.com", "country": "CA", "time_zone": "America/Toronto"}
_HAS = {"users": 12, "devices": 14, "attendants": 1, "numbers": 13}


class TenantsAsked(Paged):
    """Which organizations to list; oldest first."""

    state: Literal["open", "closed"] | None = None
    domain: str | None = Field(None, max_length=253, pattern=PRINTABLE)


class TenantShown(BaseModel):
    """An organization. `closed_at`: since when it is no tenant any more; it has no domain of its own then."""

    model_config = ConfigDict(json_schema_extra=examples(_PINE))

    id: int
    name: str
    domain: str
    country: str
    time_zone: str
    purpose: str
    revision: int
    version: int
    closed_at: datetime | None


class TenantsShown(BaseModel):
    """A page of organizations."""

    organizations: list[TenantShown]
    next: str | None


class TenantWhole(TenantShown):
    """An organization, and how many of each it has."""

    model_config = ConfigDict(json_schema_extra=examples(_PINE | _HAS))

    users: int
    devices: int
    attendants: int
    numbers: int


class OrganizationAsked(Asked):
    """A new organization."""

    model_config = ConfigDict(json_schema_extra=examples(_MAPLE | {"administrator": GUEST}, _MAPLE))

    name: str = Field(max_length=200)
    domain: str = Field(max_length=253, description="What stands behind the @ of its people; it stays.")
    country: str = Field(max_length=10, description="Whose emergency numbers and rules of dialling hold (ISO 3166-1 alpha-2).")
    time_zone: str = Field("UTC", max_length=64, description="An IANA name.")
    administrator: InvitationAsked | None = Field(None, description="Who shall come in first, as far as that is known.")


class OrganizationMade(BaseModel):
    """A new organization, and the invitation of its first administrator. `in_effect`: the switch and the edge know it."""

    organization: TenantShown
    invitation: InvitationMade
    in_effect: bool


class TenantClosed(Saved):
    """It is closed. `in_effect`: the switch and the edge have let go of it."""


class RecordsErased(BaseModel):
    """So many call records and lines of the history are gone by this request. Not `complete`: there are more; say it again."""

    model_config = ConfigDict(json_schema_extra=examples({"calls": 1200, "changes": 340, "complete": True}))

    calls: int
    changes: int
    complete: bool


@router.get("/organizations")
def organizations(house: Inside, _provider: Provider, asked: Annotated[TenantsAsked, Query()]) -> TenantsShown:
    """Every organization, those that are closed too until their records are erased."""
    closed = None if asked.state is None else asked.state == "closed"
    before = place_of(asked, lambda place: len(place) == 1 and is_id(place[0]))
    after = int(before[0] or 0) if before else 0
    page, following = service.list_tenants(house.store, asked.limit, after, closed=closed, domain=asked.domain)
    leads_on = None if following is None else cursor(asked, (following,))
    return TenantsShown(organizations=[TenantShown(**_told(each)) for each in page], next=leads_on)


@router.post("/organizations", status_code=201)
async def new_organization(
    house: Inside, provider: Provider, request: Request, response: Response, asked: OrganizationAsked
) -> OrganizationMade:
    """Make an organization, and a link by which its first global administrator comes in, once, within a week."""
    values, guest = asked.model_dump(exclude={"administrator"}), asked.administrator.invitee() if asked.administrator else Invitee()
    more: dict[str, Any] = {"invitee": guest, "room": house.mail_room, "who": provider.label}
    try:
        tenant, invited = await run_in_threadpool(lambda: found_organization(house.store, **values, **more))
    except Invalid as why:
        if why.field not in InvitationAsked.model_fields:
            raise
        raise Invalid(why.explanation, f"administrator.{why.field}") from None
    response.headers["Location"] = f"/api/v1/organizations/{tenant.profile.id}"
    shown = made(response, TenantShown(**_told(tenant)), tenant.profile.version)
    return OrganizationMade(organization=shown, invitation=invitation_made(request, invited), in_effect=await in_effect(house))


@router.get("/organizations/{organization}")
def organization(house: Inside, _provider: Provider, organization: OrganizationPath, looked: Annotated[Looked, Depends()]) -> TenantWhole:
    """One organization, and what it has."""
    tenant, has = service.get_tenant(house.store, OrganizationId(organization))
    shown = TenantWhole(**_told(tenant), users=has.users, devices=has.devices, attendants=has.attendants, numbers=has.numbers)
    return looked.at(shown, tenant.profile.version)


@router.delete("/organizations/{organization}")
async def close(
    house: Inside,
    provider: Provider,
    organization: OrganizationPath,
    expected: Annotated[Expected, Depends()],
    numbers: Annotated[
        Literal["give_back"] | None, Query(description="Its numbers are free for anybody then; without it, who has numbers is not closed.")
    ] = None,
) -> TenantClosed:
    """Close an organization: nobody of it comes in, nothing rings, its numbers and its domain are free. Calls that go on may finish.

    Its history and its call records stay until they are erased: `DELETE /organizations/{organization}/records`.
    """
    id, version = OrganizationId(organization), expected.version
    revision = await run_in_threadpool(
        lambda: service.close_organization(house.store, id, gives_back=numbers is not None, version=version, who=provider.label)
    )
    return TenantClosed(revision=revision, in_effect=await in_effect(house))


@router.delete("/organizations/{organization}/records")
async def erase(house: Inside, provider: Provider, organization: OrganizationPath) -> RecordsErased:
    """Erase the call records, with how each call went, and the history of an organization that is closed; for a few seconds at a time.

    When it is complete the organization is listed no more. Refused while a call of it goes on. Backups are not touched.
    """
    id = OrganizationId(organization)
    await run_in_threadpool(service.get_tenant, house.store, id)
    if any(call.organization == id for call in await house.switch.calls()):
        raise service.StillInCalls("A call of this organization goes on; wait until it is over.", "organization")
    erased = await run_in_threadpool(service.erase_records, house.store, id, provider.label)
    return RecordsErased(calls=erased.calls, changes=erased.changes, complete=erased.complete)


@router.get("/organizations/{organization}/history")
def organization_history(
    house: Inside, _provider: Provider, organization: OrganizationPath, asked: Annotated[HistoryAsked, Query()]
) -> HistoryShown:
    """What was changed in an organization, newest first, also in one that is closed, until its records are erased."""
    found = service.read_history(house.store, OrganizationId(organization), asked.limit + 1, wanted(asked))
    page, following = page_of(asked, found)
    return HistoryShown(changes=[ChangeShown(**change_shown(change)) for change in page], next=following)


def _told(tenant: Tenant) -> dict[str, Any]:
    own = tenant.profile
    return {
        "id": own.id,
        "name": own.name,
        "domain": own.domain,
        "country": own.country,
        "time_zone": own.time_zone,
        "purpose": own.purpose.value,
        "revision": own.revision,
        "version": own.version,
        "closed_at": None if tenant.closed_at is None else datetime.fromtimestamp(tenant.closed_at, UTC),
    }
