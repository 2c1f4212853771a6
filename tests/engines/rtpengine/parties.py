"""Parties of a test call: each sends a tone of its own as G.711 over RTP, and can say whose tones it hears."""

import asyncio
import contextlib
import math
import random
import socket
import struct
import time
from collections import deque

PAYLOADS = {"PCMU": 0, "PCMA": 8}
DIGITS_PAYLOAD = 101
PACKET_SECONDS = 0.02
PACKET_SAMPLES = 160
RATE = 8000
LISTENED_PACKETS = 10
LISTENED_SECONDS = 0.5
ROUND_TRIP_SECONDS = 0.02
NTP_1970 = 2208988800
"""Seconds from 1900, where NTP time begins, to 1970."""
_EVENTS = "0123456789*#ABCD"


def _mulaw_decoded(byte: int) -> int:
    byte = ~byte & 0xFF
    magnitude = ((((byte & 0x0F) << 3) + 0x84) << ((byte >> 4) & 0x07)) - 0x84
    return -magnitude if byte & 0x80 else magnitude


def _alaw_decoded(byte: int) -> int:
    byte ^= 0x55
    exponent, mantissa = (byte >> 4) & 0x07, byte & 0x0F
    magnitude = (mantissa << 4) + 8 if exponent == 0 else ((mantissa << 4) + 0x108) << (exponent - 1)
    return magnitude if byte & 0x80 else -magnitude


DECODED = {
    PAYLOADS["PCMU"]: [_mulaw_decoded(byte) for byte in range(256)],
    PAYLOADS["PCMA"]: [_alaw_decoded(byte) for byte in range(256)],
}


def tone(hertz: int, codec: str) -> bytes:
    """One packet of a tone; `hertz` is a multiple of 50, so that packets join without a click."""
    table = DECODED[PAYLOADS[codec]]
    nearest = sorted(range(256), key=lambda byte: table[byte])
    levels = [table[byte] for byte in nearest]

    def coded(level: float) -> int:
        return nearest[min(range(256), key=lambda at: abs(levels[at] - level))]

    return bytes(coded(8000 * math.sin(2 * math.pi * hertz * n / RATE)) for n in range(PACKET_SAMPLES))


def strength(samples: list[int], hertz: int) -> float:
    """The share of the samples' energy that lies at `hertz` (Goertzel), 0 to about 1; 0 for silence."""
    energy = sum(sample * sample for sample in samples)
    if energy < 100 * 100 * len(samples):
        return 0.0
    factor = 2 * math.cos(2 * math.pi * hertz / RATE)
    last = before = 0.0
    for sample in samples:
        last, before = sample + factor * last - before, last
    power = last * last + before * before - factor * last * before
    return 2 * power / (len(samples) * energy)


