"""A call in a bridge: the telephones of a person ring, or a carrier is called; whoever answers is joined to the caller.

Changes of the sound in mid-call (hold, resume, a new address) are answered from what the other side said earlier: the other side need not
hear of them, so
two telephones that ask at the same moment cannot collide with each other through us.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from offhook.domain.calls.call import Call, Move
from offhook.domain.calls.commands import (
    AcceptReoffer,
    AnswerLeg,
    AnswerMedia,
    Command,
    EndLeg,
    FindDevices,
    InviteLeg,
    LeaveAlone,
    OfferMedia,
    Play,
    ProgressLeg,
    ReadFigures,
    RefuseReoffer,
    RemoveMedia,
    RingLeg,
    SendDigit,
    Silence,
    Sound,
    SoundKind,
    StartTimer,
    StopSound,
    StopTimer,
    Unsilence,
)
from offhook.domain.calls.endings import (
    ANSWERED_ELSEWHERE,
    CALLEE_LOST,
    CALLEE_NO_ANSWER,
    CALLEE_NOT_REGISTERED,
    CALLER_LEFT,
    CALLER_LOST,
    HUNG_UP_BY_CALLEE,
    HUNG_UP_BY_CALLER,
    MEDIA_ABSENT,
    MEDIA_REFUSED,
    REGISTRAR_ABSENT,
    SWITCH_FAILED,
    Ending,
)
from offhook.domain.calls.events import (
    CommandFailed,
    DevicesFound,
    DigitPressed,
    Event,
    FiguresRead,
    LegAnswered,
    LegHungUp,
    LegLost,
    LegProgressed,
    LegRefused,
    LegReoffered,
    LegRinging,
    MediaAnswered,
    MediaOffered,
    Timer,
    TimerFired,
    Trouble,
)
from offhook.domain.calls.findings import one_way
from offhook.domain.calls.ids import LegId
from offhook.domain.calls.leg import Leg, LegState
from offhook.domain.calls.refusals import ending_of, ends_every_leg
from offhook.domain.media import Direction
from offhook.domain.routing import CallOut, RingUser

RING_SECONDS = 30
"""How long the telephones of a person ring."""
CARRIER_RING_SECONDS = 120
"""How long a carrier may take: abroad it rings longer, and carriers end the wait themselves (RFC 3261's timer C is three minutes)."""
FIRST_WATCH_SECONDS = 5
WATCH_SECONDS = 10
"""How often the sound of a call is looked at while it lasts."""


class BridgeStage(StrEnum):
    """How far a bridge is."""

    FINDING = "finding"
    RINGING = "ringing"
    JOINING = "joining"
    TALKING = "talking"
    OVER = "over"


@dataclass(slots=True)
class Bridge:
    """Joins the caller with `target`.

    `codec` is set when the caller was answered before (by an attendant): the one he speaks. `on_failure` then takes the call back; without
    it a failure ends the call.
    """

    target: RingUser | CallOut
    codec: str | None = None
    on_failure: Callable[[Call, Ending, Event], list[Command]] | None = None
    stage: BridgeStage = BridgeStage.FINDING
    called: list[LegId] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)
    winner: LegId | None = None
    told_ringing: bool = False
    early: bool = False
    bypassed: bool = False
    changing: LegReoffered | None = None
    music_for: LegId | None = None
    noticed: set[LegId] = field(default_factory=set)

    def begin(self, call: Call) -> list[Command]:
        """Look for the telephones of a person, or prepare the call to the carrier."""
        if isinstance(self.target, RingUser):
            assert call.decision is not None and call.decision.organization is not None
            return [FindDevices(self.target.user.username, call.decision.organization.domain)]
        self.stage = BridgeStage.RINGING
        carrier, number = self.target.carrier, self.target.number
        return [
            *self._prepare(call, f"{number} through {carrier.name}", f"sip:{number}@{carrier.host}:{carrier.port}"),
            StartTimer(Timer.RING, CARRIER_RING_SECONDS),
        ]

    def handle(self, call: Call, event: Event) -> list[Command]:
        """The orders that follow from an event, by the table."""
        move = BRIDGE_MOVES[self.stage].get(type(event))
        return move.do(self, call, event) if move else []

    @property
    def state(self) -> str:
        """Held, where a telephone keeps the other waiting, else the stage."""
        return "held" if self.stage is BridgeStage.TALKING and self.music_for is not None else self.stage.value

    def fail(self, call: Call, ending: Ending, event: Event) -> list[Command]:
        """It will not come to a conversation: end every telephone called and give the call back, or end it."""
        self.stage = BridgeStage.OVER
        if self.on_failure is None:
            return call.end(ending, event.at)
        quiet: list[Command] = [StopTimer(Timer.RING), *([StopSound(call.caller_leg.id)] if self.told_ringing else [])]
        return [*self._drop(call, self.called, ending), *quiet, *self.on_failure(call, ending, event)]

    def _prepare(self, call: Call, party: str, uri: str) -> list[Command]:
        leg = call.add_leg(party, uri)
        self.called.append(leg.id)
        caller = call.caller_leg
        assert caller.description is not None
        return [OfferMedia(leg.id, caller.id, caller.description)]

    def _drop(self, call: Call, legs: list[LegId], ending: Ending) -> list[Command]:
        alive = [leg for leg in legs if not call.legs[leg].gone]
        return [order for leg in alive for order in (EndLeg(leg, ending), RemoveMedia(leg, call.caller_leg.id))]

    def _found(self, call: Call, event: DevicesFound) -> list[Command]:
        if not event.devices:
            return self.fail(call, CALLEE_NOT_REGISTERED, event)
        self.stage = BridgeStage.RINGING
        prepared = [order for device in event.devices for order in self._prepare(call, device.words, device.uri)]
        return [*prepared, StartTimer(Timer.RING, RING_SECONDS)]

    def _not_found(self, call: Call, event: CommandFailed) -> list[Command]:
        # What else can fail here (stopping the attendant's voice) says nothing of the telephones.
        return self.fail(call, REGISTRAR_ABSENT, event) if event.command is FindDevices else []

    def _offered(self, call: Call, event: MediaOffered) -> list[Command]:
        return self._invite(call, call.legs[event.leg], event.sdp)

    def _invite(self, call: Call, leg: Leg, sdp: str) -> list[Command]:
        decision = call.decision
        assert decision is not None and decision.organization is not None
        domain = decision.organization.domain
        if isinstance(self.target, CallOut):
            return [InviteLeg(leg.id, leg.uri, sdp, self.target.number, domain, "", self.target.shown or "anonymous")]
        user = self.target.user
        return [InviteLeg(leg.id, leg.uri, sdp, user.extension or user.username, domain, decision.shown_name, decision.shown_number)]

    def _ringing(self, call: Call, event: Event) -> list[Command]:
        if self.told_ringing:
            return []
        self.told_ringing = True
        if self.codec is None:
            return [RingLeg(call.caller_leg.id)]
        assert call.decision is not None and call.decision.organization is not None
        return [Play(call.caller_leg.id, Sound(SoundKind.RINGBACK, country=call.decision.organization.country), self.codec)]

    def _progressed(self, call: Call, event: LegProgressed) -> list[Command]:
        # Early sound of one of several telephones would shut out the others'; and a caller who was answered already hears our ringback.
        if len(self.called) > 1 or self.codec is not None or self.bypassed:
            return self._ringing(call, event)
        self.early = True
        return [AnswerMedia(event.leg, call.caller_leg.id, event.description)]

    def _early_joined(self, call: Call, event: MediaAnswered) -> list[Command]:
        return [ProgressLeg(call.caller_leg.id, event.sdp)] if self.early else []

    def _answered(self, call: Call, event: LegAnswered) -> list[Command]:
        self.stage, self.winner = BridgeStage.JOINING, event.leg
        leg = call.legs[event.leg]
        leg.description, call.connected = event.description, leg.party
        others = [other for other in self.called if other != event.leg]
        orders = [*self._drop(call, others, ANSWERED_ELSEWHERE), StopTimer(Timer.RING)]
        if self.bypassed:
            return [*orders, *self._joined(call, MediaAnswered(event.at, event.leg, event.description.text))]
        if self.codec is not None:
            orders.append(StopSound(call.caller_leg.id))
        return [*orders, AnswerMedia(event.leg, call.caller_leg.id, event.description)]

    def _joined(self, call: Call, event: MediaAnswered) -> list[Command]:
        if event.leg != self.winner:
            return []
        self.stage = BridgeStage.TALKING
        caller = call.caller_leg.id
        watch: list[Command] = [] if self.bypassed else [StartTimer(Timer.WATCH, FIRST_WATCH_SECONDS)]
        if self.codec is not None:
            return [LeaveAlone(caller), *watch]
        call.answered = event.at
        return [AnswerLeg(caller, event.sdp), *watch]

    def _refused(self, call: Call, event: LegRefused) -> list[Command]:
        self.refusals.append(event.status)
        caller = call.caller_leg.id
        orders: list[Command] = [RemoveMedia(event.leg, caller)]
        ending = ending_of(self.refusals, outside=isinstance(self.target, CallOut))
        alive = [leg for leg in self.called if not call.legs[leg].gone]
        if alive and not ends_every_leg(event.status):
            return orders
        return [*orders, *self.fail(call, ending, event)]

    def _timed(self, call: Call, event: TimerFired) -> list[Command]:
        return self.fail(call, CALLEE_NO_ANSWER, event) if event.timer is Timer.RING else []

    def _failed(self, call: Call, event: CommandFailed) -> list[Command]:
        if event.command is OfferMedia and event.leg is not None and not call.legs[event.leg].gone:
            return self._without_media(call, call.legs[event.leg], event)
        if event.command is InviteLeg and event.leg is not None:
            return self._unreached(call, call.legs[event.leg], event, 503)
        if event.command is AnswerMedia:
            return self.fail(call, MEDIA_ABSENT if event.trouble is Trouble.ABSENT else MEDIA_REFUSED, event)
        return []

    def _without_media(self, call: Call, leg: Leg, event: CommandFailed) -> list[Command]:
        caller = call.caller_leg
        if isinstance(self.target, CallOut) and self.target.emergency and caller.description is not None:
            # An emergency call goes out without the relay rather than not at all: the two ends may well reach each other directly.
            self.bypassed = True
            return self._invite(call, leg, caller.description.text)
        if event.trouble is Trouble.ABSENT:
            return self.fail(call, MEDIA_ABSENT, event)
        return self._unreached(call, leg, event, 488)

    def _unreached(self, call: Call, leg: Leg, event: CommandFailed, status: int) -> list[Command]:
        leg.state = LegState.GONE
        return self._refused(call, LegRefused(event.at, leg.id, status, event.words))

    def _hung_up(self, call: Call, event: LegHungUp) -> list[Command]:
        by_caller = event.leg == call.caller_leg.id
        if by_caller and self.stage is not BridgeStage.TALKING:
            return call.end(CALLER_LEFT, event.at)
        return call.end(HUNG_UP_BY_CALLER if by_caller else HUNG_UP_BY_CALLEE, event.at)

    def _lost(self, call: Call, event: LegLost) -> list[Command]:
        return call.end(CALLER_LOST if event.leg == call.caller_leg.id else CALLEE_LOST, event.at)

    def _too_early(self, call: Call, event: LegReoffered) -> list[Command]:
        return [RefuseReoffer(event.leg, 491)]

    def _other(self, call: Call, leg: LegId) -> Leg:
        assert self.winner is not None
        return call.legs[self.winner] if leg == call.caller_leg.id else call.caller_leg

    def _reoffered(self, call: Call, event: LegReoffered) -> list[Command]:
        if self.changing is not None or self.bypassed:
            return [RefuseReoffer(event.leg, 491 if self.changing else 488)]
        self.changing = event
        return [OfferMedia(self._other(call, event.leg).id, event.leg, event.description)]

    def _change_offered(self, call: Call, event: MediaOffered) -> list[Command]:
        if self.changing is None:
            return []
        other = self._other(call, self.changing.leg)
        assert other.description is not None
        held = _holds(self.changing.description.direction)
        direction = Direction.RECEIVES if held else Direction.BOTH
        return [AnswerMedia(other.id, self.changing.leg, other.description, direction)]

    def _change_answered(self, call: Call, event: MediaAnswered) -> list[Command]:
        if self.changing is None:
            return []
        leg, description = call.legs[self.changing.leg], self.changing.description
        leg.description, leg.holding, self.changing = description, _holds(description.direction), None
        return [AcceptReoffer(leg.id, event.sdp, description.direction.mirrored), *self._keep_waiting(call)]

    def _keep_waiting(self, call: Call) -> list[Command]:
        """Music for whoever is kept waiting, and silence between the two while anybody is."""
        caller, other = call.caller_leg, self._other(call, call.caller_leg.id)
        waits = caller if other.holding and not caller.holding else other if caller.holding and not other.holding else None
        orders: list[Command] = []
        if self.music_for is not None and (waits is None or waits.id != self.music_for):
            orders.append(StopSound(self.music_for))
        silent = caller.holding or other.holding
        orders += [Silence(leg.id) if silent else Unsilence(leg.id) for leg in (caller, other)]
        if waits is not None and waits.id != self.music_for:
            orders.append(Play(waits.id, Sound(SoundKind.MUSIC), self._codec_of(waits, other if waits is caller else caller)))
        self.music_for = waits.id if waits is not None else None
        return orders

    def _codec_of(self, leg: Leg, other: Leg) -> str:
        # What both sides list is what they most likely speak; a wrong guess costs a conversion, not the sound.
        mine = leg.description.codecs if leg.description else ()
        theirs = other.description.codecs if other.description else ()
        return self.codec or next((codec for codec in mine if codec in theirs), mine[0] if mine else "PCMU")

    def _change_failed(self, call: Call, event: CommandFailed) -> list[Command]:
        if event.command is ReadFigures:
            return [StartTimer(Timer.WATCH, WATCH_SECONDS)]
        if event.command is AnswerLeg:
            # The telephones would talk to nobody: the caller was never told.
            return call.end(SWITCH_FAILED, event.at)
        if self.changing is None or event.command not in (OfferMedia, AnswerMedia):
            return []
        leg, self.changing = self.changing.leg, None
        return [RefuseReoffer(leg, 488)]

    def _pressed(self, call: Call, event: DigitPressed) -> list[Command]:
        return [SendDigit(self._other(call, event.leg).id, event.digit)] if event.by_info else []

    def _watch(self, call: Call, event: TimerFired) -> list[Command]:
        return [ReadFigures()] if event.timer is Timer.WATCH else []

    def _watched(self, call: Call, event: FiguresRead) -> list[Command]:
        caller = call.caller_leg
        for leg in (caller, self._other(call, caller.id)):
            kept_waiting = leg.holding or leg.id == self.music_for
            finding = None if kept_waiting or leg.id in self.noticed else one_way(leg.party, event.figures.of(leg.id))
            if finding is not None:
                self.noticed.add(leg.id)
                call.findings.append(finding)
        return [StartTimer(Timer.WATCH, WATCH_SECONDS)]


