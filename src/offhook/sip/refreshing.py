"""Session timers at work (RFC 4028): a call is refreshed before its time is up, and hung up when nobody refreshes it."""

from collections.abc import Callable
from functools import partial

from sipmessage import Headers as Read

from offhook.sip.alarms import Alarm
from offhook.sip.core import ClientTransaction, Core, Purpose, ServerTransaction
from offhook.sip.extensions import has_option
from offhook.sip.facts import SessionExpired
from offhook.sip.offers import OfferEvent, OfferState
from offhook.sip.session_timers import (
    Agreed,
    SessionTimers,
    accepted,
    asking,
    expires_in,
    granted,
    is_too_brief,
    minimum_in,
    wait_in,
    wish_in,
)
from offhook.sip.sessions import LOST, Session, SessionEvent, SessionState
from offhook.sip.wall import Envelope
from offhook.sip.writing import SDP, Headers

BUSY_SECONDS = 5.0
"""How long a refresh waits for an offer that is open: its answer is a refresh as well."""
_EARLY_SECONDS = 32.0
_LEAST_PAUSE = 2.0
_REFUSES = frozenset((400, 401, 403, 405, 406, 407, 413, 415, 420, 421, 488, 493, 501, 513, 580, 603, 606))
"""What a peer says that lives and does not want what it is offered. All else but 408 and 481 says that it is not to be had just now: away
(404, 480), busy with others (486), or no way to it, as a proxy says for it (476 to 479 are Kamailio's own, 500, 503)."""

_NO_UPDATE = frozenset((405, 500, 501))
"""The peer knows no UPDATE, or says so badly: it is asked by a re-INVITE. A 500 to that too is taken for a proxy's."""


class Refresh:
    """One session's timer. until: when it is over unless refreshed; minimum is what a 422 told us; updates: the peer takes UPDATE;
    brief: how often 422 came."""

    __slots__ = ("agreed", "alarm", "brief", "minimum", "until", "updates")

    def __init__(self) -> None:
        self.agreed = Agreed(0, True)
        self.alarm: Alarm | None = None
        self.brief = 0
        self.minimum = 0
        self.until = 0.0
        self.updates = False

    def rest(self) -> None:
        if self.alarm is not None:
            self.alarm.cancel()
            self.alarm = None


