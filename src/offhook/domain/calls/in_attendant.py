"""A call with an auto attendant: it greets, waits for a key, and connects; whom it cannot connect it tells so and asks again."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from offhook.domain.attendants import Attendant, phrases
from offhook.domain.calls.call import Call, Move
from offhook.domain.calls.commands import (
    AcceptReoffer,
    AnswerAlone,
    AnswerLeg,
    Command,
    Play,
    RefuseReoffer,
    Sound,
    SoundKind,
    StartTimer,
    StopSound,
    StopTimer,
    TurnYield,
)
from offhook.domain.calls.endings import (
    ATTENDANT_LEFT,
    ATTENDANT_NO_INPUT,
    ATTENDANT_VOICELESS,
    CALLER_LOST,
    NO_COMMON_CODEC,
    TRANSFERRED,
    Ending,
)
from offhook.domain.calls.events import (
    CommandFailed,
    DigitPressed,
    Event,
    LegConfirmed,
    LegHungUp,
    LegLost,
    LegReofferAsked,
    LegReoffered,
    MediaAlone,
    MediaRestarted,
    OfferAnswered,
    SoundStarted,
    Timer,
    TimerFired,
    YieldAsked,
)
from offhook.domain.calls.ids import LegId
from offhook.domain.calls.in_bridge import Bridge
from offhook.domain.calls.leg import Leg, LegState
from offhook.domain.calls.refusals import without_sound
from offhook.domain.media import Direction
from offhook.domain.routing import RingUser
from offhook.domain.users import User

# G.711 first: its sounds are ready to send as they are, and a caller who then talks to a person is passed through to nearly every
# telephone.
SPOKEN_CODECS = ("PCMU", "PCMA", "G722", "opus")


class AttendantStage(StrEnum):
    """What the attendant is doing."""

    ANSWERING = "answering"
    GREETING = "greeting"
    LISTENING = "listening"
    LEAVING = "leaving"
    CONNECTING = "connecting"


@dataclass(slots=True)
class Attending:
    """One party (`near`; the caller, unless it says otherwise) with one attendant. `codec` is set when it was answered before."""

    attendant: Attendant
    near: LegId | None = None
    codec: str = ""
    stage: AttendantStage = AttendantStage.ANSWERING
    round: int = 0
    bridge: Bridge | None = None
    tried_operator: bool = False
    changing: LegReoffered | OfferAnswered | None = None
    saying: str = ""

    def begin(self, call: Call) -> list[Command]:
        """Answer the caller in a codec of his that can be spoken."""
        caller = self._near(call)
        assert caller.description is not None
        self.codec = self.codec or next((codec for codec in SPOKEN_CODECS if codec in caller.description.codecs), "")
        if not self.codec:
            return call.end(NO_COMMON_CODEC, call.started)
        return [AnswerAlone(caller.id, caller.description, self.codec)]

    def handle(self, call: Call, event: Event) -> list[Command]:
        """The orders that follow from an event: the bridge's, once somebody is being connected, else by the table."""
        if self.bridge is not None and not isinstance(event, YieldAsked) and not self._answers_change(event):
            return self.bridge.handle(call, event)
        move = ATTENDANT_MOVES[self.stage].get(type(event))
        return move.do(self, call, event) if move else []

    @property
    def state(self) -> str:
        """The bridge's state once there is one."""
        return self.bridge.state if self.bridge is not None else self.stage.value

    def _near(self, call: Call) -> Leg:
        return call.caller_leg if self.near is None else call.legs[self.near]

    def _answers_change(self, event: Event) -> bool:
        # A key pressed right after a re-INVITE connects before the media engine has said what to answer to it.
        asked = isinstance(event, MediaAlone) or (isinstance(event, CommandFailed) and event.command is AnswerAlone)
        return asked and self.changing is not None

    def _answer(self, call: Call, event: MediaAlone) -> list[Command]:
        call.connected = f"the attendant {self.attendant.name}"
        near = self._near(call)
        if near.state is LegState.UP:
            return self._greet(call, event)
        call.answered = event.at
        return [AnswerLeg(near.id, event.sdp)]

    def _not_answered(self, call: Call, event: CommandFailed) -> list[Command]:
        return call.end(without_sound(event.trouble), event.at)

    def _greet(self, call: Call, event: Event) -> list[Command]:
        return self._speak(call, AttendantStage.GREETING, self.attendant.greeting)

    def _speak(self, call: Call, stage: AttendantStage, text: str) -> list[Command]:
        self.stage, self.saying = stage, text
        sound = Sound(SoundKind.SPEECH, text, self.attendant.language)
        return [StopTimer(Timer.PATIENCE), StopTimer(Timer.SOUND), Play(self._near(call).id, sound, self.codec)]

    def _say_again(self, call: Call, event: MediaRestarted) -> list[Command]:
        return self._speak(call, self.stage, self.saying)

    def _spoken_for(self, call: Call, event: SoundStarted) -> list[Command]:
        return [StartTimer(Timer.SOUND, event.milliseconds / 1000)]

    def _listen(self, call: Call, event: TimerFired) -> list[Command]:
        if event.timer is not Timer.SOUND:
            return []
        self.stage = AttendantStage.LISTENING
        return [StartTimer(Timer.PATIENCE, self.attendant.patience_seconds)]

    def _again(self, call: Call, event: TimerFired) -> list[Command]:
        return self._next_round(call, "") if event.timer is Timer.PATIENCE else []

    def _next_round(self, call: Call, first: str) -> list[Command]:
        self.round += 1
        if self.round >= self.attendant.rounds:
            return self._speak(call, AttendantStage.LEAVING, f"{first} {phrases(self.attendant.language).goodbye}".strip())
        return self._speak(call, AttendantStage.GREETING, f"{first} {self.attendant.greeting}".strip())

    def _choose(self, call: Call, event: DigitPressed) -> list[Command]:
        user_id = self.attendant.keys.get(event.digit)
        assert call.decision is not None and call.decision.organization is not None
        user = call.decision.organization.users.get(user_id) if user_id is not None else None
        if user is None:
            return self._next_round(call, phrases(self.attendant.language).unknown_key)
        return self._connect(call, user)

    def _connect(self, call: Call, user: User) -> list[Command]:
        self.stage = AttendantStage.CONNECTING
        self.bridge = Bridge(RingUser(user), self.codec, self._not_connected, near=self.near)
        quiet: list[Command] = [StopTimer(Timer.SOUND), StopTimer(Timer.PATIENCE), StopSound(self._near(call).id)]
        return [*quiet, *self.bridge.begin(call)]

    def _not_connected(self, call: Call, ending: Ending, event: Event) -> list[Command]:
        assert self.bridge is not None and isinstance(self.bridge.target, RingUser)
        name, self.bridge, call.connected = self.bridge.target.user.name, None, f"the attendant {self.attendant.name}"
        return self._next_round(call, phrases(self.attendant.language).unavailable.format(name=name))

    def _goodbye(self, call: Call, event: TimerFired) -> list[Command]:
        return call.end(ATTENDANT_NO_INPUT, event.at) if event.timer is Timer.SOUND else []

    def _voiceless(self, call: Call, event: CommandFailed) -> list[Command]:
        if event.command is AnswerAlone and self.changing is not None:
            change, self.changing = self.changing, None
            return [RefuseReoffer(change.leg, 488)] if isinstance(change, LegReoffered) else call.end(NO_COMMON_CODEC, event.at)
        if event.command is not Play:
            return []
        assert call.decision is not None and call.decision.organization is not None
        operator = self.attendant.operator
        user = call.decision.organization.users.get(operator) if operator is not None else None
        if user is None or self.tried_operator:
            return call.end(ATTENDANT_VOICELESS, event.at)
        # A caller who would hear nothing is better off with a person.
        self.tried_operator = True
        call.findings.append(f"the attendant {self.attendant.name} could not speak, so its operator was called: {event.words}")
        return self._connect(call, user)

    def _change(self, call: Call, event: LegReoffered | OfferAnswered) -> list[Command]:
        if self.changing is not None:
            return []
        self.changing = event
        return [AnswerAlone(event.leg, event.description, self.codec)]

    def _offer(self, call: Call, event: LegReofferAsked) -> list[Command]:
        near = self._near(call)
        return [AcceptReoffer(near.id, near.said, Direction.BOTH)] if near.said and self.changing is None else []

    def _changed(self, call: Call, event: MediaAlone) -> list[Command]:
        if self.changing is None:
            return []
        change, self.changing = self.changing, None
        near = self._near(call)
        near.description = change.description
        asked = isinstance(change, LegReoffered)
        return [AcceptReoffer(near.id, event.sdp, change.description.direction.mirrored)] if asked else []

    def _yield_asked(self, call: Call, event: YieldAsked) -> list[Command]:
        # We are no party that could be given away: the call that asks dials anew, us or whom we are calling.
        near = self._near(call)
        if not call.is_of(event.organization) or event.leg != near.id or near.side.orders_as is None:
            return []
        called = self.bridge.target.user if self.bridge is not None and isinstance(self.bridge.target, RingUser) else None
        wanted = (called.extension or called.number) if called is not None else None
        return [TurnYield(event.by, wanted or self.attendant.extension), *call.end(TRANSFERRED, event.at)]

    def _left(self, call: Call, event: LegHungUp) -> list[Command]:
        return call.end(ATTENDANT_LEFT, event.at)

    def _lost(self, call: Call, event: LegLost) -> list[Command]:
        return call.end(CALLER_LOST, event.at)