def _holds(direction: Direction) -> bool:
    return direction in (Direction.SENDS, Direction.NEITHER)


_S = BridgeStage
_ENDS: Mapping[type, Move] = {
    LegHungUp: Move(Bridge._hung_up, (_S.OVER,)),
    LegLost: Move(Bridge._lost, (_S.OVER,)),
}

BRIDGE_MOVES: Mapping[BridgeStage, Mapping[type, Move]] = MappingProxyType(
    {
        _S.FINDING: {
            DevicesFound: Move(Bridge._found, (_S.RINGING, _S.OVER)),
            CommandFailed: Move(Bridge._not_found, (_S.FINDING, _S.OVER)),
            LegReoffered: Move(Bridge._too_early, (_S.FINDING,)),
            **_ENDS,
        },
        _S.RINGING: {
            MediaOffered: Move(Bridge._offered, (_S.RINGING,)),
            LegRinging: Move(Bridge._ringing, (_S.RINGING,)),
            LegProgressed: Move(Bridge._progressed, (_S.RINGING,)),
            MediaAnswered: Move(Bridge._early_joined, (_S.RINGING,)),
            LegAnswered: Move(Bridge._answered, (_S.JOINING, _S.TALKING)),
            LegRefused: Move(Bridge._refused, (_S.RINGING, _S.OVER)),
            TimerFired: Move(Bridge._timed, (_S.OVER,)),
            CommandFailed: Move(Bridge._failed, (_S.RINGING, _S.OVER)),
            LegReoffered: Move(Bridge._too_early, (_S.RINGING,)),
            **_ENDS,
        },
        _S.JOINING: {
            MediaAnswered: Move(Bridge._joined, (_S.TALKING,)),
            CommandFailed: Move(Bridge._failed, (_S.OVER,)),
            LegReoffered: Move(Bridge._too_early, (_S.JOINING,)),
            **_ENDS,
        },
        _S.TALKING: {
            LegReoffered: Move(Bridge._reoffered, (_S.TALKING,)),
            MediaOffered: Move(Bridge._change_offered, (_S.TALKING,)),
            MediaAnswered: Move(Bridge._change_answered, (_S.TALKING,)),
            CommandFailed: Move(Bridge._change_failed, (_S.TALKING, _S.OVER)),
            DigitPressed: Move(Bridge._pressed, (_S.TALKING,)),
            TimerFired: Move(Bridge._watch, (_S.TALKING,)),
            FiguresRead: Move(Bridge._watched, (_S.TALKING,)),
            **_ENDS,
        },
        _S.OVER: {},
    }
)
"""What a bridge does at each stage."""
