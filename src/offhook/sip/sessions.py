"""A session: one call between us and one peer, as a table of orders and happenings."""

from enum import StrEnum
from typing import NamedTuple, Protocol

from offhook.sip.addresses import Address
from offhook.sip.alarms import Alarm
from offhook.sip.dialogs import Dialog
from offhook.sip.moves import Move, Table
from offhook.sip.offers import OfferEvent, OfferState, next_offer_state
from offhook.sip.origins import Origin
from offhook.sip.referrals import Referral, Subscription
from offhook.sip.transactions import Transaction
from offhook.sip.writing import Headers


class SessionState(StrEnum):
    """Where a session stands."""

    NEW = "new"
    CALLING = "calling"
    PROGRESS = "in progress"
    CANCEL_WAITING = "waiting to cancel"
    CANCELLING = "cancelling"
    CHALLENGED = "challenged"
    ARRIVED = "arrived"
    ANSWERED = "answered"
    BYE_WAITING = "waiting to hang up"
    UP = "up"
    ANSWER_HELD = "answer held back"
    CLOSING = "closing"
    GONE = "gone"


class SessionEvent(StrEnum):
    """Orders in the imperative, happenings in the past tense."""

    INVITE = "invite"
    INVITE_AGAIN = "invite again"
    RING = "ring"
    ANSWER = "answer"
    ANSWER_LATER = "answer once the PRACK is here"
    REFUSE = "refuse"
    CANCEL = "cancel"
    BYE = "hang up"
    REOFFER = "reoffer"
    UPDATE = "update"
    ACCEPT_REOFFER = "accept a reoffer"
    REFUSE_REOFFER = "refuse a reoffer"
    INFO = "send INFO"
    REFER = "send REFER"
    ACKNOWLEDGE = "acknowledge an offer"
    INVITE_CAME = "INVITE came"
    PROVISIONAL_CAME = "1xx came"
    SUCCESS_CAME = "2xx came"
    CHALLENGE_CAME = "401 or 407 came"
    TOO_BRIEF_CAME = "422 came"
    FAILURE_CAME = "300-699 came"
    PRACK_CAME = "PRACK came"
    PRACK_MISSED = "PRACK missed"
    ACK_CAME = "ACK came"
    ACK_MISSED = "ACK missed"
    CANCEL_CAME = "CANCEL came"
    BYE_CAME = "BYE came"
    BYE_OVER = "BYE over"
    LOST = "peer knows nothing of it"


class SessionDo(StrEnum):
    """What the agent does by itself on a move."""

    SEND_CANCEL = "send CANCEL"
    SEND_BYE = "send BYE"
    SEND_REFUSAL = "refuse the INVITE"


LOST = frozenset((408, 481))
"""What a request of ours is answered with by a peer that has lost the dialog, so that it is of no use to us either (RFC 3261 12.2.1.2)."""

_S, _E, _BYE, _CANCEL = SessionState, SessionEvent, (SessionDo.SEND_BYE,), (SessionDo.SEND_CANCEL,)

