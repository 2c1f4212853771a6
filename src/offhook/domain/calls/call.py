"""A call: a machine that is told what happened and says what to do. It never waits, reads no clock and writes no log.

A call consists of legs (see leg.py) and of what it is in: a bridge between two parties, or an attendant. The stages here are the frame
around that; each
machine is a table, and an event that is not in the table of the present stage is refused and changes nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType
from typing import NamedTuple, Protocol

from offhook.domain.attendants import Attendant
from offhook.domain.calls.cdr import Cdr
from offhook.domain.calls.commands import (
    CloseMedia,
    Command,
    EndLeg,
    LegCommand,
    RecordCall,
    RefuseReoffer,
    RefuseTransfer,
    RefuseYield,
    Route,
)
from offhook.domain.calls.endings import (
    CALLER_CANCELLED,
    CALLER_LOST,
    MEDIA_LOST,
    NO_COMMON_CODEC,
    SWITCH_FAILED,
    SYSTEM_STOPPED,
    TRANSFERRED,
    Ending,
)
from offhook.domain.calls.events import (
    CallArrived,
    CommandFailed,
    Event,
    LegCancelled,
    LegEvent,
    LegLost,
    LegReceived,
    LegReofferAsked,
    LegReoffered,
    MediaClosed,
    MediaLost,
    Moment,
    Routed,
    StopAsked,
    TransferAsked,
    YieldAsked,
)
from offhook.domain.calls.ids import CallId, LegId, leg_id
from offhook.domain.calls.leg import MOVING_EVENTS, Leg, LegState
from offhook.domain.calls.sides import Diversion, Side
from offhook.domain.media import MediaFigures
from offhook.domain.organizations import OrganizationId
from offhook.domain.routing import Caller, CallOut, Decision, Plan, Refuse, Source


class Stage(StrEnum):
    """How far a call is, seen from outside whatever it is in."""

    NEW = "new"
    ROUTING = "routing"
    SERVED = "served"
    CLOSING = "closing"
    CLOSED = "closed"


class Within(Protocol):
    """What a call is in."""

    def begin(self, call: "Call") -> list[Command]:
        """The first orders."""

    def handle(self, call: "Call", event: Event) -> list[Command]:
        """The orders that follow from an event."""

    @property
    def state(self) -> str:
        """How far it is, in one word for people."""


class Conversation(Within, Protocol):
    """What a call is in while two parties talk, and goes back to when a transfer fails."""

    def other(self, call: "Call", leg: LegId) -> Leg:
        """The party that `leg` talks to."""

    def codec_of(self, call: "Call", leg: LegId) -> str:
        """What `leg` speaks, as far as can be told."""

    def resume(self, call: "Call") -> list[Command]:
        """Let both hear each other again, or what they heard before."""


class Transfer(NamedTuple):
    """A wish of one of two parties that the other be connected with somebody else."""

    talk: Conversation
    asked: TransferAsked


class Meet(NamedTuple):
    """A party that is to meet an attendant in mid-call. `codec` is what it speaks if it was answered before, else None."""

    attendant: Attendant
    near: LegId
    codec: str | None


class Move(NamedTuple):
    """One entry of a machine's table: what to do, and every stage it may lead to."""

    do: Callable[..., list[Command]]
    to: tuple[StrEnum, ...]


