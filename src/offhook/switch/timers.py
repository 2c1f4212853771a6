"""The timers of one call."""

import asyncio
import math
import time
from collections.abc import Callable
from contextvars import Context, copy_context
from typing import Any, TypeVar

from offhook.domain.calls.events import Timer

BEAT_SECONDS = 0.1


def on_the_beat(seconds: float) -> float:
    """So many seconds and at most BEAT_SECONDS more, so that all that is in no hurry wakes at one moment.

    A process that has slept for 3 ms runs at a quarter of its speed, its code gone from the caches: what costs is each waking up.
    """
    now = time.monotonic()
    return math.ceil((now + seconds) / BEAT_SECONDS) * BEAT_SECONDS - now


_Of = TypeVar("_Of")


class Beat:
    """Does later what is in no hurry: all that falls on one beat, with one timer."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[tuple[Callable[[Any], None], Any, Context]]] = {}

    def after(self, seconds: float, do: Callable[[_Of], None], what: _Of) -> None:
        """Call `do(what)`, in the context of now, at the first beat after so many seconds."""
        now = time.monotonic()
        beat = math.ceil((now + seconds) / BEAT_SECONDS)
        if beat not in self._waiting:
            self._waiting[beat] = []
            asyncio.get_running_loop().call_later(beat * BEAT_SECONDS - now, self._strike, beat)
        self._waiting[beat].append((do, what, copy_context()))

    def _strike(self, beat: int) -> None:
        loop = asyncio.get_running_loop()
        for do, what, context in self._waiting.pop(beat):
            loop.call_soon(do, what, context=context)  # and not here: the mistake of one must not cost the others


class Timers:
    """Fires `fired(timer)` when a timer runs out; starting one that runs starts it anew."""

    def __init__(self, fired: Callable[[Timer], None]) -> None:
        self._fired = fired
        self._running: dict[Timer, asyncio.TimerHandle] = {}

    def start(self, timer: Timer, seconds: float) -> None:
        """Fire after so many seconds."""
        self.stop(timer)
        if timer is Timer.WATCH:
            seconds = on_the_beat(seconds)
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
