"""RTP and RTCP as octets, and the figures counted from them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.phones import rtcp
from offhook.phones.rtp import DIGITS, DigitsHeard, Reception, RtpMalformed, RtpPacket, TelephoneEvent, key_press, unpack, unpack_event


def packet(sequence: int, timestamp: int | None = None, ssrc: int = 7) -> RtpPacket:
    return RtpPacket(0, sequence & 0xFFFF, sequence * 160 if timestamp is None else timestamp, ssrc, b"\xff" * 160)


@given(
    st.integers(0, 127),
    st.integers(0, 0xFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.integers(0, 0xFFFFFFFF),
    st.binary(max_size=200),
    st.booleans(),
)
def test_a_packet_comes_back_as_it_was_sent(kind: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, marker: bool) -> None:
    sent = RtpPacket(kind, sequence, timestamp, ssrc, payload, marker)
    assert unpack(sent.pack()) == sent


def test_sources_extension_and_padding_are_taken_off() -> None:
    plain = RtpPacket(8, 1, 2, 3, b"").pack()
    decorated = bytes([0xB1]) + plain[1:] + b"\0\0\0\1" + b"\xbe\xde\0\1abcd" + b"sound" + b"\0\0\3"
    assert unpack(decorated).payload == b"sound"


@given(st.binary(max_size=64))
def test_any_octets_are_a_packet_or_malformed(data: bytes) -> None:
    with contextlib.suppress(RtpMalformed):
        unpack(data)
    rtcp.unpack_reports(data)


def test_loss_is_counted_over_the_wrap_of_the_sequence() -> None:
    reception = Reception()
    for sequence in (65533, 65534, 65536, 65538):
        assert reception.note(packet(sequence), sequence * 0.02)
    assert (reception.expected, reception.lost, reception.highest) == (6, 2, 65538)


def test_packets_out_of_order_are_no_loss_and_a_repeated_one_is_not_heard_twice() -> None:
    reception = Reception()
    heard = [reception.note(packet(sequence), 1.0) for sequence in (10, 12, 11, 13, 13)]
    assert heard == [True, True, True, True, False]
    assert reception.lost == 0


def test_an_even_stream_has_no_jitter_and_an_uneven_one_has() -> None:
    even, uneven = Reception(), Reception()
    for number in range(100):
        even.note(packet(number), 5 + number * 0.02)
        uneven.note(packet(number), 5 + number * 0.02 + (0.005 if number % 2 else 0.0))
    assert even.jitter_ms == pytest.approx(0, abs=0.01)
    assert uneven.jitter_ms == pytest.approx(5, rel=0.1)


def test_the_fraction_lost_is_that_since_the_last_report() -> None:
    reception = Reception()
    for sequence in (1, 2, 4):
        reception.note(packet(sequence), 1.0)
    assert reception.fraction_lost() == 64
    for sequence in (5, 6):
        reception.note(packet(sequence), 1.0)
    assert reception.fraction_lost() == 0


def test_one_press_is_one_digit_however_many_packets_say_so() -> None:
    heard = DigitsHeard()
    for place, digit in enumerate("11*"):
        for event in key_press(digit, 100):
            heard.note(RtpPacket(101, 0, 1000 * place, 7, event.pack()))
    assert heard.digits == "11*"


def test_a_press_grows_and_ends_three_times() -> None:
    events = key_press("5", 100)
    assert [event.duration for event in events] == [160, 320, 480, 640, 800, 800, 800]
    assert [event.end for event in events] == [False] * 4 + [True] * 3
    assert all(unpack_event(TelephoneEvent(digit, 160).pack()).digit == digit for digit in DIGITS)


def test_what_is_no_key_is_refused() -> None:
    with pytest.raises(ValueError, match="no key"):
        key_press("x", 100)
    with pytest.raises(RtpMalformed, match="no key"):
        unpack_event(bytes([16, 0, 0, 160]))


def test_reports_come_back_as_they_were_sent() -> None:
    block = rtcp.ReportBlock(9, 12, 34, 56, 78, 90, 12345)
    sent = rtcp.Report(7, (block,), rtcp.ntp_time(1000.5), 4711, 10, 1600)
    assert rtcp.unpack_reports(rtcp.pack_report(sent, "phone", bye=True)) == [sent, rtcp.Goodbye((7,))]
    received = rtcp.Report(7, (block,))
    assert rtcp.unpack_reports(rtcp.pack_report(received, "a name of eleven")) == [received]


def test_the_round_trip_leaves_out_the_time_the_report_lay_there() -> None:
    sent, lay, travelled = 1000.0, 0.75, 0.125
    block = rtcp.ReportBlock(7, 0, 0, 0, 0, rtcp.middle(rtcp.ntp_time(sent)), int(lay * 65536))
    assert rtcp.round_trip(block, rtcp.ntp_time(sent + lay + travelled)) == pytest.approx(travelled, abs=0.001)
    assert rtcp.round_trip(rtcp.ReportBlock(7, 0, 0, 0, 0, 0, 0), rtcp.ntp_time(sent)) is None
