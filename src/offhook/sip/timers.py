"""The timers of RFC 3261 (table 4), with those of RFC 6026, in one value."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Timers:
    """All in seconds. Tests take small ones; a live system keeps these.

    t1: estimated round trip; the first repeat. t2: the longest gap between repeats. t4: how long a message may linger in the network.
    patience: timers B, F, H, J, L and M, and how long a 200 waits for its ACK; None is 64*t1. absorb: timer D, how long a refused INVITE
    goes on acknowledging repeats over UDP; None is 64*t1 (32 s with the default t1, as the RFC asks).
    """

    t1: float = 0.5
    t2: float = 4.0
    t4: float = 5.0
    patience: float | None = None
    absorb: float | None = None

    @property
    def limit(self) -> float:
        """How long a transaction is tried before it is given up, in seconds."""
        return 64 * self.t1 if self.patience is None else self.patience

    @property
    def lingering(self) -> float:
        """Timer D over an unreliable transport, in seconds."""
        return 64 * self.t1 if self.absorb is None else self.absorb
