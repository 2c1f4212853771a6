"""How many new calls a second the switch bears, found as it goes: the edge turns the others away before they cost anything.

A process that is offered more than it can do gets slower for all, and completes less than it could (docs/decisions/0021). What tells first
is how long the engines' answers take to be heard: they come in a millisecond, unless the switch has no time to listen.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import NamedTuple

from offhook.services.ports.registrar import RegistrarAbsent

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
LATE_SECONDS = 0.08
"""Engines that take so long to be heard, on average: the switch has more to do than it can."""
EASY_SECONDS = 0.03
LATE_LOOKS = 2
"""A machine that is held up once has not too many calls."""
STEP_DOWN, LONGEST_STEP_DOWN, STEP_UP, WAY_BACK = 0.85, 0.4, 1.04, 1.2
HOLD_LOOKS = 4
"""After a step down the next look waits until what was let in before is done with."""
FEWEST = 20.0
"""Fewer a second are never too many: what is slow then is slow for another reason."""
REMIND_LOOKS = 20
"""An edge that was started anew has forgotten the limit."""


class Seen(NamedTuple):
    """What has been since the switch began: calls that came, orders to engines that were carried out, and the seconds they took, summed."""

    calls: int
    orders: int
    seconds: float


class Pace:
    """Tells the edge how many new calls a second to let in: `usual`, and fewer while the switch is late."""

    def __init__(self, usual: int, seen: Callable[[], Seen], tell: Callable[[int], Awaitable[None]]) -> None:
        self.limit = float(usual)
        self._usual, self._seen, self._tell = float(usual), seen, tell
        self._last, self._told = seen(), usual
        self._late = self._hold = self._since_told = 0

    async def keep(self) -> None:
        """For ever."""
        loop = asyncio.get_running_loop()
        while True:
            began = loop.time()
            await asyncio.sleep(LOOK_SECONDS)
            self.look(loop.time() - began)
            await self._say()

    def look(self, seconds: float) -> None:
        """Take up what happened in the last so many seconds."""
        now, before = self._seen(), self._last
        self._last = now
        rate = (now.calls - before.calls) / seconds
        orders = now.orders - before.orders
        wait = (now.seconds - before.seconds) / orders if orders else 0.0
        self._hold = max(0, self._hold - 1)
        self._late = self._late + 1 if wait > LATE_SECONDS else 0
        if self._late >= LATE_LOOKS:
            if self._hold == 0:
                # Who is a second behind has let in far too many, and must catch up too.
                step = max(LONGEST_STEP_DOWN, STEP_DOWN - (wait - LATE_SECONDS) / 2)
                self.limit = max(FEWEST, step * min(self.limit, max(rate, FEWEST)))
                self._hold = HOLD_LOOKS
        elif wait < EASY_SECONDS:
            step = STEP_UP if rate > 0.6 * self.limit else WAY_BACK
            self.limit = min(self._usual, self.limit * step + 1)

    async def _say(self) -> None:
        limit = int(self.limit)
        self._since_told += 1
        changed = abs(limit - self._told) > 0.02 * self._told or (limit == self._usual != self._told)
        if not changed and (limit == self._usual or self._since_told < REMIND_LOOKS):
            return
        if limit < self._told == self._usual:
            log.warning("more calls come than can be carried: %d new ones a second are let in for now, the others are answered 503", limit)
        elif limit == self._usual != self._told:
            log.warning("as many calls are let in again as ever, %d new ones a second", limit)
        try:
            await self._tell(limit)
        except RegistrarAbsent as absent:
            log.warning("the edge could not be told how many calls to let in: %s", absent)
            return
        self._told, self._since_told = limit, 0
