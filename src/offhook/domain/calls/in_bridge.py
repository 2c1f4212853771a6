"""A call in a bridge: the telephones of a person ring, or a carrier is called; whoever answers talks to the caller (in_talk.py).

A telephone may send the caller on (3xx): that counts as the wish of the person it belongs to, and is decided as if he had dialled it.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from types import MappingProxyType

from offhook.domain.calls.call import Call, Meet, Move
from offhook.domain.calls.cdr import outward
from offhook.domain.calls.commands import (
    AnswerLeg,
    AnswerMedia,
    Command,
    Diversion,
    EndLeg,
    FindDevices,
    InviteLeg,
    LeaveAlone,
    OfferMedia,
    Play,
    ProgressLeg,
    RemoveMedia,
    RingLeg,
    Route,
    Sound,
    SoundKind,
    StartTimer,
    StopSound,
    StopTimer,
    TurnYield,
)
from offhook.domain.calls.endings import (
    ANSWERED_ELSEWHERE,
    CALLEE_LOST,
    CALLEE_NO_ANSWER,
    CALLEE_NOT_REGISTERED,
    CALLER_LEFT,
    CALLER_LOST,
    HUNG_UP_BY_CALLEE,
    MEDIA_ABSENT,
    MEDIA_REFUSED,
    NO_COMMON_CODEC,
    REGISTRAR_ABSENT,
    TRANSFERRED,
    Ending,
)
from offhook.domain.calls.events import (
    CommandFailed,
    DevicesFound,
    Event,
    LegAnswered,
    LegHungUp,
    LegLost,
    LegProgressed,
    LegRefused,
    LegRinging,
    MediaAnswered,
    MediaOffered,
    MediaRestarted,
    Routed,
    Timer,
    TimerFired,
    Trouble,
    YieldAsked,
)
from offhook.domain.calls.ids import LegId
from offhook.domain.calls.in_talk import Talk
from offhook.domain.calls.leg import Leg, LegState
from offhook.domain.calls.refusals import ending_of, ends_every_leg
from offhook.domain.calls.sides import Side
from offhook.domain.routing import Attend, Caller, CallOut, Refuse, RingUser, Source
from offhook.domain.users import User

RING_SECONDS = 30
"""How long the telephones of a person ring."""
CARRIER_RING_SECONDS = 120
"""How long a carrier may take: abroad it rings longer, and carriers end the wait themselves (RFC 3261's timer C is three minutes)."""
MOST_REDIRECTS = 5
"""How often a call may be sent on before it is refused: two persons whose telephones name each other would send it on for ever."""
_NOT_SO = frozenset({415, 488, 606})
"""What telephones say to an offer of SRTP that they cannot take, or of plain RTP that they will not."""


class BridgeStage(StrEnum):
    """How far a bridge is."""

    FINDING = "finding"
    RINGING = "ringing"
    JOINING = "joining"
    OVER = "over"


@dataclass(slots=True)
class Bridge:
    """Joins `near` (the caller, unless it says otherwise) with `target`.

    `codec` is set when `near` was answered before (by an attendant, or by a person who transfers him): the one he speaks. `on_failure` then
    takes the call back; without it a failure ends the call. `on_joined` gives the first orders of the conversation.
    """

    target: RingUser | CallOut
    codec: str | None = None
    on_failure: Callable[[Call, Ending, Event], list[Command]] | None = None
    on_joined: Callable[[Call, Talk, Event], list[Command]] | None = None
    near: LegId | None = None
    stage: BridgeStage = BridgeStage.FINDING
    called: dict[LegId, RingUser | CallOut] = field(default_factory=dict)
    looked_for: list[RingUser] = field(default_factory=list)
    diverted: tuple[Diversion, ...] = ()
    sent_on_by: list[User] = field(default_factory=list)
    refusals: list[int] = field(default_factory=list)
    winner: LegId | None = None
    told_ringing: bool = False
    early: bool = False
    bypassed: bool = False

    def begin(self, call: Call) -> list[Command]:
        """Look for the telephones of a person, or prepare the call to the carrier."""
        if isinstance(self.target, RingUser):
            return self._look_for(call, self.target)
        self.stage = BridgeStage.RINGING
        return [*self._prepare_carrier(call, self.target), StartTimer(Timer.RING, CARRIER_RING_SECONDS)]

    def handle(self, call: Call, event: Event) -> list[Command]:
        """The orders that follow from an event, by the table."""
        move = BRIDGE_MOVES[self.stage].get(type(event))
        orders = move.do(self, call, event) if move else []
        if self.stage is BridgeStage.OVER or call.ending is not None:
            # Whoever began it knows it, and stands behind these: two that know each other would wait for the garbage collector.
            self.on_failure = self.on_joined = None
        return orders

    @property
    def state(self) -> str:
        """How far it is."""
        return self.stage.value

    def fail(self, call: Call, ending: Ending, event: Event) -> list[Command]:
        """It will not come to a conversation: end every telephone called and give the call back, or end it."""
        self.stage = BridgeStage.OVER
        if self.on_failure is None:
            return call.end(ending, event.at)
        quiet: list[Command] = [StopTimer(Timer.RING), *([StopSound(self._near(call).id)] if self.told_ringing else [])]
        return [*self._drop(call, self.called, ending), *quiet, *self.on_failure(call, ending, event)]

    def _near(self, call: Call) -> Leg:
        return call.caller_leg if self.near is None else call.legs[self.near]

    def _look_for(self, call: Call, target: RingUser) -> list[Command]:
        assert call.decision is not None and call.decision.organization is not None
        self.looked_for.append(target)
        return [FindDevices(target.user.username, call.decision.organization.domain)]

    def _prepare_carrier(self, call: Call, target: CallOut) -> list[Command]:
        carrier, number = target.carrier, target.number
        side = Side(f"{outward(number)}{carrier.name}", f"sip:{number}@{carrier.host}:{carrier.port}", number=number)
        return self._prepare(call, side, target)

    def _prepare(self, call: Call, side: Side, target: RingUser | CallOut) -> list[Command]:
        leg = call.add_leg(side)
        self.called[leg.id] = target
        near = self._near(call)
        assert near.description is not None
        return [OfferMedia(leg.id, near.id, near.description, side.shape)]

    def _drop(self, call: Call, legs: Iterable[LegId], ending: Ending) -> list[Command]:
        alive = [leg for leg in legs if not call.legs[leg].gone]
        return [order for leg in alive for order in (EndLeg(leg, ending), RemoveMedia(leg, self._near(call).id))]

    def _found(self, call: Call, event: DevicesFound) -> list[Command]:
        if not self.looked_for:
            return []
        target = self.looked_for.pop(0)
        if not event.devices:
            return self._none_registered(call, event)
        prepared: list[Command] = []
        for device in event.devices:
            user = target.user
            number = user.extension or user.number or user.username
            side = Side(device.words, device.uri, user.name, number, orders_as=_as(call, user), shape=device.shape, second=device.second)
            prepared += self._prepare(call, side, target)
        self.stage = BridgeStage.RINGING
        return [*prepared, StartTimer(Timer.RING, RING_SECONDS)]

    def _none_registered(self, call: Call, event: Event) -> list[Command]:
        # A person who sent the call on to somebody without a telephone: the others who were called may still answer.
        alive = self._alive(call)
        return [] if alive else self.fail(call, CALLEE_NOT_REGISTERED, event)

    def _alive(self, call: Call, but: LegId | None = None) -> bool:
        return bool(self.looked_for or self.sent_on_by) or any(not call.legs[leg].gone for leg in self.called if leg != but)

    def _not_found(self, call: Call, event: CommandFailed) -> list[Command]:
        # What else can fail here (stopping the attendant's voice) says nothing of the telephones.
        return self.fail(call, REGISTRAR_ABSENT, event) if event.command is FindDevices else []

    def _offered(self, call: Call, event: MediaOffered) -> list[Command]:
        return self._invite(call, call.legs[event.leg], event.sdp) if event.leg in self.called else []

    def _invite(self, call: Call, leg: Leg, sdp: str) -> list[Command]:
        decision, near, target = call.decision, self._near(call).side, self.called[leg.id]
        assert decision is not None and decision.organization is not None
        domain = decision.organization.domain
        if isinstance(target, CallOut):
            # Whoever is called for help must see who calls.
            private = near.private and not target.emergency
            return [
                InviteLeg(
                    leg.id, leg.side.uri, sdp, target.number, domain, "", target.shown or "anonymous", private, self.diverted, outside=True
                )
            ]
        return [InviteLeg(leg.id, leg.side.uri, sdp, leg.side.number, domain, near.name, near.number, near.private, self.diverted)]

    def _ringing(self, call: Call, event: Event) -> list[Command]:
        if self.told_ringing:
            return []
        self.told_ringing = True
        return self._ring(call)

    def _ring(self, call: Call) -> list[Command]:
        near = self._near(call).id
        if self.codec is None:
            return [RingLeg(near)]
        assert call.decision is not None and call.decision.organization is not None
        return [Play(near, Sound(SoundKind.RINGBACK, country=call.decision.organization.country), self.codec)]

    def _ring_again(self, call: Call, event: MediaRestarted) -> list[Command]:
        return self._ring(call) if self.told_ringing and self.codec is not None else []

    def _progressed(self, call: Call, event: LegProgressed) -> list[Command]:
        # Early sound of one of several telephones would shut out the others'; and a caller who was answered already hears our ringback.
        if len(self.called) > 1 or self.codec is not None or self.bypassed or not event.description.codecs:
            return self._ringing(call, event)
        self.early = True
        return [AnswerMedia(event.leg, call.caller_leg.id, event.description, shape=call.caller_leg.side.shape)]

    def _early_joined(self, call: Call, event: MediaAnswered) -> list[Command]:
        return [ProgressLeg(call.caller_leg.id, event.sdp)] if self.early else []

    def _answered(self, call: Call, event: LegAnswered) -> list[Command]:
        if not event.description.codecs and not self.bypassed:
            # A telephone that answers without sound is hung up like one that refuses; others may still answer.
            orders = self._drop(call, [event.leg], NO_COMMON_CODEC)
            self.refusals.append(NO_COMMON_CODEC.sip_status)
            return [*orders, *self._maybe_failed(call, event, at_once=not self._alive(call, event.leg))]
        self.stage, self.winner = BridgeStage.JOINING, event.leg
        leg, near = call.legs[event.leg], self._near(call)
        leg.description, call.connected = event.description, leg.party
        others = [other for other in self.called if other != event.leg]
        orders = [*self._drop(call, others, ANSWERED_ELSEWHERE), StopTimer(Timer.RING)]
        if self.bypassed:
            return [*orders, *self._joined(call, MediaAnswered(event.at, event.leg, event.description.text))]
        if self.codec is not None:
            orders.append(StopSound(near.id))
        return [*orders, AnswerMedia(event.leg, near.id, event.description, shape=near.side.shape)]

    def _joined(self, call: Call, event: MediaAnswered) -> list[Command]:
        if event.leg != self.winner or self.winner is None:
            return []
        self.stage = BridgeStage.OVER
        near = self._near(call).id
        talk = Talk(near, self.winner, self.codec, self.bypassed)
        call.within = talk
        if self.on_joined is not None:
            return self.on_joined(call, talk, event)
        if self.codec is not None:
            return [LeaveAlone(near), *talk.begin(call)]
        call.answered = event.at
        return [AnswerLeg(near, event.sdp), *talk.begin(call)]

    def _refused(self, call: Call, event: LegRefused) -> list[Command]:
        removed: list[Command] = [RemoveMedia(event.leg, self._near(call).id)]
        leg, target = call.legs[event.leg], self.called[event.leg]
        if event.status in _NOT_SO and leg.side.second is not None:
            return [*removed, *self._prepare(call, replace(leg.side, shape=leg.side.second, second=None), target)]
        if event.targets and isinstance(target, RingUser) and len(self.diverted) < MOST_REDIRECTS:
            return [*removed, *self._send_on(call, target.user, event.targets[0])]
        self.refusals.append(event.status)
        return [*removed, *self._maybe_failed(call, event, ends_every_leg(event.status))]

    def _maybe_failed(self, call: Call, event: Event, at_once: bool) -> list[Command]:
        if self._alive(call) and not at_once:
            return []
        return self.fail(call, ending_of(self.refusals, outside=isinstance(self.target, CallOut)), event)

    def _send_on(self, call: Call, by: User, dialled: str) -> list[Command]:
        self.diverted = (*self.diverted, Diversion(by.extension or by.number or by.username, "deflection"))
        self.sent_on_by.append(by)
        call.findings.append(f"{by.name}'s telephone sent the call on to {dialled}")
        return [Route(_as(call, by), dialled)]

    def _sent_on(self, call: Call, event: Routed) -> list[Command]:
        if not self.sent_on_by:
            return []
        self.sent_on_by.pop(0)
        match event.decision.plan:
            case RingUser() as target:
                return self._look_for(call, target)
            case CallOut() as target:
                return [*self._prepare_carrier(call, target), StartTimer(Timer.RING, CARRIER_RING_SECONDS)]
            case Refuse(ending):
                self.refusals.append(ending.sip_status)
                return self._maybe_failed(call, event, at_once=False)
            case Attend(attendant):
                orders = [*self._drop(call, self.called, ANSWERED_ELSEWHERE), StopTimer(Timer.RING)]
                call.within = call.enter(Meet(attendant, self._near(call).id, self.codec))
                return [*orders, *call.within.begin(call)]

    def _timed(self, call: Call, event: TimerFired) -> list[Command]:
        return self.fail(call, CALLEE_NO_ANSWER, event) if event.timer is Timer.RING else []

    def _failed(self, call: Call, event: CommandFailed) -> list[Command]:
        if event.command is OfferMedia and event.leg in self.called and not call.legs[event.leg].gone:
            return self._without_media(call, call.legs[event.leg], event)
        if event.command is InviteLeg and event.leg in self.called:
            return self._unreached(call, call.legs[event.leg], event, 503)
        if event.command is AnswerMedia:
            return self.fail(call, MEDIA_ABSENT if event.trouble is Trouble.ABSENT else MEDIA_REFUSED, event)
        if event.command is FindDevices and self.looked_for:
            self.looked_for.pop(0)
            self.refusals.append(503)
            return self._maybe_failed(call, event, at_once=False)
        return []

    def _without_media(self, call: Call, leg: Leg, event: CommandFailed) -> list[Command]:
        near, target = self._near(call), self.called[leg.id]
        if isinstance(target, CallOut) and target.emergency and near.description is not None:
            # An emergency call goes out without the relay rather than not at all: the two ends may well reach each other directly.
            self.bypassed = True
            return self._invite(call, leg, near.description.text)
        if event.trouble is Trouble.ABSENT:
            return self.fail(call, MEDIA_ABSENT, event)
        return self._unreached(call, leg, event, 488)

    def _unreached(self, call: Call, leg: Leg, event: CommandFailed, status: int) -> list[Command]:
        # The telephone itself refused nothing, so there is nothing else to try with it.
        leg.state, leg.side = LegState.GONE, replace(leg.side, second=None)
        return self._refused(call, LegRefused(event.at, leg.id, status, event.words))

    def _hung_up(self, call: Call, event: LegHungUp) -> list[Command]:
        return call.end(CALLER_LEFT if event.leg == self._near(call).id else HUNG_UP_BY_CALLEE, event.at)

    def _lost(self, call: Call, event: LegLost) -> list[Command]:
        return call.end(CALLER_LOST if event.leg == self._near(call).id else CALLEE_LOST, event.at)

    def _yield_asked(self, call: Call, event: YieldAsked) -> list[Command]:
        # Whoever transfers before the other has answered means whom he dialled (RFC 5589 section 7.4): the call that asks dials it anew.
        organization = call.decision.organization if call.decision else None
        ours = organization is not None and organization.id == event.organization and self.near is None
        if not ours or event.leg != call.caller_leg.id or self.codec is not None:
            return []
        return [TurnYield(event.by, call.dialled), *call.end(TRANSFERRED, event.at)]


def _as(call: Call, user: User) -> Caller:
    """In the name of a person who does not call himself, but has a call sent on."""
    assert call.decision is not None and call.decision.organization is not None
    return Caller(Source.PHONE, user.username, call.decision.organization.domain, address="a telephone that sends the call on")


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
            **_ENDS,
        },
        _S.RINGING: {
            DevicesFound: Move(Bridge._found, (_S.RINGING, _S.OVER)),
            MediaOffered: Move(Bridge._offered, (_S.RINGING,)),
            MediaRestarted: Move(Bridge._ring_again, (_S.RINGING,)),
            LegRinging: Move(Bridge._ringing, (_S.RINGING,)),
            LegProgressed: Move(Bridge._progressed, (_S.RINGING,)),
            MediaAnswered: Move(Bridge._early_joined, (_S.RINGING,)),
            LegAnswered: Move(Bridge._answered, (_S.RINGING, _S.JOINING, _S.OVER)),
            LegRefused: Move(Bridge._refused, (_S.RINGING, _S.OVER)),
            Routed: Move(Bridge._sent_on, (_S.RINGING, _S.OVER)),
            TimerFired: Move(Bridge._timed, (_S.OVER,)),
            CommandFailed: Move(Bridge._failed, (_S.RINGING, _S.OVER)),
            YieldAsked: Move(Bridge._yield_asked, (_S.RINGING, _S.OVER)),
            **_ENDS,
        },
        _S.JOINING: {
            MediaAnswered: Move(Bridge._joined, (_S.OVER,)),
            CommandFailed: Move(Bridge._failed, (_S.OVER,)),
            **_ENDS,
        },
        _S.OVER: {},
    }
)
"""What a bridge does at each stage; OVER, the call is in a conversation, was given back, or ends."""
