"""The timers of one call."""

import asyncio
from collections.abc import Callable

from offhook.domain.calls.events import Timer


class Timers:
    """Fires `fired(timer)` when a timer runs out; starting one that runs starts it anew."""

    def __init__(self, fired: Callable[[Timer], None]) -> None:
        self._fired = fired
        self._running: dict[Timer, asyncio.TimerHandle] = {}

    def start(self, timer: Timer, seconds: float) -> None:
        """Fire after so many seconds."""
        self.stop(timer)
        self._running[timer] = asyncio.get_running_loop().call_later(seconds, self._ran_out, timer)

    def stop(self, timer: Timer) -> None:
        """Forget a timer; nothing happens if it does not run."""
        handle = self._running.pop(timer, None)
        if handle is not None:
            handle.cancel()

    def stop_all(self) -> None:
        """Forget every timer."""
        for timer in tuple(self._running):
            self.stop(timer)

    def _ran_out(self, timer: Timer) -> None:
        self._running.pop(timer, None)
        self._fired(timer)
