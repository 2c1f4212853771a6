"""The sound of one call: a pair of UDP ports that sends 20 ms frames of a source by the loop's clock, hears, and reports by RTCP."""

import asyncio
import contextlib
import secrets
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from offhook.phones import rtcp
from offhook.phones.audio import Samples, decode, encode
from offhook.phones.ear import Ear
from offhook.phones.offers import Agreement
from offhook.phones.rtp import (
    FRAME_SAMPLES,
    FRAME_SECONDS,
    DigitsHeard,
    Reception,
    RtpMalformed,
    RtpPacket,
    TelephoneEvent,
    key_press,
    unpack,
)
from offhook.phones.sources import Silence, Source
from offhook.phones.srtp import NotAuthentic, Sealing
from offhook.phones.tones import key_tones

_CATCH_UP_FRAMES = 10  # after a longer stall frames are left out, as a sound card would
_PAUSE_FRAMES = 5  # between two keys: 100 ms, Q.24 asks for 40 at least
_STATIC = {0: "PCMU", 8: "PCMA"}
_NAME = "offhook-phone"


class KeysRefused(Exception):
    """The other side takes no telephone events; send the keys by INFO or as tones."""


@dataclass(frozen=True, slots=True)
class Figures:
    """The figures of a call's sound up to now; what the other side says of ours is None until its first report came."""

    packets_sent: int
    packets_heard: int
    packets_lost: int
    jitter_ms: float
    heard_from: tuple[str, int] | None
    their_lost: int | None = None
    their_jitter_ms: float | None = None
    round_trip_ms: float | None = None


_Turn = TelephoneEvent | Samples | None  # what one frame carries instead of the source's sound; None: the source's all the same


class _Wire(asyncio.DatagramProtocol):
    """Hands datagrams on; the network's complaints (ICMP) are no concern of a telephone."""

    def __init__(self, heard: Callable[[bytes, tuple[str, int]], None]) -> None:
        self._heard = heard

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._heard(data, addr)


