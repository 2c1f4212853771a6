"""What the switch counts of its calls as they go, and the mark that names the call in every line of its log.

Told at every event and every order, so each method must cost microseconds: no sentence is made and nothing is kept of a call but its id.
"""

import asyncio
import logging
import time
from collections import Counter as Tally
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from offhook import logs
from offhook.domain.calls.call import Call
from offhook.domain.calls.cdr import Cdr
from offhook.domain.calls.commands import (
    AnswerAlone,
    AnswerLeg,
    AnswerMedia,
    CloseMedia,
    Command,
    FindDevices,
    LeaveAlone,
    OfferMedia,
    Play,
    PressDigit,
    ProgressLeg,
    ReadFigures,
    RemoveMedia,
    RingLeg,
    Route,
    Silence,
    StopSound,
    Unsilence,
)
from offhook.domain.calls.endings import ENDINGS
from offhook.domain.calls.events import CommandFailed, Event, LegEvent, Routed
from offhook.domain.calls.findings import kind_of
from offhook.domain.calls.ids import CallId, leg_id
from offhook.domain.calls.leg import LegState
from offhook.metrics import Figures, Labels
from offhook.services.ports.records import Records, Trace

log = logging.getLogger(__name__)

DIRECTIONS = ("in", "out", "inside")

ENGINE: Mapping[type[Command], str] = {
    Route: "evaluator",
    FindDevices: "kamailio",
    **dict.fromkeys((AnswerAlone, AnswerMedia, CloseMedia, LeaveAlone, OfferMedia, ReadFigures, RemoveMedia), "rtpengine"),
    **dict.fromkeys((Play, PressDigit, Silence, StopSound, Unsilence), "rtpengine"),
}
"""Who is asked by an order; all others are the signalling's."""

QUICK = frozenset((AnswerAlone, AnswerMedia, FindDevices, OfferMedia))
"""Orders that an engine answers in a millisecond; a Play may wait for words to be spoken."""