class Party:
    """A telephone reduced to its sound."""

    def __init__(self, address: str, hertz: int, codec: str = "PCMU") -> None:
        """Needs a running loop; takes a free even port of `address`, and the next for RTCP."""
        self.hertz = hertz
        self.codec = codec
        self.address = address
        self.packets: deque[tuple[float, int, bytes]] = deque(maxlen=100)
        self.told: tuple[int, int, float] | None = None  # the far end's last sender report: SSRC, middle of its NTP time, when it came
        self.sent = 0
        self._rtp, self._rtcp = _port_pair(address)
        self.port = int(self._rtp.getsockname()[1])
        self._tone = tone(hertz, codec)
        self._ssrc = random.getrandbits(32)
        self._far_sequence = 0
        self._sequence = random.getrandbits(15)
        self._stamp = random.getrandbits(31)
        self._target: tuple[str, int] | None = None
        self._sender: asyncio.Task[None] | None = None
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._rtp, self._take)
        self._loop.add_reader(self._rtcp, self._take_report)

    def _take(self) -> None:
        data = self._rtp.recv(2048)
        self._far_sequence = int.from_bytes(data[2:4], "big")
        self.packets.append((time.monotonic(), data[1] & 0x7F, data[12:]))

    def sdp(self, *codecs: str, direction: str = "sendrecv", digits: bool = True) -> str:
        """What this party would offer or answer."""
        payloads = [str(PAYLOADS[codec]) for codec in codecs or (self.codec,)] + [str(DIGITS_PAYLOAD)] * digits
        return "\r\n".join(
            [
                "v=0",
                f"o=- 77 77 IN IP4 {self.address}",
                "s=-",
                f"c=IN IP4 {self.address}",
                "t=0 0",
                f"m=audio {self.port} RTP/AVP {' '.join(payloads)}",
                *([f"a=rtpmap:{DIGITS_PAYLOAD} telephone-event/8000"] * digits),
                f"a={direction}",
                "",
            ]
        )

    def speaks_to(self, sdp: str) -> None:
        """Send the tone to where `sdp` says, from now on."""
        self._target = target_of(sdp)
        if self._sender is None:
            self._sender = asyncio.create_task(self._send_tone())

    def falls_silent(self) -> None:
        """Send nothing more."""
        if self._sender:
            self._sender.cancel()
            self._sender = None

    async def _send_tone(self) -> None:
        due = time.monotonic()
        while True:
            self._send(PAYLOADS[self.codec], self._tone)
            due += PACKET_SECONDS
            await asyncio.sleep(max(0.0, due - time.monotonic()))

    def _send(self, payload_type: int, payload: bytes, stamp: int | None = None) -> None:
        self._sequence = (self._sequence + 1) & 0xFFFF
        if stamp is None:
            self._stamp = stamp = (self._stamp + PACKET_SAMPLES) & 0xFFFFFFFF
        header = struct.pack("!BBHII", 0x80, payload_type, self._sequence, stamp, self._ssrc)
        if self._target:
            self._rtp.sendto(header + payload, self._target)
            self.sent += 1

    async def presses(self, digit: str, milliseconds: int = 100) -> None:
        """Press a key: RFC 4733, updates every 20 ms and three end packets."""
        self._stamp += PACKET_SAMPLES
        steps = [(at * PACKET_SAMPLES, 0) for at in range(1, milliseconds // 20)] + [(milliseconds * 8, 0x80)] * 3
        for duration, end in steps:
            self._send(DIGITS_PAYLOAD, struct.pack("!BBH", _EVENTS.index(digit), end | 10, duration), self._stamp)
            await asyncio.sleep(PACKET_SECONDS)
        self._stamp += milliseconds * 8

    def hears(self, *parties: "Party") -> set[int]:
        """The tones of `parties` that the last 200 ms brought; all tones of 50 Hz steps from 300 to 2000 when none are named."""
        recent = [packet for at, kind, packet in self.packets if kind in DECODED and time.monotonic() - at < LISTENED_SECONDS][
            -LISTENED_PACKETS:
        ]
        if len(recent) < LISTENED_PACKETS:
            return set()
        kind = next(kind for _, kind, _ in reversed(self.packets) if kind in DECODED)
        samples = [DECODED[kind][byte] for packet in recent for byte in packet]
        tones = [party.hertz for party in parties] or range(300, 2050, 50)
        return {hertz for hertz in tones if strength(samples, hertz) > 0.15}

    def reports(self, lost: int = 0, jitter: int = 40) -> None:
        """Send an RTCP sender report, and in it how the far end is heard: `lost` in 256ths, `jitter` in samples (RFC 3550, 6.4.1)."""
        assert self._target
        now = time.time() + NTP_1970
        whole, part = int(now), int((now % 1) * (1 << 32))
        report = struct.pack("!IIIIII", self._ssrc, whole, part, self._stamp, self.sent, self.sent * PACKET_SAMPLES)
        if self.told:
            ssrc, middle, at = self.told
            # A little less than really passed since the far end's report: what is left over is the round trip.
            delay = int(max(0.0, time.monotonic() - at - ROUND_TRIP_SECONDS) * 65536)
            report += struct.pack("!IIIIII", ssrc, lost << 24, self._far_sequence, jitter, middle, delay)
        head = struct.pack("!BBH", 0x81 if self.told else 0x80, 200, len(report) // 4)
        address, port = self._target
        self._rtcp.sendto(head + report, (address, port + 1))

    def _take_report(self) -> None:
        data = self._rtcp.recv(2048)
        if data[1] == 200:
            ssrc, whole, part = struct.unpack_from("!III", data, 4)
            self.told = ssrc, (whole & 0xFFFF) << 16 | part >> 16, time.monotonic()

    def leaves(self) -> None:
        """Be silent and give the ports back."""
        self.falls_silent()
        self._loop.remove_reader(self._rtp)
        self._loop.remove_reader(self._rtcp)
        self._rtp.close()
        self._rtcp.close()


def _port_pair(address: str) -> tuple[socket.socket, socket.socket]:
    while True:
        pair = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        pair[0].bind((address, 0))
        port = pair[0].getsockname()[1]
        with contextlib.suppress(OSError):
            if port % 2 == 0:
                pair[1].bind((address, port + 1))
                pair[0].setblocking(False)
                return pair
        for each in pair:
            each.close()


def target_of(sdp: str) -> tuple[str, int]:
    """The address and port of the first audio line."""
    lines = sdp.splitlines()
    address = next(line.split()[-1] for line in lines if line.startswith("c="))
    port = int(next(line.split()[1] for line in lines if line.startswith("m=audio")))
    return address, port
