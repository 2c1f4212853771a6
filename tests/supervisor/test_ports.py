"""Ports: free ones are found, taken ones are named, and a block for sound is never shared."""

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from offhook.supervisor.ports import RtpBlock, check_free, claim_rtp_block, free_port
from offhook.supervisor.refusals import NoRtpPorts, PortTaken


@pytest.fixture
def block() -> Iterator[RtpBlock]:
    claimed = claim_rtp_block()
    yield claimed
    claimed.release()


def test_a_free_port_can_be_opened_for_both_kinds() -> None:
    port = free_port("127.0.0.1")
    check_free("127.0.0.1", port, ("udp", "tcp"), "OFFHOOK_SIP_PORT")


def test_a_free_port_is_none_of_those_to_avoid() -> None:
    low, high = map(int, open_range().split())
    odd = set(range(low | 1, high + 1, 2))
    assert all(free_port("127.0.0.1", ("udp",), avoid=odd) % 2 == 0 for _ in range(5))


def open_range() -> str:
    return Path("/proc/sys/net/ipv4/ip_local_port_range").read_text(encoding="ascii")


def test_a_taken_udp_port_is_refused_with_port_and_setting() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("0.0.0.0", 0))
        port = other.getsockname()[1]
        with pytest.raises(
            PortTaken, match=rf"^UDP port {port} on 127.0.0.1 \(OFFHOOK_SIP_PORT\) is in use by another program; .*OFFHOOK_SIP_PORT"
        ):
            check_free("127.0.0.1", port, ("udp", "tcp"), "OFFHOOK_SIP_PORT")
        check_free("127.0.0.1", port, ("tcp",), "OFFHOOK_HTTP_PORT")


def test_a_taken_tcp_port_is_refused_though_its_listener_allows_reuse() -> None:
    with socket.create_server(("127.0.0.1", 0), reuse_port=False) as other:
        port = other.getsockname()[1]
        with pytest.raises(PortTaken, match=f"TCP port {port} .*OFFHOOK_HTTP_PORT"):
            check_free("127.0.0.1", port, ("tcp",), "OFFHOOK_HTTP_PORT")


def test_a_port_just_closed_by_a_server_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)):
            accepted, _ = server.accept()
            accepted.close()  # the server closes first: TIME_WAIT is on its side
    check_free("127.0.0.1", port, ("tcp",), "OFFHOOK_HTTP_PORT")


def test_an_address_the_machine_does_not_have_is_told_as_such() -> None:
    with pytest.raises(PortTaken, match=r"no address 192\.0\.2\.1; correct OFFHOOK_ADDRESS"):
        check_free("192.0.2.1", 5060, ("udp",), "OFFHOOK_SIP_PORT")


def test_a_block_is_2000_ports_below_the_systems_own(block: RtpBlock) -> None:
    ceiling = int(open_range().split()[0])
    assert block.first >= 20000 and block.first % 2 == 0
    assert block.last == block.first + 1999 < ceiling


def test_a_second_block_does_not_touch_the_first(block: RtpBlock) -> None:
    second = claim_rtp_block()
    try:
        assert second.first > block.last or second.last < block.first
    finally:
        second.release()


def test_a_named_block_that_overlaps_a_claimed_one_is_refused(block: RtpBlock) -> None:
    for named in ((block.first, block.last), (block.last - 99, block.last + 100), (block.first + 50, block.first + 151)):
        with pytest.raises(NoRtpPorts, match=rf"{named[0]}-{named[1]} \(OFFHOOK_RTP_PORTS\)"):
            claim_rtp_block(named)


def test_a_released_block_is_free_again() -> None:
    first = claim_rtp_block()
    first.release()
    again = claim_rtp_block((first.first, first.last))
    again.release()


def test_a_block_with_a_port_in_use_is_passed_over(block: RtpBlock) -> None:
    block.release()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind(("127.0.0.1", block.first + 1000))
        with pytest.raises(NoRtpPorts):
            claim_rtp_block((block.first, block.last))
        elsewhere = claim_rtp_block()
        elsewhere.release()
        assert not elsewhere.first <= block.first + 1000 <= elsewhere.last


def test_a_block_avoids_the_ports_it_is_told_to(block: RtpBlock) -> None:
    block.release()
    elsewhere = claim_rtp_block(avoid=[block.first + 60])
    elsewhere.release()
    assert not elsewhere.first <= block.first + 60 <= elsewhere.last


def test_the_claim_lives_as_long_as_a_process_that_inherited_it(block: RtpBlock) -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=block.descriptors) as heir:
        block.release()
        with pytest.raises(NoRtpPorts):
            claim_rtp_block((block.first, block.last))
        assert heir.stdin is not None
        os.write(heir.stdin.fileno(), b"\n")
    claim_rtp_block((block.first, block.last)).release()
