"""Which addresses are posted to, and how much of an answer is waited for and read."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest

from offhook.engines.post import client
from offhook.engines.post.client import Poster
from offhook.engines.post.guard import is_here, is_public


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.1.2.3", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.169.254", "100.64.0.1",
        "192.0.2.1", "198.18.0.1", "224.0.0.1", "239.1.1.1", "255.255.255.255", "240.0.0.1", "::", "::1", "fe80::1", "fe80::1%eth0",
        "fc00::1", "fd00:ec2::254", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "64:ff9b::7f00:1",
        "64:ff9b::a9fe:a9fe", "2002:7f00:1::", "2002:a00:1::1", "2001:db8::1", "::127.0.0.1",
        "2001:0:808:808:0:0:80ff:fffe", "fec0::1", "feff::1", "64:ff9b:1::808:808", "100::1", "5f00::1", "3fff::1", "4000::1", "192.0.0.1",
        "192.88.99.1", "2002:c0a8:101::1", "64:ff9b::c0a8:101", "::ffff:0:808:808",
    ],
)  # fmt: skip
def test_what_is_ours_or_nobodys_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "172.32.0.1", "2606:2800:220:1::1", "::ffff:8.8.8.8", "64:ff9b::808:808"])
def test_what_is_of_the_public_network_is(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize("address", ["127.0.0.1", "127.1.2.3", "::1", "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "::1%lo"])
def test_the_kernel_tells_what_is_delivered_here(address: str) -> None:
    assert is_here(address)


@pytest.mark.parametrize("address", ["8.8.8.8", "198.51.100.1", "2606:2800:220:1::1", "::ffff:8.8.8.8", "255.255.255.255", "224.0.0.1"])
def test_the_kernel_tells_what_is_not(address: str) -> None:
    assert not is_here(address)


def test_every_address_of_an_interface_is_here() -> None:
    """Where this machine sends from: mostly an address of another interface than the loopback one."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as line:
        try:
            line.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no way out")
        assert is_here(line.getsockname()[0])


async def test_a_public_address_of_our_own_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """As of a system with a public OFFHOOK_ADDRESS: here the loopback one is held to be public."""
    monkeypatch.setattr(client, "is_public", lambda _address: True)
    reached = asyncio.Event()
    server = await asyncio.start_server(lambda _reader, _writer: reached.set(), "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        for host in ("127.0.0.1", "[::ffff:127.0.0.1]", "[64:ff9b::7f00:1]", "[2002:7f00:1::]"):
            outcome = await Poster(to_private=False)(f"http://{host}:{port}/", {}, b"{}")
            assert outcome.error and "is this machine" in outcome.error, host
    assert not reached.is_set()


@pytest.mark.parametrize(
    "host", ["93.184.216.34", "[2606:2800:220:1::1]", "[::ffff:93.184.216.34]", "[64:ff9b::5db8:d822]", "[2002:5db8:d822::1]"]
)
async def test_the_address_that_telephones_are_told_is_ours_wherever_it_is(host: str) -> None:
    outcome = await Poster(to_private=False, own=("93.184.216.34", "2606:2800:220:1::1"))(f"http://{host}/", {}, b"{}")
    assert outcome.status is None and outcome.error and "is this machine" in outcome.error


async def test_of_the_addresses_of_a_name_only_one_that_was_looked_at_is_connected_to(monkeypatch: pytest.MonkeyPatch) -> None:
    """The name leads to 127.0.0.1, which counts as a stranger here, and to ::1 before it; asked again it would lead to ::1 alone."""
    told = ["::1", "127.0.0.1"]

    async def resolved(_loop: object, _name: str, port: int, **_more: object) -> list[Any]:
        found = [(0, 0, 0, "", (address, port)) for address in told]
        told.remove("127.0.0.1")
        return found

    monkeypatch.setattr(client, "is_public", lambda address: address == "127.0.0.1")
    monkeypatch.setattr(client, "is_here", lambda address: address != "127.0.0.1")
    async with saying(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n") as url:
        monkeypatch.setattr(type(asyncio.get_running_loop()), "getaddrinfo", resolved)
        outcome = await Poster(to_private=False)(url.replace("127.0.0.1", "crm.example.com"), {}, b"{}")
    assert (outcome.status, told) == (200, ["::1"])


@asynccontextmanager
async def saying(*parts: bytes, forever: bool = False) -> AsyncIterator[str]:
    """A server that says this whatever it is asked."""

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await reader.readuntil(b"\r\n\r\n")
            for part in parts:
                writer.write(part)
            while forever:
                writer.write(b"x" * 65536)
                await writer.drain()
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(attend, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
    finally:
        server.close()


async def test_an_answer_without_end_is_read_to_a_bound() -> None:
    async with saying(b"HTTP/1.1 200 OK\r\n\r\n", forever=True) as url:
        outcome = await Poster(to_private=True)(url, {}, b"{}")
    assert (outcome.status, outcome.error) == (200, None)


@pytest.mark.parametrize(
    "said",
    [b"", b"SSH-2.0-x\r\n", b"HTTP/1.1 200", b"HTTP/1.1 abc\r\n\r\n", b"HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", b"\x00" * 5000],
)
async def test_what_is_no_answer_is_an_error_in_words(said: bytes) -> None:
    async with saying(said) as url:
        outcome = await Poster(to_private=True)(url, {}, b"{}")
    assert outcome.status is None and outcome.error and len(outcome.error) <= 300


async def test_who_says_nothing_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client, "LONGEST_SECONDS", 0.3)
    silent = asyncio.Event()

    async def attend(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await silent.wait()
        writer.close()

    server = await asyncio.start_server(attend, "127.0.0.1", 0)
    outcome = await Poster(to_private=True)(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/", {}, b"{}")
    silent.set()
    server.close()
    assert outcome.status is None and outcome.error and "within" in outcome.error


@pytest.mark.parametrize("url", ["http://no.such.host.invalid/", "http://127.0.0.1:1/", "https://127.0.0.1:1/", f"http://{'a' * 64}.test/"])
async def test_who_is_not_there_is_an_error_in_words(url: str) -> None:
    outcome = await Poster(to_private=True)(url, {}, b"{}")
    assert outcome.status is None and outcome.error