@dataclass(slots=True)
class Call:
    """One call. `enter` makes what the call is to be in; it is given from outside, so that this frame knows no feature."""

    id: CallId
    enter: Callable[[Plan | Transfer | Meet], Within]
    stage: Stage = Stage.NEW
    legs: dict[LegId, Leg] = field(default_factory=dict)
    caller: Caller | None = None
    dialled: str = ""
    diverted: tuple[Diversion, ...] = ()
    decision: Decision | None = None
    within: Within | None = None
    started: Moment = field(default_factory=lambda: Moment(0.0, 0.0))
    answered: Moment | None = None
    ended: Moment | None = None
    ending: Ending | None = None
    connected: str | None = None
    findings: list[str] = field(default_factory=list)

    def handle(self, event: Event) -> list[Command]:
        """What to do now that `event` has happened; nothing, if it cannot happen to this call as it is."""
        if isinstance(event, CommandFailed) and event.leg is not None and event.leg not in self.legs:
            return []
        if isinstance(event, LegEvent) and self.stage is not Stage.NEW:
            leg = self.legs.get(event.leg)
            if leg is None:
                return []
            if type(event) in MOVING_EVENTS and not leg.moves(event):
                return REFUSALS[type(event)](self, event) if type(event) in REFUSALS and not leg.gone else []
        move = CALL_MOVES[self.stage].get(type(event))
        commands = move.do(self, event) if move else self.within.handle(self, event) if self.stage is Stage.SERVED and self.within else []
        if not commands and type(event) in REFUSALS:
            commands = REFUSALS[type(event)](self, event)
        # An order that the leg's table does not know any more (ending what is over) is dropped here, once, and not guarded
        # against everywhere.
        return [command for command in commands if not isinstance(command, LegCommand) or self.legs[command.leg].takes(command)]

    @property
    def caller_leg(self) -> Leg:
        """The leg of whoever called."""
        return self.legs[leg_id(self.id, 0)]

    @property
    def state(self) -> str:
        """How the call stands, in one word: the ending's code once it has one."""
        if self.ending is not None:
            return self.ending.code
        return self.within.state if self.within is not None else self.stage.value

    @property
    def direction(self) -> str:
        """Seen from the organization: "in" from the public network, "out" to it, else "inside"."""
        if self.caller is not None and self.caller.source is Source.CARRIER:
            return "in"
        return "out" if self.decision is not None and isinstance(self.decision.plan, CallOut) else "inside"

    def is_of(self, organization: OrganizationId) -> bool:
        """Whether it is a call of this organization."""
        decided = self.decision.organization if self.decision is not None else None
        return decided is not None and decided.id == organization

    def add_leg(self, side: Side) -> Leg:
        """A leg that is going to be called."""
        leg = Leg(leg_id(self.id, len(self.legs)), side, LegState.PREPARED)
        self.legs[leg.id] = leg
        return leg

    def take_leg(self, received: LegReceived) -> Leg:
        """A leg that another call gave: it is up."""
        leg = Leg(received.leg, received.side, LegState.UP, received.description, received.said)
        self.legs[leg.id] = leg
        return leg

    def end(self, ending: Ending, at: Moment) -> list[Command]:
        """End every leg, then free the media: BYE goes first, as nobody should hear the silence of closed ports."""
        self.ending, self.ended, self.stage = ending, at, Stage.CLOSING
        return [*(EndLeg(leg.id, ending) for leg in self.legs.values()), CloseMedia()]

    def cdr(self, figures: MediaFigures) -> Cdr:
        """What remains of the call, once it has ended."""
        ended = self.ended or self.started
        organization = self.decision.organization if self.decision else None
        return Cdr(
            call=self.id,
            organization=organization.id if organization else None,
            revision=organization.revision if organization else None,
            started_at=self.started.wall,
            # Lengths come from the monotonic clock: a clock set back in mid-call must not make a call end before it began.
            answered_at=self.started.wall + (self.answered.ticks - self.started.ticks) if self.answered else None,
            ended_at=self.started.wall + (ended.ticks - self.started.ticks),
            caller=self.shown_caller,
            dialled=self.dialled,
            connected=self.connected,
            direction=self.direction,
            ending=self.ending or SWITCH_FAILED,
            figures=figures,
            findings=tuple(self.findings),
        )

    @property
    def shown_caller(self) -> str:
        """Who calls, in a word or two."""
        if self.caller is None:
            return "unknown"
        if self.caller.source is Source.CARRIER:
            return self.caller.number or "anonymous"
        return f"{self.caller.username}@{self.caller.domain}"


