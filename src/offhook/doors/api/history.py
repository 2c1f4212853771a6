"""What was changed, by whom, and what anything was before."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Query
from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from offhook.domain.access import allows
from offhook.domain.errors import Forbidden, Invalid, Missing
from offhook.doors.api.access import Inside, Own, needs
from offhook.doors.api.paging import LARGEST_ID, MOST_AT_ONCE, PRINTABLE
from offhook.doors.api.shapes import Asked, examples
from offhook.services.history import shown
from offhook.services.ports.store import Change
from offhook.services.tokens import Access

router = APIRouter(tags=["history"])

Reader = Annotated[Access, needs("history:read")]
KindPath = Annotated[str, Path(min_length=1, max_length=40, pattern=PRINTABLE, examples=["user"])]
IdPath = Annotated[str, Path(min_length=1, max_length=64, pattern=PRINTABLE, examples=["5"])]
NEEDS = {"token": "tokens:read", "webhook": "webhooks:read"}
"""Kinds that only those may look at in the history who may look at them as they are."""

_PLACE = re.compile(r"([0-9]{1,9})-([0-9]{1,9})")
_ANNA = {"id": 5, "username": "anna", "name": "Anna Berg", "extension": "101"}
_LINE = {"revision": 42, "kind": "user", "id": "5", "who": "first administrator", "at": "2026-11-24T09:30:00Z"}


AnyChange = TypeVar("AnyChange", bound=Change)


class HistoryAsked(Asked):
    """Which changes to list."""

    limit: int = Field(50, ge=1, le=MOST_AT_ONCE, description="How many at once.")
    cursor: str | None = Field(None, max_length=30, description="`next` of the page before.")
    kind: str | None = Field(None, max_length=40, pattern=PRINTABLE, description="What it happened to: `user`, `device`, `number` ...")
    id: str | None = Field(None, max_length=64, pattern=PRINTABLE, description="The one of that kind.")


class MomentAsked(Asked):
    """As of when; one of both, now without either."""

    revision: int | None = Field(None, ge=1, le=LARGEST_ID)
    at: AwareDatetime | None = Field(None, description="A moment, with its time zone: 2026-11-24T09:30:00Z.")


class ChangeShown(BaseModel):
    """One change: the whole object before (null: it was made) and after (null: it was removed). Secrets are told as `set`."""

    model_config = ConfigDict(json_schema_extra=examples(_LINE | {"before": _ANNA, "after": _ANNA | {"extension": "112"}}))

    revision: int
    kind: str
    id: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    who: str
    at: datetime


class HistoryShown(BaseModel):
    """A page of changes, newest first."""

    changes: list[ChangeShown]
    next: str | None


class ThenShown(BaseModel):
    """An object as it was at a revision."""

    model_config = ConfigDict(json_schema_extra=examples({"kind": "user", "id": "5", "revision": 41, "object": _ANNA}))

    kind: str
    id: str
    revision: int
    object: dict[str, Any]


@router.get("/history")
def history(house: Inside, own: Own, visitor: Reader, asked: Annotated[HistoryAsked, Query()]) -> HistoryShown:
    """What was changed, newest first. Changes of one revision were made together."""
    _must_see(visitor, asked.kind)
    hidden = [kind for kind, scope in NEEDS.items() if not allows(visitor.scopes, scope)]
    with house.store.view(own) as transaction:
        before = place_of(asked.cursor)
        found = transaction.history.page(asked.limit + 1, before=before, kind=asked.kind, id=asked.id, hidden=hidden)
    page, following = page_of(found, asked.limit)
    return HistoryShown(changes=[ChangeShown(**change_shown(change)) for change in page], next=following)


@router.get("/history/{kind}/{id}")
def then(house: Inside, own: Own, visitor: Reader, kind: KindPath, id: IdPath, asked: Annotated[MomentAsked, Query()]) -> ThenShown:
    """Anything as it was at a revision or a moment."""
    _must_see(visitor, kind)
    if asked.revision is not None and asked.at is not None:
        raise Invalid("Ask for a revision or for a moment, not for both.", "at")
    with house.store.view(own) as transaction:
        revision = asked.revision or transaction.profile().revision
        if asked.at is not None:
            revision = transaction.history.revision_at(asked.at.timestamp())
        was = transaction.history.as_of(kind, id, revision)
    if was is None:
        raise Missing(f"There was no {kind} {id} at revision {revision}.", "id")
    return ThenShown(kind=kind, id=id, revision=revision, object=shown(was) or {})


def _must_see(visitor: Access, kind: str | None) -> None:
    scope = NEEDS.get(kind or "")
    if scope is not None and not allows(visitor.scopes, scope):
        raise Forbidden(f"The history of this kind needs the scope {scope}; your token or your role has not got it.", "kind")


def place_of(cursor: str | None) -> tuple[int, int] | None:
    """Where a page of a history goes on. Raises Invalid."""
    if cursor is None:
        return None
    place = _PLACE.fullmatch(cursor)
    if place is None:
        raise Invalid("This is no cursor of the history; begin anew without one.", "cursor")
    return int(place[1]), int(place[2])


def page_of(found: list[AnyChange], limit: int) -> tuple[list[AnyChange], str | None]:
    """A page, and its `next`, of what was found by asking for one more than its limit."""
    page = found[:limit]
    return page, f"{page[-1].revision}-{page[-1].seq}" if len(found) > limit else None


def change_shown(change: Change) -> dict[str, Any]:
    """What is shown of a line of a history."""
    return {
        "revision": change.revision,
        "kind": change.kind,
        "id": change.id,
        "before": shown(change.before),
        "after": shown(change.after),
        "who": change.who,
        "at": datetime.fromtimestamp(change.at, UTC),
    }
