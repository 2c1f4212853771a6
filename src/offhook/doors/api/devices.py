"""Telephones of people, and their passwords: made when asked for, shown once."""

from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from offhook.domain.users import Device, DeviceId
from offhook.doors.api.access import Inside, Own, needs
from offhook.doors.api.files import CSV, attachment
from offhook.doors.api.house import House
from offhook.doors.api.idempotency import KEYLESS
from offhook.doors.api.paging import LARGEST_ID, PRINTABLE, PageAsked, cursor, listing
from offhook.doors.api.people import ACCOUNT, AccountShown, UserPath, account_shown, saved
from offhook.doors.api.resources import Expected, Looked, made
from offhook.doors.api.shapes import Asked, Saved, examples, named
from offhook.services import devices as service
from offhook.services.devices import SipAccount
from offhook.services.ports.store import Transaction
from offhook.services.sheets import written
from offhook.services.tokens import Access
from offhook.services.users import found

router = APIRouter(tags=["devices"])

READS, WRITES = "devices:read", "devices:write"
Writer = Annotated[Access, needs(WRITES)]
DevicePath = Annotated[int, Path(ge=1, le=LARGEST_ID, examples=[7])]
_DESK = {"id": 7, "username": "anna", "name": "Desk", "sip_username": "anna-2", "version": 42}
_SAVED = {"revision": 42, "in_effect": True}
_COLUMNS = ("username", "name", "email", "extension", "domain", "sip_username", "password", "sip_address")
_EXAMPLE = "username,name,email,extension,domain,sip_username,password,sip_address\r\n"
_EXAMPLE += "zoe,Zoe Lind,,131,lumen.test,zoe,h7k2m-9x4ta-0q8vn-c3jwe,192.0.2.1:5060\r\n"
_CREDENTIALS: dict[int | str, dict[str, Any]] = {200: {"content": {CSV: {"schema": {"type": "string"}, "example": _EXAMPLE}}}}
IN_EFFECT, REVISION = "Offhook-In-Effect", "Offhook-Revision"
"""Of an answer that is a file: what every other answer to a write tells in its members."""


class DeviceAsked(Asked):
    """A telephone to make."""

    model_config = ConfigDict(json_schema_extra=examples({"name": "Desk"}))

    name: str = Field(max_length=200, description="What people call it.")


class DeviceChanges(Asked):
    """What shall be otherwise of a telephone."""

    model_config = ConfigDict(json_schema_extra=examples({"name": "Kitchen"}))

    name: str = named(max_length=200)


class CredentialsAsked(Asked):
    """Whose telephones get passwords. Who has none yet is found by `GET /users?telephone=none`."""

    model_config = ConfigDict(json_schema_extra=examples({"usernames": ["zoe", "zara"]}))

    usernames: list[Annotated[str, Field(max_length=64, pattern=PRINTABLE)]] = Field(min_length=1, max_length=service.MOST_AT_ONCE)
    renew: bool = Field(False, description="Also for who has a telephone: the password of the first one ends.")


class DeviceShown(BaseModel):
    """A telephone. It registers as its user's address and answers challenges as `sip_username`."""

    model_config = ConfigDict(json_schema_extra=examples(_DESK))

    id: int
    username: str
    name: str
    sip_username: str
    version: int


class DevicesShown(BaseModel):
    """A page of telephones."""

    devices: list[DeviceShown]
    next: str | None


class DeviceSaved(Saved):
    """A telephone after a change."""

    device: DeviceShown


class PasswordSet(AccountShown, Saved):
    """What a telephone must be given to register, and which one it is."""

    model_config = ConfigDict(json_schema_extra=examples(ACCOUNT | {"device": _DESK} | _SAVED))

    device: DeviceShown


class OwnDevicesAsked(PageAsked):
    """Which telephones of a user to list; oldest first unless another order is asked for."""

    sorts: ClassVar[tuple[str, ...]] = ("id", "name", "sip_username")

    name: str | None = Field(None, max_length=100, pattern=PRINTABLE)
    sip_username: str | None = Field(None, max_length=70, pattern=PRINTABLE)


class DevicesAsked(OwnDevicesAsked):
    """Which telephones to list; oldest first unless another order is asked for."""

    username: str | None = Field(None, max_length=64, pattern=PRINTABLE, description="Those of this user.")


@router.get("/devices", dependencies=[needs(READS)])
def devices(house: Inside, own: Own, asked: Annotated[DevicesAsked, Query()]) -> DevicesShown:
    """The telephones of the organization."""
    with house.store.view(own) as transaction:
        return _page(transaction, asked)


@router.get("/devices/{device}", dependencies=[needs(READS)])
def device(house: Inside, own: Own, device: DevicePath, looked: Annotated[Looked, Depends()]) -> DeviceShown:
    """One telephone."""
    with house.store.view(own) as transaction:
        known = service.found_device(transaction, DeviceId(device))
        shown = _shown(known, transaction.users.names([known.user]))
    return looked.at(shown, known.version)


