"""A REFER and the subscription that comes with it (RFC 3515 2.4), from both ends, as tables."""

from enum import StrEnum

from offhook.sip.moves import Move, Table
from offhook.sip.transactions import Transaction


class ReferralState(StrEnum):
    """Where a REFER of the peer stands."""

    NEW = "new"
    ASKED = "asked"
    TOLD = "being told"
    OVER = "over"


class ReferralEvent(StrEnum):
    """Orders in the imperative, happenings in the past tense."""

    REFER_CAME = "REFER came"
    ACCEPT = "accept the REFER"
    ACCEPT_SILENTLY = "accept without a subscription"
    REFUSE = "refuse the REFER"
    NOTIFY = "tell how the REFER goes"
    FINISH = "tell how the REFER ended"
    UNWANTED = "nobody listens any more"


class SubscriptionState(StrEnum):
    """Where a REFER of ours stands."""

    NEW = "new"
    SENT = "sent"
    ACTIVE = "active"
    OVER = "over"


class SubscriptionEvent(StrEnum):
    """What happens to a REFER of ours."""

    REFER = "send REFER"
    ACCEPTED = "REFER accepted"
    REFUSED = "REFER refused"
    NOTIFY_CAME = "NOTIFY came"
    FINAL_CAME = "last NOTIFY came"


class NoDo(StrEnum):
    """A referral does nothing by itself."""


_R, _RE, _S, _SE = ReferralState, ReferralEvent, SubscriptionState, SubscriptionEvent

REFERRAL_MOVES: Table[ReferralState, ReferralEvent, NoDo] = {
    _R.NEW: {_RE.REFER_CAME: Move(_R.ASKED)},
    _R.ASKED: {
        _RE.ACCEPT: Move(_R.TOLD),
        # Refer-Sub: false (RFC 4488): the peer does not want to be told.
        _RE.ACCEPT_SILENTLY: Move(_R.OVER),
        _RE.REFUSE: Move(_R.OVER),
    },
    _R.TOLD: {
        _RE.NOTIFY: Move(_R.TOLD),
        _RE.FINISH: Move(_R.OVER),
        _RE.UNWANTED: Move(_R.OVER),
    },
}

SUBSCRIPTION_MOVES: Table[SubscriptionState, SubscriptionEvent, NoDo] = {
    _S.NEW: {_SE.REFER: Move(_S.SENT)},
    _S.SENT: {
        _SE.ACCEPTED: Move(_S.ACTIVE),
        _SE.REFUSED: Move(_S.OVER),
        # A NOTIFY may overtake the 202 (RFC 3515 2.4.4).
        _SE.NOTIFY_CAME: Move(_S.SENT),
        _SE.FINAL_CAME: Move(_S.OVER),
    },
    _S.ACTIVE: {
        _SE.NOTIFY_CAME: Move(_S.ACTIVE),
        _SE.FINAL_CAME: Move(_S.OVER),
    },
}


class Referral:
    """A REFER of the peer. event is what its NOTIFYs say; until when the subscription lasts, by the agent's clock."""

    __slots__ = ("event", "silent", "state", "transaction", "until")

    def __init__(self, transaction: Transaction, event: str, *, silent: bool) -> None:
        self.transaction = transaction
        self.event = event
        self.silent = silent
        self.until = 0.0
        self.state = ReferralState.NEW

    def move_on(self, event: ReferralEvent) -> bool:
        """Take the table's move; False, and nothing has changed, where there is none."""
        move = REFERRAL_MOVES.get(self.state, {}).get(event)
        if move is None:
            return False
        self.state = move.next
        return True


class Subscription:
    """A REFER of ours; number is its CSeq, which a NOTIFY may name (RFC 3515 2.4.6)."""

    __slots__ = ("number", "state")

    def __init__(self, number: int) -> None:
        self.number = number
        self.state = SubscriptionState.NEW

    def move_on(self, event: SubscriptionEvent) -> bool:
        """Take the table's move; False, and nothing has changed, where there is none."""
        move = SUBSCRIPTION_MOVES.get(self.state, {}).get(event)
        if move is None:
            return False
        self.state = move.next
        return True
