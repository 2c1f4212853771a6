"""What was exchanged for each pair of legs in a call: needed again where rtpengine must be told the same once more."""

from dataclasses import dataclass, field

from offhook.domain.calls.ids import LegId
from offhook.domain.media import MediaShape
from offhook.engines.rtpengine.sdp import media_lines
from offhook.engines.rtpengine.tags import alone

Pair = tuple[LegId, LegId]
"""Who offered, and to whom."""


@dataclass(slots=True)
class Exchange:
    """The latest offer of one pair, and its answer once there is one. `marked`: rtpengine still thinks of codecs nobody took."""

    offered: str
    offered_to: MediaShape
    codecs: tuple[str, ...]
    answered: str | None = None
    answered_to: MediaShape = MediaShape.PLAIN
    marked: bool = False

    @property
    def lines(self) -> int:
        """For how many media lines each of the two needs ports."""
        return media_lines(self.offered)


@dataclass(frozen=True, slots=True)
class Alone:
    """A leg that was answered by the system: to which SDP, in which codec, and whether the system's end is still there."""

    sdp: str
    codec: str
    shape: MediaShape
    attended: bool = True


@dataclass(slots=True)
class CallPairs:
    """All pairs of one call."""

    pairs: dict[Pair, Exchange] = field(default_factory=dict)
    alone: dict[LegId, Alone] = field(default_factory=dict)
    injects: bool = False
    """Whether digits of ours have been sent in this call: then rtpengine must be told with every offer that they may be."""

    def lines(self, pair: Pair | None = None, exchange: Exchange | None = None) -> int:
        """The media lines of all legs, summed; with this exchange too, if one is given."""
        legs: dict[LegId, int] = {}
        for both, each in (*self.pairs.items(), *([(pair, exchange)] if pair and exchange else [])):
            for leg in both:
                legs[leg] = max(legs.get(leg, 0), each.lines)
        return sum(legs.values())

    def offers(self, offerer: LegId, answerer: LegId, exchange: Exchange) -> None:
        """Note an offer; what the two exchanged before, whoever offered, is past."""
        self.pairs.pop((answerer, offerer), None)
        self.pairs[offerer, answerer] = exchange

    def forgets(self, one: LegId, other: LegId) -> None:
        """The two exchange nothing any more, whoever offered."""
        self.pairs.pop((one, other), None)
        self.pairs.pop((other, one), None)

    @property
    def centre(self) -> LegId | None:
        """The one leg that is in every pair, None when there is none."""
        pairs = iter(self.pairs)
        both = set(next(pairs, ()))
        for pair in pairs:
            both.intersection_update(pair)
        return min(both, default=None)

    def speaking(self, leg: LegId) -> tuple[Pair, Exchange] | None:
        """The pair in which `leg` speaks with another leg now: the one answered last."""
        found = ((pair, each) for pair, each in reversed(self.pairs.items()) if each.answered and leg in pair and alone(leg) not in pair)
        return next(found, None)
