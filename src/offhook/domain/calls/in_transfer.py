"""A call in which one of two parties has asked that the other be connected with somebody else (RFC 5589).

Blind: the other is kept, hears it ring, and talks to whoever answers; if nobody does, the two talk on, as long as the one who asked is
still there. Attended: the one who asked talks to that somebody already, in another call, which gives the party away. The sound of the one
who is kept stays where it is: his telephone need not hear of any of this.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from offhook.domain.calls.call import Call, Conversation, Meet, Move, Within
from offhook.domain.calls.commands import (
    AcceptTransfer,
    AnswerMedia,
    AskYield,
    Command,
    EndLeg,
    OfferMedia,
    RemoveMedia,
    ReofferLeg,
    Route,
    Silence,
    StartTimer,
    StopSound,
    StopTimer,
    TellTransfer,
)
from offhook.domain.calls.endings import (
    CALLEE_FAILED,
    CALLER_LEFT,
    CALLER_LOST,
    TRANSFERRED,
    Ending,
)
from offhook.domain.calls.events import (
    CommandFailed,
    Event,
    LegHungUp,
    LegLost,
    LegReceived,
    LegReofferAnswered,
    LegReofferRefused,
    LegRinging,
    MediaAnswered,
    MediaOffered,
    Routed,
    Timer,
    TimerFired,
    TransferAsked,
    YieldRefused,
    YieldTurned,
)
from offhook.domain.calls.ids import LegId
from offhook.domain.calls.in_bridge import Bridge
from offhook.domain.calls.in_talk import Talk
from offhook.domain.calls.leg import Leg
from offhook.domain.routing import Attend, CallOut, Refuse, RingUser

YIELD_SECONDS = 5
"""How long the other call may take to give its party away: it is in this same process."""


class TransferStage(StrEnum):
    """How far a transfer is."""

    ROUTING = "transferring"
    REACHING = "transfer ringing"
    YIELDING = "asking for the other party"
    MOVING = "joining"
    OVER = "over"


@dataclass(slots=True)
class Transferring:
    """The party that talked to `asked.leg` is kept, and joined with somebody else."""

    talk: Conversation
    asked: TransferAsked
    stage: TransferStage = TransferStage.ROUTING
    bridge: Bridge | None = None
    received: LegId | None = None

    def begin(self, call: Call) -> list[Command]:
        """Agree to try, and find out who it is."""
        agreed = AcceptTransfer(self.asked.leg)
        if self.asked.replaces is None:
            return [agreed, *self._route(call, self.asked.dialled)]
        self.stage = TransferStage.YIELDING
        assert call.decision is not None and call.decision.organization is not None
        return [agreed, AskYield(self.asked.replaces, call.decision.organization.id), StartTimer(Timer.TRANSFER, YIELD_SECONDS)]

    def handle(self, call: Call, event: Event) -> list[Command]:
        """The orders that follow from an event: by the table, else the bridge's to whoever is being called."""
        move = TRANSFER_MOVES[self.stage].get(type(event))
        orders = move.do(self, call, event) if move else []
        if self.bridge is not None and self.stage is TransferStage.REACHING and not isinstance(event, LegHungUp | LegLost):
            orders += self.bridge.handle(call, event)
        return orders

    @property
    def state(self) -> str:
        """How far it is."""
        return self.stage.value

    def _kept(self, call: Call) -> Leg:
        return self.talk.other(call, self.asked.leg)

    def _route(self, call: Call, dialled: str) -> list[Command]:
        self.stage = TransferStage.ROUTING
        asks = call.legs[self.asked.leg].side
        assert asks.orders_as is not None
        call.findings.append(f"{asks.name or asks.party} transferred the call to {dialled}")
        return [Route(asks.orders_as, dialled)]

    def _routed(self, call: Call, event: Routed) -> list[Command]:
        kept = self._kept(call)
        codec = self.talk.codec_of(call, kept.id)
        match event.decision.plan:
            case Refuse(ending):
                return self._failed(call, ending, event)
            case Attend(attendant):
                # The system itself answers: nobody has to be waited for.
                call.within = call.enter(Meet(attendant, kept.id, codec))
                return [StopSound(kept.id), *self._reached(call, call.within)]
            case RingUser() | CallOut() as target:
                self.stage = TransferStage.REACHING
                self.bridge = Bridge(target, codec, self._failed, self._reached, kept.id)
                # He who asked may not have put the other on hold: two voices and a ringing tone at once are none.
                return [Silence(self.asked.leg), *self.bridge.begin(call)]

    def _rings(self, call: Call, event: LegRinging) -> list[Command]:
        return self._tell(call, 180, "Ringing", final=False)

    def _tell(self, call: Call, status: int, words: str, *, final: bool) -> list[Command]:
        # He may have hung up: what he asked for is told him all the same (RFC 5057 section 4.1).
        return [TellTransfer(self.asked.leg, status, words, final)]

    def _reached(self, call: Call, within: Within) -> list[Command]:
        """The transfer has succeeded: he who asked is told so and leaves.

        His ports go last, as the media engine forgets the port of a leg that is joined with nobody.
        """
        asks = self.asked.leg
        self.stage = TransferStage.OVER
        told = [*self._tell(call, 200, "OK", final=True), EndLeg(asks, TRANSFERRED)]
        begun = within.resume(call) if isinstance(within, Talk) else within.begin(call)
        return [*told, *begun, RemoveMedia(asks, self._kept(call).id)]

    def _failed(self, call: Call, ending: Ending, event: Event) -> list[Command]:
        self.stage = TransferStage.OVER
        asks = call.legs[self.asked.leg]
        told = self._tell(call, ending.sip_status if ending.sip_status >= 300 else 480, ending.sip_reason, final=True)
        if asks.gone:
            return [*told, *call.end(ending, event.at)]
        call.within, call.connected = self.talk, (asks if asks.id != call.caller_leg.id else self._kept(call)).party
        call.findings.append(f"The transfer failed: {ending.explanation}")
        return [StopTimer(Timer.TRANSFER), *told, *self.talk.resume(call)]

    def _asking_left(self, call: Call, event: LegHungUp | LegLost) -> list[Command]:
        """Whoever hangs up: he who asked may, the one who is kept takes the whole call with him, and the third ends the attempt."""
        kept = self._kept(call)
        if event.leg == self.asked.leg:
            # Nobody may hear the one who is kept any more; but the ports of the two stay until he is joined with somebody else.
            return [Silence(kept.id)]
        if event.leg == kept.id:
            ending = CALLER_LEFT if isinstance(event, LegHungUp) else CALLER_LOST
            return [*self._tell(call, 487, "Request Terminated", final=True), *call.end(ending, event.at)]
        if event.leg == self.received:
            return [RemoveMedia(event.leg, kept.id), *self._failed(call, CALLEE_FAILED, event)]
        return self.bridge.handle(call, event) if self.bridge is not None else []

    def _turned(self, call: Call, event: YieldTurned) -> list[Command]:
        return [StopTimer(Timer.TRANSFER), *self._route(call, event.dialled)]

    def _not_yielded(self, call: Call, event: Event) -> list[Command]:
        ours = not isinstance(event, TimerFired) or event.timer is Timer.TRANSFER
        if isinstance(event, CommandFailed) and event.command is not AskYield:
            return []
        return self._failed(call, CALLEE_FAILED, event) if ours else []

    def _received(self, call: Call, event: LegReceived) -> list[Command]:
        self.stage, self.received = TransferStage.MOVING, event.leg
        received, kept = call.take_leg(event), self._kept(call)
        assert kept.description is not None
        asks = call.legs[self.asked.leg].side
        call.findings.append(f"{asks.name or asks.party} connected {kept.party} with {received.party}")
        return [StopTimer(Timer.TRANSFER), OfferMedia(received.id, kept.id, kept.description, received.side.shape)]

    def _offered(self, call: Call, event: MediaOffered) -> list[Command]:
        return [ReofferLeg(event.leg, event.sdp)]

    def _agreed(self, call: Call, event: LegReofferAnswered) -> list[Command]:
        received, kept = call.legs[event.leg], self._kept(call)
        received.description, call.connected = event.description, received.party
        return [AnswerMedia(received.id, kept.id, event.description, shape=kept.side.shape)]

    def _joined(self, call: Call, event: MediaAnswered) -> list[Command]:
        assert self.received is not None
        kept = self._kept(call)
        talk = Talk(kept.id, self.received, self.talk.codec_of(call, kept.id))
        call.within = talk
        return [StopSound(kept.id), *self._reached(call, talk)]

    def _not_moved(self, call: Call, event: LegReofferRefused | CommandFailed) -> list[Command]:
        if self.received is None or (isinstance(event, CommandFailed) and event.command not in (OfferMedia, ReofferLeg, AnswerMedia)):
            return []
        gone = [EndLeg(self.received, CALLEE_FAILED), RemoveMedia(self.received, self._kept(call).id)]
        return [*gone, *self._failed(call, CALLEE_FAILED, event)]


