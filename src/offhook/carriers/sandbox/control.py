"""Orders to the sandbox carrier from another process: JSON lines over a unix socket that only its owner may open.

    -> {"order": "call", "caller": "+12065550199", "called": "+12065550100", "dtmf": "1", "listen_seconds": 10}
    <- {"progress": "ringing"} ...
    <- {"report": {...}}  or  {"refused": "why, and what to do"}

One order a connection, which stays open: a client that goes away ends its call.
"""

import asyncio
import contextlib
import json
import os
import socket
from pathlib import Path
from typing import Any

from offhook.carriers.sandbox.carrier import Progress, SandboxCarrier
from offhook.carriers.sandbox.reports import CallRefused, CallReport, CarrierAbsent

_LONGEST_LINE = 64 * 1024
_ORDER_PATIENCE = 5.0
_CALL_PATIENCE = 300.0


class ControlServer:
    """Listens at `path` (mode 0600) for orders to `carrier`."""

    def __init__(self, carrier: SandboxCarrier, path: Path) -> None:
        self._carrier, self._path = carrier, path
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Bind the socket, in place of one that a dead process left. Raises OSError."""
        self._server = await asyncio.start_unix_server(self._connected, sock=_private_socket(self._path), limit=_LONGEST_LINE)

    async def stop(self) -> None:
        """Take the socket away."""
        if self._server is not None:
            self._server.close()
        self._path.unlink(missing_ok=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        def say(words: dict[str, Any]) -> None:
            writer.write(json.dumps(words).encode() + b"\n")

        try:
            async with asyncio.timeout(_ORDER_PATIENCE):
                line = await reader.readline()
            await self._obey(line, reader, say)
        except CallRefused as reason:
            say({"refused": str(reason)})
        except (TimeoutError, ValueError, OverflowError, RecursionError) as reason:
            say({"refused": f"The order cannot be read: {reason or 'none came'}."})
        except OSError as reason:
            say({"refused": f"The call cannot be made: {reason}."})
        finally:
            with contextlib.suppress(ConnectionError):
                await writer.drain()
            writer.close()

    async def _obey(self, line: bytes, reader: asyncio.StreamReader, say: Any) -> None:
        order = _order(line)
        calling = asyncio.create_task(self._carrier.call(**order, progress=lambda what: say({"progress": what})))
        leaving = asyncio.create_task(reader.read())  # nothing more is expected: this ends when the client goes
        try:
            await asyncio.wait([calling, leaving], return_when=asyncio.FIRST_COMPLETED)
            if calling.done():
                say({"report": calling.result().as_dict()})
        finally:
            for task in (calling, leaving):
                task.cancel()
            await asyncio.gather(calling, leaving, return_exceptions=True)


def _order(line: bytes) -> dict[str, Any]:
    """The arguments of a call order. Raises CallRefused, ValueError."""
    order = json.loads(line)
    if not isinstance(order, dict) or order.get("order") != "call":
        raise CallRefused('The only order is {"order": "call", ...}.')
    caller, called, dtmf, listen = (order.get(name, default) for name, default in _FIELDS)
    if not all(isinstance(text, str) for text in (caller, called, dtmf)) or not isinstance(listen, int | float) or isinstance(listen, bool):
        raise CallRefused("caller, called and dtmf are texts, listen_seconds is a number.")
    return {"caller": caller, "called": called, "dtmf": dtmf, "listen_seconds": float(listen)}


_FIELDS = (("caller", ""), ("called", ""), ("dtmf", ""), ("listen_seconds", 10.0))


def _private_socket(path: Path) -> socket.socket:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    made = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o177)  # 0600 from the first moment; a chmod afterwards would leave one in which anybody can connect
    try:
        made.bind(str(path))
    except OSError:
        made.close()
        raise
    finally:
        os.umask(before)
    return made


class SandboxControl:
    """The carrier as another process sees it: the same `call`."""

    def __init__(self, path: Path) -> None:
        self._path = path

    async def call(
        self, caller: str, called: str, dtmf: str = "", listen_seconds: float = 10.0, progress: Progress | None = None
    ) -> CallReport:
        """Have a call made and wait for its report. Raises CallRefused, CarrierAbsent."""
        order = {"order": "call", "caller": caller, "called": called, "dtmf": dtmf, "listen_seconds": listen_seconds}
        try:
            async with asyncio.timeout(_CALL_PATIENCE):
                reader, writer = await asyncio.open_unix_connection(str(self._path), limit=_LONGEST_LINE)
                try:
                    writer.write(json.dumps(order).encode() + b"\n")
                    return await _report(reader, progress)
                finally:
                    writer.close()
        except (OSError, TimeoutError) as reason:
            raise CarrierAbsent(f"No sandbox carrier answers at {self._path} ({reason}): does the system run?") from reason


async def _report(reader: asyncio.StreamReader, progress: Progress | None) -> CallReport:
    while line := await reader.readline():
        words = json.loads(line)
        if "refused" in words:
            raise CallRefused(words["refused"])
        if "report" in words:
            return CallReport.of_dict(words["report"])
        if progress is not None:
            progress(words.get("progress", ""))
    raise ConnectionError("it went away in the middle of the call")
