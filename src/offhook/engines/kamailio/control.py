"""Kamailio's control socket: JSON-RPC 2.0, one Unix datagram each way, all questions of a process over one socket.

A socket for every question cost the switch a tenth of its CPU in a call: made, bound, watched, unwatched and closed for one look-up.
"""

import asyncio
import itertools
import json
import logging
import secrets
import socket
import weakref
from typing import Any

log = logging.getLogger(__name__)

LONGEST_ANSWER = 1 << 20


class ControlLine:
    """One socket to one Kamailio, in the event loop that asks first. Outlives Kamailio: the path is looked up for each question."""

    def __init__(self, path: str) -> None:
        self._path = path
        # Anybody on this machine may write to our socket: a number that nobody can guess is what tells an answer.
        self._numbers = itertools.count(secrets.randbits(31))
        self._open: _Open | None = None

    async def ask(self, method: str, parameters: tuple[str | int, ...], seconds: float) -> Any:
        """The answer as it came: "result" or "error". Raises TimeoutError, and OSError when nobody listens."""
        number = next(self._numbers)
        question = json.dumps({"jsonrpc": "2.0", "method": method, "params": list(parameters), "id": number}).encode()
        way = self._way()
        answer = way.waiting[number] = way.loop.create_future()
        try:
            way.socket.sendto(question, self._path)
            async with asyncio.timeout(seconds):
                return await asyncio.shield(answer)
        except TimeoutError:
            # A process that was held up finds its clock run out and the answer waiting; unread ones would be in the way of the next.
            way.read()
            if answer.done() and not answer.cancelled():
                return answer.result()
            raise
        finally:
            del way.waiting[number]

    def _way(self) -> "_Open":
        loop = asyncio.get_running_loop()
        if self._open is None or self._open.loop is not loop:
            self._open = _Open(loop)
            weakref.finalize(self, self._open.close)
        return self._open


class _Open:
    """The socket while it is open, and who waits for which answer."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self.waiting: dict[int, asyncio.Future[Any]] = {}
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self.socket.bind("")  # Linux gives an abstract name of its own (unix(7), autobind): no file to clean up
        self._space = bytearray(LONGEST_ANSWER)
        loop.add_reader(self.socket.fileno(), self.read)

    def read(self) -> None:
        """Hand out every answer that has come. Few wait in the kernel (net.unix.max_dgram_qlen), and then Kamailio drops the next."""
        while True:
            try:
                length = self.socket.recv_into(self._space)
            except OSError:
                return
            self._hand_out(self._space[:length])

    def _hand_out(self, said: bytearray) -> None:
        try:
            answer = json.loads(said)
            waiting = self.waiting.get(answer["id"])
        except (ValueError, KeyError, TypeError):
            log.warning("Kamailio said what is no answer: %r", bytes(said[:200]))
            return
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def close(self) -> None:
        """Give the socket back."""
        if not self.loop.is_closed():
            self.loop.remove_reader(self.socket.fileno())
        self.socket.close()
