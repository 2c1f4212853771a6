"""The exchange: every call that lives, each a machine with one task and one inbox."""

import asyncio
import logging
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

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
from offhook.domain.calls.endings import SWITCH_FAILED, SYSTEM_FULL, SYSTEM_STOPPED, TRANSFERRED, Ending
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
from offhook.domain.routing import CallOut, Outcome, Reason, Refuse
from offhook.metrics import Figures
from offhook.services.ports.live import LiveCall
from offhook.services.ports.records import Records, Trace
from offhook.switch.executor import Executor, now
from offhook.switch.journal import Journal
from offhook.switch.timers import Timers, on_the_beat
from offhook.switch.trace import Story
from offhook.switch.watch import Watch

log = logging.getLogger(__name__)

MOST_CALLS = 2000
"""How many calls one switch carries if nothing else is said."""

LINGER_SECONDS = 0.3
"""How long an ended call waits for the last messages of its legs (the 200 to a BYE) before its story is written."""

WRITTEN_SECONDS = 0.5
"""How long it can still be asked for after that: until the writer has it on disk, so that no list ever misses it."""


@dataclass(slots=True)
class _Running:
    """One call, its inbox and what is kept of it."""

    call: Call
    inbox: asyncio.Queue[Event]
    timers: Timers
    story: Story = field(default_factory=Story)
    figures: MediaFigures = field(default_factory=MediaFigures)
    playing: dict[LegId, asyncio.Task[None]] = field(default_factory=dict)
    task: asyncio.Task[None] | None = None


