"""What goes on, as it happens: server-sent events (WHATWG HTML, 9.2)."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Annotated, Literal

from fastapi import APIRouter, Header, Query, Request
from fastapi.concurrency import run_in_threadpool
from fastapi.responses import StreamingResponse
from pydantic import Field

from offhook.domain.access import allows
from offhook.domain.errors import Forbidden, Kind, Refusal, Unauthenticated, Unavailable
from offhook.doors.api.access import Inside, NoOrganization, Visitor
from offhook.doors.api.house import House
from offhook.doors.api.shapes import Asked
from offhook.services.events import Event
from offhook.services.tokens import authenticate

router = APIRouter(tags=["events"])

HEARTBEAT_SECONDS = 5.0
"""How often a line is sent that says nothing, so that nobody between us ends the connection, and the token is looked at again."""

STREAM = "text/event-stream"
_NEEDS = {"call": "calls:read", "job": "jobs:read"}


class EventsAsked(Asked):
    """What to hear of."""

    of: list[Literal["call", "job"]] = Field(
        default_factory=list, max_length=2, description="Not given: whatever you may see. The provider: calls alone."
    )


class NoStream(Refusal):
    """The answer to this never ends by itself; who does not ask for that would wait for ever."""

    code, kind = "events.no_stream", Kind.INVALID


@router.get("/events", response_class=StreamingResponse, responses={200: {"content": {STREAM: {}}, "description": "Events, without end."}})
async def events(
    request: Request,
    house: Inside,
    visitor: Visitor,
    asked: Annotated[EventsAsked, Query()],
    accept: Annotated[str, Header(max_length=400, description="Must name text/event-stream.")] = "",
    last_event_id: Annotated[str | None, Header(max_length=60, description="The id of the last event that came through.")] = None,
) -> StreamingResponse:
    """`call.began`, `call.changed`, `call.ended` as they happen, `job.changed` within a second; first `now`, with the calls of now.

    Who comes back with Last-Event-ID is told what was missed, if that was within the last half minute, else `now` again. `call.unknown`
    says that the switch does not answer; `now` follows when it does. `dropped` is the last event for who reads too slowly. The stream
    ends when the token does.
    """
    if STREAM not in accept:
        raise NoStream(f"This is a stream that does not end: ask for it with Accept: {STREAM}.", "Accept")
    if visitor.organization is None:
        may = {"call"}
        if "job" in asked.of:
            raise NoOrganization("Jobs are an organization's; with the provider's token there are calls alone.", "of")
    else:
        may = {noun for noun, scope in _NEEDS.items() if allows(visitor.scopes, scope)}
    wanted = frozenset(asked.of or may)
    if not wanted or not wanted <= may:
        missing = sorted(_NEEDS[noun] for noun in (wanted or _NEEDS.keys()) - may)
        raise Forbidden(f"This needs the scope {', '.join(missing)}; your token or your role has not got it.")
    told = house.live_events.listen(visitor.organization, wanted, last_event_id)
    token = request.headers["authorization"].partition(" ")[2].strip()
    # Not the store of this request, which is over when its answer begins.
    whole: House = request.app.state.house
    return StreamingResponse(_stream(whole, token, told), media_type=STREAM, headers={"X-Accel-Buffering": "no"})


async def _stream(house: House, token: str, told: AsyncGenerator[Event, None]) -> AsyncIterator[str]:
    loop, coming = asyncio.get_running_loop(), asyncio.ensure_future(anext(told))
    look_at = loop.time() + HEARTBEAT_SECONDS
    try:
        yield "retry: 2000\n\n"
        while True:
            await asyncio.wait({coming}, timeout=max(0.0, look_at - loop.time()))
            if loop.time() >= look_at:
                if not await _still_good(house, token):
                    yield written(Event("", "closed", {"explanation": "The token is no longer valid."}))
                    return
                look_at = loop.time() + HEARTBEAT_SECONDS
                yield ": still here\n\n"
            if coming.done():
                yield written(coming.result())
                coming = asyncio.ensure_future(anext(told))
    except StopAsyncIteration:
        return
    finally:
        coming.cancel()
        with contextlib.suppress(asyncio.CancelledError, StopAsyncIteration):
            await coming
        await told.aclose()


async def _still_good(house: House, token: str) -> bool:
    try:
        await run_in_threadpool(authenticate, house.store, token)
    except Unauthenticated:
        return False
    except Unavailable:
        return True  # calls go on without the database, and so does telling of them
    return True


def written(event: Event) -> str:
    """An event as it goes over the wire."""
    id = f"id: {event.id}\n" if event.id else ""
    return f"{id}event: {event.name}\ndata: {json.dumps(event.data, ensure_ascii=True)}\n\n"
