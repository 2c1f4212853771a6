"""A call in which two parties talk.

Changes of the sound in mid-call (hold, resume, a new address) are answered from what the other side said earlier: the other side need not
hear of them, so two telephones that ask at the same moment cannot collide with each other through us.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from offhook.domain.calls.call import Call, Move, Stage, Transfer
from offhook.domain.calls.commands import (
    AcceptReoffer,
    AnswerLeg,
    AnswerMedia,
    Command,
    GiveLeg,
    OfferMedia,
    Play,
    PressDigit,
    ReadFigures,
    RefuseReoffer,
    RefuseTransfer,
    RefuseYield,
    SendDigit,
    Silence,
    Sound,
    SoundKind,
    StartTimer,
    StopSound,
    Unsilence,
)
from offhook.domain.calls.endings import (
    CALLEE_LOST,
    CALLER_LOST,
    HUNG_UP_BY_CALLEE,
    HUNG_UP_BY_CALLER,
    MEDIA_LOST,
    MEDIA_SILENT,
    NO_COMMON_CODEC,
    SWITCH_FAILED,
    TRANSFERRED,
)
from offhook.domain.calls.events import (
    CommandFailed,
    DigitPressed,
    Event,
    FiguresRead,
    LegHungUp,
    LegLost,
    LegReofferAsked,
    LegReofferCancelled,
    LegReoffered,
    MediaAnswered,
    MediaOffered,
    MediaRestarted,
    OfferAnswered,
    Timer,
    TimerFired,
    TransferAsked,
    YieldAsked,
)
from offhook.domain.calls.findings import one_way
from offhook.domain.calls.ids import LegId
from offhook.domain.calls.leg import Leg
from offhook.domain.media import Description, Direction

FIRST_WATCH_SECONDS = 5
WATCH_SECONDS = 10
"""How often the sound of a call is looked at while it lasts."""
QUIET_SECONDS = 60
"""Longer than any telephone with silence suppression sends nothing at all (RFC 3389 asks for noise now and then)."""


@dataclass(slots=True)
class _Change:
    """A change of one party's sound that the media engine is being told of.

    `asked`: the party waits for our answer; `answers`: it has answered an offer of ours; `before`: what it had described last.
    """

    leg: LegId
    description: Description
    before: Description | None = None
    asked: bool = False
    answers: bool = False
    cancelled: bool = False


@dataclass(slots=True)
class Talk:
    """`near` and `far` talk. `codec` is what `near` speaks, where that is known for certain; `bypassed`: without our relay.

    `later` has changes that wait for the one in hand, `last` is the one that was made last; `quiet`: when last looked, nobody had sent any
    sound for a good while.
    """

    near: LegId
    far: LegId
    codec: str | None = None
    bypassed: bool = False
    changing: _Change | None = None
    last: _Change | None = None
    music_for: LegId | None = None
    noticed: set[LegId] = field(default_factory=set)
    later: list[_Change] = field(default_factory=list)
    quiet: bool = False

    def begin(self, call: Call) -> list[Command]:
        """Watch the sound."""
        return [] if self.bypassed else [StartTimer(Timer.WATCH, FIRST_WATCH_SECONDS)]

    def handle(self, call: Call, event: Event) -> list[Command]:
        """The orders that follow from an event, by the table."""
        move = TALK_MOVES[Stage.SERVED].get(type(event))
        return move.do(self, call, event) if move else []

    @property
    def state(self) -> str:
        """Held, where a telephone keeps the other waiting, else talking."""
        return "talking" if self.music_for is None else "held"

    def other(self, call: Call, leg: LegId) -> Leg:
        """The party that `leg` talks to."""
        return call.legs[self.far if leg == self.near else self.near]

    def codec_of(self, call: Call, leg: LegId) -> str:
        """What both sides list is what they most likely speak; a wrong guess costs a conversion, not the sound."""
        if leg == self.near and self.codec is not None:
            return self.codec
        mine, theirs = (party.description.codecs if party.description else () for party in (call.legs[leg], self.other(call, leg)))
        return next((codec for codec in mine if codec in theirs), mine[0] if mine else "PCMU")

    def resume(self, call: Call) -> list[Command]:
        """Let both hear each other again, or music, as before somebody tried to transfer."""
        self.music_for = None
        return [*self._keep_waiting(call), *self.begin(call)]

    def _hung_up(self, call: Call, event: LegHungUp) -> list[Command]:
        return call.end(HUNG_UP_BY_CALLER if event.leg == self.near else HUNG_UP_BY_CALLEE, event.at)

    def _lost(self, call: Call, event: LegLost) -> list[Command]:
        return call.end(CALLER_LOST if event.leg == self.near else CALLEE_LOST, event.at)

    def _reoffered(self, call: Call, event: LegReoffered) -> list[Command]:
        if self.changing is not None or self.bypassed or not event.description.codecs:
            return [RefuseReoffer(event.leg, 491 if self.changing else 488)]
        return self._change(call, _Change(event.leg, event.description, asked=True))

    def _offer_asked(self, call: Call, event: LegReofferAsked) -> list[Command]:
        leg = call.legs[event.leg]
        if self.changing is not None or self.bypassed or not leg.said:
            return [RefuseReoffer(event.leg, 491 if self.changing else 488)]
        return [AcceptReoffer(leg.id, leg.said, Direction.BOTH)]

    def _offer_answered(self, call: Call, event: OfferAnswered) -> list[Command]:
        if not event.description.codecs:
            return call.end(NO_COMMON_CODEC, event.at)
        change = _Change(event.leg, event.description, answers=True)
        if self.changing is not None:
            self.later.append(change)
            return []
        return self._change(call, change)

    def _next(self, call: Call) -> list[Command]:
        return self._change(call, self.later.pop(0)) if self.later else []

    def _change(self, call: Call, change: _Change) -> list[Command]:
        self.changing, change.before = change, call.legs[change.leg].description
        other = self.other(call, change.leg)
        if change.answers:
            # What it was offered was the other's. As an offer of its own its new key would be passed on to the other, who is not told.
            assert other.description is not None
            return [OfferMedia(change.leg, other.id, other.description, call.legs[change.leg].side.shape)]
        return [OfferMedia(other.id, change.leg, change.description, other.side.shape)]

    def _cancelled(self, call: Call, event: LegReofferCancelled) -> list[Command]:
        if self.changing is not None and self.changing.leg == event.leg:
            self.changing.cancelled = True
        return []

    def _change_offered(self, call: Call, event: MediaOffered) -> list[Command]:
        if self.changing is None:
            return []
        leg = call.legs[self.changing.leg]
        other = self.other(call, leg.id)
        if self.changing.answers:
            return [AnswerMedia(leg.id, other.id, self.changing.description, shape=other.side.shape)]
        assert other.description is not None
        held = _holds(self.changing.description.direction)
        return [AnswerMedia(other.id, leg.id, other.description, Direction.RECEIVES if held else Direction.BOTH, leg.side.shape)]

    def _change_answered(self, call: Call, event: MediaAnswered) -> list[Command]:
        if self.changing is None:
            return []
        change, self.changing = self.changing, None
        if change.cancelled:
            return self._undo(call, change)
        self.last, leg = change, call.legs[change.leg]
        leg.description, leg.holding = change.description, _holds(change.description.direction)
        answer: list[Command] = [AcceptReoffer(leg.id, event.sdp, change.description.direction.mirrored)] if change.asked else []
        return [*answer, *self._keep_waiting(call), *self._next(call)]

    def _undo(self, call: Call, made: _Change) -> list[Command]:
        # The media engine believes a change that the telephone knows nothing of.
        if made.before is None:
            return []
        undoing = _Change(made.leg, made.before)
        if self.changing is not None:
            self.later.insert(0, undoing)
            return []
        return self._change(call, undoing)

    def _keep_waiting(self, call: Call) -> list[Command]:
        """Music for whoever is kept waiting, and silence between the two while anybody is."""
        near, far = call.legs[self.near], call.legs[self.far]
        waits = near if far.holding and not near.holding else far if near.holding and not far.holding else None
        orders: list[Command] = []
        if self.music_for is not None and (waits is None or waits.id != self.music_for):
            orders.append(StopSound(self.music_for))
        silent = near.holding or far.holding
        orders += [Silence(leg.id) if silent else Unsilence(leg.id) for leg in (near, far)]
        if waits is not None and waits.id != self.music_for:
            orders.append(Play(waits.id, Sound(SoundKind.MUSIC), self.codec_of(call, waits.id)))
        self.music_for = waits.id if waits is not None else None
        return orders

    def _change_failed(self, call: Call, event: CommandFailed) -> list[Command]:
        if event.command is ReadFigures:
            return [StartTimer(Timer.WATCH, WATCH_SECONDS)]
        if event.command is AnswerLeg:
            # The telephones would talk to nobody: the caller was never told.
            return call.end(SWITCH_FAILED, event.at)
        if event.command is AcceptReoffer:
            # It was taken back while we made up our mind.
            return self._undo(call, self.last) if self.last is not None and self.last.leg == event.leg else []
        if self.changing is None or event.command not in (OfferMedia, AnswerMedia):
            return []
        change, self.changing = self.changing, None
        return [*([RefuseReoffer(change.leg, 488)] if change.asked else []), *self._next(call)]

    def _media_back(self, call: Call, event: MediaRestarted) -> list[Command]:
        return [] if self.bypassed else self.resume(call)

    def _pressed(self, call: Call, event: DigitPressed) -> list[Command]:
        if not event.by_info:
            return []
        other = self.other(call, event.leg)
        if other.description is not None and other.description.digits and not self.bypassed:
            return [PressDigit(event.leg, event.digit)]
        return [SendDigit(other.id, event.digit)]

    def _watch(self, call: Call, event: TimerFired) -> list[Command]:
        return [ReadFigures()] if event.timer is Timer.WATCH else []

    def _watched(self, call: Call, event: FiguresRead) -> list[Command]:
        streams = event.figures.streams
        if not streams:
            # The media engine forgets a call that is silent for minutes, and all of them when it dies.
            return call.end(MEDIA_SILENT if self.quiet else MEDIA_LOST, event.at)
        self.quiet = all(stream.silent_seconds is None or stream.silent_seconds > QUIET_SECONDS for stream in streams)
        for leg in (call.legs[self.near], call.legs[self.far]):
            kept_waiting = leg.holding or leg.id == self.music_for
            finding = None if kept_waiting or leg.id in self.noticed else one_way(leg.party, event.figures.of(leg.id))
            if finding is not None:
                self.noticed.add(leg.id)
                call.findings.append(finding)
        return [StartTimer(Timer.WATCH, WATCH_SECONDS)]

    def _transfer_asked(self, call: Call, event: TransferAsked) -> list[Command]:
        if call.legs[event.leg].side.orders_as is None:
            return [RefuseTransfer(event.leg, 403)]
        if self.changing is not None or self.bypassed:
            return [RefuseTransfer(event.leg, 491 if self.changing else 488)]
        call.within = call.enter(Transfer(self, event))
        return call.within.begin(call)

    def _yield_asked(self, call: Call, event: YieldAsked) -> list[Command]:
        ours = call.is_of(event.organization) and event.leg in (self.near, self.far)
        if not ours or call.legs[event.leg].side.orders_as is None or self.changing is not None or self.bypassed:
            return [RefuseYield(event.by)]
        return [GiveLeg(self.other(call, event.leg).id, event.by), *call.end(TRANSFERRED, event.at)]


def _holds(direction: Direction) -> bool:
    return direction in (Direction.SENDS, Direction.NEITHER)


_TALKING, _OVER = (Stage.SERVED,), (Stage.CLOSING,)

TALK_MOVES: Mapping[Stage, Mapping[type, Move]] = MappingProxyType(
    {
        Stage.SERVED: {
            LegHungUp: Move(Talk._hung_up, _OVER),
            LegLost: Move(Talk._lost, _OVER),
            LegReoffered: Move(Talk._reoffered, _TALKING),
            LegReofferAsked: Move(Talk._offer_asked, _TALKING),
            LegReofferCancelled: Move(Talk._cancelled, _TALKING),
            OfferAnswered: Move(Talk._offer_answered, (*_TALKING, *_OVER)),
            MediaOffered: Move(Talk._change_offered, _TALKING),
            MediaAnswered: Move(Talk._change_answered, _TALKING),
            MediaRestarted: Move(Talk._media_back, _TALKING),
            CommandFailed: Move(Talk._change_failed, (*_TALKING, *_OVER)),
            DigitPressed: Move(Talk._pressed, _TALKING),
            TimerFired: Move(Talk._watch, _TALKING),
            FiguresRead: Move(Talk._watched, (*_TALKING, *_OVER)),
            # The transfer is what the call is in then (in_transfer.py).
            TransferAsked: Move(Talk._transfer_asked, _TALKING),
            YieldAsked: Move(Talk._yield_asked, (*_TALKING, *_OVER)),
        },
    }
)
"""What happens while two parties talk."""
