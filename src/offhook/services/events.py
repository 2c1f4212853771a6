"""What goes on, told as it happens: calls of now and jobs at work, to whoever listens.

The switch is followed for all listeners together, and not at all while there are none; jobs are looked at once a second. Nothing here is
kept: what must not be missed is told by webhooks.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import asdict, dataclass
from typing import Any

from offhook.domain.errors import Throttled, Unavailable
from offhook.domain.organizations import OrganizationId
from offhook.domain.webhooks import CALL_ANSWERED, CALL_ENDED
from offhook.services.live_calls import NOW, UNKNOWN, Happening, happenings
from offhook.services.ports.jobs import Job
from offhook.services.ports.listing import Listing
from offhook.services.ports.live import LiveCall, LiveSwitch
from offhook.services.ports.store import Store

LOOK_SECONDS = 1.0
LINGER_SECONDS = 30.0
"""How long the following goes on when nobody listens any more: who was cut off and comes back misses nothing."""

MOST_LISTENERS, MOST_OF_ONE = 200, 20
MOST_WAITING = 500
"""Events that a listener may be late by; who is later is told so and cut off."""

MOST_KEPT = 2000
JOBS_LOOKED_AT = 20
log = logging.getLogger(__name__)


class TooManyListeners(Throttled):
    """So many listen already."""

    code = "events.too_many"


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened. `id` orders them; empty for what is not to be resumed after. `data` are JSON values."""

    id: str
    name: str
    data: dict[str, Any]


@dataclass(slots=True, eq=False)
class _Listener:
    organization: OrganizationId | None
    nouns: frozenset[str]
    waiting: asyncio.Queue[Event]
    slow: bool = False

    def may_hear(self, organization: int | None, name: str) -> bool:
        mine = self.organization is None or organization == self.organization
        return mine and name.partition(".")[0] in self.nouns

    def tell(self, event: Event) -> None:
        if self.slow:
            return
        try:
            self.waiting.put_nowait(event)
        except asyncio.QueueFull:
            self.slow = True
            while not self.waiting.empty():
                self.waiting.get_nowait()
            self.waiting.put_nowait(Event("", "dropped", {"explanation": "You read too slowly; come back, and look at what is there now."}))