class Refreshing:
    """Asks for, grants and keeps session timers. Without settings it does nothing."""

    def __init__(self, core: Core, settings: SessionTimers | None) -> None:
        self._core = core
        self._settings = settings

    # -- what requests and answers say

    def asks(self, session: Session) -> Headers:
        """The headers of an INVITE, re-INVITE or UPDATE of ours."""
        if self._settings is None:
            return ()
        refresh = _of(session)
        refresher = ("uac" if refresh.agreed.ours else "uas") if refresh.agreed.seconds else ""
        return asking(self._settings, refresh.minimum, refresher)

    def refuses(self, envelope: Envelope) -> Headers | None:
        """The headers of a 422 where a request asks for too brief a session, else None."""
        headers = envelope.message.headers
        if self._settings is None or headers.get("Session-Expires") is None or not is_too_brief(self._settings, wish_in(headers)):
            return None
        return (("Min-SE", str(self._settings.minimum_seconds)),)

    def hears(self, session: Session, transaction: ServerTransaction, envelope: Envelope) -> None:
        """A request of the peer that a 2xx of ours will answer."""
        if self._settings is not None:
            transaction.wish = wish_in(envelope.message.headers)
            self._note_methods(session, envelope.message.headers)

    def grants(self, session: Session, transaction: ServerTransaction) -> Headers:
        """The headers of that 2xx; the session lasts from now on."""
        if self._settings is None or transaction.wish is None:
            return ()
        agreed, headers = granted(self._settings, transaction.wish)
        self._start(session, agreed)
        return headers

    def accepted(self, session: Session, headers: Read) -> None:
        """A 2xx to a request of ours has come."""
        if self._settings is not None:
            self._note_methods(session, headers)
            self._start(session, accepted(self._settings, headers))

    def raises(self, session: Session, envelope: Envelope) -> bool:
        """A 422 has come: whether the request may be sent again, with the peer's Min-SE (RFC 4028 7.3)."""
        minimum = minimum_in(envelope.message.headers)
        refresh = _of(session)
        if self._settings is None or minimum <= max(refresh.minimum, self._settings.minimum_seconds) or refresh.brief >= 2:
            return False
        refresh.minimum = minimum
        refresh.brief += 1
        return True

    def _note_methods(self, session: Session, headers: Read) -> None:
        if headers.get("Allow") is not None:
            _of(session).updates = has_option(headers, "Allow", "update")

    # -- time

    def _start(self, session: Session, agreed: Agreed) -> None:
        refresh = _of(session)
        refresh.agreed = agreed
        refresh.until = self._core.now + agreed.seconds
        if agreed.ours:
            self._set(session, refresh, agreed.seconds / 2, self._refresh)
        else:
            # RFC 4028 10: a little before the time is up, so that the BYE still finds the way.
            self._set(session, refresh, agreed.seconds - min(_EARLY_SECONDS, agreed.seconds / 3), self._unrefreshed)

    def _set(self, session: Session, refresh: Refresh, seconds: float, ring: Callable[[Session], None]) -> None:
        refresh.rest()
        refresh.alarm = self._core.alarms.set(self._core.now + seconds, partial(ring, session))

    def _later(self, session: Session, seconds: float, words: str) -> None:
        """Refresh after so many seconds; once the session's time is up hang up, with these words (RFC 4028 10)."""
        refresh = _of(session)
        left = refresh.until - self._core.now
        if left > seconds:
            self._set(session, refresh, seconds, self._refresh)
        else:
            self._set(session, refresh, max(left, 0), partial(self._expire, words=words))

    def _unrefreshed(self, session: Session) -> None:
        self._expire(session, "the other side has not refreshed the call in time")

    def _expire(self, session: Session, words: str) -> None:
        doing = session.move_on(SessionEvent.LOST)
        if doing is not None:
            self._core.fact(session, SessionExpired(session.id, words))
            self._core.do(session, doing)

    def _refresh(self, session: Session) -> None:
        """UPDATE where the peer takes it, else a re-INVITE that repeats what we have said last (RFC 4028 7.4)."""
        core, dialog, refresh = self._core, session.dialog, _of(session)
        if dialog is None or session.state is not SessionState.UP:
            return
        if session.offers is not OfferState.STABLE or session.unacked is not None:
            self._later(session, BUSY_SECONDS, "an offer stayed open until the session's time was up")
            return
        headers = self.asks(session)
        if refresh.updates:
            core.ask(dialog.outline("UPDATE", core.branch()), dialog.to, Purpose.REFRESH, session=session, headers=headers)
        else:
            session.offer(OfferEvent.OFFER_SENT)
            outline, body = dialog.outline("INVITE", core.branch()), session.described.encode()
            core.ask(outline, dialog.to, Purpose.REFRESH, session=session, headers=headers, kind=SDP, body=body)

    def over(self, transaction: ClientTransaction, status: int, envelope: Envelope | None) -> None:
        """The answer to a refresh of ours, or its silence."""
        session = transaction.session
        if session is None:
            return
        if status < 200:
            self._core.expect_soon(transaction)
            return
        invite = transaction.outline.method == "INVITE"
        if status < 300:
            if envelope is not None and (not invite or self._acknowledged(session, transaction, envelope)):
                self._refreshed(session, envelope)
            return
        if invite:
            session.offer(OfferEvent.WITHDRAWN)
        refresh = _of(session)
        if status in _NO_UPDATE and refresh.updates:
            refresh.updates = False
            self._refresh(session)
        elif status == 422 and envelope is not None and self.raises(session, envelope):
            self._refresh(session)
        elif status in LOST:
            self._expire(session, f"the other side has not answered our refresh ({status})")
        elif status in _REFUSES:
            self._start(session, refresh.agreed)
        else:
            words = f"the other side has answered our refreshes with {status} until the session's time was up"
            self._later(session, self._pause(refresh, status, envelope), words)

    def _pause(self, refresh: Refresh, status: int, envelope: Envelope | None) -> float:
        """How long to leave alone who has not refreshed the call; else a while that grows shorter: a telephone may be connecting anew."""
        if status == 491:
            return 2.1 + self._core.dice() * 1.9
        asked = wait_in(envelope.message.headers) if envelope is not None else None
        return max(_LEAST_PAUSE, (refresh.until - self._core.now) / 4 if asked is None else asked)

    def _refreshed(self, session: Session, envelope: Envelope) -> None:
        headers = envelope.message.headers
        if session.dialog is not None and session.state is SessionState.UP:
            session.dialog.refresh(headers.get("Contact"))
            if expires_in(headers)[0] or not _of(session).agreed.seconds:
                self.accepted(session, headers)
            else:
                self._start(session, _of(session).agreed._replace(ours=True))

    def _acknowledged(self, session: Session, transaction: ClientTransaction, envelope: Envelope) -> bool:
        """Acknowledge the 2xx to a refreshing re-INVITE; whether it is the first. Its description repeats what is agreed."""
        core, dialog = self._core, session.dialog
        if dialog is None or envelope.to_tag != dialog.key[2]:
            return False
        acked = transaction.acks.get(envelope.to_tag)
        if acked is not None:
            core.say(*acked, transaction.session_id)
            return False
        core.acknowledge(transaction, dialog, envelope.to_tag, ())
        session.offer(OfferEvent.ANSWER_RECEIVED)
        return True


def _of(session: Session) -> Refresh:
    if not isinstance(session.refresh, Refresh):
        session.refresh = Refresh()
    return session.refresh
