"""The calling side: what the responses to our requests mean for a session."""

import re

from sipmessage import Response

from offhook.sip.core import ClientTransaction, Core, Purpose, credentials_of, sdp_of
from offhook.sip.dialogs import DialogEvent, as_caller, contact_uri
from offhook.sip.facts import (
    AnswerReceived,
    ByeAnswered,
    InfoAnswered,
    ProgressReceived,
    RefusalReceived,
    ReofferAnswered,
    ReofferRefused,
    ResponseReceived,
    StrayAnswered,
)
from offhook.sip.offers import OfferEvent, OfferState
from offhook.sip.reading import parameter, split_name_addr, split_values
from offhook.sip.reasons import REASONS
from offhook.sip.sessions import Session, SessionEvent, SessionState
from offhook.sip.transactions import Event
from offhook.sip.transfers import Transfers
from offhook.sip.wall import Envelope

# A fork answers with as many tags as it has branches; beyond this somebody is playing.
MOST_STRAYS = 32
MOST_CONTACTS = 8
_Q = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
# RFC 3261 12.2.1.2: the peer has lost the dialog, so it is of no use to us either.
_LOST = frozenset((408, 481))


class Calling:
    """Hears every response, and every silence, that a transaction of ours lets through."""

    def __init__(self, core: Core, transfers: Transfers) -> None:
        self._core = core
        core.on_response = self.told
        self._listeners = {
            Purpose.INVITE: self._invite,
            Purpose.REINVITE: self._reinvite,
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
        status = silence if envelope is None else _response(envelope).code
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
            self._core.fact(session, ProgressReceived(session.id, status, _response(envelope), sdp_of(envelope)))
        self._core.do(session, doing)

    def _early(self, session: Session, transaction: ClientTransaction, envelope: Envelope) -> None:
        if not envelope.to_tag or (session.dialog is not None and session.dialog.key[2] == envelope.to_tag):
            return
        dialog = as_caller(envelope, transaction.outline, _local_tag(session), envelope.message.headers.get("Contact"))
        dialog.follow(DialogEvent.PROVISIONAL)
        self._core.attach(session, dialog)

    def _answered(self, session: Session, transaction: ClientTransaction, envelope: Envelope) -> None:
        core = self._core
        if envelope.to_tag in transaction.acks:
            self._answered_again(session, transaction, envelope)
            return
        if len(transaction.acks) >= MOST_STRAYS:
            return
        dialog = as_caller(envelope, transaction.outline, _local_tag(session), envelope.message.headers.get("Contact"))
        dialog.follow(DialogEvent.SUCCESS)
        first = not transaction.acks
        wanted = core.sessions.get(session.id) is session
        doing = session.move_on(SessionEvent.SUCCESS_CAME) if first and wanted else None
        sdp = sdp_of(envelope)
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
        if session.dialog is not None and session.dialog.key == dialog.key:
            dialog.remote_cseq = session.dialog.remote_cseq
        core.attach(session, dialog)
        agree(session, sdp)
        if session.state is SessionState.UP:
            core.fact(session, AnswerReceived(session.id, _response(envelope), sdp))
        core.do(session, doing)

    def _answered_again(self, session: Session, transaction: ClientTransaction, envelope: Envelope) -> None:
        """A repeat of a 2xx gets the ACK that the first one got, unless that still waits for our answer."""
        core = self._core
        acked = transaction.acks[envelope.to_tag]
        if acked is not None:
            core.say(*acked, transaction.session_id)
        elif session.dialog is not None and core.sessions.get(session.id) is not session:
            # Forgotten while it waited: nobody will answer its offer any more.
            core.acknowledge(transaction, session.dialog, envelope.to_tag, credentials_of(session))
            core.ask(session.dialog.outline("BYE", core.branch()), session.dialog.to, Purpose.STRAY_BYE, session=session)

    def _refused(self, session: Session, transaction: ClientTransaction, status: int, envelope: Envelope | None) -> None:
        challenged = status in (401, 407) and envelope is not None
        if session.move_on(SessionEvent.CHALLENGE_CAME if challenged else SessionEvent.FAILURE_CAME) is None:
            return
        session.offer(OfferEvent.WITHDRAWN)
        response = _response(envelope) if envelope else None
        contacts = redirections(response) if response is not None and status < 400 else ()
        reason = response.phrase if response else REASONS[status]
        self._core.drop(session)
        session.dialog = None
        self._core.fact(session, RefusalReceived(session.id, status, reason, response, contacts))

    def _reinvite(self, transaction: ClientTransaction, status: int, envelope: Envelope | None) -> None:
        core, session = self._core, transaction.session
        if session is None or session.dialog is None or status < 200:
            return
        if status >= 300:
            session.offer(OfferEvent.WITHDRAWN)
            if session.state is SessionState.UP:
                core.fact(session, ReofferRefused(session.id, status))
            self._lost_if(session, status)
            return
        if envelope is None or envelope.to_tag != session.dialog.key[2]:
            return
        if envelope.to_tag in transaction.acks:
            self._answered_again(session, transaction, envelope)
            return
        session.dialog.refresh(envelope.message.headers.get("Contact"))
        sdp = sdp_of(envelope)
        if sdp is not None and session.offers is OfferState.WE_ASKED and session.state is SessionState.UP:
            core.withhold_ack(session, transaction, envelope.to_tag)
        else:
            core.acknowledge(transaction, session.dialog, envelope.to_tag, ())
        if agree(session, sdp) and session.state is SessionState.UP:
            core.fact(session, ReofferAnswered(session.id, sdp))

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
        self._lost_if(session, status)

    def _outside(self, transaction: ClientTransaction, status: int, envelope: Envelope | None) -> None:
        if status >= 200:
            self._core.out.append(ResponseReceived(transaction.asked, status, _response(envelope) if envelope else None))

    def _lost_if(self, session: Session, status: int) -> None:
        doing = session.move_on(SessionEvent.LOST) if status in _LOST else None
        if doing is not None:
            self._core.do(session, doing)


def agree(session: Session, sdp: str | None) -> bool:
    """A 2xx to an INVITE of ours: an answer to our offer, an offer where we asked for one, or neither. False where nothing was open."""
    if session.offers is OfferState.WE_ASKED and sdp is not None:
        return session.offer(OfferEvent.OFFER_RECEIVED)
    return session.offer(OfferEvent.ANSWER_RECEIVED) or session.offer(OfferEvent.WITHDRAWN)


def redirections(response: Response) -> tuple[str, ...]:
    """The URIs of all Contacts, those of the greatest q first (RFC 3261 8.1.3.4, 20.10); those without q come as with 1."""
    found: list[tuple[float, str]] = []
    for value in [value for line in response.headers.getlist("Contact")[:MOST_CONTACTS] for value in split_values(line)]:
        uri, q = contact_uri(value), parameter(split_name_addr(value)[2], "q")
        if uri is not None:
            found.append((float(q) if q and _Q.fullmatch(q) else 1.0, uri))
    return tuple(dict.fromkeys(uri for _, uri in sorted(found, key=lambda each: -each[0])))[:MOST_CONTACTS]


def _response(envelope: Envelope) -> Response:
    """The message, known to be a response: transactions of ours are told of nothing else."""
    message = envelope.message
    assert isinstance(message, Response)
    return message


def _local_tag(session: Session) -> str:
    return session.called.local_tag if session.called else ""
