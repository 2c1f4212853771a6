"""What is the provider's own: what its programs come in with, and the history of all that is its."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from offhook.doors.api.access import Inside, Provider
from offhook.doors.api.history import ChangeShown, HistoryAsked, change_shown, page_of, wanted
from offhook.doors.api.shapes import Asked, examples
from offhook.doors.api.tokens import TokenPath
from offhook.services import tokens as service
from offhook.services.history import provider_history
from offhook.services.ports.store import TokenEntry, TokenId

router = APIRouter(prefix="/provider", tags=["provider"])

_CARRIER: dict[str, Any] = {"name": "north", "host": "203.0.113.7", "port": 5060, "sandbox": False, "is_default": True}
_LINE: dict[str, Any] = {
    "revision": 12,
    "kind": "carrier",
    "id": "north",
    "organization": None,
    "who": "provider",
    "at": "2026-11-24T09:30:00Z",
}


class ProviderTokenAsked(Asked):
    """A token for a program of the provider."""

    label: str = Field(max_length=100, description="What the histories call the program, after `provider`.", examples=["billing"])
    scopes: list[Annotated[str, Field(max_length=40)]] = Field(
        ["*"],
        max_length=10,
        description="What it may do: `provider:read` looks, `provider:write` does all else, `*` both, now and later. No more than you may.",
        examples=[["provider:read"]],
    )
    lifetime_seconds: int | None = Field(
        None,
        strict=True,
        ge=1,
        le=int(service.LONGEST_LIFETIME_SECONDS),
        description="When it expires; not given: never.",
        examples=[86400],
    )


class ProviderTokenShown(BaseModel):
    """A token of the provider, without what is secret of it."""

    id: int
    label: str
    scopes: list[str]
    made_at: datetime
    expires_at: datetime | None


class ProviderTokensShown(BaseModel):
    """The provider's tokens, oldest first."""

    tokens: list[ProviderTokenShown]


class ProviderTokenMade(ProviderTokenShown):
    """A new token. `token` is what stands after `Authorization: Bearer`; it is shown here only."""

    token: str | None


class ProviderTokenRevoked(BaseModel):
    """It opens nothing any more."""

    id: int


class ProviderChangeShown(ChangeShown):
    """One change of what is the provider's; `organization` is which one it was about.

    Once an organization's records are erased, what its lines told before and after is empty.
    """

    model_config = ConfigDict(json_schema_extra=examples(_LINE | {"before": None, "after": _CARRIER}))

    organization: int | None


class ProviderHistoryShown(BaseModel):
    """A page of changes, newest first."""

    changes: list[ProviderChangeShown]
    next: str | None


@router.get("/tokens")
def provider_tokens(house: Inside, _provider: Provider) -> ProviderTokensShown:
    """What the provider and its programs come in with; `provider` is the one in the data folder."""
    return ProviderTokensShown(tokens=[ProviderTokenShown(**_shown(each)) for each in service.list_provider_tokens(house.store)])


@router.post("/tokens", status_code=201)
def new_provider_token(house: Inside, provider: Provider, asked: ProviderTokenAsked) -> ProviderTokenMade:
    """Make a token for a program of the provider: for all that the provider may, unless `scopes` says less."""
    issued = service.make_provider_token(house.store, provider, asked.label, asked.scopes, asked.lifetime_seconds)
    return ProviderTokenMade(**_shown(issued.entry), token=issued.token)


@router.delete("/tokens/{token}")
async def delete_provider_token(house: Inside, provider: Provider, token: TokenPath) -> ProviderTokenRevoked:
    """Whoever holds it is let in no more. The one in the data folder cannot be deleted (409)."""
    await run_in_threadpool(service.remove_provider_token, house.store, provider, TokenId(token))
    return ProviderTokenRevoked(id=token)


@router.get("/history")
def history(house: Inside, _provider: Provider, asked: Annotated[HistoryAsked, Query()]) -> ProviderHistoryShown:
    """What was changed of what is the provider's, newest first.

    Organizations made, closed and erased, invitations, carriers, countries, products, prices, numbers of the stock, the provider's tokens,
    bans lifted, certificates reloaded.
    """
    page, following = page_of(asked, provider_history(house.store, asked.limit + 1, wanted(asked)))
    shown = [ProviderChangeShown(**change_shown(change), organization=change.organization) for change in page]
    return ProviderHistoryShown(changes=shown, next=following)


def _shown(entry: TokenEntry) -> dict[str, Any]:
    return {
        "id": entry.id,
        "label": entry.label,
        "scopes": sorted(entry.scopes),
        "made_at": datetime.fromtimestamp(entry.made_at, UTC),
        "expires_at": None if entry.expires_at is None else datetime.fromtimestamp(entry.expires_at, UTC),
    }
