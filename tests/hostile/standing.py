"""A call that stands while others misbehave, and whose sound must not suffer."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from offhook.phones.calls import CallState, PhoneCall
from tests.calls.stories import HIGH, LOW, connected, hear_each_other, registered
from tests.calls.system import System

KEEP_SECONDS = 1800.0
QUIET_DBFS = -35.0
"""The tones are at -20."""
LOST_SHARE = 0.02
"""Of all packets; more would be heard. Nothing is lost on a machine of one's own."""


@dataclass(slots=True)
class Standing:
    """Both ends of the call, and since when both tones were heard."""

    call: PhoneCall
    other: PhoneCall
    since: float

    def check(self) -> None:
        """Nothing was missed: the call is up, packets came, and no second passed without its tone."""
        for end in (self.call, self.other):
            assert end.state is CallState.UP, end.story()
            figures = end.figures
            assert figures.packets_lost <= LOST_SHARE * (figures.packets_heard + 50), figures
            silent = [second for second in end.hears.energy_over_time(1.0)[2:] if second < QUIET_DBFS]
            assert len(silent) <= 1, f"{len(silent)} silent seconds: {end.hears.description()}"


@asynccontextmanager
async def undisturbed(system: System, one: str = "ben", two: str = "chloe", number: str = "103") -> AsyncIterator[Standing]:
    """A call with tones both ways, which must not have suffered at the end."""
    phones = (system.phone(one, keep_seconds=KEEP_SECONDS), system.phone(two, keep_seconds=KEEP_SECONDS))
    async with registered(*phones) as (caller, called):
        call, other = await connected(caller, called, number)
        await hear_each_other(call, other)
        standing = Standing(call, other, time.monotonic())
        yield standing
        await call.hears.tone(HIGH)
        await other.hears.tone(LOW)
        standing.check()
        await call.hangs_up()