SESSION_MOVES: Table[SessionState, SessionEvent, SessionDo] = {
    _S.NEW: {
        _E.INVITE: Move(_S.CALLING),
        _E.INVITE_CAME: Move(_S.ARRIVED),
    },
    _S.CALLING: {
        _E.PROVISIONAL_CAME: Move(_S.PROGRESS),
        _E.SUCCESS_CAME: Move(_S.UP),
        _E.CHALLENGE_CAME: Move(_S.CHALLENGED),
        # Called again at once, with a longer session (RFC 4028 7.3).
        _E.TOO_BRIEF_CAME: Move(_S.CALLING),
        _E.FAILURE_CAME: Move(_S.GONE),
        # No CANCEL before the peer has shown that it has the INVITE (RFC 3261 9.1).
        _E.CANCEL: Move(_S.CANCEL_WAITING),
    },
    _S.PROGRESS: {
        _E.PROVISIONAL_CAME: Move(_S.PROGRESS),
        _E.SUCCESS_CAME: Move(_S.UP),
        _E.CHALLENGE_CAME: Move(_S.CHALLENGED),
        _E.TOO_BRIEF_CAME: Move(_S.CALLING),
        _E.FAILURE_CAME: Move(_S.GONE),
        _E.CANCEL: Move(_S.CANCELLING, _CANCEL),
        # An UPDATE may come as soon as the first offer has its answer (RFC 3311 5.2).
        _E.ACCEPT_REOFFER: Move(_S.PROGRESS),
        _E.REFUSE_REOFFER: Move(_S.PROGRESS),
    },
    _S.CANCEL_WAITING: {
        _E.PROVISIONAL_CAME: Move(_S.CANCELLING, _CANCEL),
        _E.SUCCESS_CAME: Move(_S.CLOSING, _BYE),
        _E.CHALLENGE_CAME: Move(_S.GONE),
        _E.FAILURE_CAME: Move(_S.GONE),
    },
    _S.CANCELLING: {
        _E.PROVISIONAL_CAME: Move(_S.CANCELLING),
        _E.SUCCESS_CAME: Move(_S.CLOSING, _BYE),
        _E.CHALLENGE_CAME: Move(_S.GONE),
        _E.FAILURE_CAME: Move(_S.GONE),
    },
    _S.CHALLENGED: {_E.INVITE_AGAIN: Move(_S.CALLING)},
    _S.ARRIVED: {
        _E.RING: Move(_S.ARRIVED),
        _E.ANSWER: Move(_S.ANSWERED),
        _E.ANSWER_LATER: Move(_S.ANSWER_HELD),
        _E.REFUSE: Move(_S.GONE),
        _E.ACCEPT_REOFFER: Move(_S.ARRIVED),
        _E.REFUSE_REOFFER: Move(_S.ARRIVED),
        _E.PRACK_MISSED: Move(_S.GONE),
        _E.CANCEL_CAME: Move(_S.GONE),
        # A caller may hang up an early dialog too (RFC 3261 15).
        _E.BYE_CAME: Move(_S.GONE),
    },
    _S.ANSWER_HELD: {
        # No 2xx before a described provisional is acknowledged (RFC 3262 3); until then the caller may give up.
        _E.PRACK_CAME: Move(_S.ANSWERED),
        _E.PRACK_MISSED: Move(_S.GONE),
        _E.REFUSE: Move(_S.GONE),
        _E.BYE: Move(_S.GONE, (SessionDo.SEND_REFUSAL,)),
        _E.CANCEL_CAME: Move(_S.GONE),
        _E.BYE_CAME: Move(_S.GONE),
    },
    _S.ANSWERED: {
        _E.ACK_CAME: Move(_S.UP),
        _E.ACK_MISSED: Move(_S.CLOSING, _BYE),
        # The callee must not send BYE before the ACK, or 64*t1 without one (RFC 3261 15).
        _E.BYE: Move(_S.BYE_WAITING),
        _E.BYE_CAME: Move(_S.GONE),
        _E.INFO: Move(_S.ANSWERED),
        _E.ACCEPT_REOFFER: Move(_S.ANSWERED),
        _E.REFUSE_REOFFER: Move(_S.ANSWERED),
    },
    _S.BYE_WAITING: {
        _E.ACK_CAME: Move(_S.CLOSING, _BYE),
        _E.ACK_MISSED: Move(_S.CLOSING, _BYE),
        _E.BYE_CAME: Move(_S.GONE),
    },
    _S.UP: {
        _E.BYE: Move(_S.CLOSING, _BYE),
        _E.BYE_CAME: Move(_S.GONE),
        _E.REOFFER: Move(_S.UP),
        _E.UPDATE: Move(_S.UP),
        _E.ACCEPT_REOFFER: Move(_S.UP),
        _E.REFUSE_REOFFER: Move(_S.UP),
        _E.INFO: Move(_S.UP),
        _E.REFER: Move(_S.UP),
        _E.ACKNOWLEDGE: Move(_S.UP),
        _E.ACK_CAME: Move(_S.UP),
        _E.ACK_MISSED: Move(_S.CLOSING, _BYE),
        _E.LOST: Move(_S.CLOSING, _BYE),
    },
    _S.CLOSING: {
        _E.BYE_OVER: Move(_S.GONE),
        _E.BYE_CAME: Move(_S.CLOSING),
    },
    _S.GONE: {},
}


class SessionRefuses(Exception):
    """This order is not possible in this state; nothing has changed."""

    def __init__(self, session: str, order: str, state: SessionState) -> None:
        super().__init__(f"session {session} is {state}: it cannot {order}")
        self.session = session
        self.order = order
        self.state = state