class MediaPort:
    """One call's sound. Make it with `open`; it sends once `connect` has told it where to. `ear` answers what is heard."""

    def __init__(self, host: str, *, report_every: float, keep_seconds: float) -> None:
        self._loop = asyncio.get_running_loop()
        self.host, self.port = host, 0
        self.ear = Ear(self._loop.time, keep_seconds)
        self.source: Source = Silence()
        self.sealing: Sealing | None = None
        """What seals and opens packets, None for plain sound."""
        self.unauthentic = 0
        """How many packets came that were not sealed as agreed."""
        self._agreement: Agreement | None = None
        self._sound: asyncio.DatagramTransport | None = None
        self._reports: asyncio.DatagramTransport | None = None
        self._ssrc, self._sequence, self._timestamp = secrets.randbits(32), secrets.randbits(15), secrets.randbits(31)
        self._marker, self._packets, self._octets = True, 0, 0
        self._reception, self._digits = Reception(), DigitsHeard()
        self._heard_from: tuple[str, int] | None = None
        self._last_report, self._last_report_at = 0, 0.0
        self._said_of_us: rtcp.ReportBlock | None = None
        self._round_trip: float | None = None
        self._turns: deque[tuple[_Turn, asyncio.Future[None] | None]] = deque()
        self._press_began: int | None = None
        self._report_every = report_every
        self._due = 0.0
        self._frame_timer: asyncio.TimerHandle | None = None
        self._report_timer: asyncio.TimerHandle | None = None

    @classmethod
    async def open(cls, host: str, *, report_every: float = 5.0, keep_seconds: float = 120.0) -> "MediaPort":
        """Bind an even port for sound and the odd one above for reports. `report_every` in seconds. Raises OSError."""
        port = cls(host, report_every=report_every, keep_seconds=keep_seconds)
        sound, reports = _pair(host)
        port.port = sound.getsockname()[1]
        port._sound, _ = await port._loop.create_datagram_endpoint(lambda: _Wire(port._sound_came), sock=sound)
        port._reports, _ = await port._loop.create_datagram_endpoint(lambda: _Wire(port._report_came), sock=reports)
        return port

    def connect(self, agreement: Agreement, sealing: Sealing | None = None) -> None:
        """Send and hear as agreed from now on, by SRTP if there is a `sealing`; may be called again when it changes."""
        self._agreement, self.sealing = agreement, sealing
        if self._frame_timer is None and self._sound is not None:
            self._due = self._loop.time()
            self._frame_timer = self._loop.call_at(self._due, self._turn)
            self._report_timer = self._loop.call_later(self._report_every / 2, self._report)

    def close(self) -> None:
        """Say goodbye and free the ports; what was heard can still be asked."""
        if self._sound is None or self._reports is None:
            return
        if self._packets or self._reception.received:
            self._send_report(bye=True)
        for timer in (self._frame_timer, self._report_timer):
            if timer is not None:
                timer.cancel()
        for _, done in self._turns:
            if done is not None and not done.done():
                done.set_exception(KeysRefused("the call ended before all keys were sent"))
                done.exception()  # nobody may be waiting any more
        self._turns.clear()
        self._sound.close()
        self._reports.close()
        self._sound = self._reports = None

    @property
    def figures(self) -> Figures:
        """Packets, loss, jitter and round trip up to now."""
        said = self._said_of_us
        return Figures(
            packets_sent=self._packets,
            packets_heard=self._reception.received,
            packets_lost=self._reception.lost,
            jitter_ms=round(self._reception.jitter_ms, 2),
            heard_from=self._heard_from,
            their_lost=said.lost if said else None,
            their_jitter_ms=round(said.jitter / 8, 2) if said else None,
            round_trip_ms=round(self._round_trip * 1000, 2) if self._round_trip is not None else None,
        )

    def presses(self, digits: str, milliseconds: int = 100) -> asyncio.Future[None]:
        """Press keys by RFC 4733, one after the other; done when the last was sent. Raises KeysRefused, ValueError for what is no key."""
        if self._agreement is None or self._agreement.events is None:
            raise KeysRefused("the other side agreed to no telephone events")
        turns: list[_Turn] = []
        for digit in digits:
            turns += [*key_press(digit, milliseconds), *[None] * _PAUSE_FRAMES]
        return self._take(turns)

    def sings(self, digits: str) -> asyncio.Future[None]:
        """Press keys as tones in the sound, for lines without telephone events."""
        tones = key_tones(digits)
        return self._take([tones[start : start + FRAME_SAMPLES] for start in range(0, len(tones) - FRAME_SAMPLES + 1, FRAME_SAMPLES)])

    def _take(self, turns: list[_Turn]) -> asyncio.Future[None]:
        done: asyncio.Future[None] = self._loop.create_future()
        if turns and self._sound is not None:
            self._turns.extend((turn, None) for turn in turns[:-1])
            self._turns.append((turns[-1], done))
        else:
            done.set_result(None)
        return done

    def _turn(self) -> None:
        """Send the frames that are due; the next time is counted from the last due time, so that nothing drifts."""
        now = self._loop.time()
        for _ in range(_CATCH_UP_FRAMES):
            if self._due > now:
                break
            self._send_frame()
            self._due += FRAME_SECONDS
        late = int((now - self._due) / FRAME_SECONDS)
        if late > 0:
            self._due += late * FRAME_SECONDS
            self._timestamp += late * FRAME_SAMPLES
            self._marker = True
        self._frame_timer = self._loop.call_at(self._due, self._turn)

    def _send_frame(self) -> None:
        turn, done = self._turns.popleft() if self._turns else (None, None)
        if isinstance(turn, TelephoneEvent):
            self._send_event(turn)
        else:
            self._press_began = None
            self._send_sound(self.source.frame() if turn is None else turn)
        self._timestamp += FRAME_SAMPLES
        if done is not None and not done.done():
            done.set_result(None)

    def _send_sound(self, samples: Samples | None) -> None:
        agreed = self._agreement
        if samples is None or agreed is None or not agreed.sends:
            self._marker = True
            return
        self._send(agreed.payload_type, self._timestamp, encode(samples, agreed.codec), self._marker)
        self._marker = False

    def _send_event(self, event: TelephoneEvent) -> None:
        agreed = self._agreement
        if agreed is None or agreed.events is None or not agreed.sends:
            return
        first = event.duration == FRAME_SAMPLES
        if self._press_began is None or first:
            self._press_began = self._timestamp
        self._send(agreed.events, self._press_began, event.pack(), marker=first)
        self._marker = True

    def _send(self, payload_type: int, timestamp: int, payload: bytes, marker: bool) -> None:
        if self._sound is None or self._agreement is None:
            return
        packet = RtpPacket(payload_type, self._sequence, timestamp, self._ssrc, payload, marker)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._packets += 1
        self._octets += len(payload)
        data = packet.pack()
        self._sound.sendto(self.sealing.seal(data) if self.sealing else data, self._agreement.remote)

    def _sound_came(self, data: bytes, source: tuple[str, int]) -> None:
        try:
            packet = unpack(self.sealing.open(data) if self.sealing else data)
            if not self._reception.note(packet, self._loop.time()):
                return
            self._heard_from = source[:2]
            self._hear(packet)
        except RtpMalformed:
            return
        except NotAuthentic:
            self.unauthentic += 1

    def _hear(self, packet: RtpPacket) -> None:
        agreed = self._agreement
        if agreed is None:
            return
        if packet.payload_type == agreed.events:
            digit = self._digits.note(packet)
            if digit:
                self.ear.hear_digit(digit)
            return
        codec = agreed.codec if packet.payload_type == agreed.payload_type else _STATIC.get(packet.payload_type)
        if codec is not None and agreed.hears:
            samples = decode(packet.payload, codec)
            self.ear.hear(samples)
            self.source.hears(samples)

    def _report(self) -> None:
        self._send_report()
        self._report_timer = self._loop.call_later(self._report_every, self._report)

    def _send_report(self, bye: bool = False) -> None:
        if self._reports is None or self._agreement is None:
            return
        now = time.time()
        blocks: tuple[rtcp.ReportBlock, ...] = ()
        if self._reception.received:
            blocks = (rtcp.block_about(self._reception, self._last_report, now - self._last_report_at),)
        if self._packets:
            report = rtcp.Report(self._ssrc, blocks, rtcp.ntp_time(now), self._timestamp, self._packets, self._octets)
        else:
            report = rtcp.Report(self._ssrc, blocks)
        packed = rtcp.pack_report(report, _NAME, bye)
        self._reports.sendto(self.sealing.seal_report(packed) if self.sealing else packed, self._agreement.remote_rtcp)

    def _report_came(self, data: bytes, source: tuple[str, int]) -> None:
        now = time.time()
        try:
            data = self.sealing.open_report(data) if self.sealing else data
        except NotAuthentic:
            self.unauthentic += 1
            return
        for report in rtcp.unpack_reports(data):
            if not isinstance(report, rtcp.Report):
                continue
            if report.ntp is not None:
                self._last_report, self._last_report_at = rtcp.middle(report.ntp), now
            for block in report.blocks:
                if block.ssrc == self._ssrc:
                    self._said_of_us = block
                    self._round_trip = rtcp.round_trip(block, rtcp.ntp_time(now)) or self._round_trip


def _pair(host: str) -> tuple[socket.socket, socket.socket]:
    """Two UDP sockets on an even port and the next (RFC 3550 section 11)."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for _ in range(200):
        first, second = socket.socket(family, socket.SOCK_DGRAM), socket.socket(family, socket.SOCK_DGRAM)
        with contextlib.suppress(OSError):
            first.bind((host, 0))
            port = first.getsockname()[1]
            if port % 2 == 0:
                second.bind((host, port + 1))
                return first, second
        first.close()
        second.close()
    raise OSError(f"no pair of free UDP ports on {host}")
