"""Orders in a session that is up: offer anew, answer an offer, send a digit, hang up."""

from offhook.sip.core import Purpose
from offhook.sip.facts import Output, SessionId
from offhook.sip.offers import OfferEvent, OfferState
from offhook.sip.orders import Orders
from offhook.sip.sessions import SessionEvent, SessionRefuses
from offhook.sip.writing import SDP, Headers


class TalkingOrders(Orders):
    """What the agent does in a call."""

    def bye(self, session: SessionId, *, now: float, headers: Headers = ()) -> list[Output]:
        """Hang up. Before the ACK to our 200 it waits for that (RFC 3261 15). Ends with ByeAnswered."""
        return self._order(session, SessionEvent.BYE, now, headers)

    def reoffer(self, session: SessionId, *, sdp: str | None, now: float) -> list[Output]:
        """Offer anew (re-INVITE); refused while an offer of either side is open. Ends with ReofferAnswered or ReofferRefused.

        Without sdp the peer is asked to offer; its ReofferAnswered is answered with acknowledge(). After a ReofferRefused with 491 try
        again 2.1-4 s later where we called, 0-2 s later where we were called (RFC 3261 14.1).
        """
        found = self._session(session, SessionEvent.REOFFER)
        dialog = found.dialog
        if dialog is None or found.offers is not OfferState.STABLE or found.unacked is not None:
            raise SessionRefuses(session, SessionEvent.REOFFER, found.state)
        found.obey(SessionEvent.REOFFER)
        self._core.begin(now)
        found.offer(OfferEvent.OFFER_SENT if sdp is not None else OfferEvent.WE_ASK)
        outline = dialog.outline("INVITE", self._core.branch())
        self._core.ask(outline, dialog.to, Purpose.REINVITE, session=found, kind=SDP, body=(sdp or "").encode())
        return self._core.take()

    def accept_reoffer(self, session: SessionId, *, sdp: str, now: float) -> list[Output]:
        """Answer the peer's re-INVITE with 200, repeated until the ACK comes."""
        found, reinvite = self._reinvited(session, SessionEvent.ACCEPT_REOFFER, now)
        found.reinvite = None
        found.offer(OfferEvent.ANSWER_SENT)
        if found.dialog is not None:
            found.dialog.refresh(reinvite.contact)
        self._core.reply(reinvite, 200, dialog=True, kind=SDP, body=sdp.encode())
        self._core.await_ack(found, reinvite)
        return self._core.take()

    def refuse_reoffer(self, session: SessionId, *, status: int, now: float) -> list[Output]:
        """Refuse the peer's re-INVITE with 300-699 (488 mostly); the session goes on as agreed before."""
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
