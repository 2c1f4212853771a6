"""Whether the system works: each part asked at once, for a bounded time, and at most once a second however many people want to know."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

PATIENCE_SECONDS = 1.0
"""How long a part may take to say that it is well."""

FRESH_SECONDS = 1.0
"""How long a report is given to everybody who asks."""


class Unwell(Exception):
    """A part does not work; the text is a sentence that says what is wrong."""


@dataclass(frozen=True, slots=True)
class Check:
    """How a part is asked. It answers with a sentence, or raises Unwell; any other mistake counts as unwell too."""

    ask: Callable[[], Awaitable[str]]
    needed_for_calls: bool = False
    """Without this part no new call can be set up."""


@dataclass(frozen=True, slots=True)
class Part:
    """How one part fared when it was last asked."""

    name: str
    ok: bool
    words: str
    seconds: float
    needed_for_calls: bool


@dataclass(frozen=True, slots=True)
class Report:
    """How all parts fared. `at` is seconds since 1970."""

    at: float
    parts: tuple[Part, ...]

    @property
    def healthy(self) -> bool:
        """Whether every part works."""
        return all(part.ok for part in self.parts)

    @property
    def ready(self) -> bool:
        """Whether a new call can be set up."""
        return all(part.ok for part in self.parts if part.needed_for_calls)


class Health:
    """Asks the parts. A report takes little more than PATIENCE_SECONDS, whatever hangs."""

    def __init__(self, checks: Mapping[str, Check], patience: float = PATIENCE_SECONDS, fresh: float = FRESH_SECONDS) -> None:
        self._checks = dict(checks)
        self._patience, self._fresh = patience, fresh
        self._asked: dict[str, asyncio.Task[Part]] = {}
        self._one_at_a_time = asyncio.Lock()
        self._last: tuple[float, Report] | None = None

    async def report(self) -> Report:
        """The report of now, or one that is less than FRESH_SECONDS old."""
        async with self._one_at_a_time:
            if self._last is None or time.monotonic() - self._last[0] >= self._fresh:
                self._last = (time.monotonic(), await self._ask())
            return self._last[1]

    async def _ask(self) -> Report:
        at = time.time()
        for name, check in self._checks.items():
            # One that still hangs since the last time is not asked again: a disk that hangs must not take a thread each second.
            if name not in self._asked:
                self._asked[name] = asyncio.create_task(_part(name, check), name=f"health of {name}")
        await asyncio.wait(self._asked.values(), timeout=self._patience)
        return Report(at, tuple(self._taken(name, check) for name, check in self._checks.items()))

    def _taken(self, name: str, check: Check) -> Part:
        if not self._asked[name].done():
            return Part(name, False, f"did not answer within {self._patience:g} s", self._patience, check.needed_for_calls)
        return self._asked.pop(name).result()


async def _part(name: str, check: Check) -> Part:
    began = time.monotonic()
    try:
        ok, words = True, await check.ask()
    except Unwell as unwell:
        ok, words = False, str(unwell)
    except Exception as mistake:
        ok, words = False, f"{type(mistake).__name__}: {mistake}"
    return Part(name, ok, words, time.monotonic() - began, check.needed_for_calls)
