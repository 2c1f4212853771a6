"""Connections that never say anything whole: no call suffers, others come in, and their places are free again."""

import asyncio
import ssl
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from tests.calls.stories import registered
from tests.calls.system import System
from tests.hostile.peers import GUARDED
from tests.hostile.standing import undisturbed
from tests.hostile.vitals import look, settled

pytestmark = pytest.mark.engines

START = b"REGISTER sip:lumen.test SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.66;branch=z9hG4bK1\r\n"
IDLE_SECONDS = 60.0
"""Longer than the edge keeps a connection that showed no password."""
AT_ONCE = 20
Stream = tuple[asyncio.StreamReader, asyncio.StreamWriter]


async def connect(system: System, host: str, transport: str = "tcp") -> Stream:
    """A connection from an address, whose certificate is anybody's."""
    if transport == "tcp":
        return await asyncio.open_connection(*system.edge[:2], local_addr=(host, 0))
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return await asyncio.open_connection(system.edge[0], system.plan.sips_port, local_addr=(host, 0), ssl=context, server_hostname="x")


@asynccontextmanager
async def connections(system: System, host: str, count: int, transport: str = "tcp") -> AsyncIterator[list[Stream]]:
    """So many, opened a few at a time."""
    streams: list[Stream] = []
    try:
        for at in range(0, count, AT_ONCE):
            streams += await asyncio.gather(*(connect(system, host, transport) for _ in range(at, min(at + AT_ONCE, count))))
        yield streams
    finally:
        for _, writer in streams:
            writer.transport.abort()


async def comes_in(system: System) -> None:
    """Somebody else registers over TCP meanwhile, and is called."""
    async with registered(system.phone("anna", transport="tcp")) as (anna,):
        call = await anna.dials("104")
        assert (await call.ended()).status == 484


@pytest.mark.parametrize(("transport", "count"), [("tcp", 60), ("tls", 20)])
async def test_a_byte_now_and_then_of_a_head_that_never_ends(system: System, transport: str, count: int) -> None:
    async with undisturbed(system):
        before = await look(system)
        async with connections(system, f"{GUARDED}.10", count, transport) as streams:
            for _, writer in streams:
                writer.write(START)
            for _ in range(25):
                for _, writer in streams:
                    writer.write(b"X")
                await asyncio.sleep(0.2)
            await comes_in(system)
        await settled(system, before)


@pytest.mark.parametrize(
    "data",
    [
        START + b"X-Endless: " + b"a" * 300_000,
        START + b"X-A: b\r\n" * 30_000,
        START + b"Content-Length: 999999999\r\n\r\n" + b"a" * 300_000,
        START + b"Content-Length: -1\r\n\r\n" + b"a" * 300_000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 300_000,
        b"\0" * 300_000,
    ],
    ids=["a header", "headers", "a body", "a negative body", "TLS on the plain port", "nothing"],
)
async def test_what_never_ends_is_cut_off(system: System, data: bytes) -> None:
    async with connections(system, f"{GUARDED}.11", 1) as ((reader, writer),):
        writer.write(data)
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                while await reader.read(65_536):
                    pass
        except ConnectionError:
            pass
        await comes_in(system)


async def test_messages_after_one_another_and_cut_anywhere_are_each_answered(system: System) -> None:
    async with connections(system, f"{GUARDED}.12", 1) as ((reader, writer),):
        one = (
            "OPTIONS sip:lumen.test SIP/2.0\r\nVia: SIP/2.0/TCP 192.0.2.66;rport;branch=z9hG4bK{0}\r\nFrom: <sip:x@lumen.test>;tag=1\r\n"
            "To: <sip:lumen.test>\r\nCall-ID: cut{0}\r\nCSeq: 1 OPTIONS\r\nMax-Forwards: 70\r\nContent-Length: 0\r\n\r\n"
        )
        stream = b"\r\n\r\n" + "".join(one.format(number) for number in range(20)).encode()
        for at in range(0, len(stream), 97):
            writer.write(stream[at : at + 97])
            await asyncio.sleep(0.005)
        heard = b""
        async with asyncio.timeout(20):
            while heard.count(b"SIP/2.0 200") < 20:
                heard += await reader.read(65_536)


@pytest.mark.long
@pytest.mark.parametrize(("transport", "count"), [("tcp", 1500), ("tls", 400)])
async def test_thousands_that_say_nothing_or_half_are_closed(system: System, transport: str, count: int) -> None:
    async with undisturbed(system):
        before = await look(system)
        async with connections(system, f"{GUARDED}.13", count, transport) as streams:
            for number, (_, writer) in enumerate(streams):
                writer.write(START if number % 2 else b"")
            await comes_in(system)
            async with asyncio.timeout(IDLE_SECONDS * 2):
                for reader, _ in streams:
                    try:
                        assert await reader.read(100) == b""
                    except ConnectionError:
                        continue
        await settled(system, before)
