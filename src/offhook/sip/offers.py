"""Offer and answer (RFC 3264) as far as the agent must know them: who may offer now, and what a re-INVITE meets while one is open."""

from collections.abc import Mapping
from enum import StrEnum

from offhook.sip.moves import Move, Table


class OfferState(StrEnum):
    """Whose turn it is."""

    STABLE = "stable"
    WE_OFFERED = "we offered"
    PEER_OFFERED = "peer offered"
    PEER_ASKED = "peer asked for our offer"
    WE_ASKED = "we asked for the peer's offer"
    ACK_AWAITED = "our offer waits for the ACK"


class OfferEvent(StrEnum):
    """What happens to offers. ASKED: an INVITE without one came; WE_ASK: one is sent.

    WITHDRAWN: refused, cancelled or timed out (RFC 3261 14.1).
    """

    OFFER_SENT = "offer sent"
    OFFER_RECEIVED = "offer received"
    ASKED = "offer asked for"
    WE_ASK = "ask for an offer"
    ANSWER_SENT = "answer sent"
    ANSWER_RECEIVED = "answer received"
    WITHDRAWN = "withdrawn"


class NoDo(StrEnum):
    """Offers do nothing by themselves."""


OFFER_MOVES: Table[OfferState, OfferEvent, NoDo] = {
    OfferState.STABLE: {
        OfferEvent.OFFER_SENT: Move(OfferState.WE_OFFERED),
        OfferEvent.OFFER_RECEIVED: Move(OfferState.PEER_OFFERED),
        OfferEvent.ASKED: Move(OfferState.PEER_ASKED),
        OfferEvent.WE_ASK: Move(OfferState.WE_ASKED),
    },
    OfferState.WE_ASKED: {
        # Our answer goes out with the ACK.
        OfferEvent.OFFER_RECEIVED: Move(OfferState.PEER_OFFERED),
        OfferEvent.WITHDRAWN: Move(OfferState.STABLE),
    },
    OfferState.WE_OFFERED: {
        OfferEvent.ANSWER_RECEIVED: Move(OfferState.STABLE),
        OfferEvent.WITHDRAWN: Move(OfferState.STABLE),
    },
    OfferState.PEER_OFFERED: {
        OfferEvent.ANSWER_SENT: Move(OfferState.STABLE),
        OfferEvent.WITHDRAWN: Move(OfferState.STABLE),
    },
    OfferState.PEER_ASKED: {
        OfferEvent.ANSWER_SENT: Move(OfferState.ACK_AWAITED),
        OfferEvent.WITHDRAWN: Move(OfferState.STABLE),
    },
    OfferState.ACK_AWAITED: {
        OfferEvent.ANSWER_RECEIVED: Move(OfferState.STABLE),
        OfferEvent.WITHDRAWN: Move(OfferState.STABLE),
    },
}

# RFC 3261 14.2: ours is open, so both back off; theirs is open, so they are to come again.
GLARE: Mapping[OfferState, int] = {
    OfferState.WE_OFFERED: 491,
    OfferState.ACK_AWAITED: 491,
    OfferState.WE_ASKED: 491,
    OfferState.PEER_OFFERED: 500,
    OfferState.PEER_ASKED: 500,
}


def next_offer_state(state: OfferState, event: OfferEvent) -> OfferState | None:
    """Where the event leads, or None where it is not possible now."""
    move = OFFER_MOVES[state].get(event)
    return move.next if move else None
