"""The supervisor: starts the children in order, keeps them alive, and takes them down in reverse order."""

import asyncio
import contextlib
import signal
from collections.abc import Awaitable, Callable, Collection, Coroutine, Iterable
from typing import TypedDict

from offhook.supervisor.children import Child, Life, require_programs
from offhook.supervisor.logfile import bound_log
from offhook.supervisor.warden import Warden

_LOGS_SECONDS = 20.0
_KILL_SECONDS = 0.05


class ChildState(TypedDict):
    """What is told of one child."""

    name: str
    state: str
    pid: int | None
    restarts: int


class Supervisor:
    """Children of one system. Start order is the order given; what depends on another comes after it."""

    def __init__(self, children: Iterable[Child], tell: Callable[[str], None], hold: Collection[int] = ()) -> None:
        """`tell` takes each line of progress. `hold`: descriptors that stay open until the last child is dead, whatever becomes of us."""
        self._tell = tell
        self._warden = Warden(hold)
        self._lives = tuple(Life(child, self._warden, tell) for child in children)
        self._logs: asyncio.Task[None] | None = None

    def states(self) -> list[ChildState]:
        """The children as they are now, fit for JSON."""
        return [ChildState(name=life.child.name, state=life.state.value, pid=life.pid, restarts=life.restarts) for life in self._lives]

    async def start(self) -> None:
        """Returns when all children are ready. Raises ProgramMissing before anything starts, ChildNotReady when all is down again."""
        try:
            await self._start_all()
        except BaseException:
            await self.stop()
            raise

    async def _start_all(self) -> None:
        require_programs(tuple(life.child for life in self._lives))
        await self._warden.start()
        for life in self._lives:
            self._tell(f"Starting {life.child.name} ...")
            await life.start()
        self._logs = asyncio.create_task(self._bound_logs(), name="bound logs")

    async def stop(self) -> None:
        """Returns when no process is left. The last started is asked first and given its `stop_seconds`."""
        if self._logs is not None:
            self._logs.cancel()
        for life in reversed(self._lives):
            await life.stop()
        await self._warden.stop()

    def kill(self) -> None:
        """Ends everything at once: what a `stop` under way waits for is gone."""
        for life in self._lives:
            life.kill()

    async def run(self, when_ready: Callable[[], Awaitable[None]]) -> None:
        """Starts, awaits `when_ready`, and returns when all is stopped, as Ctrl-C, SIGTERM or SIGHUP asks; a second one ends all at once.

        Raises what `start` raises.
        """
        first, second = asyncio.Event(), asyncio.Event()
        loop, numbers = asyncio.get_running_loop(), _signals()
        for number in numbers:
            loop.add_signal_handler(number, lambda: (second if first.is_set() else first).set())
        try:
            await _until(first, self._serve(when_ready))
        finally:
            if first.is_set():
                self._tell("Stopping. Once more (Ctrl-C) ends all calls at once.")
            await self._stop_by(second)
            for number in numbers:
                loop.remove_signal_handler(number)

    async def _serve(self, when_ready: Callable[[], Awaitable[None]]) -> None:
        await self._start_all()
        await when_ready()
        await asyncio.Event().wait()  # until broken off

    async def _stop_by(self, hurried: asyncio.Event) -> None:
        stopping, alarm = asyncio.create_task(self.stop()), asyncio.create_task(hurried.wait())
        await asyncio.wait({stopping, alarm}, return_when=asyncio.FIRST_COMPLETED)
        alarm.cancel()
        while not stopping.done():
            self.kill()  # again and again: a child may have been on its way up
            await asyncio.wait({stopping}, timeout=_KILL_SECONDS)
        await stopping

    async def _bound_logs(self) -> None:
        while True:
            await asyncio.sleep(_LOGS_SECONDS)
            for life in self._lives:
                with contextlib.suppress(OSError):  # a full disk must not end the supervisor
                    bound_log(life.child.log)


def _signals() -> list[signal.Signals]:
    """What stops us. Under nohup SIGHUP is ignored, and stays so."""
    hung_up = [] if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN else [signal.SIGHUP]
    return [signal.SIGINT, signal.SIGTERM, *hung_up]


async def _until(event: asyncio.Event, work: Coroutine[None, None, None]) -> None:
    """Awaits the work; breaks it off at the event."""
    task, alarm = asyncio.create_task(work), asyncio.create_task(event.wait())
    try:
        await asyncio.wait({task, alarm}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        alarm.cancel()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
