"""Who is at the other end of a leg, as far as a call must know."""

from dataclasses import dataclass

from offhook.domain.media import MediaShape
from offhook.domain.routing import Caller


@dataclass(frozen=True, slots=True)
class Side:
    """Who a leg leads to, and how.

    `party` names it for people; `name` and `number` are what others are shown, nothing of it when `private`; `uri` is where its INVITE went
    (empty: it called us). `orders_as` is in whose name it may have calls made (None: a carrier's side may not).
    `shape` is how it speaks RTP, `second` how it is offered RTP if it refuses that.
    """

    party: str
    uri: str = ""
    name: str = ""
    number: str = ""
    private: bool = False
    orders_as: Caller | None = None
    shape: MediaShape = MediaShape.PLAIN
    second: MediaShape | None = None


@dataclass(frozen=True, slots=True)
class Diversion:
    """Somebody who sent the call on: as the called side knows him, and why, in the words of RFC 5806 (`deflection`, `unconditional`)."""

    number: str
    reason: str
