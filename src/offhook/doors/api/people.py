"""An organization and its people."""

from typing import Annotated, Any, ClassVar, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from offhook.domain.access import Role
from offhook.domain.emergency import emergency_numbers
from offhook.domain.errors import Unavailable
from offhook.domain.organizations import OrganizationId
from offhook.domain.users import User
from offhook.doors.api.access import Inside, Needs, Own, needs
from offhook.doors.api.deeds import RequestStore
from offhook.doors.api.house import House
from offhook.doors.api.paging import PRINTABLE, PageAsked, cursor, listing
from offhook.doors.api.resources import Expected, Looked, made
from offhook.doors.api.shapes import Asked, Saved, examples, named, pattern
from offhook.services import organizations as organization_service
from offhook.services import users as service
from offhook.services.devices import SipAccount, add_user_with_device
from offhook.services.ports.store import Profile
from offhook.services.tokens import Access

router = APIRouter()

EXTENSION, USERNAME = pattern("^[0-9]{2,6}$"), pattern("^[a-z0-9]([a-z0-9._-]{0,62}[a-z0-9])?$")
NUMBER = pattern(r"^\+[1-9][0-9]{6,14}$")
UserPath = Annotated[str, Path(min_length=1, max_length=64, pattern=PRINTABLE, examples=["anna"])]
Writer = Annotated[Access, needs("users:write")]
_LUMEN = {"name": "Lumen Works", "country": "US", "time_zone": "America/Los_Angeles", "main_number": "+12065550100"}
_ANNA = {
    "username": "anna",
    "name": "Anna Berg",
    "extension": "101",
    "number": "+12065550101",
    "language": "en",
    "email": "anna@example.com",
    "location": "US",
    "time_zone": "America/Los_Angeles",
    "role": "help_desk",
}
ACCOUNT = {"username": "anna", "domain": "lumen.test", "sip_username": "anna-2", "password": "h7k2m-9x4ta-0q8vn-c3jwe"}
ACCOUNT |= {"sip_address": "192.0.2.1:5060"}


class OrganizationChanges(Asked):
    """What shall be otherwise of the organization; null takes the main number away. Its domain stays: passwords are made of it."""

    model_config = ConfigDict(json_schema_extra=examples({"time_zone": "Europe/Paris", "main_number": None}))

    name: str = named(max_length=200)
    country: str = named(max_length=10, description="Whose emergency numbers and rules of dialling hold (ISO 3166-1 alpha-2).")
    time_zone: str = named(max_length=64, description="An IANA name.")
    main_number: str | None = named(max_length=40, description="What is shown of who has no number of their own; one of its numbers.")


class OrganizationShown(BaseModel):
    """An organization. `revision` counts its configuration's changes; `version` is the revision of the last change of what stands here.

    `revision_in_effect` is the one that new calls and telephones go by now, null while the switch does not answer.
    """

    model_config = ConfigDict(
        json_schema_extra=examples(
            {"id": 2, "domain": "lumen.test", "purpose": "customer", "emergency_numbers": ["911"], "revision": 42, "version": 7}
            | {"revision_in_effect": 42}
            | {"sip_address": "192.0.2.1:5060"}
            | _LUMEN
        )
    )

    id: int
    name: str
    domain: str
    country: str
    time_zone: str
    purpose: str
    main_number: str | None
    emergency_numbers: list[str]
    revision: int
    revision_in_effect: int | None
    version: int
    sip_address: str


class OrganizationSaved(Saved):
    """The organization after a change."""

    organization: OrganizationShown


class UserAsked(Asked):
    """A new user."""

    model_config = ConfigDict(json_schema_extra=examples(_ANNA, {"username": "ben", "name": "Ben Lee"}))

    username: str = Field(max_length=64, json_schema_extra=USERNAME)
    name: str = Field(max_length=200)
    extension: str | None = Field(None, max_length=20, json_schema_extra=EXTENSION)
    number: str | None = Field(None, max_length=40, description="One that the organization has given to nobody, or that nobody has.")
    language: str = Field("en", max_length=35, description="A BCP 47 tag.")
    email: str | None = Field(None, max_length=300)
    location: str | None = Field(None, max_length=10, description="Their country, if it is not the organization's.")
    time_zone: str | None = Field(None, max_length=64, description="Their time zone by its IANA name, if it is not the organization's.")
    role: Role | None = Field(None, description="What they administer. Nobody gives a role that may do more than they may themselves.")
    telephone: str | None = Field(
        None, max_length=200, description="What their first telephone is called, which is made with them; null: they get none yet."
    )