class Called(NamedTuple):
    """What an INVITE of ours was ordered with, for its second go with credentials."""

    uri: str
    from_value: str
    to_value: str
    destination: Address
    sdp: str | None
    routes: tuple[str, ...]
    headers: Headers
    call_id: str
    local_tag: str


class Unacked:
    """A 200 of ours that waits for its ACK; cseq is its INVITE's."""

    __slots__ = ("alarms", "cseq", "interval", "transaction")

    def __init__(self, transaction: Transaction, cseq: int, interval: float) -> None:
        self.transaction = transaction
        self.cseq = cseq
        self.interval = interval
        self.alarms: list[Alarm] = []

    def rest(self) -> None:
        for alarm in self.alarms:
            alarm.cancel()
        self.alarms.clear()


class Early:
    """A fork that rings reliably: its dialog, the last number acknowledged, and the answer it gave to our offer."""

    __slots__ = ("dialog", "rseq", "sdp")

    def __init__(self, dialog: Dialog, rseq: int) -> None:
        self.dialog = dialog
        self.rseq = rseq
        self.sdp: str | None = None


class Restful(Protocol):
    """What has timers of its own in a session."""

    def rest(self) -> None:
        """Let none of them ring any more."""


class Session:
    """One session. origin writes every description that we send in it.

    invite is its INVITE transaction on our side or the peer's; reinvite a re-INVITE of the peer not yet answered.

    withheld is a transaction of ours whose 200 made an offer: its ACK waits for our answer. described is the description we agreed to
    last. retry waits to offer again after 491. referral is the peer's latest REFER, subscription our latest. early holds, by To tag,
    what reliable provisionals to our INVITE have brought; reliable and refresh belong to offhook.sip.provisionals and refreshing.
    """

    __slots__ = (
        "called",
        "described",
        "dialog",
        "early",
        "farewell",
        "id",
        "invite",
        "last_cseq",
        "offers",
        "origin",
        "referral",
        "refresh",
        "reinvite",
        "reliable",
        "retry",
        "state",
        "subscription",
        "unacked",
        "withheld",
    )

    def __init__(self, session_id: str, origin: Origin) -> None:
        self.id = session_id
        self.origin = origin
        self.state = SessionState.NEW
        self.offers = OfferState.STABLE
        self.dialog: Dialog | None = None
        self.called: Called | None = None
        self.invite: Transaction | None = None
        self.reinvite: Transaction | None = None
        self.unacked: Unacked | None = None
        self.described = ""
        self.early: dict[str, Early] = {}
        self.reliable: Restful | None = None
        self.refresh: Restful | None = None
        self.retry: Alarm | None = None
        self.withheld: Transaction | None = None
        self.referral: Referral | None = None
        self.subscription: Subscription | None = None
        self.farewell: Headers = ()
        self.last_cseq = 0

    def move_on(self, event: SessionEvent) -> tuple[SessionDo, ...] | None:
        """Take the table's move and say what to do; None, and nothing has changed, where there is none."""
        move = SESSION_MOVES[self.state].get(event)
        if move is None:
            return None
        self.state = move.next
        return move.do

    def obey(self, order: SessionEvent) -> tuple[SessionDo, ...]:
        """As move_on(), for orders: raises SessionRefuses where the table has no such move."""
        doing = self.move_on(order)
        if doing is None:
            raise SessionRefuses(self.id, order, self.state)
        return doing

    def offer(self, event: OfferEvent) -> bool:
        """Take the move of the offer table; False, and nothing has changed, where there is none."""
        state = next_offer_state(self.offers, event)
        if state is None:
            return False
        self.offers = state
        return True

    def agree(self, sdp: str | None) -> bool:
        """A 2xx to an INVITE of ours: an answer to our offer, an offer where we asked for one, or neither. False: nothing was open."""
        if self.offers is OfferState.WE_ASKED and sdp is not None:
            return self.offer(OfferEvent.OFFER_RECEIVED)
        return self.offer(OfferEvent.ANSWER_RECEIVED) or self.offer(OfferEvent.WITHDRAWN)

    def rest(self) -> None:
        """Let none of its timers ring any more."""
        for resting in (self.unacked, self.reliable, self.refresh):
            if resting is not None:
                resting.rest()
        self.unacked = None
        if self.retry is not None:
            self.retry.cancel()
            self.retry = None
