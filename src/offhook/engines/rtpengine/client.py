"""Asks rtpengine over UDP, in the ng protocol."""

import asyncio
import itertools
import logging
import secrets

from offhook.engines.rtpengine.wire import Body, Message, WireWrong, read, write
from offhook.services.ports.media import MediaAbsent, MediaRefused

log = logging.getLogger(__name__)

RESEND_SECONDS = (0.25, 1.25)
"""When an unanswered request is sent again. On loopback a resend meets a restart or a full buffer."""

ABSENT_SECONDS = 2.0
"""When an engine that has not answered counts as absent."""

_ABSENT = f"rtpengine did not answer within {ABSENT_SECONDS:.0f} s: see whether it runs."
_CLOSED = "The connection to rtpengine is closed."
_AGREED = frozenset({"ok", "pong"})


class CallUnknown(MediaRefused):
    """The engine has no such call: it ended, or the engine was started anew."""


class LegUnknown(MediaRefused):
    """The engine knows the call, but no such leg of it."""


class NothingPlays(MediaRefused):
    """There was nothing to stop."""


_REASONS: dict[str, type[MediaRefused]] = {
    "unknown call-id": CallUnknown,
    "from-tag given, but no such tag exists": LegUnknown,
    "not currently playing media": NothingPlays,
}
"""What rtpengine 10.5 says, in lower case: it writes "Unknown call-id" and "Unknown call-ID"."""


class NgClient(asyncio.DatagramProtocol):
    """One UDP socket to one rtpengine, any number of requests under way at once. It outlives restarts of the engine."""

    def __init__(self) -> None:
        # rtpengine answers a cookie it has seen with the old reply, even if another process sent it: the prefix must be unique for ever.
        self._prefix = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._waiting: dict[str, asyncio.Future[Body]] = {}
        self._transport: asyncio.DatagramTransport | None = None

    @classmethod
    async def connect(cls, host: str, port: int) -> "NgClient":
        """A client of the rtpengine whose ng port this is; whether one listens is seen with the first request."""
        _, client = await asyncio.get_running_loop().create_datagram_endpoint(cls, remote_addr=(host, port))
        return client

    def connection_made(self, transport: asyncio.DatagramTransport) -> None:  # type: ignore[override]
        self._transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        try:
            message = read(data)
        except WireWrong as wrong:
            log.warning("rtpengine sent what is no reply: %s", wrong)
            return
        waiting = self._waiting.get(message.cookie)
        if waiting and not waiting.done():
            waiting.set_result(message.body)

    def error_received(self, exc: Exception) -> None:
        # "Connection refused" means that no engine listens now; it may by the next resend, so the request goes on waiting.
        log.debug("rtpengine is not reachable: %s", exc)

    async def ask(self, command: str, body: Body) -> Body:
        """The reply to one command. Raises MediaRefused with the engine's reason, MediaAbsent after two resends without a reply (2 s)."""
        cookie = f"{self._prefix}_{next(self._numbers)}"
        reply = await self._replied(cookie, write(Message(cookie, {"command": command, **body})))
        if reply.get("result") not in _AGREED:
            reason = str(reply.get("error-reason") or reply.get("result") or "no reason given")
            raise _REASONS.get(reason.lower(), MediaRefused)(f"rtpengine refused to {command}: {reason}")
        return reply

    async def _replied(self, cookie: str, datagram: bytes) -> Body:
        if self._transport is None or self._transport.is_closing():
            raise MediaAbsent(_CLOSED)
        loop = asyncio.get_running_loop()
        waiting: asyncio.Future[Body] = loop.create_future()
        self._waiting[cookie] = waiting
        timers = [loop.call_later(seconds, self._transport.sendto, datagram) for seconds in RESEND_SECONDS]
        timers.append(loop.call_later(ABSENT_SECONDS, _give_up, waiting, _ABSENT))
        self._transport.sendto(datagram)
        try:
            return await waiting
        finally:
            for timer in timers:
                timer.cancel()
            del self._waiting[cookie]

    def close(self) -> None:
        """Close the socket; requests under way end as MediaAbsent at once."""
        if self._transport:
            self._transport.close()
        for waiting in self._waiting.values():
            _give_up(waiting, _CLOSED)


def _give_up(waiting: asyncio.Future[Body], why: str) -> None:
    if not waiting.done():
        waiting.set_exception(MediaAbsent(why))