class LiveEvents:
    """Tells listeners what happens. It follows by itself while somebody listens; all of it in the loop that `listen` is called in."""

    def __init__(self, switch: LiveSwitch, store: Store) -> None:
        self._switch = switch
        self._store = store
        self._listeners: set[_Listener] = set()
        self._calls: dict[str, LiveCall] | None = None
        self._jobs: dict[tuple[int, int], Job] = {}
        self._looked_at: frozenset[int] = frozenset()
        self._kept: deque[tuple[int, int | None, Event]] = deque(maxlen=MOST_KEPT)
        self._life = f"{time.time_ns() // 1_000_000:x}"
        self._count = 0
        self._following: asyncio.Task[None] | None = None
        self._asked = asyncio.Event()

    def listen(self, organization: OrganizationId | None, nouns: frozenset[str], last: str | None) -> AsyncGenerator[Event, None]:
        """What happens from now on to calls and jobs ("call", "job") of one organization, or of all. Raises TooManyListeners.

        Begins with what was missed since the event `last`, where that is still known; else with "now": the calls of now. Ends after
        "dropped", for who reads too slowly.
        """
        of_one = sum(1 for each in self._listeners if each.organization == organization)
        if len(self._listeners) >= MOST_LISTENERS or of_one >= MOST_OF_ONE:
            raise TooManyListeners("Too many listen already; end a connection that is not needed.", 30.0)
        return self._told(_Listener(organization, nouns, asyncio.Queue(MOST_WAITING)), last)

    async def _told(self, listener: _Listener, last: str | None) -> AsyncGenerator[Event, None]:
        self._listeners.add(listener)
        try:
            missed = self._missed(listener, last)
            if self._following is None or self._following.done():
                self._calls = None
                self._lose_track()
                self._asked.clear()
                self._following = asyncio.create_task(self._follow_while_wanted(), name="live events")
            if missed is None:
                await self._asked.wait()
                while not listener.waiting.empty():  # it stands in what is told now
                    listener.waiting.get_nowait()
                yield self._now(listener)
            for event in missed or ():
                yield event
            while True:
                event = await listener.waiting.get()
                yield event
                if event.name == "dropped":
                    return
        finally:
            self._listeners.discard(listener)

    def _now(self, listener: _Listener) -> Event:
        calls = (self._calls or {}).values() if "call" in listener.nouns else ()
        own = [asdict(call) for call in calls if listener.may_hear(call.organization, "call.now")]
        return Event(self._id(), "now", {"calls": own, "live_known": self._calls is not None})

    def _id(self) -> str:
        return f"{self._life}-{self._count}"

    def _missed(self, listener: _Listener, last: str | None) -> list[Event] | None:
        """What happened since; None when that cannot be told any more."""
        life, _, number = (last or "").partition("-")
        if life != self._life or not number.isdecimal() or self._following is None or self._following.done():
            return None
        after, oldest = int(number), self._kept[0][0] if self._kept else self._count + 1
        if not oldest - 1 <= after <= self._count:
            return None
        return [event for count, organization, event in self._kept if count > after and listener.may_hear(organization, event.name)]

    async def _follow_while_wanted(self) -> None:
        following = asyncio.create_task(self._follow_calls(), name="live events: calls")
        alone_since: float | None = None
        try:
            while alone_since is None or time.monotonic() - alone_since < LINGER_SECONDS:
                try:
                    await self._look_at_jobs()
                except Exception:
                    log.exception("Jobs could not be looked at")
                if self._listeners:
                    alone_since = None
                elif alone_since is None:
                    alone_since = time.monotonic()
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            following.cancel()

    async def _follow_calls(self) -> None:
        async with aclosing(happenings(self._switch)) as told:
            async for happening in told:
                self._take(happening)
                self._asked.set()

    def _take(self, happening: Happening) -> None:
        if happening.name == NOW:
            self._calls = {call.call: call for call in happening.calls}
            if self._asked.is_set():
                # After silence: what was told of before may be over without a word.
                self._lose_track()
                for listener in self._listeners:
                    listener.tell(self._now(listener))
        elif happening.name == UNKNOWN:
            if self._calls is not None:
                self._calls = None
                self._lose_track()
                self._tell_all(UNKNOWN, {"explanation": "The switch does not answer now."})
        elif happening.name != CALL_ANSWERED and self._calls is not None:  # whose state changes, which is told
            (call,) = happening.calls
            if happening.name == CALL_ENDED:
                self._calls.pop(call.call, None)
            else:
                self._calls[call.call] = call
            self._tell(call.organization, happening.name, {"call": asdict(call)})

    def _lose_track(self) -> None:
        """Whoever comes back and heard only what was before must begin anew: what lies between is not known."""
        self._kept.clear()
        self._count += 1

    async def _look_at_jobs(self) -> None:
        asking = {each.organization for each in self._listeners if "job" in each.nouns and each.organization is not None}
        found: dict[tuple[int, int], Job] = {}
        for organization in asking:
            try:
                jobs = await asyncio.to_thread(self._jobs_of, organization)
            except Unavailable:
                return
            found |= {(organization, job.id): job for job in jobs}
        for (whose, id), job in sorted(found.items()):
            former = self._jobs.get((whose, id))
            if former != job and whose in self._looked_at:
                self._tell(whose, "job.changed", {"job": job_told(job)})
        self._jobs, self._looked_at = found, frozenset(asking)

    def _jobs_of(self, organization: OrganizationId) -> list[Job]:
        with self._store.view(organization) as transaction:
            return transaction.jobs.page(Listing(JOBS_LOOKED_AT, sort=(("id", True),))).items

    def _tell(self, organization: int | None, name: str, data: dict[str, Any]) -> None:
        self._count += 1
        event = Event(self._id(), name, data)
        self._kept.append((self._count, organization, event))
        for listener in self._listeners:
            if listener.may_hear(organization, name):
                listener.tell(event)

    def _tell_all(self, name: str, data: dict[str, Any]) -> None:
        for listener in self._listeners:
            if name.partition(".")[0] in listener.nouns:
                listener.tell(Event("", name, data))


def job_told(job: Job) -> dict[str, Any]:
    """A job as its listeners are told of it."""
    return {
        "id": job.id,
        "kind": job.kind,
        "state": str(job.state),
        "total": job.total,
        "done": job.done,
        "results": dict(job.results),
        "revision": job.revision,
    }
