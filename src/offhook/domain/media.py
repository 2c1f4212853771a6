"""What is said and measured about a call's sound: the shape of a leg's media and the figures of its streams."""

from dataclasses import dataclass
from enum import StrEnum
from typing import ClassVar

from offhook.domain.calls.ids import LegId

_SECRET = frozenset({"tls", "wss"})


@dataclass(frozen=True, slots=True)
class MediaShape:
    """How a leg speaks RTP: `secure` is SRTP with its keys in the SDP (RFC 4568), `ipv6` the family of its addresses."""

    secure: bool = False
    ipv6: bool = False

    PLAIN: ClassVar["MediaShape"]
    """RTP as everybody speaks it: not secure, over IPv4."""

    @classmethod
    def first_offered(cls, transport: str, *, ipv6: bool, offers_srtp: bool) -> "MediaShape":
        """How sound is offered first to who signals over this transport ("tls"): in secret where its keys are (RFC 4568 section 8.3)."""
        return cls(offers_srtp and transport in _SECRET, ipv6)


MediaShape.PLAIN = MediaShape()


class Direction(StrEnum):
    """Which way a party is willing to let sound flow (RFC 4566 section 6), as that party says it."""

    BOTH = "sendrecv"
    SENDS = "sendonly"
    RECEIVES = "recvonly"
    NEITHER = "inactive"

    @property
    def mirrored(self) -> "Direction":
        """The answer to this offer by somebody who is willing to do everything (RFC 3264 section 6.1)."""
        return {Direction.SENDS: Direction.RECEIVES, Direction.RECEIVES: Direction.SENDS}.get(self, self)


@dataclass(frozen=True, slots=True)
class Description:
    """A session description (SDP) as a party sent it, with what was read from it at the wall.

    `codecs` are the audio codecs in the party's order of preference, by encoding name ("PCMU", "opus"), telephone-event not among them.
    `secure` is audio over SRTP (RTP/SAVP or RTP/SAVPF, RFC 3711), `ipv6` audio wanted at an IPv6 address, `digits` that it
    hears keys in the sound (telephone-event, RFC 4733).
    """

    text: str
    codecs: tuple[str, ...]
    direction: Direction
    address: str
    secure: bool = False
    ipv6: bool = False
    digits: bool = False

    @property
    def shape(self) -> MediaShape:
        """How the party that sent it speaks RTP."""
        return MediaShape(self.secure, self.ipv6)


@dataclass(frozen=True, slots=True)
class StreamFigures:
    """What is known of the sound that came *from* one leg.

    `advertised` is the "ip:port" its SDP named, `heard_from` where packets really came from (None: none came). MOS (1.0-4.5), jitter, loss
    and round
    trip come from the phones' RTCP only; None means not measured, never zero.
    """

    leg: LegId
    codec: str | None
    advertised: str | None
    heard_from: str | None
    packets: int
    octets: int
    silent_seconds: float | None
    mos: float | None = None
    jitter_ms: float | None = None
    loss_percent: float | None = None
    round_trip_ms: float | None = None


@dataclass(frozen=True, slots=True)
class MediaFigures:
    """The figures of every stream of a call, in the order of its legs. Empty when the engine no longer knows the call."""

    streams: tuple[StreamFigures, ...] = ()

    def of(self, leg: LegId) -> StreamFigures | None:
        """The figures of the sound that came from `leg`, None if it has no stream."""
        return next((stream for stream in self.streams if stream.leg == leg), None)
