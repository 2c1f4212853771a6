"""How many of the ports for sound are taken, counted before rtpengine is asked for more.

An rtpengine 10.5 that is asked for a port where none is free ends the call whole, with the telephones that ring in it already, and may look
so long that it answers nobody (decision 0022), upon which every call is given up: so it is never asked for what it has not got.
"""

from offhook.domain.calls.ids import CallId
from offhook.services.ports.media import MediaFull

PORTS_A_LINE = 2
"""Of each leg, for each media line: RTP and RTCP."""
RESERVED_SHARE, FEWEST_RESERVED = 20, 24
"""One port in so many, and at least so many, are kept for calls for help: six of them, of two legs each."""
ALL = 65_536


class Ports:
    """The block of ports of one rtpengine. Each call counts with the most that it can have there."""

    def __init__(self, block: int = ALL) -> None:
        self._block, self._reserved = block, max(block // RESERVED_SHARE, FEWEST_RESERVED)
        self._held: dict[CallId, int] = {}
        self._known = self._others = 0

    @property
    def used(self) -> int:
        """How many are taken."""
        return self._known + self._others

    @property
    def free(self) -> int:
        """How many are left, with those that are kept for calls for help."""
        return max(self._block - self.used, 0)

    def take(self, call: CallId, ports: int, *, urgent: bool = False) -> None:
        """Let a call have so many in the place of what it had. Raises MediaFull if there are not so many; `urgent`: for help."""
        more = ports - self._held.get(call, 0)
        if more > self.free - (0 if urgent else self._reserved) and more > 0:
            raise MediaFull(f"No ports are free for sound: {self.used} of {self._block} are in use, and {self._reserved} kept for help.")
        self._held[call] = ports
        self._known += more

    def release(self, call: CallId) -> None:
        """A call has none any more."""
        self._known -= self._held.pop(call, 0)

    def seen(self, used: int) -> None:
        """So many are taken by what rtpengine itself says: also by calls of a switch that died, and by those it was not told the end of."""
        self._others = max(used - self._known, 0)
