"""Session descriptions (RFC 8866) read defensively: what is not understood is kept, line by line, and written back as it came."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import lru_cache
from ipaddress import IPv4Address, IPv6Address

LARGEST = 64 * 1024
LONGEST_LIST = 64

# Payload types everybody knows without an rtpmap (RFC 3551 table 4).
STATIC = {0: ("PCMU", 8000), 3: ("GSM", 8000), 8: ("PCMA", 8000), 9: ("G722", 8000), 13: ("CN", 8000), 18: ("G729", 8000)}


class BadSdp(ValueError):
    """Not a session description; the text says why."""


class Direction(StrEnum):
    """Which way media flows, seen from the writer of the description (RFC 3264 5.1)."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"

    @property
    def answered(self) -> "Direction":
        """The widest answer to an offer with this direction (RFC 3264 6.1)."""
        return _ANSWERS.get(self, self)


_ANSWERS = {Direction.SENDONLY: Direction.RECVONLY, Direction.RECVONLY: Direction.SENDONLY}
_DIRECTIONS = frozenset(f"a={direction}" for direction in Direction)


@dataclass(frozen=True, slots=True)
class Codec:
    """One format of an audio line; rate in Hz as SDP writes it (8000 for G.722, RFC 3551 4.5.2), fmtp without its payload type."""

    payload_type: int
    name: str
    rate: int
    channels: int = 1
    fmtp: str = ""


@dataclass(frozen=True, slots=True)
class Media:
    """One media description: the parts of its m= line, and the lines below it."""

    kind: str
    port: int
    protocol: str
    formats: tuple[str, ...]
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Sdp:
    """A whole description; str() writes it."""

    session: tuple[str, ...]
    media: tuple[Media, ...]

    @property
    def audio(self) -> Media | None:
        """The first audio line that is not switched off (port 0); else the first audio line, else None."""
        audio = [media for media in self.media if media.kind == "audio"]
        return next((media for media in audio if media.port), audio[0] if audio else None)

    def __str__(self) -> str:
        lines = list(self.session)
        for media in self.media:
            lines.append(f"m={media.kind} {media.port} {media.protocol} {' '.join(media.formats)}".rstrip())
            lines += media.lines
        return "\r\n".join(lines) + "\r\n"


def parse(text: str | bytes) -> Sdp:
    """Read a description; lines may end with CRLF or LF. Raises BadSdp when over 64 kB or not SDP."""
    if len(text) > LARGEST:
        raise BadSdp("longer than 64 kB")
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    lines = [line for line in text.replace("\r\n", "\n").split("\n") if line.strip()]
    if not lines or lines[0] != "v=0":
        raise BadSdp("does not begin with v=0")
    starts = [index for index, line in enumerate(lines) if line.startswith("m=")]
    if len(starts) > LONGEST_LIST:
        raise BadSdp(f"more than {LONGEST_LIST} media lines")
    for line in lines:
        if len(line) < 2 or line[1] != "=" or "\r" in line or "\0" in line:
            raise BadSdp(f"not an SDP line: {line[:40]!r}")
    ends = [*starts[1:], len(lines)] if starts else []
    media = tuple(_media(lines[start], tuple(lines[start + 1 : end])) for start, end in zip(starts, ends, strict=True))
    return Sdp(tuple(lines[: starts[0]] if starts else lines), media)


def _media(line: str, below: tuple[str, ...]) -> Media:
    words = line[2:].split()
    if len(words) < 3:
        raise BadSdp(f"not a media line: {line[:40]!r}")
    port = _number(words[1].partition("/")[0], 65535)
    if port is None:
        raise BadSdp(f"no port in {line[:40]!r}")
    if len(words) - 3 > LONGEST_LIST:
        raise BadSdp(f"more than {LONGEST_LIST} formats")
    return Media(words[0].lower(), port, words[2], tuple(words[3:]), below)


def address(sdp: Sdp) -> tuple[str, int] | None:
    """Host and port where the audio is wanted: the c= line of the audio, else of the session.

    None without audio, without c=, or where that is no address of one machine: names are not looked up, groups and broadcasts not flooded.
    """
    audio = sdp.audio
    if audio is None:
        return None
    for line in (*audio.lines, *sdp.session):
        words = line[2:].split()
        if line.startswith("c=") and len(words) == 3 and words[0] == "IN":
            return (words[2], audio.port) if is_one_machine(words[1], words[2]) else None
    return None


@lru_cache(1024)
def is_one_machine(family: str, host: str) -> bool:
    """Whether this is an address that one machine may have, 0.0.0.0 (hold) included; not with a TTL, a zone, or octal numbers."""
    try:
        found = IPv6Address(host) if family == "IP6" else IPv4Address(host)
    except ValueError:
        return False
    return not found.is_multicast and host != "255.255.255.255" and "%" not in host


