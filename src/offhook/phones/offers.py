"""What a telephone offers and answers about sound, and what came of it (RFC 3264)."""

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from offhook.sip import sdp
from offhook.sip.sdp import Codec, Direction, Sdp

EVENTS = "telephone-event"
FORMATS = {
    "PCMU": Codec(0, "PCMU", 8000),
    "PCMA": Codec(8, "PCMA", 8000),
    EVENTS: Codec(101, EVENTS, 8000, fmtp="0-16"),
}
ALL_CODECS = tuple(FORMATS)


class NothingShared(ValueError):
    """The other side's description holds no codec we speak, or no sound at all: 488 for an offer."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """Where sound goes and in which form. `events` is the payload type of keys, None where the other side takes none."""

    remote: tuple[str, int]
    remote_rtcp: tuple[str, int]
    codec: str
    payload_type: int
    events: int | None
    sends: bool
    hears: bool


def offer(host: str, port: int, codecs: Sequence[str], flow: Direction) -> Sdp:
    """A description of everything we speak, best first."""
    return sdp.describe(host, port, [FORMATS[name] for name in codecs], flow=flow)


def answer(theirs: Sdp, host: str, port: int, codecs: Sequence[str], flow: Direction) -> Sdp:
    """The answer to an offer: their first codec that we speak, keys if both can, in their payload types. Raises NothingShared.

    `flow` is what we want; the answer is no wider than the offer allows (RFC 3264 6.1).
    """
    chosen = [_first_shared(theirs, codecs)]
    events = _events(theirs, codecs)
    if events:
        chosen.append(events)
    allowed = _narrower(sdp.direction(theirs).answered, flow)
    return sdp.describe(host, port, chosen, flow=allowed)


def agreement(theirs: Sdp, codecs: Sequence[str], flow: Direction) -> Agreement:
    """What their description and our wish `flow` come to. Raises NothingShared."""
    where, audio = sdp.address(theirs), theirs.audio
    if where is None or audio is None or not audio.port or not _is_numeric(where[0]):
        raise NothingShared("the description names no place for sound: a numeric address and a port")
    codec, events = _first_shared(theirs, codecs), _events(theirs, codecs)
    ours = _narrower(sdp.direction(theirs).answered, flow)
    sends = ours in (Direction.SENDRECV, Direction.SENDONLY) and where[0] not in ("0.0.0.0", "::")
    hears = ours in (Direction.SENDRECV, Direction.RECVONLY)
    keys = events.payload_type if events else None
    return Agreement(where, _rtcp(theirs, where), codec.name.upper(), codec.payload_type, keys, sends, hears)


def _first_shared(theirs: Sdp, codecs: Sequence[str]) -> Codec:
    for codec in sdp.codecs(theirs):
        if codec.name.upper() in codecs and codec.rate == 8000:
            return codec
    spoken = ", ".join(codec.name for codec in sdp.codecs(theirs)) or "nothing"
    raise NothingShared(f"they speak {spoken}, we {', '.join(codecs)}")


def _events(theirs: Sdp, codecs: Sequence[str]) -> Codec | None:
    """Keys at 8 kHz: browsers also name events at 48 kHz, for Opus."""
    if EVENTS not in codecs:
        return None
    return next((codec for codec in sdp.codecs(theirs) if codec.name.lower() == EVENTS and codec.rate == 8000), None)


_SENDS = {
    Direction.SENDRECV: (True, True),
    Direction.SENDONLY: (True, False),
    Direction.RECVONLY: (False, True),
    Direction.INACTIVE: (False, False),
}
_DIRECTION = {both: direction for direction, both in _SENDS.items()}


def _narrower(one: Direction, other: Direction) -> Direction:
    (sends, hears), (also_sends, also_hears) = _SENDS[one], _SENDS[other]
    return _DIRECTION[sends and also_sends, hears and also_hears]


def _rtcp(theirs: Sdp, where: tuple[str, int]) -> tuple[str, int]:
    """Where reports go: a=rtcp (RFC 3605), else the port above the sound's. We never offer rtcp-mux."""
    lines = theirs.audio.lines if theirs.audio else ()
    for line in lines:
        words = line.removeprefix("a=rtcp:").split()
        if line.startswith("a=rtcp:") and words and words[0].isascii() and words[0].isdigit() and 0 < int(words[0][:6]) < 65536:
            return (words[3] if len(words) == 4 and _is_numeric(words[3]) else where[0]), int(words[0])
    return where[0], min(where[1] + 1, 65535)


def _is_numeric(host: str) -> bool:
    """Names are not looked up: that would stop every call of the process for as long as it takes."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
