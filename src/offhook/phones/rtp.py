"""RTP packets (RFC 3550), the figures of a stream that is received, and digits as telephone events (RFC 4733). No sockets, no clock."""

import struct
from dataclasses import dataclass

FRAME_SECONDS = 0.02
CLOCK_RATE = 8000
FRAME_SAMPLES = int(CLOCK_RATE * FRAME_SECONDS)
DIGITS = "0123456789*#ABCD"

_HEADER = struct.Struct("!BBHII")
_EVENT = struct.Struct("!BBH")
_VERSION_2 = 2 << 6
_RESYNC_GAP = 3000  # RFC 3550 A.1 MAX_DROPOUT: a greater jump is another stream, not loss


class RtpMalformed(ValueError):
    """What arrived is no RTP packet; the text says why."""


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """One packet. `timestamp` counts samples of the payload's clock; both counters wrap (16 and 32 bits)."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False

    def pack(self) -> bytes:
        """The packet as it goes on the wire (RFC 3550 section 5.1)."""
        kind = self.payload_type | (0x80 if self.marker else 0)
        return _HEADER.pack(_VERSION_2, kind, self.sequence & 0xFFFF, self.timestamp & 0xFFFFFFFF, self.ssrc) + self.payload


def unpack(data: bytes) -> RtpPacket:
    """The packet in `data`, without contributing sources, extension and padding. Raises RtpMalformed."""
    if len(data) < _HEADER.size:
        raise RtpMalformed(f"{len(data)} octets are too few for RTP")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first >> 6 != 2:
        raise RtpMalformed(f"RTP version {first >> 6}")
    start, end = _HEADER.size + 4 * (first & 0x0F), len(data)
    if first & 0x10:
        if end < start + 4:
            raise RtpMalformed("extension cut short")
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if first & 0x20:
        end -= data[-1] or len(data)
    if start > end:
        raise RtpMalformed("shorter than its own header says")
    return RtpPacket(second & 0x7F, sequence, timestamp, ssrc, data[start:end], bool(second & 0x80))


class Reception:
    """The figures of one received stream: RFC 3550 A.1 (sequence), A.3 (loss), A.8 (jitter). Starts anew when the source changes."""

    def __init__(self, clock_rate: int = CLOCK_RATE) -> None:
        self._rate = clock_rate
        self.ssrc: int | None = None
        self.received = 0
        self._highest = self._base = 0
        self._transit: float | None = None
        self._timestamp: int | None = None
        self._jitter = 0.0
        self._before = (0, 0)  # expected, received at the last report

    def note(self, packet: RtpPacket, at: float) -> bool:
        """Count a packet that arrived at second `at`; False for a duplicate of the last one, which is not to be heard twice."""
        if packet.ssrc != self.ssrc:
            self._begin(packet)
        gap = (packet.sequence - self._highest) & 0xFFFF
        if gap == 0 and self.received:
            return False
        if _RESYNC_GAP < gap < 0x10000 - _RESYNC_GAP:
            self._begin(packet)
        elif gap < 0x8000:
            self._highest += gap
        self.received += 1
        if packet.timestamp != self._timestamp:  # packets of one key press share a timestamp: late by design, not by the network
            self._time(packet.timestamp, at)
        return True

    def _time(self, timestamp: int, at: float) -> None:
        transit = at * self._rate - timestamp
        if self._transit is not None:
            difference = abs(transit - self._transit)
            if difference < self._rate * 10:  # else the timestamp wrapped or the sender began anew
                self._jitter += (difference - self._jitter) / 16
        self._transit, self._timestamp = transit, timestamp

    def _begin(self, packet: RtpPacket) -> None:
        self.ssrc = packet.ssrc
        self._highest = self._base = packet.sequence
        self.received, self._transit, self._timestamp, self._jitter, self._before = 0, None, None, 0.0, (0, 0)

    @property
    def expected(self) -> int:
        """How many packets the sender must have sent since the first that came."""
        return self._highest - self._base + 1 if self.received else 0

    @property
    def lost(self) -> int:
        """Packets missing so far; never below zero, duplicates could make it so."""
        return max(self.expected - self.received, 0)

    @property
    def highest(self) -> int:
        """Extended highest sequence number: the number of wraps in the upper 16 bits."""
        return self._highest & 0xFFFFFFFF

    @property
    def jitter_units(self) -> int:
        """Interarrival jitter in units of the clock, as RTCP wants it."""
        return int(self._jitter)

    @property
    def jitter_ms(self) -> float:
        return self._jitter * 1000 / self._rate

    def fraction_lost(self) -> int:
        """Loss since this was last asked, in 256ths."""
        expected, received = self.expected - self._before[0], self.received - self._before[1]
        self._before = (self.expected, self.received)
        return min(max(expected - received, 0) * 256 // expected, 255) if expected > 0 else 0


@dataclass(frozen=True, slots=True)
class TelephoneEvent:
    """One report of a key being pressed (RFC 4733 section 2.3); `duration` in units of the clock so far."""

    digit: str
    duration: int
    end: bool = False
    volume: int = 10

    def pack(self) -> bytes:
        return _EVENT.pack(DIGITS.index(self.digit), (0x80 if self.end else 0) | self.volume, min(self.duration, 0xFFFF))


def unpack_event(payload: bytes) -> TelephoneEvent:
    """The event in an RTP payload. Raises RtpMalformed, also for events that are no key (flash, fax tones)."""
    if len(payload) < _EVENT.size:
        raise RtpMalformed("telephone event cut short")
    code, flags, duration = _EVENT.unpack_from(payload)
    if code >= len(DIGITS):
        raise RtpMalformed(f"event {code} is no key")
    return TelephoneEvent(DIGITS[code], duration, bool(flags & 0x80), flags & 0x3F)


def key_press(digit: str, milliseconds: int) -> list[TelephoneEvent]:
    """The reports of one key press, one a frame, two at least; the last thrice (RFC 4733 section 2.5.1.4). Raises ValueError for no key."""
    if digit not in DIGITS:
        raise ValueError(f"{digit!r} is no key: there are {DIGITS}")
    frames = max(milliseconds // int(FRAME_SECONDS * 1000), 2)
    pressing = [TelephoneEvent(digit, FRAME_SAMPLES * count) for count in range(1, frames)]
    return [*pressing, *[TelephoneEvent(digit, FRAME_SAMPLES * frames, end=True)] * 3]


class DigitsHeard:
    """Digits out of telephone events: one press is one timestamp of one source, however many packets of it come."""

    def __init__(self) -> None:
        self.digits = ""
        self._last: tuple[int, int] | None = None

    def note(self, packet: RtpPacket) -> str | None:
        """The digit, when this packet is the first that came of its press."""
        press = (packet.ssrc, packet.timestamp)
        if press == self._last:
            return None
        event = unpack_event(packet.payload)
        self._last = press
        self.digits += event.digit
        return event.digit
