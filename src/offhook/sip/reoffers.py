"""Offers in a call that stands: re-INVITE and UPDATE (RFC 3261 14, RFC 3311), by either side, and glare."""

from functools import partial

from offhook.sip.bodies import sdp_of
from offhook.sip.core import ClientTransaction, Core, Purpose, ServerTransaction
from offhook.sip.facts import ReofferAnswered, ReofferReceived, ReofferRefused
from offhook.sip.offers import GLARE, OfferEvent, OfferState
from offhook.sip.refreshing import Refreshing
from offhook.sip.sessions import Session, SessionState
from offhook.sip.wall import Envelope, request_in
from offhook.sip.writing import SDP

MOST_TRIES = 4
"""One offer, and three more after 491."""

_UPDATED_IN = frozenset((SessionState.ARRIVED, SessionState.PROGRESS, SessionState.ANSWER_HELD, SessionState.ANSWERED, SessionState.UP))


class Reoffers:
    """What offers in a call mean for it."""

    def __init__(self, core: Core, refreshing: Refreshing) -> None:
        self._core = core
        self._refreshing = refreshing

    # -- the peer's

    def reinvite_came(self, session: Session, transaction: ServerTransaction, envelope: Envelope) -> None:
        """A re-INVITE."""
        core = self._core
        if session.state is SessionState.CLOSING:
            core.reply(transaction, 481)
        elif self._glares(session, transaction):
            return
        elif session.state is not SessionState.UP:
            # Its INVITE is not over for us.
            core.put_off(transaction)
        else:
            core.reply(transaction, 100)
            self._tell(session, transaction, envelope, sdp_of(envelope))

    def update_came(self, session: Session, transaction: ServerTransaction, envelope: Envelope) -> None:
        """An UPDATE; without an offer it only says where the peer is and that it lives."""
        core, sdp = self._core, sdp_of(envelope)
        if session.state not in _UPDATED_IN:
            core.reply(transaction, 481)
        elif sdp is None:
            if session.dialog is not None:
                session.dialog.refresh(transaction.contact)
            self._refreshing.hears(session, transaction, envelope)
            core.reply(transaction, 200, headers=self._refreshing.grants(session, transaction), dialog=True)
        elif self._glares(session, transaction):
            return
        elif session.state is SessionState.ANSWER_HELD:
            # It has overtaken the PRACK that our answer waits for (RFC 3311 5.2).
            core.put_off(transaction)
        else:
            self._tell(session, transaction, envelope, sdp)

    def _glares(self, session: Session, transaction: ServerTransaction) -> bool:
        status = GLARE.get(session.offers)
        if status == 491:
            self._core.reply(transaction, status)
        elif status is not None:
            self._core.put_off(transaction)
        return status is not None

    def _tell(self, session: Session, transaction: ServerTransaction, envelope: Envelope, sdp: str | None) -> None:
        session.offer(OfferEvent.ASKED if sdp is None else OfferEvent.OFFER_RECEIVED)
        session.reinvite = transaction
        self._refreshing.hears(session, transaction, envelope)
        self._core.fact(session, ReofferReceived(session.id, request_in(envelope), sdp))

    def accept(self, session: Session, transaction: ServerTransaction, sdp: str) -> None:
        """200, which only a re-INVITE's sender acknowledges."""
        core = self._core
        session.reinvite = None
        session.offer(OfferEvent.ANSWER_SENT)
        session.described = session.origin.writes(sdp)
        if session.dialog is not None:
            session.dialog.refresh(transaction.contact)
        headers = self._refreshing.grants(session, transaction)
        core.reply(transaction, 200, headers=headers, dialog=True, kind=SDP, body=session.described.encode())
        if transaction.method == "INVITE":
            core.await_ack(session, transaction)

    # -- ours

    def send(self, session: Session, method: str, sdp: str | None, tries: int = 1) -> None:
        """A re-INVITE or UPDATE with this offer, or asking for one."""
        core, dialog = self._core, session.dialog
        if dialog is None:
            return
        session.offer(OfferEvent.OFFER_SENT if sdp is not None else OfferEvent.WE_ASK)
        if sdp is not None:
            sdp = session.origin.writes(sdp)
        asked = core.ask(
            dialog.outline(method, core.branch()),
            dialog.to,
            Purpose.REOFFER,
            session=session,
            headers=self._refreshing.asks(session),
            kind=SDP,
            body=(sdp or "").encode(),
        )
        asked.offer, asked.tries = sdp, tries

    def over(self, transaction: ClientTransaction, status: int, envelope: Envelope | None) -> None:
        """The answer to a re-INVITE or UPDATE of ours, or its silence."""
        session = transaction.session
        if session is None or session.dialog is None:
            return
        if status < 200:
            self._core.expect_soon(transaction)
        elif status >= 300:
            self._refused(session, transaction, status)
        elif envelope is not None and envelope.to_tag == session.dialog.key[2]:
            if envelope.to_tag in transaction.acks:
                self._core.repeat_ack(session, transaction, envelope.to_tag)
            else:
                self._accepted(session, transaction, envelope)

    def _accepted(self, session: Session, transaction: ClientTransaction, envelope: Envelope) -> None:
        core, dialog, sdp = self._core, session.dialog, sdp_of(envelope)
        if dialog is None:
            return
        dialog.refresh(envelope.message.headers.get("Contact"))
        if transaction.outline.method == "INVITE":
            if sdp is not None and session.offers is OfferState.WE_ASKED and session.state is SessionState.UP:
                core.withhold_ack(session, transaction, envelope.to_tag)
            else:
                core.acknowledge(transaction, dialog, envelope.to_tag, ())
        if session.agree(sdp) and session.state is SessionState.UP:
            session.described = transaction.offer or session.described
            self._refreshing.accepted(session, envelope.message.headers)
            core.fact(session, ReofferAnswered(session.id, sdp))

    def _refused(self, session: Session, transaction: ClientTransaction, status: int) -> None:
        core = self._core
        session.offer(OfferEvent.WITHDRAWN)
        if session.state is not SessionState.UP:
            return
        if status == 491 and transaction.tries < MOST_TRIES:
            self._try_later(session, transaction.outline.method, transaction.offer, transaction.tries + 1)
            return
        core.fact(session, ReofferRefused(session.id, status))
        core.lose(session, status)

    def _try_later(self, session: Session, method: str, sdp: str | None, tries: int) -> None:
        """After a pause that is never the same on both sides (RFC 3261 14.1): who made the Call-ID waits longer."""
        core = self._core
        pause = 2.1 + core.dice() * 1.9 if session.called is not None else core.dice() * 2.0
        session.retry = core.alarms.set(core.now + pause, partial(self._try_again, session, method, sdp, tries))

    def _try_again(self, session: Session, method: str, sdp: str | None, tries: int) -> None:
        session.retry = None
        if session.state is not SessionState.UP:
            return
        if session.offers is not OfferState.STABLE or session.unacked is not None:
            self._try_later(session, method, sdp, tries)
        else:
            self.send(session, method, sdp, tries)
