"""Tokens of an organization: what programs come in with, and who is signed in."""

from datetime import UTC, datetime
from typing import Annotated, ClassVar

from fastapi import APIRouter, Path, Query, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from offhook.doors.api.access import Inside, Own, needs
from offhook.doors.api.paging import LARGEST_ID, PRINTABLE, PageAsked, cursor, listing
from offhook.doors.api.people import saved
from offhook.doors.api.shapes import Asked, Saved
from offhook.services.ports.store import TokenEntry, TokenId
from offhook.services.tokens import LONGEST_LIFETIME_SECONDS, Access, get_token, make_token, remove_token

router = APIRouter(tags=["tokens"])

TokenPath = Annotated[int, Path(ge=1, le=LARGEST_ID)]


class TokensAsked(PageAsked):
    """Which tokens to list."""

    sorts: ClassVar[tuple[str, ...]] = ("id", "label")

    label: str | None = Field(None, max_length=100, pattern=PRINTABLE)
    username: str | None = Field(None, max_length=64, pattern=PRINTABLE, description="The sessions of this user.")


class TokenAsked(Asked):
    """A token for a program."""

    label: str = Field(max_length=100, description="What the history calls the program.", examples=["crm"])
    scopes: list[Annotated[str, Field(max_length=40)]] = Field(
        max_length=100, description="What it may do: no more than you. `*`: all, now and later.", examples=[["calls:read"]]
    )
    lifetime_seconds: int | None = Field(
        None, strict=True, ge=1, le=int(LONGEST_LIFETIME_SECONDS), description="When it expires; not given: never.", examples=[86400]
    )


class TokenShown(BaseModel):
    """A token, without what is secret of it. `username` is who signed in with it, None for a program's."""

    id: int
    label: str
    username: str | None
    scopes: list[str]
    made_at: datetime
    expires_at: datetime | None


class TokensShown(BaseModel):
    """A page of tokens, oldest first."""

    tokens: list[TokenShown]
    next: str | None


class TokenMade(TokenShown):
    """A new token. `token` is what stands after `Authorization: Bearer`; it is shown here only."""

    token: str | None
    revision: int | None
    in_effect: bool


@router.get("/tokens", dependencies=[needs("tokens:read")])
def tokens(house: Inside, own: Own, asked: Annotated[TokensAsked, Query()]) -> TokensShown:
    """What programs come in with, and who is signed in. What has expired is still listed until its user signs in again."""
    with house.store.view(own) as transaction:
        page = transaction.tokens.page(listing(asked))
        usernames = transaction.users.names(entry.user for entry in page.items if entry.user is not None)
    shown = [_shown(entry, usernames[entry.user] if entry.user is not None else None) for entry in page.items]
    return TokensShown(tokens=shown, next=cursor(asked, page.next))


@router.post("/tokens", status_code=201)
async def new_token(
    house: Inside, _own: Own, visitor: Annotated[Access, needs("tokens:write")], response: Response, asked: TokenAsked
) -> TokenMade:
    """Make a token for a program. It may do no more than you; it works until it expires or is deleted, also when you have left."""
    made = await run_in_threadpool(make_token, house.store, visitor, asked.label, asked.scopes, asked.lifetime_seconds)
    response.headers["Location"] = f"/api/v1/tokens/{made.entry.id}"
    return TokenMade(**_shown(made.entry, None).model_dump(), token=made.token, **await saved(house))


@router.get("/tokens/{token}", dependencies=[needs("tokens:read")])
def token(house: Inside, own: Own, token: TokenPath) -> TokenShown:
    """One token. It never changes, so it has no ETag: what is to be otherwise is a new one."""
    return _shown(*get_token(house.store, own, TokenId(token)))


@router.delete("/tokens/{token}")
async def delete_token(house: Inside, _own: Own, visitor: Annotated[Access, needs("tokens:write")], token: TokenPath) -> Saved:
    """Whoever holds it is let in no more; the end of a session makes no revision. Refused for a token that may do more than you."""
    await run_in_threadpool(remove_token, house.store, visitor, TokenId(token))
    return Saved(**await saved(house))


def _shown(entry: TokenEntry, username: str | None) -> TokenShown:
    return TokenShown(
        id=entry.id,
        label=entry.label,
        username=username,
        scopes=sorted(entry.scopes),
        made_at=datetime.fromtimestamp(entry.made_at, UTC),
        expires_at=None if entry.expires_at is None else datetime.fromtimestamp(entry.expires_at, UTC),
    )