@router.patch("/devices/{device}")
async def change_device(
    house: Inside, own: Own, visitor: Writer, device: DevicePath, asked: DeviceChanges, expected: Annotated[Expected, Depends()]
) -> DeviceSaved:
    """Call a telephone otherwise."""
    name, version = asked.model_dump(exclude_unset=True).get("name"), expected.version
    id = DeviceId(device)
    await run_in_threadpool(lambda: service.rename_device(house.store, own, id, name, visitor.label, version=version))
    shown = await run_in_threadpool(_of, house, own, id)
    return DeviceSaved(device=expected.now(shown, shown.version), **await saved(house))


@router.delete("/devices/{device}")
async def remove_device(house: Inside, own: Own, visitor: Writer, device: DevicePath, expected: Annotated[Expected, Depends()]) -> Saved:
    """Forget a telephone: it can register no more, and is reached until its registration ends."""
    version = expected.version
    await run_in_threadpool(lambda: service.remove_device(house.store, own, DeviceId(device), visitor.label, version=version))
    return Saved(**await saved(house))


@router.post("/devices/credentials", dependencies=[needs("users:read"), KEYLESS], response_class=Response, responses=_CREDENTIALS)
async def new_credentials(house: Inside, own: Own, visitor: Writer, asked: CredentialsAsked) -> Response:
    """Give many people's first telephones, which are made where there are none, new random passwords: all of them or none.

    The answer is a CSV that holds the passwords, here only; nothing of it is kept. When it is lost, ask again with `renew`.
    """
    made = await run_in_threadpool(lambda: service.set_passwords(house.store, own, asked.usernames, visitor.label, renews=asked.renew))
    rows = [
        (user.username, user.name, user.email or "", user.extension or "", account.domain, account.sip_username, account.password)
        for user, account in made
    ]
    octets = written(_COLUMNS, [(*row, house.sip_address) for row in rows])
    told = await saved(house)
    return attachment("passwords.csv", octets, {IN_EFFECT: str(told["in_effect"]).lower(), REVISION: str(told["revision"])})


@router.post("/devices/{device}/password")
async def renew_device(house: Inside, own: Own, visitor: Writer, response: Response, device: DevicePath) -> PasswordSet:
    """Give a telephone a new random password, shown here only. The old one is refused from the next registration on."""
    account = await run_in_threadpool(service.renew_device, house.store, own, DeviceId(device), visitor.label)
    return await _told(house, own, response, account)


@router.get("/users/{username}/devices", dependencies=[needs(READS)])
def devices_of(house: Inside, own: Own, username: UserPath, asked: Annotated[OwnDevicesAsked, Query()]) -> DevicesShown:
    """The telephones of one user."""
    with house.store.view(own) as transaction:
        found(transaction, username)
        return _page(transaction, asked, username=username)


@router.post("/users/{username}/devices", status_code=201)
async def new_device(house: Inside, own: Own, visitor: Writer, response: Response, username: UserPath, asked: DeviceAsked) -> PasswordSet:
    """Give a user one more telephone, with a random password that is shown here only."""
    account = await run_in_threadpool(service.add_device, house.store, own, username, asked.name, visitor.label)
    response.headers["Location"] = f"/api/v1/devices/{account.device}"
    return await _told(house, own, response, account)


@router.post("/users/{username}/password")
async def new_password(house: Inside, own: Own, visitor: Writer, response: Response, username: UserPath) -> PasswordSet:
    """Give a user's first telephone, which is made if there is none, a new random password, shown here only."""
    account = await run_in_threadpool(service.set_password, house.store, own, username, visitor.label)
    return await _told(house, own, response, account)


async def _told(house: House, own: Own, response: Response, account: SipAccount) -> PasswordSet:
    shown = await run_in_threadpool(_of, house, own, account.device)
    known = account_shown(account, house).model_dump()
    return PasswordSet(**known, device=made(response, shown, shown.version), **await saved(house))


def _of(house: House, own: Own, device: DeviceId) -> DeviceShown:
    with house.store.view(own) as transaction:
        known = service.found_device(transaction, device)
        return _shown(known, transaction.users.names([known.user]))


def _page(transaction: Transaction, asked: PageAsked, **more: Any) -> DevicesShown:
    page = transaction.devices.page(listing(asked, **more))
    names = transaction.users.names(device.user for device in page.items)
    return DevicesShown(devices=[_shown(device, names) for device in page.items], next=cursor(asked, page.next))


def _shown(device: Device, usernames: dict[Any, str]) -> DeviceShown:
    username = usernames[device.user]
    return DeviceShown(id=device.id, username=username, name=device.name, sip_username=device.sip_username, version=device.version)
