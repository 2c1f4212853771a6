"""What can happen to a call: facts, in the past tense. An event never asks for anything."""

from dataclasses import dataclass
from enum import StrEnum

from offhook.domain.calls.ids import LegId
from offhook.domain.media import Description, MediaFigures
from offhook.domain.routing import Caller, Decision


@dataclass(frozen=True, slots=True)
class Moment:
    """When: `wall` in seconds since 1970 for people, `ticks` in monotonic seconds for lengths of time."""

    wall: float
    ticks: float


@dataclass(frozen=True, slots=True)
class Device:
    """A registered telephone. `uri` is where its INVITE goes, `words` names it for people."""

    uri: str
    words: str


class Timer(StrEnum):
    """What a call can wait for."""

    RING = "ring"
    SOUND = "sound"
    PATIENCE = "patience"
    WATCH = "watch"


class Trouble(StrEnum):
    """Why a command failed."""

    REFUSED = "refused"
    """Its engine answered, and said no."""
    ABSENT = "absent"
    """Its engine did not answer."""
    OURS = "ours"
    """A mistake of our own."""


@dataclass(frozen=True, slots=True)
class Event:
    """Something that happened at a moment."""

    at: Moment


@dataclass(frozen=True, slots=True)
class CallArrived(Event):
    """An INVITE came. `leg` is the caller's."""

    leg: LegId
    caller: Caller
    dialled: str
    description: Description


@dataclass(frozen=True, slots=True)
class Routed(Event):
    """The evaluator's answer to Route."""

    decision: Decision


@dataclass(frozen=True, slots=True)
class DevicesFound(Event):
    """The registrar's answer to FindDevices; empty when nothing is registered."""

    devices: tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class LegEvent(Event):
    """Something that happened to one leg."""

    leg: LegId


@dataclass(frozen=True, slots=True)
class LegRinging(LegEvent):
    """The far telephone rings (a provisional response without sound of its own)."""


@dataclass(frozen=True, slots=True)
class LegProgressed(LegEvent):
    """The far side offers early sound (183 with SDP)."""

    description: Description


@dataclass(frozen=True, slots=True)
class LegAnswered(LegEvent):
    """The far side answered."""

    description: Description


@dataclass(frozen=True, slots=True)
class LegRefused(LegEvent):
    """The far side said no, with a SIP status; 408 when it said nothing at all."""

    status: int
    words: str


@dataclass(frozen=True, slots=True)
class LegConfirmed(LegEvent):
    """The caller acknowledged our answer."""


@dataclass(frozen=True, slots=True)
class LegCancelled(LegEvent):
    """The caller gave up before an answer."""


@dataclass(frozen=True, slots=True)
class LegHungUp(LegEvent):
    """A telephone hung up."""


@dataclass(frozen=True, slots=True)
class LegLost(LegEvent):
    """A telephone stopped answering in the middle of the signalling."""

    words: str


@dataclass(frozen=True, slots=True)
class LegReoffered(LegEvent):
    """A telephone asks to change its sound in mid-call: hold, resume, a new address."""

    description: Description


@dataclass(frozen=True, slots=True)
class DigitPressed(LegEvent):
    """A key was pressed.

    `by_info`: it came in the signalling (SIP INFO) and not with the sound (RFC 4733), so the other side has not heard it.
    """

    digit: str
    by_info: bool


@dataclass(frozen=True, slots=True)
class MediaOffered(LegEvent):
    """The answer to OfferMedia: the SDP to send to `leg`."""

    sdp: str


@dataclass(frozen=True, slots=True)
class MediaAnswered(LegEvent):
    """The answer to AnswerMedia: the SDP to send to the offerer, when `leg` was the answerer."""

    sdp: str


@dataclass(frozen=True, slots=True)
class MediaAlone(LegEvent):
    """The answer to AnswerAlone: the SDP to send to `leg`."""

    sdp: str


@dataclass(frozen=True, slots=True)
class SoundStarted(LegEvent):
    """The answer to Play: one round lasts this long."""

    milliseconds: int


@dataclass(frozen=True, slots=True)
class FiguresRead(Event):
    """The answer to ReadFigures."""

    figures: MediaFigures


@dataclass(frozen=True, slots=True)
class MediaClosed(Event):
    """The answer to CloseMedia: the last figures."""

    figures: MediaFigures


@dataclass(frozen=True, slots=True)
class TimerFired(Event):
    """A timer that StartTimer started ran out."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class CommandFailed(Event):
    """A command could not be done. `command` is its kind, `leg` the leg it was for, if for one."""

    command: type
    leg: LegId | None
    trouble: Trouble
    words: str


@dataclass(frozen=True, slots=True)
class StopAsked(Event):
    """The system is being stopped and the time to finish calls is over."""
