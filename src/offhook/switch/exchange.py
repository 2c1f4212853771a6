"""The exchange: every call that lives, each a machine with one task and one inbox."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from offhook.domain.calls.call import Call, Stage
from offhook.domain.calls.commands import (
    AskYield,
    CloseMedia,
    Command,
    EndLeg,
    GiveLeg,
    Play,
    RecordCall,
    RefuseYield,
    StartTimer,
    StopSound,
    StopTimer,
    TurnYield,
)
from offhook.domain.calls.endings import SWITCH_FAILED, TRANSFERRED
from offhook.domain.calls.entering import enter
from offhook.domain.calls.events import (
    CallArrived,
    DigitPressed,
    Event,
    LegEvent,
    LegReceived,
    MediaClosed,
    Routed,
    StopAsked,
    TimerFired,
    YieldAsked,
    YieldRefused,
    YieldTurned,
)
from offhook.domain.calls.ids import CallId, LegId, call_of, leg_id
from offhook.domain.media import MediaFigures
from offhook.metrics import Figures
from offhook.services.ports.live import LiveCall
from offhook.services.ports.records import Records, Trace
from offhook.switch.admission import Admission
from offhook.switch.executor import TOLD, Executor, now
from offhook.switch.journal import Journal
from offhook.switch.news import News, live_call
from offhook.switch.timers import Beat, Timers
from offhook.switch.trace import Story
from offhook.switch.watch import Watch

log = logging.getLogger(__name__)

LINGER_SECONDS = 0.3
"""How long an ended call waits for the last messages of its legs (the 200 to a BYE) before its story is written."""

WRITTEN_SECONDS = 0.5
"""How long it can still be asked for after that: until the writer has it on disk, so that no list ever misses it."""


class _Inbox:
    """What has happened to a call, in order, until its task has time for it. One reader, no bound, no locks: less than an asyncio.Queue."""

    __slots__ = ("_events", "_wanted")

    def __init__(self) -> None:
        self._events: deque[Event] = deque()
        self._wanted: asyncio.Future[None] | None = None

    def __len__(self) -> int:
        return len(self._events)

    def put(self, event: Event) -> None:
        """Take an event in, and wake the task if it waits for one."""
        self._events.append(event)
        if self._wanted is not None:
            if not self._wanted.done():
                self._wanted.set_result(None)
            self._wanted = None

    async def take(self) -> Event:
        """The next event; waits until there is one."""
        while not self._events:
            self._wanted = asyncio.get_running_loop().create_future()
            await self._wanted
        return self._events.popleft()


@dataclass(slots=True)
class _Running:
    """One call, its inbox and what is kept of it."""

    call: Call
    inbox: _Inbox
    timers: Timers
    story: Story = field(default_factory=Story)
    figures: MediaFigures = field(default_factory=MediaFigures)
    playing: dict[LegId, asyncio.Task[None]] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None


class Exchange:
    """Gives every fact to its call, and every order of a call to the executor."""

    def __init__(
        self,
        executor: Callable[[], Executor],
        records: Records,
        watch: Watch | None = None,
        journal: Journal | None = None,
        admission: Admission | None = None,
    ) -> None:
        self._executor, self._records, self._journal = executor, records, journal
        self._admission = admission or Admission()
        self._watch = watch or Watch(Figures())
        self._running: dict[CallId, _Running] = {}
        self._given: dict[LegId, CallId] = {}
        self._beat = Beat()
        self.news = News()
        self._empty = asyncio.Event()
        self._empty.set()
        self.begun = 0

    def deliver(self, event: CallArrived | LegEvent) -> None:
        """Take a fact from the signalling. A fact of no call is an echo of one that is over."""
        if isinstance(event, CallArrived):
            self._begin(call_of(event.leg), event)
        else:
            self._tell(self._home_of(event.leg), event)

    def _home_of(self, leg: LegId) -> CallId:
        """The call that a leg is in now: the one it came from, unless that gave it away."""
        return self._given.get(leg) or call_of(leg)

    def _tell(self, call: CallId, event: Event) -> bool:
        """Whether the call will hear of it: one that is over stays a moment to be asked for, and hears nothing."""
        running = self._running.get(call)
        if running is None or running.call.stage is Stage.CLOSED:
            return False
        running.inbox.put(event)
        return True

    def tell(self, call: CallId, event: Event) -> None:
        """Tell one call, if it lives."""
        self._tell(call, event)

    def heard(self, call: CallId, leg: LegId, digit: str, milliseconds: int) -> None:
        """Take a key that was heard in the sound (RFC 4733)."""
        self._tell(call, DigitPressed(now(), leg, digit, by_info=False))

    def observe(self, leg: LegId, wall: float, direction: str, data: bytes) -> None:
        """Note a SIP message of a leg."""
        running = self._running.get(self._home_of(leg))
        if running is not None:
            running.story.passed(leg, wall, direction, data)

    def calls(self) -> list[LiveCall]:
        """The calls of now, oldest first, and those that ended a moment ago and may not stand in the records yet."""
        return [live_call(running.call) for _, running in sorted(self._running.items())]

    @property
    def refuses_new(self) -> bool:
        """Whether new calls are turned away because the system is being stopped."""
        return self._admission.refuses_new

    def alive(self) -> frozenset[CallId]:
        """The names of the calls of now."""
        return frozenset(self._running)

    def trace(self, call: CallId) -> Trace | None:
        """How a call went so far; None if it is not alive (any more)."""
        running = self._running.get(call)
        return running.story.told(running.call, running.figures) if running is not None else None

    def living(self) -> Iterator[Call]:
        """The machines of the calls of now: to be looked at, not touched."""
        return (running.call for running in self._running.values())

    def waiting(self) -> int:
        """Events that wait in the inboxes of all calls."""
        return sum(len(running.inbox) for running in self._running.values())

    async def drain(self, seconds: float) -> None:
        """Take no new calls, give those that go on so many seconds, then end them and wait for their records."""
        self._admission.refuses_new = True
        await self._quiet(seconds)
        # From here on nobody could be hung up properly any more, so an emergency call is turned away too: 503 sends it elsewhere at once.
        self._admission.ends_all = True
        for running in self._running.values():
            running.inbox.put(StopAsked(now()))
        await self._quiet(LINGER_SECONDS + 2)

    async def _quiet(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._empty.wait(), seconds)
        except TimeoutError:
            log.info("%d calls go on", len(self._running))

    def _begin(self, call_id: CallId, event: CallArrived) -> None:
        inbox = _Inbox()
        running = _Running(Call(call_id, enter), inbox, Timers(lambda timer: inbox.put(TimerFired(now(), timer))))
        self._running[call_id] = running
        self._admission.arrives(running.call, event.caller)
        self.begun += 1
        self._empty.clear()
        inbox.put(event)
        running.task = asyncio.get_running_loop().create_task(self._serve(running), name=f"call {call_id}")

    async def _serve(self, running: _Running) -> None:
        """The call's own task, until nothing is left to be done for it."""
        self._watch.begins(running.call)
        lingers = False
        try:
            await self._handle_all(running)
            lingers = True
        except Exception:
            # A mistake in one call's machine is that call's end and nobody else's.
            log.exception("call=%s: the machine of the call failed", running.call.id)
            await self._bury(running)
        finally:
            if lingers:
                self._beat.after(LINGER_SECONDS, self._leave, running)
            else:
                self._leave(running)

    async def _handle_all(self, running: _Running) -> None:
        call, inbox = running.call, running.inbox
        while call.stage is not Stage.CLOSED or inbox:  # who asked something of it as it closed is answered
            for command in self._handle(running, await inbox.take()):
                kind = type(command)
                if kind in TOLD:
                    self._tell_engine(running, command)
                elif kind in _HERE:
                    _HERE[kind](self, running, command)
                else:
                    await self._ask_engine(running, command)
            if self._journal is not None:
                self._journal.follow(call)

    def _leave(self, running: _Running) -> None:
        """Write the record of a call that is over."""
        running.timers.stop_all()
        self._record(running)
        self._beat.after(WRITTEN_SECONDS, self._forget, running.call)

    def _forget(self, call: Call) -> None:
        del self._running[call.id]
        self._admission.leaves(call)
        if self._given:
            for leg in call.legs:
                if self._given.get(leg) == call.id:
                    del self._given[leg]
        if not self._running:
            self._empty.set()

    def _record(self, running: _Running) -> None:
        call = running.call
        if self._journal is not None:
            self._journal.ended(call)
        try:
            cdr = call.cdr(running.figures)
            self._watch.recorded(cdr)
            self._records.keep(cdr, running.story.told(call, running.figures))
        except Exception:
            # A story that cannot be told must not stand in the way of the calls that come, or of the system being stopped.
            log.exception("call=%s: the call is not recorded", call.id)

    def _handle(self, running: _Running, event: Event) -> list[Command]:
        self._watch.handles(running.call, event)
        if self.news.followers:
            self.news.note(running.call)
        running.story.happened(event.at.wall, event)
        if isinstance(event, MediaClosed):
            running.figures = event.figures
        elif isinstance(event, Routed) and running.call.stage is Stage.ROUTING:
            event = self._admission.admitted(running.call, event)
        return running.call.handle(event)

    def _start_timer(self, running: _Running, command: StartTimer) -> None:
        running.timers.start(command.timer, command.seconds)

    def _stop_timer(self, running: _Running, command: StopTimer) -> None:
        running.timers.stop(command.timer)

    def _stop_timers(self, running: _Running, command: RecordCall) -> None:
        running.timers.stop_all()

    def _play(self, running: _Running, command: Play) -> None:
        # A sound may have to be made first, which takes seconds: a call must hear its telephones meanwhile.
        self._hush(running, command.leg)
        making = asyncio.get_running_loop().create_task(self._ask_engine(running, command), name=f"sound {command.leg}")
        running.playing[command.leg] = making

    def _hush(self, running: _Running, leg: LegId) -> None:
        """Forget a sound that is still being made; what plays already is stopped by whoever wants it stopped."""
        making = running.playing.pop(leg, None)
        if making is not None:
            making.cancel()

    def _tell_engine(self, running: _Running, command: Command) -> None:
        running.story.happened(time.time(), command)
        began = time.monotonic()
        self._answered(running, command, began, self._executor().tell(running.call.id, command))

    async def _ask_engine(self, running: _Running, command: Command) -> None:
        if running.playing:
            if isinstance(command, StopSound):
                self._hush(running, command.leg)
            elif isinstance(command, CloseMedia):
                for leg in tuple(running.playing):
                    self._hush(running, leg)
        running.story.happened(time.time(), command)
        began = time.monotonic()
        self._answered(running, command, began, await self._executor().ask(running.call.id, command))

    def _answered(self, running: _Running, command: Command, began: float, answer: Event | None) -> None:
        self._watch.obeyed(running.call, command, began, answer)
        if answer is not None:
            running.inbox.put(answer)

    def _ask_yield(self, running: _Running, command: AskYield) -> None:
        running.story.happened(time.time(), command)
        call, home = running.call.id, self._home_of(command.replaced)
        if home == call or not self._tell(home, YieldAsked(now(), command.replaced, call, command.organization)):
            self._tell(call, YieldRefused(now()))

    def _give_leg(self, running: _Running, command: GiveLeg) -> None:
        running.story.happened(time.time(), command)
        leg = running.call.legs[command.leg]
        assert leg.description is not None
        if self._tell(command.to, LegReceived(now(), leg.id, leg.side, leg.description, leg.said)):
            self._given[leg.id] = command.to
        else:
            self._executor().tell(running.call.id, EndLeg(leg.id, TRANSFERRED))

    def _turn_yield(self, running: _Running, command: TurnYield) -> None:
        running.story.happened(time.time(), command)
        self._tell(command.to, YieldTurned(now(), command.dialled))

    def _refuse_yield(self, running: _Running, command: RefuseYield) -> None:
        running.story.happened(time.time(), command)
        self._tell(command.to, YieldRefused(now()))

    async def _bury(self, running: _Running) -> None:
        call, executor = running.call, self._executor()
        if call.ending is None:
            call.end(SWITCH_FAILED, now())
        self.news.note(call)
        # The caller is there even if the mistake was made before the machine knew of him.
        for leg in {leg_id(call.id, 0): None, **call.legs}:
            order = EndLeg(leg, SWITCH_FAILED)
            running.story.happened(time.time(), order)
            executor.tell(call.id, order)
        running.story.happened(time.time(), CloseMedia())
        answer = await executor.ask(call.id, CloseMedia())
        if isinstance(answer, MediaClosed):
            running.figures = answer.figures
        call.stage = Stage.CLOSED


_HERE: Mapping[type[Command], Callable[..., None]] = {
    AskYield: Exchange._ask_yield,
    GiveLeg: Exchange._give_leg,
    Play: Exchange._play,
    RecordCall: Exchange._stop_timers,
    RefuseYield: Exchange._refuse_yield,
    StartTimer: Exchange._start_timer,
    StopTimer: Exchange._stop_timer,
    TurnYield: Exchange._turn_yield,
}
"""Orders that need no engine: the call's timers, what it says to another call, and a sound, which is made beside the call."""
