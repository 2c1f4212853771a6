"""Damaged packets at a telephone's ear: RTP, keys, RTCP and SRTP. Nothing is raised but what is meant to be, and little memory is held.

./test has 2,500 of them, ./test long 60,000.
"""

import contextlib
import tracemalloc

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.phones import rtcp
from offhook.phones.rtp import DigitsHeard, Reception, RtpMalformed, RtpPacket, key_press, unpack
from offhook.phones.srtp import NotAuthentic, Sealing, new_key
from tests.octets import mutants

VOICE = [RtpPacket(0, number, number * 160, 0xABCD, bytes(range(160)), number == 0).pack() for number in range(4)]
KEYS = [RtpPacket(101, 10 + at, 5000, 0xABCD, event.pack(), at == 0).pack() for at, event in enumerate(key_press("5", 100))]
ODD = [
    b"\x9f" + VOICE[0][1:12] + b"\x00" * 60 + b"\xbe\xde\x00\x01abcd" + b"sound",
    b"\xb0" + VOICE[0][1:12] + b"\xbe\xde\xff\xffshort",
    b"\xa0" + VOICE[0][1:] + b"\xff",
]
BLOCK = rtcp.ReportBlock(0xABCD, 10, 3, 70000, 12, 99, 65536)
REPORTS = [
    rtcp.pack_report(rtcp.Report(1, (BLOCK,), rtcp.ntp_time(1e9), 160, 1, 160), "anna", bye=True),
    rtcp.pack_report(rtcp.Report(1, (BLOCK, BLOCK)), "ben"),
]
MEMORY_BYTES = 8 << 20


class Ear:
    """What hears packets in a telephone."""

    def __init__(self) -> None:
        self.reception, self.digits, self.at = Reception(), DigitsHeard(), 0.0
        self.sealing = Sealing(new_key(), new_key())

    def hears(self, data: bytes) -> None:
        self.at += 0.02
        with contextlib.suppress(RtpMalformed):
            packet = unpack(data)
            assert len(packet.payload) <= len(data)
            if self.reception.note(packet, self.at):
                self.digits.note(packet)
            assert self.reception.received >= 0 and self.reception.jitter_ms >= 0
        with contextlib.suppress(NotAuthentic):
            self.sealing.open(data)
            raise AssertionError("a packet that nobody sealed was taken")

    def is_told(self, data: bytes) -> None:
        for report in rtcp.unpack_reports(data):
            for block in report.blocks if isinstance(report, rtcp.Report) else ():
                rtcp.round_trip(block, rtcp.ntp_time(1e9))
        rtcp.block_about(self.reception, 0, 0.0)
        with contextlib.suppress(NotAuthentic):
            self.sealing.open_report(data)
            raise AssertionError("a report that nobody sealed was taken")


def torment(seed: int, count: int) -> None:
    """Half packets of sound and keys, half reports."""
    ear = Ear()
    tracemalloc.start()
    try:
        for data in mutants([*VOICE, *KEYS, *ODD], seed, count // 2):
            ear.hears(data)
        for data in mutants(REPORTS, seed + 1, count - count // 2):
            ear.is_told(data)
        assert tracemalloc.get_traced_memory()[1] < MEMORY_BYTES
    finally:
        tracemalloc.stop()


def test_thousands_of_mutants() -> None:
    torment(seed=815, count=2_500)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
def test_tens_of_thousands_of_mutants(seed: int) -> None:
    torment(seed * 100, 10_000)


@given(st.lists(st.binary(max_size=60), max_size=10))
def test_any_octets_are_a_packet_or_malformed(datagrams: list[bytes]) -> None:
    ear = Ear()
    for data in datagrams:
        ear.hears(data)
        ear.is_told(data)


@given(
    st.integers(0, 127),
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**32 - 1),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=300),
    st.booleans(),
)
def test_what_is_packed_is_unpacked(kind: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, marker: bool) -> None:
    packet = RtpPacket(kind, sequence, timestamp, ssrc, payload, marker)
    assert unpack(packet.pack()) == packet


@given(st.binary(min_size=1, max_size=300))
def test_what_is_sealed_is_opened_once_and_by_nobody_else(payload: bytes) -> None:
    ours, theirs = new_key(), new_key()
    sender, receiver, stranger = Sealing(ours, theirs), Sealing(theirs, ours), Sealing(theirs, new_key())
    packet = RtpPacket(0, 1, 160, 7, payload).pack()
    sealed = sender.seal(packet)
    assert receiver.open(sealed) == packet and (len(payload) < 8 or payload not in sealed)
    for who in (receiver, stranger):
        with pytest.raises(NotAuthentic):
            who.open(sealed)