_S = AttendantStage
_YIELDS: Mapping[type, Move] = {YieldAsked: Move(Attending._yield_asked, ())}
_ALWAYS: Mapping[type, Move] = {LegHungUp: Move(Attending._left, ()), LegLost: Move(Attending._lost, ()), **_YIELDS}


def _talking(stage: AttendantStage) -> Mapping[type, Move]:
    # A caller may put the attendant on hold like anybody.
    return {
        LegReoffered: Move(Attending._change, (stage,)),
        LegReofferAsked: Move(Attending._offer, (stage,)),
        OfferAnswered: Move(Attending._change, (stage,)),
        MediaAlone: Move(Attending._changed, (stage,)),
        CommandFailed: Move(Attending._voiceless, (stage, _S.CONNECTING)),
        **_ALWAYS,
    }


ATTENDANT_MOVES: Mapping[AttendantStage, Mapping[type, Move]] = MappingProxyType(
    {
        _S.ANSWERING: {
            MediaAlone: Move(Attending._answer, (_S.ANSWERING,)),
            # Speaking waits for the acknowledgement: what is said before it is often lost.
            LegConfirmed: Move(Attending._greet, (_S.GREETING,)),
            CommandFailed: Move(Attending._not_answered, ()),
            **_ALWAYS,
        },
        _S.GREETING: {
            SoundStarted: Move(Attending._spoken_for, (_S.GREETING,)),
            TimerFired: Move(Attending._listen, (_S.LISTENING,)),
            DigitPressed: Move(Attending._choose, (_S.CONNECTING, _S.GREETING, _S.LEAVING)),
            MediaRestarted: Move(Attending._say_again, (_S.GREETING,)),
            **_talking(_S.GREETING),
        },
        _S.LISTENING: {
            TimerFired: Move(Attending._again, (_S.GREETING, _S.LEAVING)),
            DigitPressed: Move(Attending._choose, (_S.CONNECTING, _S.GREETING, _S.LEAVING)),
            **_talking(_S.LISTENING),
        },
        _S.LEAVING: {
            SoundStarted: Move(Attending._spoken_for, (_S.LEAVING,)),
            TimerFired: Move(Attending._goodbye, ()),
            MediaRestarted: Move(Attending._say_again, (_S.LEAVING,)),
            **_talking(_S.LEAVING),
        },
        _S.CONNECTING: {
            MediaAlone: Move(Attending._changed, (_S.CONNECTING,)),
            CommandFailed: Move(Attending._voiceless, (_S.CONNECTING,)),
            **_YIELDS,
        },
    }
)
"""What an attendant does at each stage; while CONNECTING the bridge's table rules. An entry that leads nowhere ends the call."""
