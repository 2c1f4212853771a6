"""One child process: started, asked until it is ready, started again when it dies, stopped when told."""

import asyncio
import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from offhook.supervisor.deathwatch import has_living_members, kill_group
from offhook.supervisor.logfile import last_lines, open_log
from offhook.supervisor.refusals import ChildNotReady, ProgramMissing
from offhook.supervisor.turns import ask_for_short_turns
from offhook.supervisor.warden import LAUNCH, Warden

_ASK_SECONDS = 0.05
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 2.0
_STEADY_SECONDS = 10.0  # one that ran this long died by accident, and is started again without a pause
_KILL_ROUNDS, _KILL_SECONDS = 100, 0.02


@dataclass(frozen=True, slots=True, kw_only=True)
class Child:
    """What a process is and how it is treated. `arguments` begins with the program."""

    name: str
    arguments: tuple[str, ...]
    log: Path
    environment: Mapping[str, str] = field(default_factory=dict)
    """Set beside what we have ourselves."""
    package: str = ""
    """The Debian package that brings the program, for the refusal when it is missing."""
    ready: Callable[[], Awaitable[bool]] | None = None
    """Asked every 50 ms until it says yes; an OSError or TimeoutError is a no. None: ready when started."""
    ready_seconds: float = 10.0
    on_restart: Callable[[], Awaitable[None]] | None = None
    """Awaited when the child is ready again after a death: what the former one was told must be told to this one."""
    stop_seconds: float = 3.0
    """From SIGTERM to SIGKILL."""
    turn_seconds: float | None = None
    """The turn of a CPU that its threads ask for when it is ready; None leaves that to Linux."""


class State(StrEnum):
    """Where a child stands."""

    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    RESTARTING = "restarting"
    STOPPING = "stopping"
    STOPPED = "stopped"


def require_programs(children: tuple[Child, ...]) -> None:
    """Raises ProgramMissing, naming all programs that are not installed and what to install."""
    missing = [child for child in children if shutil.which(child.arguments[0]) is None]
    if missing:
        programs = ", ".join(f"{child.arguments[0]} ({child.name})" for child in missing)
        packages = " ".join(sorted({child.package for child in missing if child.package}))
        cure = f"Install: apt-get install --no-install-recommends {packages}" if packages else "Set up again with ./run."
        raise ProgramMissing(f"Not installed: {programs}. {cure}")


class Life:
    """The lives of one child, one after the other, until it is stopped."""

    def __init__(self, child: Child, warden: Warden, tell: Callable[[str], None]) -> None:
        """`tell` takes a line about what happened, for people."""
        self.child = child
        self.state = State.WAITING
        self.restarts = 0
        self.pid: int | None = None
        self._warden = warden
        self._tell = tell
        self._process: asyncio.subprocess.Process | None = None
        self._watch: asyncio.Task[None] | None = None
        self._pause = 0.0

    async def start(self) -> None:
        """Returns when the child is ready. Raises ChildNotReady, with the last lines of its log."""
        self.state = State.STARTING
        await self._spawn()
        if not await self._becomes_ready():
            how = "was not ready" if self._process and self._process.returncode is None else f"ended ({self._ending()})"
            await self._bury()
            raise ChildNotReady(f"{self.child.name} {how}. The end of {self.child.log}:\n{last_lines(self.child.log)}")
        self.state = State.READY
        self._watch = asyncio.create_task(self._keep_alive(), name=f"life of {self.child.name}")

    async def stop(self) -> None:
        """Returns when no process of the child is left: asked by SIGTERM, killed after `stop_seconds`."""
        self.state = State.STOPPING
        await self._end_watch()
        if self._process is not None and self._process.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                self._process.terminate()
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self.child.stop_seconds):
                    await self._process.wait()
        await self._bury()
        self.state = State.STOPPED

    def kill(self) -> None:
        """Ends all its processes at once and for good; a `stop` under way then returns soon."""
        if self._watch is not None:
            self._watch.cancel()  # else it would start the child again
        if self.pid is not None:
            kill_group(self.pid)

    async def _end_watch(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            await asyncio.gather(self._watch, return_exceptions=True)
            self._watch = None

    async def _spawn(self) -> None:
        log = open_log(self.child.log)
        try:
            self._process = await asyncio.create_subprocess_exec(
                *(*LAUNCH, *self.child.arguments),
                stdin=self._warden.pipe,
                stdout=log,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self.child.environment},
                start_new_session=True,  # a group of its own: Ctrl-C is ours to pass on, and its own children end with it
            )
        finally:
            os.close(log)
        self.pid = self._process.pid
        self._warden.born(self.pid)

    async def _becomes_ready(self) -> bool:
        assert self._process is not None
        deadline = time.monotonic() + self.child.ready_seconds
        while self._process.returncode is None and time.monotonic() < deadline:
            if await self._answers(deadline):
                if self.child.turn_seconds is not None:
                    ask_for_short_turns(self._process.pid, self.child.turn_seconds)
                return True
            await asyncio.sleep(_ASK_SECONDS)
        return False

    async def _answers(self, deadline: float) -> bool:
        if self.child.ready is None:
            return True
        with contextlib.suppress(OSError, TimeoutError):
            # not wait_for: before Python 3.12 it may lose a cancellation, and a child being stopped would be started for ever
            async with asyncio.timeout(deadline - time.monotonic()):
                return await self.child.ready()
        return False

    async def _keep_alive(self) -> None:
        assert self._process is not None
        while True:
            ready_at = time.monotonic()
            await self._process.wait()
            self._tell(f"{self.child.name} ended ({self._ending()}); it is started again. Its log: {self.child.log}")
            if time.monotonic() - ready_at > _STEADY_SECONDS:
                self._pause = 0.0
            await self._start_again()

    async def _start_again(self) -> None:
        self.state = State.RESTARTING
        while not await self._comes_back():
            self._tell(f"{self.child.name} does not come back. The end of {self.child.log}:\n{last_lines(self.child.log, 3)}")
        self.state = State.READY
        self._tell(f"{self.child.name} is back (process {self.pid}).")

    async def _comes_back(self) -> bool:
        await self._bury()
        self.restarts += 1
        await asyncio.sleep(self._pause)
        self._pause = min(max(self._pause * 2, _FIRST_PAUSE_SECONDS), _LONGEST_PAUSE_SECONDS)
        try:
            await self._spawn()
            if not await self._becomes_ready():
                return False
            if self.child.on_restart is not None:
                await self.child.on_restart()
        except Exception as wrong:  # the edge of this child's task: whatever went wrong is said aloud, and tried again
            self._tell(f"{self.child.name} could not be started again: {wrong!r}")
            return False
        return True

    def _ending(self) -> str:
        code = self._process.returncode if self._process else None
        if code is not None and code < 0:
            return f"killed by {signal.Signals(-code).name}"
        return f"exit code {code}"

    async def _bury(self) -> None:
        """Ends what is left of the group (Kamailio's workers outlive a killed parent, and hold its ports)."""
        if self._process is None or self.pid is None:
            return
        group, self.pid = self.pid, None
        for _ in range(_KILL_ROUNDS):
            if not (kill_group(group) and has_living_members(group)):
                break
            await asyncio.sleep(_KILL_SECONDS)
        await self._process.wait()
        self._warden.gone(group)
