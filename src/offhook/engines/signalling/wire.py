"""The UDP socket between the switch and the edge, and the alarm that rings when something is due there."""

import asyncio
import socket
import struct
import time
from collections.abc import Callable
from typing import Any

from offhook.sip.addresses import Address

ALARM_SECONDS = 0.1
"""How late SIP's timers may ring; the shortest is T1, half a second (RFC 3261 section 17.1.1.1)."""

_SO_MEMINFO, _MEMINFO = 55, struct.Struct("9I")  # Linux, sock_diag.h: octets in the receive queue, then the most there may be


class EdgeWire(asyncio.DatagramProtocol):
    """Each datagram of the edge goes to `hear`; `ring` is called when the alarm rings. `strangers` counts datagrams of anybody else."""

    def __init__(self, local: Address, edge: Address, hear: Callable[[bytes], None], ring: Callable[[], None]) -> None:
        self._local, self._peer = local, (edge.host, edge.port)
        self._hear, self._ring = hear, ring
        self._transport: asyncio.DatagramTransport | None = None
        self._alarm: asyncio.TimerHandle | None = None
        self._alarm_at = 0.0
        self.strangers = 0

    async def open(self) -> None:
        """Bind the socket. Raises OSError when the port is taken."""
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, local_addr=(self._local.host, self._local.port))

    def filled(self) -> float:
        """The share of the receive buffer that waits for us to read it, 0 to 1 and a little over; full, the kernel drops what comes."""
        if self._transport is None or self._transport.is_closing():
            return 0.0
        told = self._transport.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, _SO_MEMINFO, _MEMINFO.size)
        in_use, buffer, *_ = _MEMINFO.unpack(told)
        return float(in_use / buffer)

    def close(self) -> None:
        """Let go of the socket; nothing is said to anybody."""
        if self._alarm is not None:
            self._alarm.cancel()
        if self._transport is not None:
            self._transport.close()

    def datagram_received(self, data: bytes, source: tuple[Any, ...]) -> None:
        """A message from the edge. Anybody else on this machine who writes to our port is not listened to."""
        if (source[0], source[1]) == self._peer:
            self._hear(data)
        else:
            self.strangers += 1

    def send(self, data: bytes) -> None:
        """To the edge; lost once the socket is closed."""
        if self._transport is not None and not self._transport.is_closing():
            self._transport.sendto(data, self._peer)

    def wind(self, due: float | None) -> None:
        """Have the alarm ring at this moment of the monotonic clock, or sooner."""
        if due is None or (self._alarm is not None and self._alarm_at <= due):
            return  # one that rings early only looks and winds itself again: cheaper than to move it with every message
        if self._alarm is not None:
            self._alarm.cancel()
        self._alarm_at = due
        # Not too often: most of SIP's timers only clear away what is over, and each waking up costs more than what is done in it.
        self._alarm = asyncio.get_running_loop().call_later(max(ALARM_SECONDS, due - time.monotonic()), self._rings)

    def _rings(self) -> None:
        self._alarm = None
        self._ring()
