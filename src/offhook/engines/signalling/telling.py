"""From what the SIP agent tells to what a call is told: one row a fact."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

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
    Moment,
    OfferAnswered,
)
from offhook.domain.calls.ids import LegId
from offhook.engines.signalling.reading import description_of, digit_of, targets_in
from offhook.sip.facts import (
    AckAnswered,
    AckMissing,
    AckReceived,
    AnswerReceived,
    ByeAnswered,
    ByeReceived,
    CancelReceived,
    InfoReceived,
    PrackMissing,
    ProgressReceived,
    RefusalReceived,
    ReofferAnswered,
    ReofferCancelled,
    ReofferReceived,
    ReofferRefused,
    SessionExpired,
)

OVER = frozenset({RefusalReceived, CancelReceived, ByeReceived, ByeAnswered})
"""After these there is no leg any more."""

HUNG_UP_BY_THE_AGENT = frozenset({AckMissing, PrackMissing, SessionExpired})
"""The agent has said BYE by itself; the leg is over when that is answered."""


def _progressed(at: Moment, leg: LegId, fact: ProgressReceived) -> LegEvent:
    return LegRinging(at, leg) if fact.sdp is None else LegProgressed(at, leg, description_of(fact.sdp))


def _reoffered(at: Moment, leg: LegId, fact: ReofferReceived) -> LegEvent:
    return LegReofferAsked(at, leg) if fact.sdp is None else LegReoffered(at, leg, description_of(fact.sdp))


def _pressed(at: Moment, leg: LegId, fact: InfoReceived) -> LegEvent | None:
    digit = digit_of(fact.request)
    return None if digit is None else DigitPressed(at, leg, digit, by_info=True)


Telling = Callable[[Moment, LegId, Any], LegEvent | None]

TELLS: Mapping[type, Telling] = MappingProxyType(
    {
        ProgressReceived: _progressed,
        AnswerReceived: lambda at, leg, fact: LegAnswered(at, leg, description_of(fact.sdp)),
        RefusalReceived: lambda at, leg, fact: LegRefused(at, leg, fact.status, fact.reason, targets_in(fact.contacts)),
        AckReceived: lambda at, leg, _: LegConfirmed(at, leg),
        AckAnswered: lambda at, leg, fact: OfferAnswered(at, leg, description_of(fact.sdp)),
        AckMissing: lambda at, leg, _: LegLost(at, leg, "our answer was never acknowledged (no ACK)"),
        PrackMissing: lambda at, leg, _: LegLost(at, leg, "our ringing was never acknowledged (no PRACK)"),
        CancelReceived: lambda at, leg, _: LegCancelled(at, leg),
        ByeReceived: lambda at, leg, _: LegHungUp(at, leg),
        # Told only of a BYE that nobody ordered: the agent's own, to a side that did not know the call (RFC 3261 section 12.2.1.2).
        ByeAnswered: lambda at, leg, _: LegLost(at, leg, "it no longer knew of the call"),
        SessionExpired: lambda at, leg, fact: LegLost(at, leg, fact.words),
        ReofferReceived: _reoffered,
        ReofferCancelled: lambda at, leg, _: LegReofferCancelled(at, leg),
        ReofferAnswered: lambda at, leg, fact: LegReofferAnswered(at, leg, description_of(fact.sdp)),
        ReofferRefused: lambda at, leg, fact: LegReofferRefused(at, leg, fact.status),
        InfoReceived: _pressed,
    }
)
"""What is not here is the agent's own business."""
