"""How often something may go wrong before whoever tries it must wait: twice as long after each failure, up to a longest time."""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address


@dataclass(slots=True)
class _Count:
    failures: int
    last: float


class Throttle:
    """Counts failures by key, in memory, of the `most` keys that failed last; any thread may ask.

    `free` failures cost nothing. After them each is followed by 1, 2, 4 ... `longest_seconds` in which nothing is tried: what is tried in
    that time is not counted, so that whoever goes on trying does not lock the rightful one out for longer. What did not fail for
    `forget_seconds` is forgotten.
    """

    def __init__(
        self,
        free: int,
        longest_seconds: float,
        forget_seconds: float = 3600.0,
        most: int = 10_000,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._free = free
        self._longest = longest_seconds
        self._forget = forget_seconds
        self._most = most
        self._clock = clock
        self._counts: OrderedDict[str, _Count] = OrderedDict()
        self._lock = threading.Lock()

    def __len__(self) -> int:
        """How many keys are remembered."""
        return len(self._counts)

    def wait(self, key: str) -> float:
        """Seconds until it may be tried again; 0 when it may be now."""
        with self._lock:
            count = self._counts.get(key)
            if count is None or count.failures <= self._free:
                return 0.0
            # The exponent is bounded before it is used: a float has an end.
            pause = min(self._longest, 2.0 ** min(count.failures - self._free - 1, 60))
            return max(0.0, count.last + pause - self._clock())

    def failed(self, key: str) -> None:
        """It was tried, and counts as a failure until `forgive` or `forget` is said: of many who try at once none is free."""
        with self._lock:
            now = self._clock()
            while self._counts and (len(self._counts) > self._most or next(iter(self._counts.values())).last < now - self._forget):
                self._counts.popitem(last=False)
            count = self._counts.get(key) or _Count(0, now)
            self._counts[key] = _Count(count.failures + 1, now)
            self._counts.move_to_end(key)
            if len(self._counts) > self._most:
                self._counts.popitem(last=False)

    def forgive(self, key: str) -> None:
        """That one was no failure; those before it stay counted."""
        with self._lock:
            if count := self._counts.get(key):
                count.failures -= 1
                if count.failures <= 0:
                    del self._counts[key]

    def forget(self, key: str) -> None:
        """All is well with this key."""
        with self._lock:
            self._counts.pop(key, None)


def source_of(address: str) -> str:
    """What counts as one place where requests come from: an IPv4 address, or a /64 of IPv6, which one subscriber has whole (RFC 6177)."""
    try:
        parsed = ip_address(address.split("%")[0])
    except ValueError:
        return address[:60]
    if isinstance(parsed, IPv6Address):
        if parsed.ipv4_mapped is not None:
            return str(parsed.ipv4_mapped)
        return f"{IPv6Address(int(parsed) >> 64 << 64)}/64"
    return str(parsed)
