"""The warden: a small process that outlives the supervisor and ends what it leaves behind.

A supervisor killed by `kill -9` cannot stop its children. The warden (`deathwatch.py`) reads a pipe whose other end only the supervisor
holds; when the kernel closes it, the warden kills every process group that was registered. A child registers itself before it becomes its
program (see `LAUNCH`), so there is no moment at which it runs unregistered.
"""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import Collection

from offhook.supervisor import deathwatch

# The shell's standard input is the warden's pipe. It writes its own number there, lets go of the pipe, and becomes the program.
LAUNCH = ("/bin/sh", "-c", 'echo "+$$" >&0 && exec "$@" </dev/null', "offhook-child")

_PAUSE_SECONDS = 0.1


class Warden:
    """The supervisor's side: starts the warden, tells it of groups that are gone, starts another when it dies."""

    def __init__(self, hold: Collection[int] = ()) -> None:
        """`hold`: descriptors (locks, claimed ports) that stay held until the last child of a killed supervisor is dead."""
        self._hold = tuple(hold)
        self._groups: set[int] = set()
        self._process: asyncio.subprocess.Process | None = None
        self._pipe = -1
        self._watch: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """The warden's own process."""
        return self._process.pid if self._process else None

    @property
    def pipe(self) -> int:
        """What a child is given as standard input, to register by `LAUNCH`."""
        return self._pipe

    async def start(self) -> None:
        """Returns when the warden runs."""
        await self._spawn()
        self._watch = asyncio.create_task(self._respawn(), name="warden")

    async def _spawn(self) -> None:
        reading, writing = os.pipe()
        former, self._pipe = self._pipe, writing
        if former >= 0:
            os.close(former)
        for group in self._groups:  # before it runs: we may be killed at any moment
            self._tell(f"+{group}")
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-I", "-S", deathwatch.__file__),
                stdin=reading,
                stdout=subprocess.DEVNULL,
                start_new_session=True,  # Ctrl-C in a terminal reaches the whole foreground group; the warden must live on
                pass_fds=self._hold,
            )
        finally:
            os.close(reading)

    async def _respawn(self) -> None:
        while self._process is not None:
            await self._process.wait()
            await asyncio.sleep(_PAUSE_SECONDS)
            await self._spawn()

    def born(self, group: int) -> None:
        """A child of this group registered itself; a new warden will be told, should this one die."""
        self._groups.add(group)

    def gone(self, group: int) -> None:
        """All processes of the group have ended, and its number may soon be another's."""
        self._groups.discard(group)
        self._tell(f"-{group}")

    def _tell(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # the warden just died; the next one is told from `_groups`
            os.write(self._pipe, f"{line}\n".encode())

    async def stop(self) -> None:
        """Returns when the warden has ended, and with it all that was still registered. Once is enough; twice does no harm."""
        if self._watch is None or self._process is None:
            return
        self._watch.cancel()
        self._watch = None
        os.close(self._pipe)
        self._pipe = -1
        await self._process.wait()
