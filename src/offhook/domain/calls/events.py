"""What can happen to a call: facts, in the past tense. An event never asks for anything."""

from dataclasses import dataclass
from enum import StrEnum

from offhook.domain.calls.ids import CallId, LegId
from offhook.domain.calls.sides import Diversion, Side
from offhook.domain.media import Description, MediaFigures, MediaShape
from offhook.domain.organizations import OrganizationId
from offhook.domain.routing import Caller, Decision


@dataclass(frozen=True, slots=True)
class Moment:
    """When: `wall` in seconds since 1970 for people, `ticks` in monotonic seconds for lengths of time."""

    wall: float
    ticks: float


@dataclass(frozen=True, slots=True)
class Device:
    """A registered telephone. `uri` is where its INVITE goes, `words` names it for people.

    `shape` is how it is offered RTP, `second` how if it cannot take that (None: not at all).
    """

    uri: str
    words: str
    shape: MediaShape = MediaShape.PLAIN
    second: MediaShape | None = None


class Timer(StrEnum):
    """What a call can wait for."""

    RING = "ring"
    SOUND = "sound"
    PATIENCE = "patience"
    WATCH = "watch"
    TRANSFER = "transfer"


class Trouble(StrEnum):
    """Why a command failed."""

    REFUSED = "refused"
    """Its engine answered, and said no."""
    FULL = "full"
    """Its engine has no room for it."""
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
    """An INVITE came. `leg` is the caller's; `diverted` who sent the call on before, the first who did first."""

    leg: LegId
    caller: Caller
    dialled: str
    description: Description
    diverted: tuple[Diversion, ...] = ()


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
    """The far side said no, with a SIP status; 408 when it said nothing at all.

    `targets` is what it names instead, as if dialled (3xx, RFC 3261 section 21.3), the one it wants most first.
    """

    status: int
    words: str
    targets: tuple[str, ...] = ()


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
class LegReofferAsked(LegEvent):
    """A telephone asks what we offer (re-INVITE without SDP, RFC 3261 section 14.2); OfferAnswered follows what we say."""


@dataclass(frozen=True, slots=True)
class LegReofferCancelled(LegEvent):
    """A telephone took back what it asked for before it was answered."""


@dataclass(frozen=True, slots=True)
class OfferAnswered(LegEvent):
    """A telephone that had asked for our offer answered it, in its ACK. It describes a party that speaks nothing if it did not."""

    description: Description


@dataclass(frozen=True, slots=True)
class LegReofferAnswered(LegEvent):
    """A telephone agreed to what ReofferLeg offered."""

    description: Description


@dataclass(frozen=True, slots=True)
class LegReofferRefused(LegEvent):
    """A telephone refused what ReofferLeg offered; it goes on as before."""

    status: int


@dataclass(frozen=True, slots=True)
class TransferAsked(LegEvent):
    """A telephone asks that the other side be connected with somebody else (REFER, RFC 3515).

    With `dialled` (blind), or with whom its own leg `replaces` talks to (attended, RFC 3891).
    """

    dialled: str
    replaces: LegId | None = None


@dataclass(frozen=True, slots=True)
class YieldAsked(Event):
    """Another call, `by`, of `organization` asks for the party that `leg` talks to: whoever holds `leg` transfers."""

    leg: LegId
    by: CallId
    organization: OrganizationId


@dataclass(frozen=True, slots=True)
class LegReceived(Event):
    """Another call gave a leg that is up: the answer to AskYield. `said` is the SDP it was last sent."""

    leg: LegId
    side: Side
    description: Description
    said: str


@dataclass(frozen=True, slots=True)
class YieldTurned(Event):
    """The other call was only ringing, and has ended: the answer to AskYield. Dial this instead."""

    dialled: str


@dataclass(frozen=True, slots=True)
class YieldRefused(Event):
    """The other call gives nobody away: the answer to AskYield."""


@dataclass(frozen=True, slots=True)
class MediaLost(Event):
    """The media engine died and knows nothing of this call any more."""


@dataclass(frozen=True, slots=True)
class MediaRestarted(Event):
    """The media engine died and came back: sound is relayed as before, but what it played is forgotten."""


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