def _arrived(call: Call, event: CallArrived) -> list[Command]:
    call.stage, call.started, call.caller = Stage.ROUTING, event.at, event.caller
    call.dialled, call.diverted = event.dialled, event.diverted
    side = Side(
        f"{call.shown_caller} at {event.caller.address}",
        private=event.caller.private,
        # What comes from the public network may not have calls made at our expense.
        orders_as=None if event.caller.source is Source.CARRIER else event.caller,
        shape=event.description.shape,
    )
    call.legs[event.leg] = Leg(event.leg, side, LegState.ARRIVED, event.description)
    return [Route(event.caller, event.dialled)]


def _routed(call: Call, event: Routed) -> list[Command]:
    call.decision = event.decision
    plan = event.decision.plan
    if isinstance(plan, Refuse):
        return call.end(plan.ending, event.at)
    caller = call.caller_leg
    caller.side = replace(caller.side, name=event.decision.shown_name, number=event.decision.shown_number)
    if caller.description is None or not caller.description.codecs:
        return call.end(NO_COMMON_CODEC, event.at)
    call.stage, call.within = Stage.SERVED, call.enter(plan)
    return call.within.begin(call)


def _cancelled(call: Call, event: Event) -> list[Command]:
    call.answered = None
    return call.end(CALLER_CANCELLED, event.at)


def _caller_lost(call: Call, event: Event) -> list[Command]:
    return call.end(CALLER_LOST, event.at)


def _stopped(call: Call, event: Event) -> list[Command]:
    return call.end(SYSTEM_STOPPED, event.at)


def _failed(call: Call, event: CommandFailed) -> list[Command]:
    return call.end(SWITCH_FAILED, event.at)


def _soundless(call: Call, event: MediaLost) -> list[Command]:
    return call.end(MEDIA_LOST, event.at)


def _recorded(call: Call, event: MediaClosed) -> list[Command]:
    call.stage = Stage.CLOSED
    return [RecordCall(call.cdr(event.figures))]


def _recorded_blind(call: Call, event: CommandFailed) -> list[Command]:
    if event.command is not CloseMedia:
        return []
    call.stage = Stage.CLOSED
    return [RecordCall(call.cdr(MediaFigures()))]


CALL_MOVES: Mapping[Stage, Mapping[type, Move]] = MappingProxyType(
    {
        Stage.NEW: {CallArrived: Move(_arrived, (Stage.ROUTING,))},
        Stage.ROUTING: {
            Routed: Move(_routed, (Stage.SERVED, Stage.CLOSING)),
            LegCancelled: Move(_cancelled, (Stage.CLOSING,)),
            LegLost: Move(_caller_lost, (Stage.CLOSING,)),
            StopAsked: Move(_stopped, (Stage.CLOSING,)),
            CommandFailed: Move(_failed, (Stage.CLOSING,)),
        },
        # Everything else that happens to a call that is served is for what the call is in.
        Stage.SERVED: {
            LegCancelled: Move(_cancelled, (Stage.CLOSING,)),
            StopAsked: Move(_stopped, (Stage.CLOSING,)),
            MediaLost: Move(_soundless, (Stage.CLOSING,)),
        },
        Stage.CLOSING: {MediaClosed: Move(_recorded, (Stage.CLOSED,)), CommandFailed: Move(_recorded_blind, (Stage.CLOSED, Stage.CLOSING))},
        Stage.CLOSED: {},
    }
)
"""What a call does at each stage."""


def _unwanted(call: Call, event: LegReceived) -> list[Command]:
    return [EndLeg(call.take_leg(event).id, TRANSFERRED)]


REFUSALS: Mapping[type, Callable[..., list[Command]]] = MappingProxyType(
    {
        LegReoffered: lambda call, event: [RefuseReoffer(event.leg, 491)],
        LegReofferAsked: lambda call, event: [RefuseReoffer(event.leg, 491)],
        TransferAsked: lambda call, event: [RefuseTransfer(event.leg, 491)],
        YieldAsked: lambda call, event: [RefuseYield(event.by)],
        LegReceived: _unwanted,
    }
)
"""Who asks gets an answer: what is said where no machine had anything to say."""
