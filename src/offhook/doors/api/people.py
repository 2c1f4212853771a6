"""An organization, its people and its attendants."""

from typing import Any

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool

from offhook.domain.errors import Unavailable
from offhook.doors.api.access import Inside, Own, Visitor, needs
from offhook.doors.api.deeds import RequestStore
from offhook.doors.api.house import House
from offhook.doors.api.shapes import (
    AttendantsShown,
    OrganizationShown,
    PasswordSet,
    UserAdded,
    UserAsked,
    UsersShown,
    attendant_shown,
    organization_shown,
    password_set,
    user_shown,
)
from offhook.services.attendants import list_attendants
from offhook.services.devices import set_password
from offhook.services.organizations import get_organization
from offhook.services.users import add_user, list_users

router = APIRouter(tags=["organization"])


@router.get("/organization", dependencies=[needs("organization:read")])
def organization(house: Inside, own: Own) -> OrganizationShown:
    """The organization whose token it is."""
    return organization_shown(get_organization(house.store, own), house.sip_address)


@router.get("/users", dependencies=[needs("users:read")])
def users(house: Inside, own: Own) -> UsersShown:
    """Everybody, by username."""
    return UsersShown(users=[user_shown(user) for user in list_users(house.store, own)])


@router.post("/users", status_code=201, dependencies=[needs("users:write")])
async def new_user(house: Inside, own: Own, visitor: Visitor, asked: UserAsked) -> UserAdded:
    """Add a user. Their telephones can register once a password is set."""
    user = await run_in_threadpool(lambda: add_user(house.store, own, **asked.model_dump(), who=visitor.label))
    return UserAdded(user=user_shown(user), in_effect=await in_effect(house))


@router.post("/users/{username}/password", dependencies=[needs("devices:write")])
async def new_password(house: Inside, own: Own, visitor: Visitor, username: str) -> PasswordSet:
    """Give a user's telephones a new random password, shown here only. The old one is refused from the next registration on."""
    account = await run_in_threadpool(set_password, house.store, own, username, visitor.label)
    return password_set(account, house.sip_address, in_effect=await in_effect(house))


@router.get("/attendants", dependencies=[needs("attendants:read")])
def attendants(house: Inside, own: Own) -> AttendantsShown:
    """Every auto attendant, by name."""
    usernames = {int(user.id): user.username for user in list_users(house.store, own)}
    return AttendantsShown(attendants=[attendant_shown(attendant, usernames) for attendant in list_attendants(house.store, own)])


async def saved(house: House) -> dict[str, Any]:
    """What every answer to a write tells: the revision that it made, and whether the switch has taken it up."""
    revision = house.store.revision if isinstance(house.store, RequestStore) else None
    return {"revision": revision, "in_effect": await in_effect(house)}


async def in_effect(house: House) -> bool:
    """Let the switch take up what was just saved; False when it does not answer: it reads everything when it is up again."""
    store = house.store
    try:
        if isinstance(store, RequestStore) and store.organization is not None and store.revision is not None:
            return await house.switch.take_up(store.organization, store.revision) >= store.revision
        await house.switch.refresh()
    except Unavailable:
        return False
    return True
