"""The studio: gives orders to the process that makes sounds, starts it with the first one and again when it has died."""

import asyncio
import contextlib
import itertools
import json
import os
import sys
from pathlib import Path
from typing import Any

import offhook
from offhook.services.ports.speech import SpeechRefused

_MOST_WAITING = 64
_LONGEST_REPLY = 64 * 1024


class _WorkerGone(Exception):
    """The process ended with this order in hand."""


class Studio:
    """One worker process. To be used from one event loop; `close` ends the process."""

    def __init__(self, patience: float = 60.0) -> None:
        self._patience = patience
        self._process: asyncio.subprocess.Process | None = None
        self._starting = asyncio.Lock()
        self._reader: asyncio.Task[None] | None = None
        self._waiting: dict[int, asyncio.Future[None]] = {}
        self._numbers = itertools.count(1)

    @property
    def pid(self) -> int | None:
        """The process, None while it does not run."""
        return self._process.pid if self._process else None

    async def make(self, order: dict[str, Any]) -> None:
        """Have one file made. Raises SpeechRefused when it cannot be, when too much is waiting, or after the patience is over."""
        if len(self._waiting) >= _MOST_WAITING:
            raise SpeechRefused(f"{_MOST_WAITING} sounds are waiting to be made already; try again in a moment.")
        for _ in range(2):
            with contextlib.suppress(_WorkerGone):
                return await self._order(order)
        raise SpeechRefused("The process that speaks died twice over this order; its last words are in the log.")

    async def _order(self, order: dict[str, Any]) -> None:
        number = next(self._numbers)
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting[number] = done
        try:
            async with asyncio.timeout(self._patience):
                process = await self._running()
                assert process.stdin is not None
                process.stdin.write(json.dumps({"id": number, **order}).encode() + b"\n")
                await process.stdin.drain()
                await done
        except TimeoutError:
            await self.close()
            raise SpeechRefused(f"The sound was not ready after {self._patience:g} s.") from None
        except (ConnectionError, OSError) as reason:
            raise _WorkerGone from reason
        finally:
            self._waiting.pop(number, None)

    async def _running(self) -> asyncio.subprocess.Process:
        async with self._starting:
            if self._process is None:
                path = os.pathsep.join(filter(None, [str(Path(offhook.__file__).parents[1]), os.environ.get("PYTHONPATH")]))
                self._process = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "offhook.engines.speech.worker",
                    stdin=asyncio.subprocess.PIPE,
                    stdout=asyncio.subprocess.PIPE,
                    limit=_LONGEST_REPLY,
                    env={**os.environ, "PYTHONPATH": path, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
                )
                self._reader = asyncio.create_task(self._read(self._process))
            return self._process

    async def _read(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        try:
            while line := await process.stdout.readline():
                reply = json.loads(line)
                done = self._waiting.get(reply["id"])
                if done is not None and not done.done():
                    refused = reply.get("refused")
                    done.set_result(None) if refused is None else done.set_exception(SpeechRefused(f"It cannot be said: {refused}."))
        finally:
            if self._process is process:
                self._process = None
            for done in self._waiting.values():
                if not done.done():
                    done.set_exception(_WorkerGone())
            await process.wait()

    async def close(self) -> None:
        """End the process, if there is one; the next order starts another."""
        process, reader, self._process, self._reader = self._process, self._reader, None, None
        if process is None or reader is None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        await asyncio.wait([reader])
