"""Orders about transfers: take or refuse the peer's REFER, tell how it goes, refer the peer to somebody else."""

from offhook.sip.core import ServerTransaction
from offhook.sip.facts import Output, SessionId
from offhook.sip.orders import Orders
from offhook.sip.referrals import Referral, ReferralEvent, ReferralState, SubscriptionState
from offhook.sip.sessions import SessionEvent, SessionRefuses
from offhook.sip.transfers import Transfers
from offhook.sip.writing import Headers


class TransferOrders(Orders):
    """What the agent does about a ReferReceived, and to send one."""

    _transfers: Transfers

    def accept_refer(self, session: SessionId, *, now: float) -> list[Output]:
        """Take the peer's REFER: 202, and at once a NOTIFY "100 Trying", unless it came with Refer-Sub: false (RFC 4488)."""
        found, referral = self._session(session, ReferralEvent.ACCEPT), self._referral(session, ReferralEvent.ACCEPT)
        self._core.begin(now)
        if not self._transfers.accept(found, referral):
            raise SessionRefuses(session, ReferralEvent.ACCEPT, found.state)
        return self._core.take()

    def refuse_refer(self, session: SessionId, *, status: int, now: float) -> list[Output]:
        """Refuse the peer's REFER with 300-699 (603 mostly)."""
        found, referral = self._session(session, ReferralEvent.REFUSE), self._referral(session, ReferralEvent.REFUSE)
        if not referral.move_on(ReferralEvent.REFUSE):
            raise SessionRefuses(session, ReferralEvent.REFUSE, found.state)
        self._core.begin(now)
        if isinstance(referral.transaction, ServerTransaction):
            self._core.reply(referral.transaction, status)
        return self._core.take()

    def notify_refer(self, session: SessionId, *, status: int, now: float, reason: str = "", final: bool) -> list[Output]:
        """Tell the peer how its REFER goes; final: nothing will be told after this.

        Nothing is sent, and nothing raised, where nobody listens (any more): after Refer-Sub: false, after a refused NOTIFY, and when
        the session has been forgotten. It may follow a BYE.
        """
        found = self._core.sessions.get(session)
        if found is None or found.referral is None:
            return []
        if found.referral.state is ReferralState.ASKED:
            raise SessionRefuses(session, ReferralEvent.NOTIFY, found.state)
        self._core.begin(now)
        self._transfers.notify(found, found.referral, status, reason, final=final)
        return self._core.take()

    def is_telling(self, session: SessionId) -> bool:
        """Whether the peer waits to be told how its REFER goes, be the call over or not."""
        found = self._core.sessions.get(session)
        return found is not None and found.referral is not None and found.referral.state is ReferralState.TOLD

    def refer(self, session: SessionId, *, refer_to: str, now: float, headers: Headers = ()) -> list[Output]:
        """Ask the peer to call somebody else (REFER); refer_to is a URI or a whole Refer-To value.

        Ends with ReferAnswered; where that says 2xx, NotifyReceived follows until one is final. One at a time.
        """
        found = self._session(session, SessionEvent.REFER)
        if found.subscription is not None and found.subscription.state is not SubscriptionState.OVER:
            raise SessionRefuses(session, SessionEvent.REFER, found.state)
        found.obey(SessionEvent.REFER)
        self._core.begin(now)
        self._transfers.refer(found, refer_to, headers)
        return self._core.take()

    def _referral(self, session: SessionId, order: ReferralEvent) -> Referral:
        found = self._session(session, order)
        if found.referral is None:
            raise SessionRefuses(session, order, found.state)
        return found.referral
