"""Orders of the called side: ring, answer, refuse."""

from offhook.sip.core import ServerTransaction
from offhook.sip.dialogs import DialogEvent
from offhook.sip.facts import Output, SessionId
from offhook.sip.offers import OfferEvent
from offhook.sip.orders import Orders
from offhook.sip.sessions import Session, SessionEvent
from offhook.sip.writing import SDP, Headers


class CalledOrders(Orders):
    """What the agent does with a call that has come."""

    def ring(
        self, session: SessionId, *, now: float, status: int = 180, reason: str = "", sdp: str | None = None, headers: Headers = ()
    ) -> list[Output]:
        """Send a provisional response, 101-199, as often as wanted; with sdp it opens early media."""
        found = self._begin(session, SessionEvent.RING, now)
        if found.dialog is not None:
            found.dialog.follow(DialogEvent.PROVISIONAL)
        self._reply(found, status, reason, headers, sdp, dialog=True)
        return self._core.take()

    def answer(self, session: SessionId, *, sdp: str, now: float, headers: Headers = ()) -> list[Output]:
        """Answer with 200, repeated until the ACK comes: then AckReceived, else AckMissing."""
        found = self._begin(session, SessionEvent.ANSWER, now)
        found.offer(OfferEvent.ANSWER_SENT)
        if found.dialog is not None:
            found.dialog.follow(DialogEvent.SUCCESS)
        self._reply(found, 200, "", headers, sdp, dialog=True)
        if isinstance(found.invite, ServerTransaction):
            self._core.await_ack(found, found.invite)
        return self._core.take()

    def refuse(self, session: SessionId, *, status: int, now: float, reason: str = "", headers: Headers = ()) -> list[Output]:
        """Refuse a call with 300-699. The session is over."""
        found = self._begin(session, SessionEvent.REFUSE, now)
        if found.dialog is not None:
            found.dialog.follow(DialogEvent.FAILURE)
        self._reply(found, status, reason, headers, None, dialog=False)
        self._core.drop(found)
        return self._core.take()

    def _reply(self, session: Session, status: int, reason: str, headers: Headers, sdp: str | None, *, dialog: bool) -> None:
        if isinstance(session.invite, ServerTransaction):
            self._core.reply(session.invite, status, reason, headers=headers, dialog=dialog, kind=SDP, body=(sdp or "").encode())