class UserChanges(Asked):
    """What shall be otherwise of a user; null takes it away."""

    model_config = ConfigDict(json_schema_extra=examples({"extension": "112", "number": None}))

    username: str = named(max_length=64, json_schema_extra=USERNAME)
    name: str = named(max_length=200)
    extension: str | None = named(max_length=20)
    number: str | None = named(max_length=40, description="Becomes the only number they have.")
    language: str = named(max_length=35)
    email: str | None = named(max_length=300)
    location: str | None = named(max_length=10)
    time_zone: str | None = named(max_length=64)
    role: Role | None = named()


class UserShown(BaseModel):
    """A person. An empty `location` or `time_zone` is the organization's own; `version` is the revision of the last change."""

    model_config = ConfigDict(json_schema_extra=examples({"id": 5, "version": 41} | _ANNA))

    id: int
    username: str
    name: str
    language: str
    extension: str | None
    number: str | None
    email: str | None
    location: str
    time_zone: str
    role: Role | None
    version: int


class UsersShown(BaseModel):
    """A page of people."""

    users: list[UserShown]
    next: str | None


class UserSaved(Saved):
    """A user after a change."""

    user: UserShown


class AccountShown(BaseModel):
    """What a telephone must be given to register: it calls itself `username`@`domain` and answers challenges as `sip_username`.

    The password is shown here only; it is null where an answer is repeated for its idempotency key. Renew it then.
    """

    username: str
    domain: str
    sip_username: str
    password: str | None
    sip_address: str


class TelephoneMade(AccountShown):
    """A telephone that was made with its user."""

    model_config = ConfigDict(json_schema_extra=examples(ACCOUNT | {"id": 7, "name": "Desk"}))

    id: int
    name: str


class UserMade(UserSaved):
    """A new user, and their first telephone if one was asked for."""

    telephone: TelephoneMade | None


class UsersAsked(PageAsked):
    """Which people to list; by username unless another order is asked for."""

    sorts: ClassVar[tuple[str, ...]] = ("username", "name", "extension", "email", "language", "location", "role")
    key: ClassVar[str] = "username"
    ids: ClassVar[frozenset[str]] = frozenset()

    username: str | None = Field(None, max_length=64, pattern=PRINTABLE)
    name: str | None = Field(None, max_length=100, pattern=PRINTABLE)
    extension: str | None = Field(None, max_length=6, pattern=PRINTABLE)
    number: str | None = Field(None, max_length=16, pattern=PRINTABLE)
    email: str | None = Field(None, max_length=254, pattern=PRINTABLE)
    language: str | None = Field(None, max_length=35, pattern=PRINTABLE)
    location: str | None = Field(None, max_length=2, pattern=PRINTABLE)
    role: Role | None = None
    telephone: Literal["some", "none"] | None = Field(None, description="`none`: only who has no telephone; `some`: only who has one.")


@router.get("/organization", tags=["organization"], dependencies=[needs("organization:read")])
async def organization(house: Inside, own: Own, looked: Annotated[Looked, Depends()]) -> OrganizationShown:
    """The organization whose token it is."""
    profile = await run_in_threadpool(organization_service.get_organization, house.store, own)
    return looked.at(await _organization_shown(profile, house), profile.version)


@router.patch("/organization", tags=["organization"])
async def change_organization(
    house: Inside,
    own: Own,
    visitor: Annotated[Access, needs("organization:write")],
    asked: OrganizationChanges,
    expected: Annotated[Expected, Depends()],
) -> OrganizationSaved:
    """Give the organization another name, country, time zone or main number."""
    changes, version = asked.model_dump(exclude_unset=True), expected.version
    changed = await run_in_threadpool(
        lambda: organization_service.change_organization(house.store, own, changes, version=version, who=visitor.label)
    )
    counts = await saved(house)
    return OrganizationSaved(organization=expected.now(await _organization_shown(changed, house), changed.version), **counts)


