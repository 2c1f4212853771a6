"""RTCP reports (RFC 3550 section 6): written for what we send and hear, read for what the other side says of us."""

import struct
from dataclasses import dataclass

from offhook.phones.rtp import Reception

_SENDER_REPORT, _RECEIVER_REPORT, _DESCRIPTION, _GOODBYE = 200, 201, 202, 203
_BLOCK = struct.Struct("!IIIIII")
_NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970


@dataclass(frozen=True, slots=True)
class ReportBlock:
    """What a receiver says of one stream: loss in 256ths and in all, jitter in clock units, and when it last heard a sender's report."""

    ssrc: int
    fraction_lost: int
    lost: int
    highest: int
    jitter: int
    last_report: int
    delay: int


@dataclass(frozen=True, slots=True)
class Report:
    """One sender's or receiver's report. `ntp` (64 bit), `timestamp`, `packets` and `octets` are None in a receiver's."""

    ssrc: int
    blocks: tuple[ReportBlock, ...] = ()
    ntp: int | None = None
    timestamp: int | None = None
    packets: int | None = None
    octets: int | None = None


@dataclass(frozen=True, slots=True)
class Goodbye:
    """The sources that left."""

    ssrcs: tuple[int, ...]


def ntp_time(seconds: float) -> int:
    """Seconds since 1970 as a 64-bit NTP timestamp."""
    return int((seconds + _NTP_EPOCH) * (1 << 32)) & 0xFFFFFFFFFFFFFFFF


def middle(ntp: int) -> int:
    """The middle 32 bits of an NTP timestamp, in which LSR, DLSR and round trips are counted (1/65536 s)."""
    return (ntp >> 16) & 0xFFFFFFFF


def block_about(reception: Reception, last_report: int, delay_seconds: float) -> ReportBlock:
    """What is to be reported of a stream; `last_report` is the middle of the sender's last NTP time, 0 if none came."""
    lost = min(reception.lost, 0x7FFFFF)
    delay = int(delay_seconds * 65536) if last_report else 0
    return ReportBlock(reception.ssrc or 0, reception.fraction_lost(), lost, reception.highest, reception.jitter_units, last_report, delay)


def _packed(kind: int, count: int, body: bytes) -> bytes:
    return struct.pack("!BBH", (2 << 6) | count, kind, len(body) // 4) + body


def pack_report(report: Report, name: str, bye: bool = False) -> bytes:
    """A compound packet: the report, our canonical name (SDES CNAME, which section 6.1 demands) and, at the end of a call, BYE."""
    blocks = b"".join(
        _BLOCK.pack(b.ssrc, (b.fraction_lost << 24) | b.lost, b.highest, b.jitter, b.last_report, b.delay & 0xFFFFFFFF)
        for b in report.blocks
    )
    if report.ntp is None:
        first = _packed(_RECEIVER_REPORT, len(report.blocks), struct.pack("!I", report.ssrc) + blocks)
    else:
        sender = struct.pack(
            "!IQIII", report.ssrc, report.ntp, (report.timestamp or 0) & 0xFFFFFFFF, report.packets or 0, report.octets or 0
        )
        first = _packed(_SENDER_REPORT, len(report.blocks), sender + blocks)
    text = name.encode()[:255]
    item = struct.pack("!IBB", report.ssrc, 1, len(text)) + text
    description = _packed(_DESCRIPTION, 1, item + bytes(4 - len(item) % 4))
    return first + description + (_packed(_GOODBYE, 1, struct.pack("!I", report.ssrc)) if bye else b"")


def unpack_reports(data: bytes) -> list[Report | Goodbye]:
    """The reports and goodbyes of a compound packet; anything cut short or unknown ends or skips the reading, nothing is raised."""
    found: list[Report | Goodbye] = []
    while len(data) >= 4:
        first, kind, words = struct.unpack_from("!BBH", data)
        body, data = data[4 : 4 + 4 * words], data[4 + 4 * words :]
        if first >> 6 != 2 or len(body) != 4 * words:
            break
        count = first & 0x1F
        if kind == _SENDER_REPORT and words >= 6:
            ssrc, ntp, timestamp, packets, octets = struct.unpack_from("!IQIII", body)
            found.append(Report(ssrc, _blocks(body[24:], count), ntp, timestamp, packets, octets))
        elif kind == _RECEIVER_REPORT and words >= 1:
            found.append(Report(int.from_bytes(body[:4], "big"), _blocks(body[4:], count)))
        elif kind == _GOODBYE and words >= count:
            found.append(Goodbye(struct.unpack_from(f"!{count}I", body)))
    return found


def _blocks(body: bytes, count: int) -> tuple[ReportBlock, ...]:
    whole = min(count, len(body) // _BLOCK.size)
    rows = (_BLOCK.unpack_from(body, number * _BLOCK.size) for number in range(whole))
    return tuple(ReportBlock(ssrc, loss >> 24, loss & 0xFFFFFF, *rest) for ssrc, loss, *rest in rows)


def round_trip(block: ReportBlock, now_ntp: int) -> float | None:
    """Seconds to the other side and back (section 6.4.1): None while it has heard no report of ours."""
    if not block.last_report:
        return None
    units = (middle(now_ntp) - block.last_report - block.delay) & 0xFFFFFFFF
    return units / 65536 if units < 0x80000000 else 0.0