class Exchange:
    """Gives every fact to its call, and every order of a call to the executor.

    `refuses_new` turns new calls away while the system is being stopped, and so does being full (`most_calls`), emergency calls excepted.
    """

    def __init__(
        self,
        executor: Callable[[], Executor],
        records: Records,
        watch: Watch | None = None,
        journal: Journal | None = None,
        most_calls: int = MOST_CALLS,
    ) -> None:
        self._executor, self._records, self._journal, self._most_calls = executor, records, journal, most_calls
        self._watch = watch or Watch(Figures())
        self._running: dict[CallId, _Running] = {}
        self._given: dict[LegId, CallId] = {}
        self._empty = asyncio.Event()
        self._empty.set()
        self.refuses_new = self._ends_all = False
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
        running = self._running.get(call)
        if running is not None:
            running.inbox.put_nowait(event)
        return running is not None

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
        return [_live(running.call) for _, running in sorted(self._running.items())]

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
        return sum(running.inbox.qsize() for running in self._running.values())

    async def drain(self, seconds: float) -> None:
        """Take no new calls, give those that go on so many seconds, then end them and wait for their records."""
        self.refuses_new = True
        await self._quiet(seconds)
        # From here on nobody could be hung up properly any more, so an emergency call is turned away too: 503 sends it elsewhere at once.
        self._ends_all = True
        for running in self._running.values():
            running.inbox.put_nowait(StopAsked(now()))
        await self._quiet(LINGER_SECONDS + 2)

    async def _quiet(self, seconds: float) -> None:
        try:
            await asyncio.wait_for(self._empty.wait(), seconds)
        except TimeoutError:
            log.info("%d calls go on", len(self._running))

    def _begin(self, call_id: CallId, event: CallArrived) -> None:
        inbox: asyncio.Queue[Event] = asyncio.Queue()
        running = _Running(Call(call_id, enter), inbox, Timers(lambda timer: inbox.put_nowait(TimerFired(now(), timer))))
        self._running[call_id] = running
        self.begun += 1
        self._empty.clear()
        inbox.put_nowait(event)
        running.task = asyncio.get_running_loop().create_task(self._serve(running), name=f"call {call_id}")

    async def _serve(self, running: _Running) -> None:
        call = running.call
        self._watch.begins(call)
        try:
            while call.stage is not Stage.CLOSED:
                await self._step(running, await running.inbox.get())
                if self._journal is not None:
                    self._journal.follow(call)
            await asyncio.sleep(on_the_beat(LINGER_SECONDS))
        except Exception:
            # A mistake in one call's machine is that call's end and nobody else's.
            log.exception("call=%s: the machine of the call failed", call.id)
            await self._bury(running)
        finally:
            running.timers.stop_all()
            self._record(running)
            await asyncio.sleep(on_the_beat(WRITTEN_SECONDS))
            del self._running[call.id]
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

    async def _step(self, running: _Running, event: Event) -> None:
        self._watch.handles(running.call, event)
        running.story.happened(event.at.wall, event)
        if isinstance(event, MediaClosed):
            running.figures = event.figures
        elif isinstance(event, Routed) and running.call.stage is Stage.ROUTING:
            event = self._admitted(event)
        for command in running.call.handle(event):
            await self._obey(running, command)

    def _admitted(self, event: Routed) -> Routed:
        """The decision, or a refusal in its place where there is no room: before any port is opened, and never for help."""
        ending: Ending | None = SYSTEM_STOPPED if self.refuses_new else SYSTEM_FULL if self._is_full() else None
        plan = event.decision.plan
        if ending is None or isinstance(plan, Refuse) or (isinstance(plan, CallOut) and plan.emergency and not self._ends_all):
            return event
        why = Reason(ending.code, ending.explanation, Outcome.CHOSEN)
        reasons = (*(replace(reason, outcome=Outcome.LOST) for reason in event.decision.reasons), why)
        return replace(event, decision=replace(event.decision, plan=Refuse(ending), reasons=reasons))

    def _is_full(self) -> bool:
        # Calls that are over stay a moment to be asked for; they are counted out only where it matters.
        most = self._most_calls
        return len(self._running) > most and sum(running.call.ended is None for running in self._running.values()) > most

    async def _obey(self, running: _Running, command: Command) -> None:
        match command:
            case StartTimer(timer, seconds):
                running.timers.start(timer, seconds)
            case StopTimer(timer):
                running.timers.stop(timer)
            case RecordCall():
                running.timers.stop_all()
            case AskYield() | GiveLeg() | TurnYield() | RefuseYield():
                running.story.happened(now().wall, command)
                await self._between(running.call, command)
            case Play(leg):
                # A sound may have to be made first, which takes seconds: a call must hear its telephones meanwhile.
                self._hush(running, leg)
                running.playing[leg] = asyncio.get_running_loop().create_task(self._carry_out(running, command), name=f"sound {leg}")
            case _:
                if isinstance(command, StopSound):
                    self._hush(running, command.leg)
                elif isinstance(command, CloseMedia):
                    for leg in tuple(running.playing):
                        self._hush(running, leg)
                await self._carry_out(running, command)

    def _hush(self, running: _Running, leg: LegId) -> None:
        """Forget a sound that is still being made; what plays already is stopped by whoever wants it stopped."""
        making = running.playing.pop(leg, None)
        if making is not None:
            making.cancel()

    async def _carry_out(self, running: _Running, command: Command) -> None:
        running.story.happened(now().wall, command)
        began = time.monotonic()
        answer = await self._executor().run(running.call.id, command)
        self._watch.obeyed(running.call, command, began, answer)
        if answer is not None:
            running.inbox.put_nowait(answer)

    async def _between(self, call: Call, command: AskYield | GiveLeg | TurnYield | RefuseYield) -> None:
        """What one call has to say to another."""
        match command:
            case AskYield(replaced, organization):
                home = self._home_of(replaced)
                if home == call.id or not self._tell(home, YieldAsked(now(), replaced, call.id, organization)):
                    self._tell(call.id, YieldRefused(now()))
            case GiveLeg(leg_id, to):
                leg = call.legs[leg_id]
                assert leg.description is not None
                self._given[leg_id] = to
                if not self._tell(to, LegReceived(now(), leg_id, leg.side, leg.description, leg.said)):
                    await self._executor().run(call.id, EndLeg(leg_id, TRANSFERRED))
            case TurnYield(to, dialled):
                self._tell(to, YieldTurned(now(), dialled))
            case RefuseYield(to):
                self._tell(to, YieldRefused(now()))

    async def _bury(self, running: _Running) -> None:
        call, executor = running.call, self._executor()
        if call.ending is None:
            call.end(SWITCH_FAILED, now())
        # The caller is there even if the mistake was made before the machine knew of him.
        orders = [*(EndLeg(leg, SWITCH_FAILED) for leg in {leg_id(call.id, 0): None, **call.legs}), CloseMedia()]
        for order in orders:
            running.story.happened(now().wall, order)
            answer = await executor.run(call.id, order)
            if isinstance(answer, MediaClosed):
                running.figures = answer.figures


def _live(call: Call) -> LiveCall:
    organization = call.decision.organization if call.decision else None
    return LiveCall(
        call=call.id,
        organization=organization.id if organization else None,
        started_at=call.started.wall,
        answered_at=call.answered.wall if call.answered else None,
        caller=call.shown_caller,
        dialled=call.dialled,
        connected=call.connected,
        direction=call.direction,
        state=call.state,
    )
