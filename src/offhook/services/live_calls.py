"""What happens to the calls of now, made of what the switch tells of them."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import aclosing
from typing import NamedTuple

from offhook.domain.calls.endings import ENDINGS
from offhook.domain.errors import Unavailable
from offhook.domain.webhooks import CALL_ANSWERED, CALL_BEGAN, CALL_ENDED
from offhook.services.ports.live import LiveCall, LiveSwitch

RETRY_SECONDS = 1.0
OVER_SECONDS = 60.0
"""How long it is remembered that a call is over; the switch forgets it sooner."""

NOW, UNKNOWN, CALL_CHANGED = "now", "call.unknown", "call.changed"
log = logging.getLogger(__name__)


class Happening(NamedTuple):
    """What happened to a call; or NOW, with all calls that go on, and UNKNOWN, with none: the switch does not answer."""

    name: str
    calls: tuple[LiveCall, ...]


async def happenings(switch: LiveSwitch) -> AsyncGenerator[Happening, None]:
    """For ever: NOW, then what happens to each call, in order; UNKNOWN as often as the switch is asked in vain, then NOW again.

    Between two NOW what happened may be told of by nothing but their difference.
    """
    while True:
        calls: _Calls | None = None
        try:
            async with aclosing(switch.follow()) as told:
                async for some in told:
                    if calls is None:
                        calls = _Calls(some)
                        yield Happening(NOW, tuple(calls.going_on.values()))
                    else:
                        for happening in calls.taken(some):
                            yield happening
        except Unavailable as silent:
            if calls is not None:
                log.warning("What happens to calls is not known now: %s", silent)
        except Exception:
            log.exception("Calls could not be followed")
        yield Happening(UNKNOWN, ())
        await asyncio.sleep(RETRY_SECONDS)


class _Calls:
    """The calls as they were told of last."""

    def __init__(self, now: Iterable[LiveCall]) -> None:
        self.going_on: dict[str, LiveCall] = {}
        self._over: dict[str, float] = {}
        for call in now:
            if call.state in ENDINGS:
                self._over[call.call] = time.monotonic()
            else:
                self.going_on[call.call] = call

    def taken(self, told: Iterable[LiveCall]) -> Iterator[Happening]:
        """What became different by these. A call that is over is told of once more or twice by the switch, and not by us."""
        now = time.monotonic()
        for call in told:
            if call.call not in self._over:
                names = list(different(self.going_on.get(call.call), call))
                if CALL_ENDED in names:
                    self.going_on.pop(call.call, None)
                    self._over[call.call] = now
                else:
                    self.going_on[call.call] = call
                yield from (Happening(name, (call,)) for name in names)
        while self._over and now - next(iter(self._over.values())) > OVER_SECONDS:
            del self._over[next(iter(self._over))]


def different(before: LiveCall | None, call: LiveCall) -> Iterator[str]:
    """The names of what happened to a call between two looks at it, in order; `before` is None for one that was not there."""
    if before is None:
        yield CALL_BEGAN
    if call.answered_at is not None and (before is None or before.answered_at is None):
        yield CALL_ANSWERED
    if call.state in ENDINGS:
        yield CALL_ENDED
    elif before is not None and before != call:
        yield CALL_CHANGED
