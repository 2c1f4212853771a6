"""Where a call would go, and which past calls would go elsewhere: without a call."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from offhook.domain.errors import Invalid
from offhook.domain.numbers import NumberNotAvailable
from offhook.doors.api.access import Inside, Own, needs
from offhook.doors.api.idempotency import KEYLESS
from offhook.doors.api.paging import LARGEST_ID
from offhook.doors.api.shapes import Asked, Moment
from offhook.services.blueprint import FILE, MOST_OCTETS, read
from offhook.services.served import NotServed
from offhook.services.what_if import LONGEST_DIALLED, Answer, Replay, organization_as, organization_planned, replay, what_if

_READS = [needs(f"{noun}:read") for noun in ("organization", "users", "attendants", "numbers")]
_PLANS = [*_READS, needs("devices:read"), needs("calls:read")]

router = APIRouter(tags=["what if"])


class RouteAsked(Asked):
    """A call that is not made. `revision` or `plan` says which configuration decides, `at` at what time the call comes.

    `at` alone means the configuration of then too; without any of them the live one decides.
    """

    model_config = ConfigDict(
        extra="forbid", populate_by_name=True, json_schema_extra={"examples": [{"from": "anna", "to": "100"}, {"from": "101", "to": "911"}]}
    )

    caller: Annotated[str, Field(alias="from", min_length=1, max_length=80, description="A username, extension or number.")]
    dialled: Annotated[str, Field(alias="to", min_length=1, max_length=LONGEST_DIALLED, description="What is dialled.")]
    at: Moment | None = Field(None, description="When the call comes. No rule looks at the hour yet.")
    revision: int | None = Field(None, strict=True, ge=1, le=LARGEST_ID)
    plan: str | None = Field(None, max_length=MOST_OCTETS, description="A file as of GET /configuration; not with a revision.")


class ReasonShown(BaseModel):
    """One step of a decision."""

    code: str
    text: str
    outcome: str


class AnswerShown(BaseModel):
    """Where the call would go, and why. `revision` is the configuration that says so, null for a plan."""

    way: list[str]
    words: str
    reasons: list[ReasonShown]
    revision: int | None


class ReplayAsked(Asked):
    """A planned configuration, and since when past calls are run through it."""

    plan: str = Field(max_length=MOST_OCTETS, description="A file as of GET /configuration.")
    since: Moment


class ReplayedShown(BaseModel):
    """A past call that would go elsewhere."""

    call: str
    started_at: datetime
    caller: str
    dialled: str
    now: AnswerShown
    then: AnswerShown


class ReplayShown(BaseModel):
    """`more`: not every call was looked at, or not every change is listed. `unreadable`: calls whose story does not say who called what."""

    looked_at: int
    unreadable: int
    changed: list[ReplayedShown]
    more: bool


def answer_shown(answer: Answer) -> AnswerShown:
    """As JSON has it."""
    reasons = [ReasonShown(code=reason.code, text=reason.text, outcome=reason.outcome) for reason in answer.reasons]
    return AnswerShown(way=list(answer.way), words=answer.words, reasons=reasons, revision=answer.revision)


@router.post("/route", dependencies=[*_READS, KEYLESS])
async def route(house: Inside, own: Own, asked: RouteAsked) -> AnswerShown:
    """Where a call would go now (asked of the switch itself), at another time, or under another configuration; with every reason."""
    if asked.revision is not None and asked.plan is not None:
        raise Invalid("Give a revision or a plan, not both.", "plan")
    if asked.at is None and asked.revision is None and asked.plan is None:
        return AnswerShown.model_validate(await house.switch.what_if(own, asked.caller, asked.dialled))
    return answer_shown(await run_in_threadpool(_of_another_time, house, own, asked))


def _of_another_time(house: Any, own: Any, asked: RouteAsked) -> Answer:
    if asked.plan is not None:
        with _plan_named():
            organization = organization_planned(house.store, own, read(asked.plan))
        return what_if(organization, asked.caller, asked.dialled, is_planned=True)
    at = min(asked.at, datetime.now(UTC)).timestamp() if asked.at is not None else None
    return what_if(organization_as(house.store, own, revision=asked.revision, at=at), asked.caller, asked.dialled)


@contextmanager
def _plan_named() -> Iterator[None]:
    """What is wrong with the file is wrong with the member `plan`, in which it stands here."""
    try:
        yield
    except Invalid as why:
        raise Invalid(why.explanation, "plan" if why.field in (None, FILE) else f"plan.{why.field}") from None
    except (NumberNotAvailable, NotServed) as why:
        raise type(why)(why.explanation, f"plan.{why.field}") from None


@router.post("/replay", dependencies=[*_PLANS, KEYLESS])
async def replayed(house: Inside, own: Own, asked: ReplayAsked) -> ReplayShown:
    """Run past calls through the live and the planned configuration; those that would go elsewhere, newest first."""
    found = await run_in_threadpool(_replay, house, own, asked)
    changed = [
        ReplayedShown(
            call=each.call,
            started_at=datetime.fromtimestamp(each.at, UTC),
            caller=each.caller,
            dialled=each.dialled,
            now=answer_shown(each.now),
            then=answer_shown(each.then),
        )
        for each in found.changed
    ]
    return ReplayShown(looked_at=found.looked_at, unreadable=found.unreadable, changed=changed, more=found.more)


def _replay(house: Any, own: Any, asked: ReplayAsked) -> Replay:
    with _plan_named():
        return replay(house.store, own, read(asked.plan), asked.since.timestamp())