@router.get("/users", tags=["users"], dependencies=[needs("users:read")])
def users(house: Inside, own: Own, asked: Annotated[UsersAsked, Query()]) -> UsersShown:
    """The people of the organization."""
    with house.store.view(own) as transaction:
        page = transaction.users.page(listing(asked))
    return UsersShown(users=[_user_shown(user) for user in page.items], next=cursor(asked, page.next))


@router.post("/users", tags=["users"], status_code=201)
async def new_user(house: Inside, own: Own, visitor: Writer, response: Response, asked: UserAsked) -> UserMade:
    """Add a user, with a first telephone if `telephone` says what it is called: both are made, or neither.

    A telephone needs `devices:write` too. Others come by `POST /users/{username}/devices`.
    """
    values = _texts(asked.model_dump(exclude={"telephone"}))
    user, telephone = await run_in_threadpool(_entered, house, own, visitor, values, asked.telephone)
    response.headers["Location"] = f"/api/v1/users/{user.username}"
    return UserMade(user=made(response, _user_shown(user), user.version), telephone=telephone, **await saved(house))


def _entered(
    house: House, own: OrganizationId, visitor: Access, values: dict[str, Any], telephone: str | None
) -> tuple[User, TelephoneMade | None]:
    if telephone is None:
        return service.add_user(house.store, own, **values, who=visitor.label), None
    Needs("devices:write")(visitor)
    user, account = add_user_with_device(house.store, own, values, telephone, visitor.label)
    return user, TelephoneMade(id=account.device, name=telephone.strip(), **account_shown(account, house).model_dump())


def account_shown(account: SipAccount, house: House) -> AccountShown:
    """What a telephone must be given, and where it registers."""
    return AccountShown(
        username=account.username,
        domain=account.domain,
        sip_username=account.sip_username,
        password=account.password,
        sip_address=house.sip_address,
    )


@router.get("/users/{username}", tags=["users"], dependencies=[needs("users:read")])
def user(house: Inside, own: Own, username: UserPath, looked: Annotated[Looked, Depends()]) -> UserShown:
    """One user."""
    found = service.get_user(house.store, own, username)
    return looked.at(_user_shown(found), found.version)


@router.patch("/users/{username}", tags=["users"])
async def change_user(
    house: Inside, own: Own, visitor: Writer, username: UserPath, asked: UserChanges, expected: Annotated[Expected, Depends()]
) -> UserSaved:
    """Give a user other values, only what is named. Another username or role ends their sessions."""
    changes, version = _texts(asked.model_dump(exclude_unset=True)), expected.version
    changed = await run_in_threadpool(lambda: service.change_user(house.store, own, username, changes, version=version, who=visitor.label))
    return UserSaved(user=expected.now(_user_shown(changed), changed.version), **await saved(house))


@router.delete("/users/{username}", tags=["users"])
async def remove_user(house: Inside, own: Own, visitor: Writer, username: UserPath, expected: Annotated[Expected, Depends()]) -> Saved:
    """Remove a user, their telephones and sessions; numbers stay the organization's. Refused while a key of an attendant leads there."""
    version = expected.version
    await run_in_threadpool(lambda: service.remove_user(house.store, own, username, version=version, who=visitor.label))
    return Saved(**await saved(house))


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


def _texts(values: dict[str, Any]) -> dict[str, Any]:
    """The organization's own country and time zone are an empty text inside, null outside."""
    return {name: "" if value is None and name in ("location", "time_zone") else value for name, value in values.items()}


async def _organization_shown(profile: Profile, house: House) -> OrganizationShown:
    try:
        counts = await house.switch.in_effect(profile.id)
    except Unavailable:
        counts = None
    return OrganizationShown(
        id=profile.id,
        name=profile.name,
        domain=profile.domain,
        country=profile.country,
        time_zone=profile.time_zone,
        purpose=profile.purpose.value,
        main_number=profile.main_number,
        emergency_numbers=sorted(emergency_numbers(profile.country)),
        revision=profile.revision,
        revision_in_effect=counts,
        version=profile.version,
        sip_address=house.sip_address,
    )


def _user_shown(user: User) -> UserShown:
    return UserShown.model_validate(user, from_attributes=True)
