"""The calling side: what the responses to our requests mean for a session."""

import re

from sipmessage import Response

from offhook.sip.bodies import sdp_of
from offhook.sip.core import ClientTransaction, Core, Purpose, credentials_of
from offhook.sip.dialogs import DialogEvent, as_caller, contact_uri
from offhook.sip.extensions import RELIABLE
from offhook.sip.facts import (
    AnswerReceived,
    ByeAnswered,
    InfoAnswered,
    ProgressReceived,
    RefusalReceived,
    ResponseReceived,
    StrayAnswered,
)
from offhook.sip.offers import OfferEvent, OfferState
from offhook.sip.provisionals import Provisionals
from offhook.sip.reading import parameter, split_name_addr, split_values
from offhook.sip.reasons import REASONS
from offhook.sip.refreshing import Refreshing
from offhook.sip.reoffers import Reoffers
from offhook.sip.sessions import Called, Session, SessionEvent, SessionState
from offhook.sip.transactions import Event
from offhook.sip.transfers import Transfers
from offhook.sip.wall import Envelope, response_in
from offhook.sip.writing import SDP, Outline

# A fork answers with as many tags as it has branches; beyond this somebody is playing.
MOST_STRAYS = 32
MOST_CONTACTS = 8
_Q = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")


class Calling:
    """Hears every response, and every silence, that a transaction of ours lets through."""

    def __init__(self, core: Core, reoffers: Reoffers, provisionals: Provisionals, refreshing: Refreshing, transfers: Transfers) -> None:
        self._core = core
        self._provisionals = provisionals
        self._refreshing = refreshing
        core.on_response = self.told
        self._listeners = {
            Purpose.INVITE: self._invite,
            Purpose.REOFFER: reoffers.over,
            Purpose.REFRESH: refreshing.over,
            Purpose.BYE: self._bye,
            Purpose.INFO: self._info,
            Purpose.REFER: transfers.refer_over,
            Purpose.NOTIFY: transfers.notify_over,
            Purpose.OUTSIDE: self._outside,
        }

    def told(self, transaction: ClientTransaction, event: Event, envelope: Envelope | None) -> None:
        """A response, or a timeout (408) or a transport failure (503) without one."""
        listener = self._listeners.get(transaction.purpose)
        # Nobody waits for the answer to a CANCEL or to the BYE for a stray.
        if listener is None:
            return
        silence = 503 if event is Event.UNDELIVERABLE else 408
        status = silence if envelope is None else response_in(envelope).code
        listener(transaction, status, envelope)

    def _invite(self, transaction: ClientTransaction, status: int, envelope: Envelope | None) -> None:
        session = transaction.session
        if session is None:
            return
        if status >= 300:
            self._refused(session, transaction, status, envelope)
        elif envelope is None:
            return
        elif status >= 200:
            self._answered(session, transaction, envelope)
        else:
            self._progressed(session, transaction, status, envelope)

    def _progressed(self, session: Session, transaction: ClientTransaction, status: int, envelope: Envelope) -> None:
        doing = session.move_on(SessionEvent.PROVISIONAL_CAME)
        if doing is None:
            return
        if status > 100 and session.state is SessionState.PROGRESS:
            self._early(session, transaction, envelope)
            if not self._provisionals.heard(session, transaction, envelope):
                return
            self._core.fact(session, ProgressReceived(session.id, status, response_in(envelope), sdp_of(envelope)))
        self._core.do(session, doing)

    def _early(self, session: Session, transaction: ClientTransaction, envelope: Envelope) -> None:
        if not envelope.to_tag or (session.dialog is not None and session.dialog.key[2] == envelope.to_tag):
            return
        known = session.early.get(envelope.to_tag)
        if known is not None:
            self._core.attach(session, known.dialog)
            return
        dialog = as_caller(envelope, transaction.outline, _local_tag(session), envelope.message.headers.get("Contact"))
        dialog.follow(DialogEvent.PROVISIONAL)
        self._core.attach(session, dialog)

    def _answered(self, session: Session, transaction: ClientTransaction, envelope: Envelope) -> None:
        core = self._core
        if envelope.to_tag in transaction.acks:
            core.repeat_ack(session, transaction, envelope.to_tag)
            return
        if len(transaction.acks) >= MOST_STRAYS:
            return
        dialog = as_caller(envelope, transaction.outline, _local_tag(session), envelope.message.headers.get("Contact"))
        dialog.follow(DialogEvent.SUCCESS)
        first = not transaction.acks
        wanted = core.sessions.get(session.id) is session
        doing = session.move_on(SessionEvent.SUCCESS_CAME) if first and wanted else None
        early = session.early.get(envelope.to_tag)
        sdp = sdp_of(envelope) or (early.sdp if early else None)
        offered = sdp is not None and session.offers is OfferState.WE_ASKED
        if offered and doing is not None and session.state is SessionState.UP:
            core.withhold_ack(session, transaction, envelope.to_tag)
        else:
            core.acknowledge(transaction, dialog, envelope.to_tag, credentials_of(session))
        if doing is None:
            core.ask(dialog.outline("BYE", core.branch()), dialog.to, Purpose.STRAY_BYE, session=session)
            if wanted:
                core.fact(session, StrayAnswered(session.id))
            return
        before = early.dialog if early else session.dialog
        if before is not None and before.key == dialog.key:
            dialog.remote_cseq, dialog.local_cseq = before.remote_cseq, max(dialog.local_cseq, before.local_cseq)
        core.attach(session, dialog)
        session.agree(sdp)
        if session.state is SessionState.UP:
            self._refreshing.accepted(session, envelope.message.headers)
            core.fact(session, AnswerReceived(session.id, response_in(envelope), sdp))
        core.do(session, doing)

    def _refused(self, session: Session, transaction: ClientTransaction, status: int, envelope: Envelope | None) -> None:
        if status == 422 and envelope is not None and self._called_again(session, envelope):
            return
        challenged = status in (401, 407) and envelope is not None
        if session.move_on(SessionEvent.CHALLENGE_CAME if challenged else SessionEvent.FAILURE_CAME) is None:
            return
        session.offer(OfferEvent.WITHDRAWN)
        response = response_in(envelope) if envelope else None
        contacts = redirections(response) if response is not None and status < 400 else ()
        reason = response.phrase if response else REASONS[status]
        self._core.drop(session)
        session.dialog = None
        self._core.fact(session, RefusalReceived(session.id, status, reason, response, contacts))

    def _called_again(self, session: Session, envelope: Envelope) -> bool:
        """After 422, with the session as long as the peer wants it (RFC 4028 7.3)."""
        called = session.called
        if called is None or not self._refreshing.raises(session, envelope) or session.move_on(SessionEvent.TOO_BRIEF_CAME) is None:
            return False
        session.offer(OfferEvent.WITHDRAWN)
        self._core.drop(session)
        session.dialog = None
        self.invite(session, called)
        return True

    def invite(self, session: Session, called: Called) -> None:
        """Send the INVITE, or the next one in its place."""
        core = self._core
        session.last_cseq += 1
        session.early.clear()
        session.described = session.origin.writes(called.sdp or "")
        session.offer(OfferEvent.OFFER_SENT if called.sdp is not None else OfferEvent.WE_ASK)
        outline = Outline(
            "INVITE", called.uri, called.from_value, called.to_value, called.call_id, session.last_cseq, core.branch(), called.routes
        )
        # To ask for an offer and to take one in a provisional is not for us: so none may come reliably.
        supported = () if called.sdp is not None else (("Supported", core.pen.supported_without(RELIABLE)),)
        headers = (*called.headers, *self._refreshing.asks(session), *supported)
        session.invite = core.ask(
            outline, called.destination, Purpose.INVITE, session=session, headers=headers, kind=SDP, body=session.described.encode()
        )

    def _bye(self, transaction: ClientTransaction, status: int, envelope: Envelope | None) -> None:
        session = transaction.session
        if session is None or status < 200:
            return
        doing = session.move_on(SessionEvent.BYE_OVER)
        if doing is not None:
            self._core.do(session, doing)
            self._core.fact(session, ByeAnswered(session.id, status))

    def _info(self, transaction: ClientTransaction, status: int, envelope: Envelope | None) -> None:
        session = transaction.session
        if session is None or status < 200:
            return
        self._core.fact(session, InfoAnswered(session.id, status))
        self._core.lose(session, status)

    def _outside(self, transaction: ClientTransaction, status: int, envelope: Envelope | None) -> None:
        if status >= 200:
            self._core.out.append(ResponseReceived(transaction.asked, status, response_in(envelope) if envelope else None))


def redirections(response: Response) -> tuple[str, ...]:
    """The URIs of all Contacts, those of the greatest q first (RFC 3261 8.1.3.4, 20.10); those without q come as with 1."""
    found: list[tuple[float, str]] = []
    for value in [value for line in response.headers.getlist("Contact")[:MOST_CONTACTS] for value in split_values(line)]:
        uri, q = contact_uri(value), parameter(split_name_addr(value)[2], "q")
        if uri is not None:
            found.append((float(q) if q and _Q.fullmatch(q) else 1.0, uri))
    return tuple(dict.fromkeys(uri for _, uri in sorted(found, key=lambda each: -each[0])))[:MOST_CONTACTS]


def _local_tag(session: Session) -> str:
    return session.called.local_tag if session.called else ""
