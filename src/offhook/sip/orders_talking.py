"""Orders in a session that is up: offer anew, answer an offer, send a digit, hang up."""

from offhook.sip.core import Purpose
from offhook.sip.facts import Output, SessionId
from offhook.sip.offers import OfferState
from offhook.sip.orders import Orders
from offhook.sip.reoffers import Reoffers
from offhook.sip.sessions import SessionEvent, SessionRefuses
from offhook.sip.writing import Headers


class TalkingOrders(Orders):
    """What the agent does in a call."""

    _reoffers: Reoffers

    def bye(self, session: SessionId, *, now: float, headers: Headers = ()) -> list[Output]:
        """Hang up. Before the ACK to our 200 it waits for that (RFC 3261 15). Ends with ByeAnswered."""
        return self._order(session, SessionEvent.BYE, now, headers)

    def reoffer(self, session: SessionId, *, sdp: str | None, now: float) -> list[Output]:
        """Offer anew (re-INVITE); refused while an offer of either side is open. Ends with ReofferAnswered or ReofferRefused.

        Without sdp the peer is asked to offer; its ReofferAnswered is answered with acknowledge(). After 491 it is tried again up to
        three times, after the pauses of RFC 3261 14.1.
        """
        return self._offer(session, SessionEvent.REOFFER, "INVITE", sdp, now)

    def update(self, session: SessionId, *, sdp: str, now: float) -> list[Output]:
        """As reoffer(), by UPDATE (RFC 3311): for a peer whose Allow lists it."""
        return self._offer(session, SessionEvent.UPDATE, "UPDATE", sdp, now)

    def _offer(self, session: SessionId, order: SessionEvent, method: str, sdp: str | None, now: float) -> list[Output]:
        found = self._session(session, order)
        free = found.offers is OfferState.STABLE and found.unacked is None and found.retry is None
        if found.dialog is None or not free:
            raise SessionRefuses(session, order, found.state)
        found.obey(order)
        self._core.begin(now)
        self._reoffers.send(found, method, sdp)
        return self._core.take()

    def accept_reoffer(self, session: SessionId, *, sdp: str, now: float) -> list[Output]:
        """Answer the peer's re-INVITE or UPDATE with 200; that to a re-INVITE is repeated until the ACK comes.

        Where it made no offer sdp is ours, and AckAnswered brings its answer.
        """
        found, reinvite = self._reinvited(session, SessionEvent.ACCEPT_REOFFER, now)
        self._reoffers.accept(found, reinvite, sdp)
        return self._core.take()

    def refuse_reoffer(self, session: SessionId, *, status: int, now: float) -> list[Output]:
        """Refuse the peer's re-INVITE or UPDATE with 300-699 (488 mostly); the session goes on as agreed before."""
        found, _ = self._reinvited(session, SessionEvent.REFUSE_REOFFER, now)
        self._core.refuse_reinvite(found, status)
        return self._core.take()

    def info(self, session: SessionId, *, content_type: str, body: bytes, now: float) -> list[Output]:
        """Send an INFO (DTMF as application/dtmf-relay). Ends with InfoAnswered."""
        found = self._begin(session, SessionEvent.INFO, now)
        dialog = found.dialog
        if dialog is not None:
            outline = dialog.outline("INFO", self._core.branch())
            self._core.ask(outline, dialog.to, Purpose.INFO, session=found, kind=content_type, body=body)
        return self._core.take()
