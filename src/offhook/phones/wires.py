"""The sockets of a telephone: UDP datagrams, TCP connections that it opens and accepts, or TLS connections that it opens."""

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, cast

from offhook.sip.addresses import Address
from offhook.sip.framing import Framer, StreamBroken

Received = Callable[[bytes, Address], None]
Lost = Callable[[Address], None]
_KEEP_ALIVE = b"\r\n\r\n"
_MOST_UNSENT = 256


class Wire(Protocol):
    """Sends messages; what comes is given to the `Received` it was opened with."""

    local: Address

    def send(self, data: bytes, to: Address) -> None:
        """Send a message; losses are the business of SIP's timers."""

    async def close(self) -> None:
        """Free the socket."""


class UdpWire(asyncio.DatagramProtocol):
    """One UDP socket, unconnected: a peer that is away for a while (an edge that restarts) does it no harm."""

    def __init__(self, received: Received) -> None:
        self._received = received
        self._transport: asyncio.DatagramTransport | None = None
        self.local = Address("", 0)

    @classmethod
    async def open(cls, host: str, port: int, received: Received) -> "UdpWire":
        """Bind; port 0 takes a free one. Raises OSError."""
        wire = cls(received)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(lambda: wire, local_addr=(host, port))
        wire._transport, wire.local = transport, Address(host, transport.get_extra_info("sockname")[1], "udp")
        return wire

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._received(data, Address(addr[0], addr[1], "udp"))

    def send(self, data: bytes, to: Address) -> None:
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, (to.host, to.port))

    async def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


class _Connection(asyncio.Protocol):
    """One TCP or TLS connection, opened by either side."""

    def __init__(self, wire: "TcpWire", peer: Address | None) -> None:
        self._wire, self.peer = wire, peer
        self._framer = Framer()
        self.transport: asyncio.Transport | None = None
        self.unsent: list[bytes] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports are no subclasses of asyncio's, though they can do all the same.
        self.transport = cast(asyncio.Transport, transport)
        if self.peer is None:
            host, port = transport.get_extra_info("peername")[:2]
            self.peer = Address(host, port, self._wire.local.transport)
        self._wire.opened(self)
        for data in self.unsent:
            self.transport.write(data)
        self.unsent.clear()

    def data_received(self, data: bytes) -> None:
        try:
            messages = self._framer.feed(data)
        except StreamBroken:
            self.close()
            return
        for message in messages:
            if message == _KEEP_ALIVE:
                self.send(b"\r\n")
            elif self.peer is not None:
                self._wire.received(message, self.peer)

    def connection_lost(self, exc: Exception | None) -> None:
        self._wire.lost(self)

    def send(self, data: bytes) -> None:
        if self.transport is not None:
            self.transport.write(data)
        elif len(self.unsent) < _MOST_UNSENT:
            self.unsent.append(data)

    def close(self) -> None:
        if self.transport is not None:
            self.transport.abort()


class TcpWire:
    """Listens, and opens a connection to whom it sends to, unless there is one. `lost` is told of a connection that ended or never came."""

    def __init__(self, received: Received, lost: Lost) -> None:
        self.received, self._lost = received, lost
        self.local = Address("", 0, "tcp")
        self._secured: ssl.SSLContext | None = None
        self._server: asyncio.Server | None = None
        self._connections: dict[Address, _Connection] = {}
        self._opening: set[asyncio.Task[None]] = set()
        self._closed = False

    @classmethod
    async def open(cls, host: str, port: int, received: Received, lost: Lost) -> "TcpWire":
        """Listen; port 0 takes a free one. Raises OSError."""
        wire = cls(received, lost)
        wire._server = await asyncio.get_running_loop().create_server(lambda: _Connection(wire, None), host, port)
        wire.local = Address(host, wire._server.sockets[0].getsockname()[1], "tcp")
        return wire

    def send(self, data: bytes, to: Address) -> None:
        connection = self._connections.get(to)
        if connection is None:
            connection = self._connections[to] = _Connection(self, to)
            task = asyncio.create_task(self._connect(connection, to))
            self._opening.add(task)
            task.add_done_callback(self._opening.discard)
        connection.send(data)

    async def _connect(self, connection: _Connection, to: Address) -> None:
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(5):
                await loop.create_connection(lambda: connection, to.host, to.port, local_addr=(self.local.host, 0), ssl=self._secured)
        except (OSError, TimeoutError):  # a certificate that is not trusted among them
            self.lost(connection)

    def opened(self, connection: _Connection) -> None:
        if connection.peer is not None:
            self._connections[connection.peer] = connection

    def lost(self, connection: _Connection) -> None:
        peer = connection.peer
        if peer is not None and self._connections.get(peer) is connection:
            del self._connections[peer]
            if not self._closed:
                self._lost(peer)

    def drop(self) -> None:
        """Cut every connection, as a network that fails."""
        for connection in list(self._connections.values()):
            connection.close()

    async def close(self) -> None:
        self._closed = True
        for task in list(self._opening):
            task.cancel()
        if self._server is not None:
            self._server.close()
        self.drop()
        if self._server is not None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1):
                    await self._server.wait_closed()


class TlsWire(TcpWire):
    """Opens TLS connections and is reached on them; it listens nowhere, as no telephone has a certificate of its own (RFC 5626)."""

    _reserved: socket.socket | None = None

    @classmethod
    async def begin(cls, host: str, port: int, received: Received, lost: Lost, authority: Path | None = None) -> "TlsWire":
        """Take a port to be known by; 0 takes a free one. `authority`: whose certificates are trusted; None trusts everybody's.

        Raises OSError, also when the file of the authority cannot be read.
        """
        wire = cls(received, lost)
        wire._secured = _trusting(authority)
        wire._reserved = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            wire._reserved.bind((host, port))
        except OSError:
            wire._reserved.close()
            raise
        wire.local = Address(host, wire._reserved.getsockname()[1], "tls")
        return wire

    async def close(self) -> None:
        await super().close()
        if self._reserved is not None:
            self._reserved.close()


def _trusting(authority: Path | None) -> ssl.SSLContext:
    """A client's context of TLS 1.2 and later that checks chain and name by `authority`."""
    context = ssl.create_default_context(cafile=str(authority) if authority else None)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if authority is None:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


async def open_wire(address: Address, received: Received, lost: Lost, authority: Path | None = None) -> Wire:
    """The wire of the transport that `address` names, bound to it. Raises OSError."""
    match address.transport:
        case "tls":
            return await TlsWire.begin(address.host, address.port, received, lost, authority)
        case "tcp":
            return await TcpWire.open(address.host, address.port, received, lost)
        case _:
            return await UdpWire.open(address.host, address.port, received)
