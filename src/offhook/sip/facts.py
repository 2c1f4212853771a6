"""What an Agent gives out: messages to send, messages heard, and facts in the past tense. Every one is frozen."""

from dataclasses import dataclass
from typing import NamedTuple

from sipmessage import Request, Response

from offhook.sip.addresses import Address
from offhook.sip.referring import Replaces

SessionId = str


class Send(NamedTuple):
    """Put these bytes on the wire. session is None where the message belongs to none (REGISTER, OPTIONS, refusals at the wall)."""

    data: bytes
    to: Address
    session: SessionId | None


class Heard(NamedTuple):
    """A well-formed message came in, repeats too; the first output of its receive(). session is None where it belongs to none."""

    session: SessionId | None
    data: bytes
    source: Address


@dataclass(frozen=True, slots=True)
class InviteReceived:
    """A new call has come; 100 has been sent. Ring, answer or refuse it."""

    session: SessionId
    request: Request
    source: Address
    sdp: str | None


@dataclass(frozen=True, slots=True)
class CancelReceived:
    """The caller gave up before the answer; the CANCEL got 200, the INVITE 487. The session is over."""

    session: SessionId
    request: Request


@dataclass(frozen=True, slots=True)
class ProgressReceived:
    """A provisional response above 100 (180, 183...), each one as it comes."""

    session: SessionId
    status: int
    response: Response
    sdp: str | None


@dataclass(frozen=True, slots=True)
class AnswerReceived:
    """The first 200 to our INVITE; the ACK has been sent. The session is up.

    After an INVITE without an offer sdp is the peer's offer, and the ACK waits for acknowledge(). Without SDP of its own sdp is the
    answer that a reliable provisional response brought (RFC 3262 5).
    """

    session: SessionId
    response: Response
    sdp: str | None


@dataclass(frozen=True, slots=True)
class RefusalReceived:
    """A final 300-699 to our INVITE, acknowledged. response is None where none came: 408 nobody answered, 503 it could not be sent.

    After 401 or 407 invite_again() may follow; otherwise the session is over. contacts: where a 300-399 sends us, the most wanted
    first (RFC 3261 8.1.3.4), at most eight URIs.
    """

    session: SessionId
    status: int
    reason: str
    response: Response | None
    contacts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class AckReceived:
    """The first ACK to our 200, of the first INVITE or of a reoffer."""

    session: SessionId
    sdp: str | None


@dataclass(frozen=True, slots=True)
class AckAnswered:
    """What the peer answered to an offer that our 200 made; right after the AckReceived. None: its ACK brought no answer."""

    session: SessionId
    sdp: str | None


@dataclass(frozen=True, slots=True)
class AckMissing:
    """No ACK within 64*t1 of our 200 (RFC 3261 13.3.1.4); BYE has been sent."""

    session: SessionId


@dataclass(frozen=True, slots=True)
class PrackMissing:
    """No PRACK within 64*t1 of a reliable provisional of ours (RFC 3262 3); the INVITE got 504. ByeAnswered(504) follows."""

    session: SessionId


@dataclass(frozen=True, slots=True)
class SessionExpired:
    """Nobody refreshed the call in time, or our refresh found nobody (RFC 4028 10): the peer is dead. BYE has been sent.

    ByeAnswered follows, as after every BYE of ours.
    """

    session: SessionId
    words: str


@dataclass(frozen=True, slots=True)
class ByeReceived:
    """The peer hung up and got 200. The session is over."""

    session: SessionId
    request: Request


@dataclass(frozen=True, slots=True)
class ByeAnswered:
    """Our BYE is over with this status; 408 where no answer came, 503 where it could not be sent. The session is over.

    Also the end of a cancelled call whose 200 came all the same: the agent acknowledged it and hung up.
    """

    session: SessionId
    status: int


@dataclass(frozen=True, slots=True)
class ReofferReceived:
    """A re-INVITE, even one that only repeats what is agreed, or an UPDATE with an offer (before the answer too, RFC 3311).

    sdp is None where the peer wants our offer in the 200.
    """

    session: SessionId
    request: Request
    sdp: str | None


@dataclass(frozen=True, slots=True)
class ReofferCancelled:
    """The peer took its re-INVITE back before we answered it; it got 487 and the session goes on as it was."""

    session: SessionId


@dataclass(frozen=True, slots=True)
class ReofferAnswered:
    """The peer accepted our reoffer; the ACK has been sent.

    After a reoffer without SDP sdp is the peer's offer, and the ACK waits for acknowledge().
    """

    session: SessionId
    sdp: str | None


@dataclass(frozen=True, slots=True)
class ReofferRefused:
    """The peer refused our reoffer; what was agreed before holds (RFC 3261 14.1). After 408 or 481 the agent has sent BYE."""

    session: SessionId
    status: int


@dataclass(frozen=True, slots=True)
class InfoReceived:
    """An INFO in the session, answered 200 (DTMF by RFC 6086 bodies)."""

    session: SessionId
    request: Request


@dataclass(frozen=True, slots=True)
class InfoAnswered:
    """Our INFO is over with this status; 408 where no answer came, 503 where it could not be sent."""

    session: SessionId
    status: int


@dataclass(frozen=True, slots=True)
class ReferReceived:
    """The peer asks us to call somebody else in its place. It waits for accept_refer() or refuse_refer().

    refer_to is the URI without the headers embedded in it; referred_by the Referred-By header as written (RFC 3892).
    """

    session: SessionId
    request: Request
    refer_to: str
    replaces: Replaces | None
    referred_by: str | None


@dataclass(frozen=True, slots=True)
class ReferAnswered:
    """Our REFER is over with this status; 408 where no answer came, 503 where it could not be sent."""

    session: SessionId
    status: int


@dataclass(frozen=True, slots=True)
class NotifyReceived:
    """How our REFER goes; the NOTIFY got 200. status is that of the call it led to, None where the NOTIFY did not say."""

    session: SessionId
    event: str
    status: int | None
    final: bool


@dataclass(frozen=True, slots=True)
class StrayAnswered:
    """A second 200 to one INVITE, from another branch of a fork: acknowledged and hung up; the session itself goes on."""

    session: SessionId


@dataclass(frozen=True, slots=True)
class RequestReceived:
    """A request outside sessions (OPTIONS, REGISTER, MESSAGE...). It must be answered with respond(key)."""

    key: str
    request: Request
    source: Address


@dataclass(frozen=True, slots=True)
class ResponseReceived:
    """The final response to request(key). response is None where none came: 408 nobody answered, 503 it could not be sent."""

    key: str
    status: int
    response: Response | None


Output = (
    Send
    | Heard
    | InviteReceived
    | CancelReceived
    | ProgressReceived
    | AnswerReceived
    | RefusalReceived
    | AckReceived
    | AckAnswered
    | AckMissing
    | PrackMissing
    | SessionExpired
    | ByeReceived
    | ByeAnswered
    | ReofferReceived
    | ReofferCancelled
    | ReofferAnswered
    | ReofferRefused
    | InfoReceived
    | InfoAnswered
    | ReferReceived
    | ReferAnswered
    | NotifyReceived
    | StrayAnswered
    | RequestReceived
    | ResponseReceived
)
