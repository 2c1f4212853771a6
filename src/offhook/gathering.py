"""A queue whose reader looks at it on a beat of its own, so that a busy process does not wake a thread for each thing it hands over.

A leaf: knows no room.
"""

import queue
import time
from collections.abc import Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class Gathering(Generic[Item]):
    """Many threads put, one takes. What is put is taken at most `seconds` later, if the reader is back by then."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._queue: queue.SimpleQueue[Item] = queue.SimpleQueue()
        self._flows = False

    def __len__(self) -> int:
        """How much waits."""
        return self._queue.qsize()

    def put(self, item: Item) -> None:
        """Hand over; never waits."""
        self._queue.put(item)

    def taken(self, patience_seconds: float | None = None) -> Iterator[Item]:
        """What came since the last time, after `seconds` for more to come; nothing when nothing did.

        Each leaves the queue as it is asked for. While nothing comes a first one is waited for, `patience_seconds` or for ever.
        """
        if not self._flows:
            try:
                first = self._queue.get(timeout=patience_seconds)
            except queue.Empty:
                return
            time.sleep(self._seconds)
            yield first
        else:
            time.sleep(self._seconds)
        count = self._queue.qsize()
        self._flows = count > 0
        for _ in range(count):
            yield self._queue.get_nowait()
