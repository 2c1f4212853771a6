"""Calls of now and of the past: lists, and how one went."""

from typing import Annotated

from fastapi import APIRouter, Path, Query
from fastapi.concurrency import run_in_threadpool

from offhook.domain.calls.endings import ENDINGS
from offhook.domain.errors import Conflict, Invalid, Missing, Unavailable
from offhook.domain.organizations import OrganizationId
from offhook.doors.api.access import Inside, Visitor, needs
from offhook.doors.api.house import House
from offhook.doors.api.shapes import CallExplained, CallsAsked, CallShown, CallsShown, live_call, past_call
from offhook.services.calls import LAST, get_trace, list_calls
from offhook.services.explain import explain
from offhook.services.ports.live import LiveCall
from offhook.services.ports.records import Trace

CALL = "^[0-9A-Za-z]*$"
"""How what names a call looks."""

_READ_AT_ONCE = 500
_READ_AT_MOST = 10  # pages: a rare ending must not make one request read every call there ever was

router = APIRouter(tags=["calls"])


@router.get("/calls", dependencies=[needs("calls:read")])
async def calls(house: Inside, visitor: Visitor, asked: Annotated[CallsAsked, Query()]) -> CallsShown:
    """Calls of now and of the past, newest first. A page with an ending asked for may be short, even empty, and still have a next one."""
    if asked.ending is not None and asked.ending not in ENDINGS:
        raise Invalid(f"{asked.ending} is no ending; known are {', '.join(sorted(ENDINGS))}.", "ending")
    living = None if asked.state == "over" or asked.ending else await _living(house, visitor.organization)
    before = (asked.cursor or "").lower()
    shown = [live_call(call) for call in living or [] if not before or call.call < before]
    after = None
    if asked.state != "live":
        past, after = await run_in_threadpool(_past, house, visitor.organization, asked)
        over = {call.call for call in past}
        shown = past + [call for call in shown if call.call not in over]
    else:
        shown = [call for call in shown if call.live]
    shown.sort(key=lambda call: call.call, reverse=True)
    page = shown[: asked.limit]
    following = page[-1].call if len(shown) > asked.limit else after
    asked_for_living = asked.state != "over" and not asked.ending
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


def _past(house: House, organization: OrganizationId | None, asked: CallsAsked) -> tuple[list[CallShown], str | None]:
    """Up to `limit` past calls and the cursor that goes on after them, None at the end."""
    found: list[CallShown] = []
    before = asked.cursor.lower() if asked.cursor else None
    size = _READ_AT_ONCE if asked.ending else asked.limit
    for _ in range(_READ_AT_MOST):
        read = list_calls(house.store, organization, size, before)
        for cdr in read:
            if asked.ending in (None, cdr.ending.code):
                found.append(past_call(cdr))
            before = cdr.call
            if len(found) == asked.limit:
                return found, before
        if len(read) < size:
            return found, None
    return found, before


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
