"""Calls of now and of the past: lists, and how one went."""

from typing import Annotated, Literal

from fastapi import APIRouter, Path, Query
from fastapi.concurrency import run_in_threadpool
from pydantic import Field

from offhook.domain.calls.endings import ENDINGS
from offhook.domain.errors import Conflict, Invalid, Missing, Unavailable
from offhook.domain.organizations import OrganizationId
from offhook.doors.api.access import Inside, Visitor, needs
from offhook.doors.api.house import House
from offhook.doors.api.paging import PRINTABLE, Paged, cursor, is_text, place_of
from offhook.doors.api.shapes import CallExplained, CallShown, CallsShown, Moment, live_call, past_call
from offhook.services.calls import LAST, get_trace, list_calls, of_user, wanted_calls
from offhook.services.explain import explain
from offhook.services.ports.calls import CallsWanted
from offhook.services.ports.live import LiveCall
from offhook.services.ports.records import Trace

CALL = "^[0-9A-Za-z]*$"
"""How what names a call looks."""

router = APIRouter(tags=["calls"])


class CallsAsked(Paged):
    """Which calls to list."""

    state: Literal["live", "over"] | None = None
    ending: str | None = Field(None, max_length=60, description="The code of an ending.")
    since: Moment | None = Field(None, description="Those that came at this moment or later: 2026-11-24T09:30:00Z.")
    until: Moment | None = Field(None, description="Those that came before this moment.")
    direction: Literal["in", "out", "inside"] | None = None
    caller: str | None = Field(None, max_length=100, pattern=PRINTABLE, description="Who called: a username, user@domain or a number.")
    dialled: str | None = Field(None, max_length=100, pattern=PRINTABLE, description="What was dialled, as it was.")
    number: str | None = Field(
        None, max_length=40, pattern=PRINTABLE, description="Who called, or was called by it in international form or as it was dialled."
    )
    username: str | None = Field(
        None,
        max_length=64,
        pattern=PRINTABLE,
        description="Calls that this user made or was reached by, or to the extension or a number that this user has now.",
    )


@router.get("/calls", dependencies=[needs("calls:read")])
async def calls(house: Inside, visitor: Visitor, asked: Annotated[CallsAsked, Query()]) -> CallsShown:
    """Calls of now and of the past, newest first."""
    if asked.ending is not None and asked.ending not in ENDINGS:
        raise Invalid(f"{asked.ending} is no ending; known are {', '.join(sorted(ENDINGS))}.", "ending")
    before = place_of(asked, lambda place: len(place) == 1 and is_text(place[0]))
    wanted = await run_in_threadpool(_wanted, house, visitor.organization, asked)
    asked_for_living = asked.state != "over" and not asked.ending
    living = await _living(house, visitor.organization) if asked_for_living else None
    shown = [live_call(call) for call in living or [] if wanted.takes(call) and (before is None or call.call < str(before[0]))]
    if asked.state != "live":
        many = asked.limit + 1
        read = await run_in_threadpool(list_calls, house.store, visitor.organization, many, str(before[0]) if before else None, wanted)
        over = {cdr.call for cdr in read}
        shown = [past_call(cdr) for cdr in read] + [call for call in shown if call.call not in over]
    else:
        shown = [call for call in shown if call.live]
    shown.sort(key=lambda call: call.call, reverse=True)
    page = shown[: asked.limit]
    following = cursor(asked, (page[-1].call,)) if len(shown) > asked.limit else None
    return CallsShown(calls=page, next=following, live_known=living is not None or not asked_for_living)


@router.get("/calls/{call}", dependencies=[needs("calls:read")])
async def call(house: Inside, visitor: Visitor, call: Annotated[str, Path(max_length=32, pattern=CALL)]) -> CallExplained:
    """How a call went, by its id, the beginning of its id, or "last"; complete for a call that is over, up to now for one that lives."""
    living = await _living(house, visitor.organization) or []
    alive, trace = await _find(house, visitor.organization, living, call)
    over = alive is None or alive.state in ENDINGS
    record = await run_in_threadpool(_record, house, visitor.organization, trace["call"]) if over else None
    # One that ended a moment ago may not be written down yet.
    return CallExplained(record=record or (live_call(alive) if alive else None), explanation=explain(trace))


async def trace_of(house: House, organization: OrganizationId | None, call: str) -> Trace:
    """How a call went that goes on or is over, by its id, the beginning of its id, or "last". Raises Missing, Conflict."""
    _, trace = await _find(house, organization, await _living(house, organization) or [], call)
    return trace


async def _living(house: House, organization: OrganizationId | None) -> list[LiveCall] | None:
    """The calls of now that may be seen, newest first; None when the switch does not answer (what is over can still be told)."""
    try:
        living = await house.switch.calls()
    except Unavailable:
        return None
    return [call for call in reversed(living) if organization is None or call.organization == organization]


def _wanted(house: House, organization: OrganizationId | None, asked: CallsAsked) -> CallsWanted:
    return wanted_calls(
        since=asked.since.timestamp() if asked.since else None,
        until=asked.until.timestamp() if asked.until else None,
        ending=asked.ending,
        direction=asked.direction,
        caller=asked.caller,
        dialled=asked.dialled,
        number=asked.number,
        reached=of_user(house.store, organization, asked.username) if asked.username is not None else None,
    )


async def _find(house: House, organization: OrganizationId | None, living: list[LiveCall], wanted: str) -> tuple[LiveCall | None, Trace]:
    alive = [call for call in living if wanted == LAST or call.call.startswith(wanted.lower())]
    if wanted == LAST:
        newest = await run_in_threadpool(list_calls, house.store, organization, 1)
        alive = [call for call in alive[:1] if not newest or call.call > newest[0].call]
    over = None
    if not any(call.call == wanted.lower() for call in alive) and not (wanted == LAST and alive):
        try:
            over = await run_in_threadpool(get_trace, house.store, organization, wanted)
        except Missing:
            if not alive:
                raise
    several = {call.call for call in alive} | ({over["call"]} if over else set())
    if len(several) > 1:
        raise Conflict(f"Several calls begin with {wanted}: {', '.join(sorted(several))}. Give more of the one you mean.", "call")
    if over:
        return None, over
    trace = await house.switch.trace(alive[0].call)
    # None: it ended between the two questions.
    return (alive[0], trace) if trace else (None, await run_in_threadpool(get_trace, house.store, organization, alive[0].call))


def _record(house: House, organization: OrganizationId | None, call: str) -> CallShown | None:
    # The store lists what is older than a place; "~" comes after every character of an id, so the call itself is first.
    newest = list_calls(house.store, organization, 1, call + "~")
    return past_call(newest[0]) if newest and newest[0].call == call else None
