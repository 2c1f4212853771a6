"""The UDP client against a scripted engine, and against a real one that dies."""

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from offhook.domain.calls.ids import leg_id
from offhook.domain.media import MediaFigures, MediaShape
from offhook.engines.rtpengine.client import RESEND_SECONDS, NgClient
from offhook.engines.rtpengine.daemon import RtpEngineSettings, arguments
from offhook.engines.rtpengine.relay import RtpEngine
from offhook.engines.rtpengine.wire import Message, read, write
from offhook.services.ports.media import MediaAbsent, MediaRefused
from tests.engines.rtpengine.calls import new_call
from tests.engines.rtpengine.conftest import Daemon, eventually, free_port
from tests.engines.rtpengine.parties import Party


class Script(asyncio.DatagramProtocol):
    """An engine that keeps what it is asked, and answers as a test says."""

    def __init__(self) -> None:
        self.asked: list[Message] = []
        self.answer: Callable[[Message], bytes | None] = lambda message: None
        self.transport: asyncio.DatagramTransport
        self.last_from: tuple[str, int] = ("", 0)

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.last_from = addr
        self.asked.append(read(data))
        if reply := self.answer(self.asked[-1]):
            self.transport.sendto(reply, addr)


@pytest.fixture
async def script() -> AsyncIterator[Script]:
    transport, protocol = await asyncio.get_running_loop().create_datagram_endpoint(Script, local_addr=("127.0.0.1", 0))
    yield protocol
    transport.close()


@pytest.fixture
async def client(script: Script) -> AsyncIterator[NgClient]:
    made = await NgClient.connect("127.0.0.1", script.transport.get_extra_info("sockname")[1])
    yield made
    made.close()


def ok(message: Message, **more: str) -> bytes:
    return write(Message(message.cookie, {"result": "ok", **more}))


async def test_an_unanswered_request_is_sent_again_with_the_same_cookie(script: Script, client: NgClient) -> None:
    script.answer = lambda message: ok(message) if len(script.asked) == 3 else None
    assert await client.ask("ping", {}) == {"result": "ok"}
    assert len(script.asked) == 3
    assert len({message.cookie for message in script.asked}) == 1


async def test_silence_is_absence(script: Script, client: NgClient) -> None:
    with pytest.raises(MediaAbsent):
        await client.ask("ping", {})
    assert len(script.asked) == 1 + len(RESEND_SECONDS)


async def test_no_cookie_is_used_twice_by_any_client(script: Script, client: NgClient) -> None:
    script.answer = ok
    other = await NgClient.connect("127.0.0.1", script.transport.get_extra_info("sockname")[1])
    for each in (client, other, client, other):
        await each.ask("ping", {})
    other.close()
    assert len({message.cookie for message in script.asked}) == 4


async def test_many_requests_under_way_get_their_own_replies_in_any_order(script: Script, client: NgClient) -> None:
    asking = [asyncio.create_task(client.ask("query", {"call-id": str(number)})) for number in range(50)]
    await eventually(lambda: len(script.asked) >= 50)
    for message in reversed(script.asked[:50]):
        script.transport.sendto(ok(message, whose=str(message.body["call-id"])), script.last_from)
    assert [reply["whose"] for reply in await asyncio.gather(*asking)] == [str(number) for number in range(50)]


async def test_an_error_is_refused_with_its_reason(script: Script, client: NgClient) -> None:
    script.answer = lambda message: write(Message(message.cookie, {"result": "error", "error-reason": "No ports left"}))
    with pytest.raises(MediaRefused, match="No ports left"):
        await client.ask("offer", {})
    script.answer = lambda message: write(Message(message.cookie, {"result": "load limit"}))
    with pytest.raises(MediaRefused, match="load limit"):
        await client.ask("offer", {})


async def test_garbage_strangers_and_late_replies_change_nothing(script: Script, client: NgClient) -> None:
    def noisy(message: Message) -> bytes:
        for noise in (b"", b"garbage", b"\xff\xfe d", b"stranger d6:result2:oke", message.cookie.encode() + b" li1ee"):
            script.transport.sendto(noise, script.last_from)
        script.transport.sendto(ok(message), script.last_from)
        return ok(message)

    script.answer = noisy
    assert await client.ask("ping", {}) == {"result": "ok"}
    assert await client.ask("ping", {}) == {"result": "ok"}


async def test_a_closed_client_says_absent_at_once(script: Script, client: NgClient) -> None:
    under_way = asyncio.create_task(client.ask("ping", {}))
    await eventually(lambda: script.asked)
    client.close()
    with pytest.raises(MediaAbsent, match="closed"):
        await under_way
    assert len(script.asked) == 1
    with pytest.raises(MediaAbsent):
        await client.ask("ping", {})


def test_the_command_line_names_everything_it_opens() -> None:
    line = arguments(RtpEngineSettings("192.0.2.1", 2223, 2224, 20000, 21999, advertised="198.51.100.7"))
    for expected in (
        "--interface=192.0.2.1!198.51.100.7",
        "--listen-ng=127.0.0.1:2223",
        "--listen-tcp-ng=127.0.0.1:2224",
        "--port-max=21999",
    ):
        assert expected in line


@pytest.mark.engines
async def test_nobody_there_is_absence_and_whoever_comes_is_found(tmp_path: Path) -> None:
    client = await NgClient.connect("127.0.0.1", free_port(socket.SOCK_DGRAM))
    with pytest.raises(MediaAbsent):
        await client.ask("ping", {})
    client.close()


@pytest.mark.engines
async def test_a_killed_engine_is_absent_and_a_restarted_one_takes_new_calls(
    daemon: Daemon, engine: RtpEngine, party: Callable[..., Party]
) -> None:
    call, anna, ben = new_call(), party(), party()
    await engine.offer(call, leg_id(call, 0), leg_id(call, 1), anna.sdp(), MediaShape.PLAIN)
    daemon.kill()
    with pytest.raises(MediaAbsent):
        await engine.figures(call)
    daemon.start()
    assert await engine.figures(call) == MediaFigures()
    call = new_call()
    offered = await engine.offer(call, leg_id(call, 0), leg_id(call, 1), anna.sdp(), MediaShape.PLAIN)
    anna.speaks_to(await engine.answer(call, leg_id(call, 0), leg_id(call, 1), ben.sdp(), MediaShape.PLAIN))
    ben.speaks_to(offered)
    await eventually(lambda: anna.hears() == {ben.hertz} and ben.hears() == {anna.hertz})