SECONDS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Of what the system does by itself. The goals lie on bounds: a set-up p50 under 8 ms, p99 under 20 ms."""
SETUP_SECONDS = (0.002, 0.005, 0.008, 0.012, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 40.0, 60.0)
"""Of what waits for people too."""
MOS = (1.0, 2.0, 2.5, 3.0, 3.3, 3.6, 3.8, 4.0, 4.1, 4.2, 4.3, 4.4, 4.5)
JITTER_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2)
LOSS = (0.0, 0.001, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5)

LOOP_SECONDS = 0.25


class Watch:
    """The switch's own figures, filled as its calls go."""

    def __init__(self, figures: Figures) -> None:
        self.figures = figures
        self._called_back: set[CallId] = set()
        self._heard, self._heard_seconds = 0, 0.0
        add, spread = figures.counter, figures.histogram
        self._calls = add("offhook_calls_ended_total", "Calls that are over, by their ending.", "ending", "direction")
        for ending in ENDINGS:  # from zero: a rate cannot see the first of what was not there before
            for direction in DIRECTIONS:
                self._calls.add(ending, direction, by=0)
        self._talked = add("offhook_call_talked_seconds_total", "How long calls that are over were answered, summed.", "direction")
        self._setup = spread("offhook_call_setup_seconds", "From INVITE to 200, people's ringing included.", SETUP_SECONDS, "direction")
        self._delay = spread(
            "offhook_call_post_dial_delay_seconds", "From INVITE to the first ringing, early sound or answer.", SETUP_SECONDS, "direction"
        )
        self._orders = add("offhook_commands_total", "Orders of calls, by who was asked and how it went.", "engine", "command", "outcome")
        self._latency = spread("offhook_command_seconds", "How long an order took.", SECONDS, "engine")
        self._lag = spread("offhook_switch_inbox_lag_seconds", "From an event's arrival to its handling.", SECONDS)
        self._loop = spread("offhook_switch_loop_lag_seconds", "How late the switch's loop woke, asked four times a second.", SECONDS)
        self._mos = spread("offhook_stream_mos", "Mean opinion score of a stream, as telephones reported it.", MOS)
        self._jitter = spread("offhook_stream_jitter_seconds", "Jitter of a stream, as telephones reported it.", JITTER_SECONDS)
        self._loss = spread("offhook_stream_loss_ratio", "Lost packets of a stream, as telephones reported it.", LOSS)
        self._streams = add("offhook_streams_total", "Streams of answered calls; whether a telephone reported on them.", "reported")
        self._findings = add("offhook_findings_total", "What was remarked of calls: one-way sound, and other.", "finding")

    def heard(self) -> tuple[int, float]:
        """How many quick answers of engines were heard, and the seconds from question to answer, summed."""
        return self._heard, self._heard_seconds

    def begins(self, call: Call) -> None:
        """A call's own task begins; called in it."""
        logs.about(call=call.id)

    def handles(self, call: Call, event: Event) -> None:
        """An event is taken from the call's inbox."""
        self._lag.observe(max(0.0, time.monotonic() - event.at.ticks))
        logs.about(leg=event.leg if isinstance(event, LegEvent) else None)
        if isinstance(event, Routed) and event.decision.organization:
            logs.about(organization=event.decision.organization.id)

    def obeyed(self, call: Call, command: Command, began: float, answer: Event | None) -> None:
        """An order was carried out, or not. `began` by the monotonic clock."""
        now, kind = time.monotonic(), type(command)
        engine = ENGINE.get(kind, "signalling")
        self._orders.add(engine, kind.__name__, answer.trouble.value if isinstance(answer, CommandFailed) else "done")
        self._latency.observe(now - began, engine)
        if kind in QUICK and not isinstance(answer, CommandFailed):
            self._heard += 1
            self._heard_seconds += now - began
        if isinstance(command, RingLeg | ProgressLeg | AnswerLeg) and command.leg == leg_id(call.id, 0):
            self._caller_told(call, now, answered=kind is AnswerLeg)

    def _caller_told(self, call: Call, now: float, *, answered: bool) -> None:
        if call.id not in self._called_back:
            self._called_back.add(call.id)
            self._delay.observe(now - call.started.ticks, call.direction)
        if answered:
            self._setup.observe(now - call.started.ticks, call.direction)

    def recorded(self, cdr: Cdr) -> None:
        """A call is over."""
        log.info("the call ended: %s, %s, answered for %.1f s", cdr.ending.code, cdr.direction, cdr.talked_seconds)
        self._called_back.discard(cdr.call)
        self._calls.add(cdr.ending.code, cdr.direction)
        self._talked.add(cdr.direction, by=cdr.talked_seconds)
        for finding in cdr.findings:
            self._findings.add(kind_of(finding))
        for stream in cdr.figures.streams if cdr.answered_at is not None else ():
            self._streams.add("no" if stream.mos is None else "yes")
            if stream.mos is not None:
                self._mos.observe(stream.mos)
            if stream.jitter_ms is not None:
                self._jitter.observe(stream.jitter_ms / 1000)
            if stream.loss_percent is not None:
                self._loss.observe(stream.loss_percent / 100)

    async def watch_loop(self) -> None:
        """For ever: ask the loop to wake us, and note how late it was."""
        loop = asyncio.get_running_loop()
        while True:
            due = loop.time() + LOOP_SECONDS
            await asyncio.sleep(LOOP_SECONDS)
            self._loop.observe(max(0.0, loop.time() - due))


@dataclass(frozen=True, slots=True)
class Counted:
    """services.ports.records.Records for calls that no task of ours served, such as those of a switch that died: they count too."""

    records: Records
    watch: Watch

    def keep(self, cdr: Cdr, trace: Trace) -> None:
        """See the port."""
        self.watch.recorded(cdr)
        self.records.keep(cdr, trace)


def calls_up(calls: Iterable[Call]) -> dict[Labels, float]:
    """Calls that are not over, by direction and whether they were answered."""
    tally = Tally((call.direction, "answered" if call.answered else "setting_up") for call in calls if call.ending is None)
    return {(direction, state): tally[direction, state] for direction in DIRECTIONS for state in ("setting_up", "answered")}


def legs_up(calls: Iterable[Call]) -> dict[Labels, float]:
    """Legs that are not over, by their state."""
    tally = Tally(leg.state for call in calls if call.ending is None for leg in call.legs.values())
    return {(state.value,): tally[state] for state in LegState if state is not LegState.GONE}
