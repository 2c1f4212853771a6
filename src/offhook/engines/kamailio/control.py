"""Kamailio's control socket: JSON-RPC 2.0, one Unix datagram each way, all questions of a process over one socket.

A socket for every question cost the switch a tenth of its CPU in a call: made, bound, watched, unwatched and closed for one look-up.
"""

import asyncio
import itertools
import logging
import secrets
import socket
import weakref
from typing import Any

import orjson

log = logging.getLogger(__name__)

LONGEST_ANSWER = 1 << 20
BEAT_SECONDS = 0.1
"""How often it is looked who waits too long, while somebody waits: a timer for each question cost more than its JSON."""


class ControlLine:
    """One socket to one Kamailio, in the event loop that asks first. Outlives Kamailio: the path is looked up for each question."""

    def __init__(self, path: str) -> None:
        self._path = path
        # Anybody on this machine may write to our socket: a number that nobody can guess is what tells an answer.
        self._numbers = itertools.count(secrets.randbits(31))
        self._open: _Open | None = None

    async def ask(self, method: str, parameters: tuple[str | int, ...], seconds: float) -> Any:
        """The answer as it came: "result" or "error". Raises TimeoutError, at most a beat late, and OSError when nobody listens."""
        number = next(self._numbers)
        question = orjson.dumps({"jsonrpc": "2.0", "method": method, "params": parameters, "id": number})
        way = self._way()
        way.socket.sendto(question, self._path)
        try:
            return await way.wait(number, seconds)
        finally:
            way.waiting.pop(number, None)

    def _way(self) -> "_Open":
        loop = asyncio.get_running_loop()
        if self._open is None or self._open.loop is not loop:
            self._open = _Open(loop)
            weakref.finalize(self, self._open.close)
        return self._open


class _Open:
    """The socket while it is open, and who waits for which answer until when."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.waiting: dict[int, tuple[asyncio.Future[Any], float]] = {}
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind("")  # Linux gives an abstract name of its own (unix(7), autobind): no file to clean up
        self._space = memoryview(bytearray(LONGEST_ANSWER))
        self._beat: asyncio.TimerHandle | None = None
        loop.add_reader(self.socket.fileno(), self.read)

    def wait(self, number: int, seconds: float) -> asyncio.Future[Any]:
        """What comes for this number."""
        answer = self.loop.create_future()
        self.waiting[number] = answer, self.loop.time() + seconds
        if self._beat is None:
            self._beat = self.loop.call_later(min(BEAT_SECONDS, seconds), self._look)
        return answer

    def read(self) -> None:
        """Hand out the answers that have come. Few wait in the kernel (net.unix.max_dgram_qlen), and then Kamailio drops the next."""
        while True:
            try:
                length = self.socket.recv_into(self._space)
            except OSError:
                return
            self._hand_out(self._space[:length])
            if not self.waiting:  # should another have come, the loop calls again
                return

    def _look(self) -> None:
        # First, as a process that was held up finds the time run out and the answer there; unread ones are in the way of the next.
        self.read()
        now = self.loop.time()
        for answer, until in self.waiting.values():
            if until <= now and not answer.done():
                answer.set_exception(TimeoutError())
        left = any(not answer.done() for answer, _ in self.waiting.values())
        self._beat = self.loop.call_later(BEAT_SECONDS, self._look) if left else None

    def _hand_out(self, said: memoryview) -> None:
        try:
            answer = orjson.loads(said)
            waiting = self.waiting.pop(answer["id"], None)
        except (ValueError, KeyError, TypeError):
            log.warning("Kamailio said what is no answer: %r", bytes(said[:200]))
            return
        if waiting is not None and not waiting[0].done():
            waiting[0].set_result(answer)

    def close(self) -> None:
        """Give the socket back."""
        if not self.loop.is_closed():
            self.loop.remove_reader(self.socket.fileno())
            if self._beat is not None:
                self._beat.cancel()
        self.socket.close()
