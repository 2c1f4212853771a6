"""The edge, for whoever looks after the system: bans and certificates are the provider's; an organization sees its own registrations."""

import ipaddress
from typing import Any

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool

from offhook.domain.errors import Invalid, Missing
from offhook.doors.api.access import Inside, Provider, Visitor, needs
from offhook.doors.api.shapes import BansShown, RegistrationsShown, ban_shown, registration_shown
from offhook.services.organizations import get_organization

router = APIRouter(tags=["edge"])


@router.get("/registrations", dependencies=[needs("devices:read")])
async def registrations(house: Inside, visitor: Visitor) -> RegistrationsShown:
    """Telephones that are registered, by domain and user: the organization's own, or with the provider's token all."""
    found = await house.edge.registrations()
    if visitor.organization is not None:
        own = await run_in_threadpool(get_organization, house.store, visitor.organization)
        found = [each for each in found if each.domain == own.domain]
    return RegistrationsShown(registrations=[registration_shown(each) for each in found])


@router.get("/bans")
async def bans(house: Inside, _provider: Provider) -> BansShown:
    """Addresses, and users from an address, that are refused now. They end by themselves."""
    return BansShown(bans=[ban_shown(each) for each in await house.edge.bans()])


@router.delete("/bans/{address}")
async def lift(house: Inside, _provider: Provider, address: str) -> BansShown:
    """Lift every ban of an address, and forget its wrong passwords; what is left."""
    try:
        wanted = str(ipaddress.ip_address(address))
    except ValueError:
        raise Invalid(f"{address} is no IP address.", "address") from None
    if not await house.edge.lift(wanted):
        raise Missing(f"{wanted} is not banned.", "address")
    return await bans(house, _provider)


@router.get("/certificates")
async def certificates(house: Inside, _provider: Provider) -> dict[str, Any]:
    """The certificates that telephones are shown over TLS."""
    return {"certificates": await house.edge.certificates()}


@router.post("/certificates/reload")
async def reload_certificates(house: Inside, _provider: Provider) -> dict[str, Any]:
    """Take the certificates' files up again, without dropping a call; what is in use then."""
    return {"certificates": await house.edge.reload_certificates()}
