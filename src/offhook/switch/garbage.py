"""When the switch looks for garbage: while nobody calls.

Python frees by counting what is referred to; its collector is only for what refers to itself in a ring, and calls leave next to none (held
by tests/switch/test_garbage.py). To find that out it goes through all that lives. At 300 calls a second, whose transactions wait for their
last timer for 32 s (RFC 3261 17), a look at the young took 60 to 94 ms and one at everything 257, and what was found were 15 objects;
meanwhile answers queued, and the edge was asked to refuse calls.
"""

import asyncio
import gc
from collections.abc import Callable

QUIET_SECONDS = 40.0
"""How long after the last call its memory is looked through: by then the last timer of its transactions (64 * T1, 32 s) has rung."""

LOOK_SECONDS = 5.0
WORTH = 1_000
"""New objects that live; fewer are not worth a look."""

MOST_YOUNG = 2_000_000
"""New objects that live, some 200 MB: a switch that is never quiet and has so many is looked through under its calls."""


def spare_the_old() -> None:
    """Keep the collector away from calls, and from what stays: to go through a configuration of 1,000 users takes 60 ms."""
    gc.set_threshold(MOST_YOUNG, 20, 20)
    gc.collect(1)
    gc.freeze()


async def collect_when_quiet(begun: Callable[[], int], alive: Callable[[], bool], quiet: float = QUIET_SECONDS) -> None:
    """For ever: look for garbage once no call has lived for `quiet` seconds.

    `begun` counts the calls there were, `alive` says whether there is one now.
    """
    loop = asyncio.get_running_loop()
    before, since = begun(), loop.time()
    while True:
        await asyncio.sleep(min(LOOK_SECONDS, quiet / 2))
        if alive() or begun() != before:
            before, since = begun(), loop.time()
        elif loop.time() - since >= quiet and gc.get_count()[0] > WORTH:
            gc.collect()
