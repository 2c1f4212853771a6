"""What a call can order.

A command that asks is answered by exactly one event (named in its docstring) or by CommandFailed; one that tells is silent unless it fails.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from offhook.domain.calls.cdr import Cdr
from offhook.domain.calls.endings import Ending
from offhook.domain.calls.events import Timer
from offhook.domain.calls.ids import CallId, LegId
from offhook.domain.calls.sides import Diversion
from offhook.domain.media import Description, Direction, MediaShape
from offhook.domain.organizations import OrganizationId
from offhook.domain.routing import Caller


class Command:
    """Something to be done."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Route(Command):
    """Ask where the call goes -> Routed."""

    caller: Caller
    dialled: str


@dataclass(frozen=True, slots=True)
class FindDevices(Command):
    """Ask which telephones of a user are registered -> DevicesFound."""

    username: str
    domain: str


@dataclass(frozen=True, slots=True)
class LegCommand(Command):
    """Something to be done about one leg."""

    leg: LegId


@dataclass(frozen=True, slots=True)
class OfferMedia(LegCommand):
    """Make ports for `leg`, which speaks in `shape`, to answer what `offerer` described -> MediaOffered.

    `urgent`: of the ports that are kept for calls for help, too.
    """

    offerer: LegId
    description: Description
    shape: MediaShape = MediaShape.PLAIN
    urgent: bool = False


@dataclass(frozen=True, slots=True)
class AnswerMedia(LegCommand):
    """Let sound flow as `leg` answered `offerer`, which speaks in `shape` -> MediaAnswered.

    `direction` overrules the description's, where the answer is made from what the leg said earlier.
    """

    offerer: LegId
    description: Description
    direction: Direction | None = None
    shape: MediaShape = MediaShape.PLAIN


@dataclass(frozen=True, slots=True)
class AnswerAlone(LegCommand):
    """Let `leg` speak with the system itself, in `codec` -> MediaAlone."""

    description: Description
    codec: str


@dataclass(frozen=True, slots=True)
class LeaveAlone(LegCommand):
    """Take the system's own end away from `leg`: somebody else has taken its place."""


@dataclass(frozen=True, slots=True)
class RemoveMedia(LegCommand):
    """Forget the ports of `leg`, which did not become the one to talk to `offerer`."""

    offerer: LegId


@dataclass(frozen=True, slots=True)
class Silence(LegCommand):
    """Let no sound of `leg` through."""


@dataclass(frozen=True, slots=True)
class Unsilence(LegCommand):
    """Let the sound of `leg` through again."""


class SoundKind(StrEnum):
    """What can be played."""

    SPEECH = "speech"
    RINGBACK = "ringback"
    MUSIC = "music"


@dataclass(frozen=True, slots=True)
class Sound:
    """Something to hear: words in a language, or a tone of a country, or music."""

    kind: SoundKind
    text: str = ""
    language: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class Play(LegCommand):
    """Let `leg` hear a sound, over and over if it has no end of its own -> SoundStarted."""

    sound: Sound
    codec: str


@dataclass(frozen=True, slots=True)
class StopSound(LegCommand):
    """Stop what `leg` hears."""


@dataclass(frozen=True, slots=True)
class ReadFigures(Command):
    """Ask how the sound fares -> FiguresRead."""


@dataclass(frozen=True, slots=True)
class CloseMedia(Command):
    """Free every port of the call -> MediaClosed."""


@dataclass(frozen=True, slots=True)
class InviteLeg(LegCommand):
    """Call a telephone or a carrier. `shown_*` is the caller as the called side sees him; `to` what it is called as.

    `private`: the caller wants his number hidden (RFC 3323). `diverted`: who sent the call on, the first who did first.
    """

    uri: str
    sdp: str
    to: str
    domain: str
    shown_name: str
    shown_number: str
    private: bool = False
    diverted: tuple[Diversion, ...] = ()
    outside: bool = False


@dataclass(frozen=True, slots=True)
class RingLeg(LegCommand):
    """Tell the caller that it rings."""


@dataclass(frozen=True, slots=True)
class ProgressLeg(LegCommand):
    """Give the caller early sound."""

    sdp: str


@dataclass(frozen=True, slots=True)
class AnswerLeg(LegCommand):
    """Answer the caller; LegConfirmed or LegLost follows."""

    sdp: str


@dataclass(frozen=True, slots=True)
class EndLeg(LegCommand):
    """End a leg in whatever way its state asks for: refuse, cancel or hang up."""

    ending: Ending


@dataclass(frozen=True, slots=True)
class AcceptReoffer(LegCommand):
    """Agree to a change a telephone asked for. `direction` is what the answer must say to that offer (RFC 3264 section 6.1)."""

    sdp: str
    direction: Direction


@dataclass(frozen=True, slots=True)
class RefuseReoffer(LegCommand):
    """Refuse such a change; the call goes on as it was."""

    status: int


@dataclass(frozen=True, slots=True)
class ReofferLeg(LegCommand):
    """Offer a telephone other sound in mid-call -> LegReofferAnswered or LegReofferRefused."""

    sdp: str


@dataclass(frozen=True, slots=True)
class AcceptTransfer(LegCommand):
    """Agree to try the transfer that a telephone asked for; TellTransfer tells it what came of it."""


@dataclass(frozen=True, slots=True)
class RefuseTransfer(LegCommand):
    """Refuse a transfer; the call goes on as it was."""

    status: int


@dataclass(frozen=True, slots=True)
class TellTransfer(LegCommand):
    """Tell the telephone that asked for a transfer how far it is, as a SIP status; after the final one nothing more is told."""

    status: int
    words: str
    final: bool


@dataclass(frozen=True, slots=True)
class AskYield(Command):
    """Ask the call of `replaced`, if it is of this organization, for the party it talks to -> LegReceived, YieldTurned or YieldRefused."""

    replaced: LegId
    organization: OrganizationId


@dataclass(frozen=True, slots=True)
class GiveLeg(LegCommand):
    """Give a leg to another call; it is that call's from now on."""

    to: CallId


@dataclass(frozen=True, slots=True)
class TurnYield(Command):
    """Tell the call that asked that it is to dial this instead."""

    to: CallId
    dialled: str


@dataclass(frozen=True, slots=True)
class RefuseYield(Command):
    """Tell the call that asked that it gets nobody."""

    to: CallId


@dataclass(frozen=True, slots=True)
class SendDigit(LegCommand):
    """Pass on a key that came in the signalling, in the signalling."""

    digit: str


@dataclass(frozen=True, slots=True)
class PressDigit(LegCommand):
    """Pass on a key that came in the signalling, in the sound (RFC 4733), as if `leg` had pressed it there."""

    digit: str


@dataclass(frozen=True, slots=True)
class StartTimer(Command):
    """Fire a TimerFired after so many seconds; a running timer of the same name starts anew."""

    timer: Timer
    seconds: float


@dataclass(frozen=True, slots=True)
class StopTimer(Command):
    """Forget a timer; nothing happens if it does not run."""

    timer: Timer


@dataclass(frozen=True, slots=True)
class RecordCall(Command):
    """The call is over: write what remains of it."""

    cdr: Cdr
    parties: dict[LegId, str] = field(default_factory=dict)