_S = TransferStage
_LEAVING: Mapping[type, Move] = {
    LegHungUp: Move(Transferring._asking_left, ()),
    LegLost: Move(Transferring._asking_left, ()),
}

TRANSFER_MOVES: Mapping[TransferStage, Mapping[type, Move]] = MappingProxyType(
    {
        _S.ROUTING: {Routed: Move(Transferring._routed, (_S.REACHING, _S.OVER)), **_LEAVING},
        # What else happens here happens to whoever is being called, and is the bridge's.
        _S.REACHING: {LegRinging: Move(Transferring._rings, (_S.REACHING,)), **_LEAVING},
        _S.YIELDING: {
            LegReceived: Move(Transferring._received, (_S.MOVING,)),
            YieldTurned: Move(Transferring._turned, (_S.ROUTING,)),
            YieldRefused: Move(Transferring._not_yielded, (_S.OVER,)),
            TimerFired: Move(Transferring._not_yielded, (_S.YIELDING, _S.OVER)),
            CommandFailed: Move(Transferring._not_yielded, (_S.YIELDING, _S.OVER)),
            **_LEAVING,
        },
        _S.MOVING: {
            MediaOffered: Move(Transferring._offered, (_S.MOVING,)),
            LegReofferAnswered: Move(Transferring._agreed, (_S.MOVING,)),
            LegReofferRefused: Move(Transferring._not_moved, (_S.OVER,)),
            MediaAnswered: Move(Transferring._joined, (_S.OVER,)),
            CommandFailed: Move(Transferring._not_moved, (_S.MOVING, _S.OVER)),
            **_LEAVING,
        },
        _S.OVER: {},
    }
)
"""What a transfer does at each stage; OVER, the call is in another conversation, in the one before, or ends.

An entry that leads nowhere ends the call, if it is the one who is kept that leaves.
"""
