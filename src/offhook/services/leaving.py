"""What a closed organization leaves is removed a few rows at a time: one that was large has a million, and others want to write meanwhile.

How far it has come stands in the database alone: whoever is stopped in the middle goes on at the next start.
"""

import asyncio
import logging
import time

from offhook.domain.errors import Unavailable
from offhook.services.organizations import pause_after
from offhook.services.ports.store import Store

ROWS_AT_ONCE = 2000
"""In one transaction: some 30 ms on SQLite, where it holds the lock of the whole file."""
LOOK_AGAIN_SECONDS = 2.0

log = logging.getLogger(__name__)


def empty_some(store: Store, rows: int = ROWS_AT_ONCE) -> bool:
    """Remove some of what is left of organizations that are closed; True when nothing is. Raises Unavailable."""
    with store.provider_view() as provider:
        closed = provider.organizations.to_empty()
    if not closed:
        return True
    with store.provider_change("offhook") as provider:
        if provider.organizations.empty_some(closed[0], rows):
            log.info("organization %d is closed, and emptied now", closed[0])
    return False


async def empty_for_ever(store: Store) -> None:
    """Have nothing left of those that are closed, now and later."""
    while True:
        began = time.monotonic()
        try:
            nothing_left = await asyncio.to_thread(empty_some, store)
        except Unavailable:
            nothing_left = True  # it is asked again
        except Exception:
            log.exception("what closed organizations left could not be removed")
            nothing_left = True
        await asyncio.sleep(LOOK_AGAIN_SECONDS if nothing_left else pause_after(time.monotonic() - began))
