"""Relief: when the switch cannot keep up, the edge is asked to let fewer new calls in, so that those it lets in are served in time.

A queue that only grows serves everybody late and in the end nobody: telephones repeat what was not answered, and the repeats queue too.
The limit falls by a share of what came through, and rises slowly once there is no queue (additive increase, multiplicative decrease, as
TCP does it, RFC 5681). What the edge refuses it refuses before the digest, and never emergency calls.
"""

import asyncio
import logging
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.25
"""How often it is looked whether messages queue."""
LOOKS = 4
"""Over how many looks it is judged: one second."""
CROWDED = 0.3
"""The share of the receive buffer that is filled when messages queue for longer than they should; full, the kernel drops them."""
LATE_SECONDS = 0.15
"""The same for the loop itself: how late it wakes."""
BEHIND_SECONDS = 0.15
"""The same for the engines' answers, which come in a millisecond: how long they wait to be heard, on average. It tells first: what stands
in the kernel is read in time long after what follows from it is not."""
LESS, LEAST, MORE, A_LITTLE_MORE = 0.85, 0.6, 1.15, 1.02
"""What the limit becomes in a second with a queue: less the further behind we are, for that must be made up too. In a second without one it
rises, and only a little where it was too much the last time: else it would swing between too many calls and far too few."""
NEAR, BEYOND = 0.9, 1.02
"""Where it was too much the last time begins and ends. Beyond it that is refuted: what made us late was not the calls."""
FEWEST = 20
"""New calls a second that are let in whatever happens."""
LONGEST_HOLD = 4
"""Judgements at most that pass until what was let in before a fall is done with."""
CALM_SECONDS = 2
"""Without a queue for so long before the limit rises."""


@dataclass(slots=True)
class Limit:
    """How many new calls a second are let in; None is as many as the settings say (`usual`)."""

    usual: int
    now: int | None = None
    calm: int = 0
    hold: int = 0
    too_many: float = 0.0

    def judge(self, began: float, crowded: bool, behind: float = 0.0) -> int | None:
        """The limit after a second in which `began` new calls came through and, if `crowded`, messages queued; `behind` in seconds."""
        if crowded and self.hold:
            # What queues now was let in before the limit fell.
            self.hold -= 1
        elif crowded:
            # A call asks the engines four times until it stands.
            self.calm, self.hold = 0, min(LONGEST_HOLD, 1 + int(4 * behind))
            less = max(LEAST, LESS - max(0.0, behind - BEHIND_SECONDS) / 2)
            # What came through says at first how much can be served; later it is what we let in.
            self.too_many = self.now if self.now is not None else min(began, self.usual)
            self.now = max(FEWEST, int(less * self.too_many))
        elif self.now is not None:
            self.calm, self.hold = self.calm + 1, 0
            if self.calm > CALM_SECONDS:
                close = NEAR * self.too_many < self.now < BEYOND * self.too_many and began > self.now / 2
                raised = max(self.now + 1, int(self.now * (A_LITTLE_MORE if close else MORE)))
                self.now = None if raised >= self.usual else raised
        return self.now


@dataclass(slots=True)
class Relief:
    """Looks for ever. `filled` gives the share of the receive buffer in use, `begun` how many calls have begun, `tell` tells the edge.

    `heard` gives how many answers of engines were heard, and the seconds that took, summed, both since the beginning.
    """

    usual: int
    filled: Callable[[], float]
    begun: Callable[[], int]
    tell: Callable[[int | None], Awaitable[None]]
    heard: Callable[[], tuple[int, float]] = lambda: (0, 0.0)
    seconds: float = LOOK_SECONDS
    _crowded: deque[bool] = field(default_factory=lambda: deque(maxlen=LOOKS))
    _behind: deque[float] = field(default_factory=lambda: deque(maxlen=LOOKS))

    async def look(self) -> None:
        """For ever: judge once a second and tell the edge; while there is a limit each time, for the edge forgets it when it restarts."""
        loop, limit = asyncio.get_running_loop(), Limit(self.usual)
        before, looks, heard = self.begun(), 0, self.heard()
        while True:
            due = loop.time() + self.seconds
            await asyncio.sleep(self.seconds)
            earlier, heard = heard, self.heard()
            behind = (heard[1] - earlier[1]) / (heard[0] - earlier[0]) if heard[0] > earlier[0] else 0.0
            self._behind.append(behind)
            self._crowded.append(loop.time() - due > LATE_SECONDS or self.filled() > CROWDED or behind > BEHIND_SECONDS)
            looks += 1
            if looks < LOOKS:
                continue
            began, before, looks = self.begun() - before, self.begun(), 0
            was, wanted = limit.now, limit.judge(began, sum(self._crowded) >= LOOKS / 2, max(self._behind))
            if wanted is None and was is None:
                continue
            if wanted != was:
                log.warning("More comes than can be served: %s", f"{wanted} new calls a second are let in" if wanted else "no longer")
            try:
                await self.tell(wanted)
            except Exception as absent:
                log.warning("The edge was not told: %s", absent)
