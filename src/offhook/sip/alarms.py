"""Timers as data: what is due when, nearest first. Nothing here looks at a clock."""

from collections.abc import Callable
from heapq import heapify, heappop, heappush

FEW = 64


class Alarm:
    """One timer that has been set; cancel() before it rings and it never will."""

    __slots__ = ("_alarms", "ring")

    def __init__(self, alarms: "Alarms", ring: Callable[[], object]) -> None:
        self._alarms = alarms
        self.ring: Callable[[], object] | None = ring

    def cancel(self) -> None:
        if self.ring is not None:
            self.ring = None
            self._alarms.forget_one()


class Alarms:
    """All timers of an agent, in a heap: setting and finding the next costs O(log n)."""

    __slots__ = ("_cancelled", "_count", "_heap")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Alarm]] = []
        self._count = 0
        self._cancelled = 0

    def set(self, due: float, ring: Callable[[], object]) -> Alarm:
        """Ring at this time, in the seconds of whoever asks."""
        alarm = Alarm(self, ring)
        self._count += 1
        heappush(self._heap, (due, self._count, alarm))
        return alarm

    def next_due(self) -> float | None:
        """When the next one rings, or None while none is set."""
        heap = self._heap
        while heap and heap[0][2].ring is None:
            heappop(heap)
            self._cancelled -= 1
        return heap[0][0] if heap else None

    def ring_due(self, now: float) -> None:
        """Ring all that are due, in order; those set meanwhile and already due ring too."""
        while (due := self.next_due()) is not None and due <= now:
            alarm = heappop(self._heap)[2]
            ring, alarm.ring = alarm.ring, None
            if ring is not None:
                ring()

    def forget_one(self) -> None:
        """Count a cancelled one; swept once they are most of the heap, or a busy switch would drag 32 s of them along."""
        self._cancelled += 1
        if self._cancelled > FEW and self._cancelled * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if entry[2].ring is not None]
            heapify(self._heap)
            self._cancelled = 0

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled
