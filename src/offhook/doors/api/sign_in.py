"""People come in with a password, look at what they may, and go out."""

from datetime import UTC, datetime

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from offhook.domain.users import User
from offhook.doors.api.access import Inside, Own, Visitor
from offhook.doors.api.idempotency import KEYLESS
from offhook.doors.api.people import UserPath, saved
from offhook.doors.api.shapes import Asked
from offhook.services.organizations import get_organization
from offhook.services.passwords import LONGEST, SHORTEST
from offhook.services.ports.store import Store
from offhook.services.tokens import Access, sign_out

router = APIRouter(tags=["sign-in"])

_MOST_SENT = 1000
"""Characters of a password that are read at all; the rules say what is too long."""


class SignInAsked(Asked):
    """Who wants in."""

    username: str = Field(max_length=320, description="With the domain: anna@lumen.test.", examples=["anna@lumen.test"])
    password: str = Field(max_length=_MOST_SENT, examples=["a few words of her own"])


class PasswordAsked(Asked):
    """What somebody shall sign in with."""

    password: str = Field(
        max_length=_MOST_SENT, description=f"{SHORTEST} to {LONGEST} characters, not the username.", examples=["a few words of her own"]
    )
    old_password: str | None = Field(None, max_length=_MOST_SENT, description="For oneself: what it was until now.")


class PersonShown(BaseModel):
    """Who signed in. `role` is None for who administers nothing."""

    username: str
    name: str
    role: str | None
    language: str


class SignedInShown(BaseModel):
    """A token for `Authorization: Bearer TOKEN`. It is shown here only."""

    token: str
    expires_at: datetime
    user: PersonShown
    organization: str
    scopes: list[str]


class MeShown(BaseModel):
    """Whoever asks. `user` is None for a program; `organization` is the domain, None for the provider."""

    label: str
    organization: str | None
    user: PersonShown | None
    scopes: list[str]
    expires_at: datetime | None


class SignInSet(BaseModel):
    """It can be used from now on; every session of the user has ended."""

    username: str
    revision: int | None
    in_effect: bool


@router.post("/sign-in", dependencies=[KEYLESS])
async def sign_in(house: Inside, request: Request, asked: SignInAsked) -> SignedInShown:
    """Get a token with a password; it does what the user's role may, for 12 hours, and ends when role, name or password change.

    A wrong password and an unknown user are told alike (401, `sign_in.wrong`). After several failures 429 says in Retry-After how long to
    wait: docs/operate/sign-in.md.
    """
    address = request.client.host if request.client else ""
    signed_in = await house.sign_ins.sign_in(house.store, asked.username, asked.password, address)
    return SignedInShown(
        token=signed_in.token,
        expires_at=datetime.fromtimestamp(signed_in.expires_at, UTC),
        user=_shown(signed_in.user),
        organization=signed_in.profile.domain,
        scopes=sorted(signed_in.scopes),
    )


@router.post("/sign-out", status_code=204)
def go(house: Inside, visitor: Visitor) -> None:
    """End the session whose token this is. A program's token is deleted at /tokens instead (409)."""
    sign_out(house.store, visitor)


@router.get("/me")
def me(house: Inside, visitor: Visitor) -> MeShown:
    """Whose token this is, and what it may do."""
    domain = None if visitor.organization is None else get_organization(house.store, visitor.organization).domain
    expires_at = None if visitor.expires_at is None else datetime.fromtimestamp(visitor.expires_at, UTC)
    return MeShown(
        label=visitor.label, organization=domain, user=_person(house.store, visitor), scopes=sorted(visitor.scopes), expires_at=expires_at
    )


@router.put("/users/{username}/sign-in")
async def set_sign_in(house: Inside, _own: Own, visitor: Visitor, request: Request, username: UserPath, asked: PasswordAsked) -> SignInSet:
    """Let a user sign in with this password; every session of theirs ends.

    For oneself, with the old password; for others by whoever may make tokens, change users, and do all that the user's role may.
    """
    address = request.client.host if request.client else ""
    await house.sign_ins.set_password(house.store, visitor, username, asked.password, asked.old_password, address)
    return SignInSet(username=username, **await saved(house))


def _person(store: Store, visitor: Access) -> PersonShown | None:
    if visitor.organization is None or visitor.user is None:
        return None
    with store.view(visitor.organization) as transaction:
        user = transaction.users.by_id(visitor.user)
    return _shown(user) if user else None


def _shown(user: User) -> PersonShown:
    return PersonShown(username=user.username, name=user.name, role=user.role, language=user.language)
