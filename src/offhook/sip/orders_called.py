"""Orders of the called side: ring, answer, refuse."""

from offhook.sip.core import ServerTransaction
from offhook.sip.dialogs import DialogEvent
from offhook.sip.facts import Output, SessionId
from offhook.sip.orders import Orders
from offhook.sip.provisionals import Provisionals
from offhook.sip.refreshing import Refreshing
from offhook.sip.sessions import SessionEvent
from offhook.sip.writing import Headers


class CalledOrders(Orders):
    """What the agent does with a call that has come."""

    _provisionals: Provisionals
    _refreshing: Refreshing

    def ring(
        self, session: SessionId, *, now: float, status: int = 180, reason: str = "", sdp: str | None = None, headers: Headers = ()
    ) -> list[Output]:
        """Send a provisional response, 101-199, as often as wanted; with sdp it opens early media.

        It goes reliably (RFC 3262) where the caller demands it, or can do it and sdp is given; nobody need care: it is repeated until the
        PRACK comes, the next ones and the answer wait for that, and where none comes PrackMissing and ByeAnswered tell the end.
        """
        found = self._begin(session, SessionEvent.RING, now)
        if found.dialog is not None:
            found.dialog.follow(DialogEvent.PROVISIONAL)
        self._provisionals.ring(found, status, reason, sdp, headers)
        return self._core.take()

    def answer(self, session: SessionId, *, sdp: str, now: float, headers: Headers = ()) -> list[Output]:
        """Answer with 200, repeated until the ACK comes: then AckReceived, else AckMissing.

        Where the INVITE made no offer sdp is ours, and AckAnswered brings its answer.
        """
        found = self._session(session, SessionEvent.ANSWER)
        if self._provisionals.holds_back(found):
            found.obey(SessionEvent.ANSWER_LATER)
            self._core.begin(now)
            self._provisionals.hold(found, sdp, headers)
            return self._core.take()
        found.obey(SessionEvent.ANSWER)
        self._core.begin(now)
        self._provisionals.answer(found, sdp, headers)
        return self._core.take()

    def refuse(self, session: SessionId, *, status: int, now: float, reason: str = "", headers: Headers = ()) -> list[Output]:
        """Refuse a call with 300-699. The session is over."""
        found = self._begin(session, SessionEvent.REFUSE, now)
        if found.dialog is not None:
            found.dialog.follow(DialogEvent.FAILURE)
        if isinstance(found.invite, ServerTransaction):
            self._core.reply(found.invite, status, reason, headers=headers)
        self._core.drop(found)
        return self._core.take()
