"""The provider's carriers: where calls go out, and come in from without a password."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from offhook.domain.carrier_life import CarrierState
from offhook.domain.errors import Unavailable
from offhook.doors.api.access import Inside, Provider
from offhook.doors.api.paging import PRINTABLE
from offhook.doors.api.people import saved
from offhook.doors.api.resources import Expected, Looked, made
from offhook.doors.api.shapes import Asked, examples, named, pattern
from offhook.services import carriers as service
from offhook.services.ports.live import CarrierStanding
from offhook.services.ports.store import CarrierEntry

router = APIRouter(tags=["carriers"])

CarrierPath = Annotated[str, Path(min_length=1, max_length=64, pattern=PRINTABLE, examples=["north"])]
_NORTH: dict[str, Any] = {"name": "north", "address": "203.0.113.7", "port": 5060, "default": True}
_UP: dict[str, Any] = {"state": "up", "state_at": "2026-11-24T09:30:00Z", "answered": 200, "round_trip_seconds": 0.018}
_UNKNOWN = CarrierStanding("", "unknown", None, None, None)


class CarrierAsked(Asked):
    """A new carrier."""

    model_config = ConfigDict(json_schema_extra=examples({name: _NORTH[name] for name in ("name", "address", "port")}))

    name: str = Field(max_length=64, json_schema_extra=pattern("^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$"))
    address: str = Field(max_length=45, description="Its IP address. Calls from there are let in without a password, from any port.")
    port: int = Field(5060, strict=True, ge=1, le=65535, description="Where calls to it go, by UDP.")
    default: bool | None = Field(None, description="Whether calls go out by it; null: if there is no default yet.")


class CarrierChanges(Asked):
    """What shall be otherwise of a carrier."""

    model_config = ConfigDict(json_schema_extra=examples({"default": True}, {"address": "203.0.113.8"}))

    address: str = named(max_length=45)
    port: int = named(strict=True, ge=1, le=65535)
    default: bool = named(description="True: calls go out by it from now on, and by no other one.")


class CarrierShown(BaseModel):
    """A carrier. Calls go out by the `default` one, and where there is none by the sandbox's.

    `version` is the provider's revision of its last change.
    """

    model_config = ConfigDict(json_schema_extra=examples(_NORTH | {"sandbox": False, "version": 12}))

    name: str
    address: str
    port: int
    default: bool
    sandbox: bool
    version: int


class CarrierListed(CarrierShown):
    """A carrier, and whether it answers: each is asked by OPTIONS every `OFFHOOK_PING_CARRIERS_SECONDS`.

    This is told, and routes nothing: a call to one that is down is tried all the same. It stands in the list alone, as it changes by
    itself and a version does not.
    """

    model_config = ConfigDict(json_schema_extra=examples(_NORTH | {"sandbox": False, "version": 12} | _UP))

    state: CarrierState = Field(
        description="Down: it did not answer twice in a row. Unknown: it was not asked yet, is never asked, or the switch is away."
    )
    state_at: datetime | None = Field(description="Since when it is so.")
    answered: int | None = Field(description="The SIP status of its last answer.")
    round_trip_seconds: float | None = Field(description="How long that took.")


class CarriersShown(BaseModel):
    """Every carrier, by name."""

    carriers: list[CarrierListed]


class ProviderSaved(BaseModel):
    """What every answer to a change of what is the provider's tells: its revision, and whether the switch and the edge act on it."""

    revision: int | None = Field(description="The provider's revision that it made; null where nothing was changed.", examples=[12])
    in_effect: bool = Field(description="If not, it is as soon as they are up again.", examples=[True])


class CarrierSaved(ProviderSaved):
    """A carrier after a change."""

    carrier: CarrierShown


@router.get("/carriers")
async def carriers(house: Inside, _provider: Provider) -> CarriersShown:
    """Every carrier, and whether it answers."""
    entries = await run_in_threadpool(service.list_carriers, house.store)
    try:
        standing = {each.name: each for each in await house.switch.carriers()}
    except Unavailable:
        standing = {}
    return CarriersShown(carriers=[_listed(each, standing.get(each.carrier.name, _UNKNOWN)) for each in entries])


@router.post("/carriers", status_code=201)
async def new_carrier(house: Inside, provider: Provider, response: Response, asked: CarrierAsked) -> CarrierSaved:
    """Add a carrier: calls from its address are let in, and go out by it if it is the default."""
    values = asked.model_dump()
    entry = await run_in_threadpool(lambda: service.add_carrier(house.store, **values, who=provider.label))
    response.headers["Location"] = f"/api/v1/carriers/{entry.carrier.name}"
    return CarrierSaved(carrier=made(response, _shown(entry), entry.version), **await saved(house))


@router.get("/carriers/{carrier}")
def carrier(house: Inside, _provider: Provider, carrier: CarrierPath, looked: Annotated[Looked, Depends()]) -> CarrierShown:
    """One carrier."""
    entry = service.get_carrier(house.store, carrier)
    return looked.at(_shown(entry), entry.version)


@router.patch("/carriers/{carrier}")
async def change_carrier(
    house: Inside, provider: Provider, carrier: CarrierPath, asked: CarrierChanges, expected: Annotated[Expected, Depends()]
) -> CarrierSaved:
    """Give a carrier another address or port, or make it the default. Calls that go on stay where they are."""
    changes, version = asked.model_dump(exclude_unset=True), expected.version
    entry = await run_in_threadpool(lambda: service.change_carrier(house.store, carrier, changes, version=version, who=provider.label))
    return CarrierSaved(carrier=expected.now(_shown(entry), entry.version), **await saved(house))


@router.delete("/carriers/{carrier}")
async def remove_carrier(
    house: Inside,
    provider: Provider,
    carrier: CarrierPath,
    expected: Annotated[Expected, Depends()],
    default: Annotated[
        Literal["none"] | None, Query(description="The default one goes too: nobody calls out then, not even an emergency desk.")
    ] = None,
) -> ProviderSaved:
    """Remove a carrier: no call goes out by it, and none is let in from it. The default one is removed only with `default=none`."""
    agreed, version = default is not None, expected.version
    await run_in_threadpool(lambda: service.remove_carrier(house.store, carrier, leaves_none=agreed, version=version, who=provider.label))
    return ProviderSaved(**await saved(house))


def _listed(entry: CarrierEntry, standing: CarrierStanding) -> CarrierListed:
    return CarrierListed(
        **_shown(entry).model_dump(),
        state=CarrierState(standing.state),
        state_at=None if standing.since is None else datetime.fromtimestamp(standing.since, UTC),
        answered=standing.status,
        round_trip_seconds=None if standing.round_trip_seconds is None else round(standing.round_trip_seconds, 4),
    )


def _shown(entry: CarrierEntry) -> CarrierShown:
    own = entry.carrier
    return CarrierShown(name=own.name, address=own.host, port=own.port, default=entry.default, sandbox=entry.sandbox, version=entry.version)
