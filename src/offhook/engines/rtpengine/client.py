"""Asks rtpengine over UDP, in the ng protocol."""

import asyncio
import itertools
import logging
import secrets
from dataclasses import dataclass

from offhook.engines.rtpengine.wire import Body, Raw, WireWrong, read, write_request
from offhook.services.ports.media import MediaAbsent, MediaRefused

log = logging.getLogger(__name__)

RESEND_SECONDS = (0.25, 0.75, 1.25, 1.75)
"""When an unanswered request is sent again: at the first sweep after so long. On loopback a resend meets a restart or a full buffer."""

ABSENT_SECONDS = 2.0
"""When an engine that has not answered counts as absent."""

_SWEEP_SECONDS = 0.125
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


@dataclass(slots=True)
class _Asked:
    """A request under way."""

    datagram: bytes
    at: float
    reply: asyncio.Future[Body]
    resends: int = 0


class NgClient(asyncio.DatagramProtocol):
    """One UDP socket to one rtpengine, any number of requests under way at once. It outlives restarts of the engine."""

    def __init__(self) -> None:
        # rtpengine answers a cookie it has seen with the old reply, even if another process sent it: the prefix must be unique for ever.
        self._prefix = secrets.token_hex(8)
        self._numbers = itertools.count(1)
        self._asked: dict[str, _Asked] = {}
        self._transport: asyncio.DatagramTransport | None = None
        self._loop = asyncio.get_running_loop()
        self._sweep: asyncio.TimerHandle | None = None
        self.refused = asyncio.Event()
        """Set when the machine says that nobody listens at the engine's port."""

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
        asked = self._asked.get(message.cookie)
        if asked and not asked.reply.done():
            asked.reply.set_result(message.body)

    def error_received(self, exc: Exception) -> None:
        # "Connection refused" means that no engine listens now; it may by the next resend, so the request goes on waiting.
        log.debug("rtpengine is not reachable: %s", exc)
        self.refused.set()

    async def ask(self, command: str, body: Body, extra: Raw | None = None) -> Body:
        """The reply to one command. Raises MediaRefused with the engine's reason, MediaAbsent when resends bring no reply either (2 s)."""
        if self._transport is None or self._transport.is_closing():
            raise MediaAbsent(_CLOSED)
        cookie = f"{self._prefix}_{next(self._numbers)}"
        asked = _Asked(write_request(cookie, command, body, extra), self._loop.time(), self._loop.create_future())
        self._asked[cookie] = asked
        if self._sweep is None:
            self._sweep = self._loop.call_later(_SWEEP_SECONDS, self._look_after)
        self._transport.sendto(asked.datagram)
        try:
            reply = await asked.reply
        finally:
            del self._asked[cookie]
        if reply.get("result") not in _AGREED:
            reason = str(reply.get("error-reason") or reply.get("result") or "no reason given")
            raise _REASONS.get(reason.lower(), MediaRefused)(f"rtpengine refused to {command}: {reason}")
        return reply

    def _look_after(self) -> None:
        """Send again what was not answered, and give up what never will be: one timer for all, for nearly all are answered at once."""
        now = self._loop.time()
        for asked in self._asked.values():
            age = now - asked.at
            if age >= ABSENT_SECONDS:
                _give_up(asked.reply, _ABSENT)
            elif asked.resends < len(RESEND_SECONDS) and age >= RESEND_SECONDS[asked.resends] and self._transport:
                asked.resends += 1
                self._transport.sendto(asked.datagram)
        self._sweep = self._loop.call_later(_SWEEP_SECONDS, self._look_after) if self._asked else None

    def close(self) -> None:
        """Close the socket; requests under way end as MediaAbsent at once."""
        if self._transport:
            self._transport.close()
        if self._sweep:
            self._sweep.cancel()
        for asked in self._asked.values():
            _give_up(asked.reply, _CLOSED)


def _give_up(waiting: asyncio.Future[Body], why: str) -> None:
    if not waiting.done():
        waiting.set_exception(MediaAbsent(why))
