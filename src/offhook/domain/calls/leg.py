"""A leg: one telephone's, carrier's or attendant caller's side of a call."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType

from offhook.domain.calls.commands import (
    AcceptReoffer,
    AnswerLeg,
    EndLeg,
    GiveLeg,
    InviteLeg,
    LegCommand,
    ReofferLeg,
)
from offhook.domain.calls.events import (
    DigitPressed,
    LegAnswered,
    LegCancelled,
    LegConfirmed,
    LegEvent,
    LegHungUp,
    LegLost,
    LegProgressed,
    LegRefused,
    LegReofferAnswered,
    LegReofferAsked,
    LegReofferCancelled,
    LegReoffered,
    LegReofferRefused,
    LegRinging,
    OfferAnswered,
    TransferAsked,
)
from offhook.domain.calls.ids import LegId
from offhook.domain.calls.sides import Side
from offhook.domain.media import Description


class LegState(StrEnum):
    """How far a leg is."""

    ARRIVED = "arrived"
    """It called us, and has no answer yet."""
    PREPARED = "prepared"
    """We are about to call it."""
    INVITED = "invited"
    RINGING = "ringing"
    ANSWERED = "answered"
    """We answered it, and wait for the acknowledgement."""
    UP = "up"
    GONE = "gone"


_ENDS: Mapping[type, LegState] = {EndLeg: LegState.GONE, LegHungUp: LegState.GONE, LegLost: LegState.GONE}
_STAYS_UP: Mapping[type, LegState] = dict.fromkeys(
    (
        DigitPressed,
        LegReofferAnswered,
        LegReofferAsked,
        LegReofferCancelled,
        LegReofferRefused,
        LegReoffered,
        OfferAnswered,
        TransferAsked,
    ),
    LegState.UP,
)
_ANSWERS: Mapping[type, LegState] = {
    LegRinging: LegState.RINGING,
    LegProgressed: LegState.RINGING,
    LegAnswered: LegState.UP,
    LegRefused: LegState.GONE,
    LegLost: LegState.GONE,
    EndLeg: LegState.GONE,
}

LEG_MOVES: Mapping[LegState, Mapping[type, LegState]] = MappingProxyType(
    {
        LegState.ARRIVED: {AnswerLeg: LegState.ANSWERED, LegCancelled: LegState.GONE, LegLost: LegState.GONE, EndLeg: LegState.GONE},
        LegState.PREPARED: {InviteLeg: LegState.INVITED, EndLeg: LegState.GONE},
        LegState.INVITED: _ANSWERS,
        LegState.RINGING: _ANSWERS,
        # A digit may overtake the acknowledgement: sound does not wait for it.
        # A caller's CANCEL and our order to answer may cross on their way: then the answer was never sent.
        LegState.ANSWERED: {LegConfirmed: LegState.UP, DigitPressed: LegState.ANSWERED, LegCancelled: LegState.GONE, **_ENDS},
        # A leg that was given to another call is that call's, and over for this one.
        LegState.UP: {LegConfirmed: LegState.UP, GiveLeg: LegState.GONE, **_STAYS_UP, **_ENDS},
        LegState.GONE: {},
    }
)
"""What moves a leg, orders of ours and facts alike. What is not here is refused and changes nothing."""

MOVING_COMMANDS = frozenset({AnswerLeg, EndLeg, GiveLeg, InviteLeg})
"""The commands that move a leg; the others may be given in any state."""


MOVING_EVENTS = frozenset(cause for row in LEG_MOVES.values() for cause in row) - MOVING_COMMANDS
"""The events that need a leg in the right state."""


_SAYING = (InviteLeg, AnswerLeg, AcceptReoffer, ReofferLeg)


@dataclass(slots=True)
class Leg:
    """One side of a call.

    `description` is the last SDP it sent, `said` the last it was sent, `holding` whether it keeps the other side on hold.
    """

    id: LegId
    side: Side
    state: LegState
    description: Description | None = None
    said: str = ""
    holding: bool = False

    @property
    def party(self) -> str:
        """Who it leads to, for people."""
        return self.side.party

    def moves(self, cause: LegEvent | LegCommand) -> bool:
        """Move by the table; False when the table has no such move, and then nothing has changed."""
        following = LEG_MOVES[self.state].get(type(cause))
        if following is None:
            return False
        self.state = following
        return True

    def takes(self, order: LegCommand) -> bool:
        """Whether the order can still be given to it; it has moved and been remembered by then."""
        if type(order) in MOVING_COMMANDS and not self.moves(order):
            return False
        if isinstance(order, _SAYING):
            self.said = order.sdp
        return True

    @property
    def gone(self) -> bool:
        """Whether it is over."""
        return self.state is LegState.GONE