def direction(sdp: Sdp) -> Direction:
    """The audio's direction: its own attribute, else the session's, else sendrecv (RFC 8866 6.7).

    The address 0.0.0.0 means hold as RFC 2543 phones say it: what they would receive is not wanted (RFC 3264 8.4).
    """
    where = address(sdp)
    audio = sdp.audio
    lines = (*audio.lines, *sdp.session) if audio else sdp.session
    said = next((Direction(line[2:].strip()) for line in lines if line.strip() in _DIRECTIONS), Direction.SENDRECV)
    if where and where[0] == "0.0.0.0":
        return Direction.SENDONLY if said in (Direction.SENDRECV, Direction.SENDONLY) else Direction.INACTIVE
    return said


def with_direction(sdp: Sdp, wanted: Direction) -> Sdp:
    """The same description with every media line of this direction."""
    session = tuple(line for line in sdp.session if line.strip() not in _DIRECTIONS)
    return Sdp(session, tuple(replace(media, lines=(*_without_direction(media.lines), f"a={wanted}")) for media in sdp.media))


def _without_direction(lines: Iterable[str]) -> tuple[str, ...]:
    return tuple(line for line in lines if line.strip() not in _DIRECTIONS)


def codecs(sdp: Sdp) -> tuple[Codec, ...]:
    """The audio's formats in their order of preference, telephone-event among them; those without a name are left out."""
    audio = sdp.audio
    if audio is None:
        return ()
    return _codecs(audio.formats, tuple(line for line in audio.lines if line.startswith(("a=rtpmap:", "a=fmtp:"))))


@lru_cache(1024)
def _codecs(formats: tuple[str, ...], lines: tuple[str, ...]) -> tuple[Codec, ...]:
    # Telephones of one make say the same in every call.
    names = _attributes(lines, "a=rtpmap:")
    parameters = _attributes(lines, "a=fmtp:")
    found = (_codec(number, names, parameters) for text in dict.fromkeys(formats) if (number := _number(text, 127)) is not None)
    return tuple(codec for codec in found if codec)


def telephone_event(sdp: Sdp) -> Codec | None:
    """The format that carries DTMF (RFC 4733), or None."""
    return next((codec for codec in codecs(sdp) if codec.name.lower() == "telephone-event"), None)


def describe(
    host: str,
    port: int,
    formats: Sequence[Codec],
    *,
    flow: Direction = Direction.SENDRECV,
    ptime: int = 20,
) -> Sdp:
    """A description of one RTP/AVP audio stream of ours, ptime in milliseconds. Its o= line the agent writes."""
    family = "IP6" if ":" in host else "IP4"
    session = ("v=0", f"o=- 0 0 IN {family} {host}", "s=-", f"c=IN {family} {host}", "t=0 0")
    lines: list[str] = []
    for codec in formats:
        suffix = f"/{codec.channels}" if codec.channels > 1 else ""
        lines.append(f"a=rtpmap:{codec.payload_type} {codec.name}/{codec.rate}{suffix}")
        if codec.fmtp:
            lines.append(f"a=fmtp:{codec.payload_type} {codec.fmtp}")
    lines += [f"a=ptime:{ptime}", f"a={flow}"]
    return Sdp(session, (Media("audio", port, "RTP/AVP", tuple(str(codec.payload_type) for codec in formats), tuple(lines)),))


def _attributes(lines: Iterable[str], prefix: str) -> dict[int, str]:
    """Payload type to the rest of an a=rtpmap or a=fmtp line; the first of two wins."""
    found: dict[int, str] = {}
    for line in lines:
        if line.startswith(prefix):
            first, _, rest = line[len(prefix) :].partition(" ")
            number = _number(first, 127)
            if number is not None:
                found.setdefault(number, rest.strip())
    return found


def _codec(number: int, names: dict[int, str], parameters: dict[int, str]) -> Codec | None:
    fmtp = parameters.get(number, "")
    if number not in names:
        name, rate = STATIC.get(number, ("", 0))
        return Codec(number, name, rate, 1, fmtp) if name else None
    name, _, rest = names[number].partition("/")
    rate_text, _, channels = rest.partition("/")
    parsed = _number(rate_text, 10_000_000)
    return Codec(number, name, parsed, _number(channels, 255) or 1, fmtp) if name and parsed else None


def _number(text: str, highest: int) -> int | None:
    """Plain ASCII digits up to a limit: int() alone would take "²", "+8" and ten thousand digits."""
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        return None
    number = int(text)
    return number if number <= highest else None
