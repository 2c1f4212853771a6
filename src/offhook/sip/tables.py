"""Every table of this room by name, with the state it starts in: what diagrams are drawn from and tests walk through."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Any, NamedTuple

from offhook.sip.dialogs import DIALOG_MOVES, DialogEvent, DialogState
from offhook.sip.moves import Move
from offhook.sip.offers import OFFER_MOVES, OfferEvent, OfferState
from offhook.sip.referrals import REFERRAL_MOVES, SUBSCRIPTION_MOVES, ReferralEvent, ReferralState, SubscriptionEvent, SubscriptionState
from offhook.sip.sessions import SESSION_MOVES, SessionEvent, SessionState
from offhook.sip.transactions import INVITE_CLIENT_MOVES, INVITE_SERVER_MOVES, OTHER_CLIENT_MOVES, OTHER_SERVER_MOVES, Event, State


class Machine(NamedTuple):
    """One machine: where it starts, its states and events, and its moves. A state without a row, or with an empty one, is an end."""

    start: StrEnum
    states: type[StrEnum]
    events: type[StrEnum]
    moves: Mapping[Any, Mapping[Any, Move[Any, Any]]]


MACHINES: Mapping[str, Machine] = {
    "invite client transaction": Machine(State.NEW, State, Event, INVITE_CLIENT_MOVES),
    "invite server transaction": Machine(State.NEW, State, Event, INVITE_SERVER_MOVES),
    "other client transaction": Machine(State.NEW, State, Event, OTHER_CLIENT_MOVES),
    "other server transaction": Machine(State.NEW, State, Event, OTHER_SERVER_MOVES),
    "dialog": Machine(DialogState.NEW, DialogState, DialogEvent, DIALOG_MOVES),
    "offer": Machine(OfferState.STABLE, OfferState, OfferEvent, OFFER_MOVES),
    "referral": Machine(ReferralState.NEW, ReferralState, ReferralEvent, REFERRAL_MOVES),
    "subscription": Machine(SubscriptionState.NEW, SubscriptionState, SubscriptionEvent, SUBSCRIPTION_MOVES),
    "session": Machine(SessionState.NEW, SessionState, SessionEvent, SESSION_MOVES),
}
