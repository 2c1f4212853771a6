"""What was changed, by whom, and what anything was before."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from fastapi import APIRouter, Path, Query
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from offhook.domain.access import allows
from offhook.domain.errors import Forbidden, Invalid, Missing
from offhook.doors.api.access import Inside, Needs, Own, needs
from offhook.doors.api.calls import CALL, trace_of
from offhook.doors.api.house import House
from offhook.doors.api.paging import LARGEST_ID, PRINTABLE, Paged, cursor, is_id, place_of
from offhook.doors.api.shapes import Asked, Moment, examples
from offhook.services.history import as_of, ids_of, shown
from offhook.services.ports.changes import Change, ChangesWanted
from offhook.services.ports.records import Trace
from offhook.services.tokens import Access

router = APIRouter(tags=["history"])

Reader = Annotated[Access, needs("history:read")]
KindPath = Annotated[str, Path(min_length=1, max_length=40, pattern=PRINTABLE, examples=["user"])]
IdPath = Annotated[str, Path(min_length=1, max_length=100, pattern=PRINTABLE, examples=["5", "anna"])]
NEEDS = {"token": "tokens:read", "webhook": "webhooks:read"}
"""Kinds that only those may look at in the history who may look at them as they are."""

_ANNA = {"id": 5, "username": "anna", "name": "Anna Berg", "extension": "101"}
_LINE = {"revision": 42, "kind": "user", "id": "5", "who": "first administrator", "at": "2026-11-24T09:30:00Z"}


AnyChange = TypeVar("AnyChange", bound=Change)


class HistoryAsked(Paged):
    """Which changes to list."""

    kind: str | None = Field(None, max_length=40, pattern=PRINTABLE, description="What it happened to: `user`, `device`, `number` ...")
    id: str | None = Field(None, max_length=100, pattern=PRINTABLE, description="The one of that kind.")
    who: str | None = Field(None, max_length=100, pattern=PRINTABLE, description="Who made them, as the history tells it.")
    since: Moment | None = Field(None, description="Those made at this moment or later: 2026-11-24T09:30:00Z.")
    until: Moment | None = Field(None, description="Those made before this moment.")


class OwnHistoryAsked(HistoryAsked):
    """Which changes of one's own organization to list."""

    id: str | None = Field(
        None, max_length=100, pattern=PRINTABLE, description="The one of that kind, by its id or by what it was ever called."
    )


class MomentAsked(Asked):
    """As of when, by one of the three; now without any."""

    revision: int | None = Field(None, ge=1, le=LARGEST_ID)
    at: Moment | None = Field(None, description="A moment, with its time zone: 2026-11-24T09:30:00Z.")
    call: str | None = Field(
        None,
        min_length=1,
        max_length=32,
        pattern=CALL,
        description="By the configuration that routed this call: its id, the beginning of it, or `last`. Needs `calls:read` too.",
    )


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
def history(house: Inside, own: Own, visitor: Reader, asked: Annotated[OwnHistoryAsked, Query()]) -> HistoryShown:
    """What was changed, newest first. Changes of one revision were made together."""
    _must_see(visitor, asked.kind)
    hidden = [kind for kind, scope in NEEDS.items() if not allows(visitor.scopes, scope)]
    with house.store.view(own) as transaction:
        ids = None if asked.id is None else ids_of(transaction, asked.kind or "", asked.id)
        found = transaction.history.page(asked.limit + 1, replace(wanted(asked), ids=ids, hidden=hidden))
    page, following = page_of(asked, found)
    return HistoryShown(changes=[ChangeShown(**change_shown(change)) for change in page], next=following)


@router.get("/history/{kind}/{id}")
async def then(house: Inside, own: Own, visitor: Reader, kind: KindPath, id: IdPath, asked: Annotated[MomentAsked, Query()]) -> ThenShown:
    """Anything as it was at a revision, at a moment, or for a call; by its id, or by username, number, name, domain or SIP username."""
    _must_see(visitor, kind)
    given = [name for name, value in asked.model_dump().items() if value is not None]
    if len(given) > 1:
        raise Invalid("Ask for a revision, for a moment or for a call, not for several.", given[-1])
    revision = asked.revision
    if asked.call is not None:
        Needs("calls:read")(visitor)
        revision = _routed_by(await trace_of(house, own, asked.call))
    return await run_in_threadpool(_then, house, own, kind, id, revision, asked.at)


def _then(house: House, own: Own, kind: str, id: str, revision: int | None, at: datetime | None) -> ThenShown:
    with house.store.view(own) as transaction:
        if at is not None:
            revision = transaction.history.revision_at(at.timestamp())
        revision = revision or transaction.profile().revision
        known, was = as_of(transaction, kind, id, revision)
    return ThenShown(kind=kind, id=known, revision=revision, object=shown(was) or {})


def _routed_by(trace: Trace) -> int:
    if trace["revision"] is None:
        raise Missing("No configuration of the organization has routed this call.", "call")
    return int(trace["revision"])


def _must_see(visitor: Access, kind: str | None) -> None:
    scope = NEEDS.get(kind or "")
    if scope is not None and not allows(visitor.scopes, scope):
        raise Forbidden(f"The history of this kind needs the scope {scope}; your token or your role has not got it.", "kind")


def wanted(asked: HistoryAsked) -> ChangesWanted:
    """Which lines are asked for, of those with the id itself if one is named. Raises Invalid."""
    before = place_of(asked, lambda place: len(place) == 2 and all(map(is_id, place)))
    return ChangesWanted(
        before=(int(before[0] or 0), int(before[1] or 0)) if before else None,
        kind=asked.kind,
        ids=None if asked.id is None else (asked.id,),
        who=asked.who,
        since=asked.since.timestamp() if asked.since else None,
        until=asked.until.timestamp() if asked.until else None,
    )


def page_of(asked: HistoryAsked, found: list[AnyChange]) -> tuple[list[AnyChange], str | None]:
    """A page, and its `next`, of what was found by asking for one more than its limit."""
    page = found[: asked.limit]
    return page, cursor(asked, (page[-1].revision, page[-1].seq)) if len(found) > asked.limit else None


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
