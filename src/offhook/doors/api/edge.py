"""The edge, for whoever looks after the system: bans and certificates are the provider's; an organization sees its own registrations."""

import ipaddress
from collections.abc import Callable, Iterable
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Query
from fastapi.concurrency import run_in_threadpool
from pydantic import Field

from offhook.domain.errors import Invalid, Missing
from offhook.doors.api.access import Inside, Provider, Visitor, needs
from offhook.doors.api.idempotency import KEYLESS
from offhook.doors.api.paging import MOST_AT_ONCE, PRINTABLE, Paged, cursor, is_text, place_of
from offhook.doors.api.shapes import BansShown, RegistrationsShown, ban_shown, registration_shown
from offhook.services.history import write_down
from offhook.services.organizations import get_organization
from offhook.services.ports.edge import Banned, Registration

router = APIRouter(tags=["edge"])
T = TypeVar("T")


class RegistrationsAsked(Paged):
    """Which registrations to list; by domain, user and address."""

    limit: int = Field(MOST_AT_ONCE, ge=1, le=MOST_AT_ONCE, description="How many at once.")
    username: str | None = Field(None, max_length=64, pattern=PRINTABLE, description="Those of this user.")
    domain: str | None = Field(None, max_length=253, pattern=PRINTABLE, description="Those of the organization with this domain.")


@router.get("/registrations", dependencies=[needs("devices:read")])
async def registrations(house: Inside, visitor: Visitor, asked: Annotated[RegistrationsAsked, Query()]) -> RegistrationsShown:
    """Telephones that are registered, by domain and user: the organization's own, or with the provider's token all."""
    found = await house.edge.registrations()
    if visitor.organization is not None:
        own = await run_in_threadpool(get_organization, house.store, visitor.organization)
        found = [each for each in found if each.domain == own.domain]
    wanted = [each for each in found if asked.username in (None, each.user) and asked.domain in (None, each.domain)]
    page, following = _page(asked, wanted, _place)
    return RegistrationsShown(registrations=[registration_shown(each) for each in page], next=following)


def _place(registration: Registration) -> str:
    """Where one stands in the list; no two stand at the same place: of two telephones behind one address the expiry decides."""
    return f"{registration.domain} {registration.user} {registration.address} {registration.expires_at:.6f}"


def _page(asked: Paged, found: Iterable[T], place: Callable[[T], str]) -> tuple[list[T], str | None]:
    """Some of what the edge holds in memory, in the order of its places, and the cursor that leads on."""
    before = place_of(asked, lambda held: len(held) == 1 and is_text(held[0]))
    left = sorted((each for each in found if before is None or place(each) > str(before[0])), key=place)
    page = left[: asked.limit]
    return page, cursor(asked, (place(page[-1]),)) if len(left) > asked.limit else None


class BansAsked(Paged):
    """Which bans to list; by address and user."""

    limit: int = Field(MOST_AT_ONCE, ge=1, le=MOST_AT_ONCE, description="How many at once.")
    address: str | None = Field(None, max_length=64, pattern=PRINTABLE, description="Those of this address.")


@router.get("/bans")
async def bans(house: Inside, _provider: Provider, asked: Annotated[BansAsked, Query()]) -> BansShown:
    """Addresses, and users from an address, that are refused now. They end by themselves."""
    wanted = [each for each in await house.edge.bans() if asked.address in (None, each.address)]
    page, following = _page(asked, wanted, _place_of_ban)
    return BansShown(bans=[ban_shown(each) for each in page], next=following)


def _place_of_ban(ban: Banned) -> str:
    # The user is a stranger's word.
    return f"{ban.address} {ascii(ban.user or '')[:500]}"


@router.delete("/bans/{address}")
async def lift(house: Inside, provider: Provider, address: Annotated[str, Path(max_length=64, pattern=PRINTABLE)]) -> BansShown:
    """Lift every ban of an address, and forget its wrong passwords; what is left."""
    try:
        wanted = str(ipaddress.ip_address(address))
    except ValueError:
        raise Invalid(f"{address} is no IP address.", "address") from None
    lifted = [(wanted, ban_shown(ban).model_dump(), None) for ban in await house.edge.bans() if ban.address == wanted]
    if not await house.edge.lift(wanted):
        raise Missing(f"{wanted} is not banned.", "address")
    await run_in_threadpool(write_down, house.store, provider.label, "ban", lifted)
    return await bans(house, provider, BansAsked.model_validate({}))


@router.get("/certificates")
async def certificates(house: Inside, _provider: Provider) -> dict[str, Any]:
    """The certificates that telephones are shown over TLS."""
    return {"certificates": await house.edge.certificates()}


@router.post("/certificates/reload", dependencies=[KEYLESS])
async def reload_certificates(house: Inside, provider: Provider) -> dict[str, Any]:
    """Take the certificates' files up again, without dropping a call; what is in use then."""
    before = await house.edge.certificates()
    now = await house.edge.reload_certificates()
    deed = ("telephones", {"in_use": before}, {"in_use": now})
    await run_in_threadpool(write_down, house.store, provider.label, "certificates", [deed])
    return {"certificates": now}
