"""The called side: what the requests of a peer mean, and what is answered without asking anybody (RFC 3261 8.2, 12.2.2)."""

from offhook.sip.bodies import body_refusal, sdp_of
from offhook.sip.core import Core, ServerTransaction
from offhook.sip.dialogs import as_callee, contact_uri
from offhook.sip.extensions import options_in
from offhook.sip.facts import (
    AckAnswered,
    AckReceived,
    ByeReceived,
    CancelReceived,
    InfoReceived,
    InviteReceived,
    ReofferCancelled,
    RequestReceived,
)
from offhook.sip.offers import OfferEvent, OfferState
from offhook.sip.provisionals import Provisionals
from offhook.sip.refreshing import Refreshing
from offhook.sip.reoffers import Reoffers
from offhook.sip.sessions import Session, SessionEvent, SessionState
from offhook.sip.transactions import Event
from offhook.sip.transfers import Transfers
from offhook.sip.wall import Envelope, request_in
from offhook.sip.writing import ALLOW, Headers

# Given out as RequestReceived; whoever drives the agent answers.
GIVEN_OUT = frozenset(("OPTIONS", "REGISTER", "MESSAGE", "SUBSCRIBE", "NOTIFY", "PUBLISH"))
_OURS = frozenset(("INVITE", "BYE", "INFO", "UPDATE", "PRACK", "REFER"))
_DESCRIBED = frozenset(("INVITE", "UPDATE"))


class Called:
    """Hears every new request, and every ACK to a 200."""

    def __init__(self, core: Core, reoffers: Reoffers, provisionals: Provisionals, refreshing: Refreshing, transfers: Transfers) -> None:
        self._core = core
        self._reoffers = reoffers
        self._provisionals = provisionals
        self._refreshing = refreshing
        core.on_request = self.told
        self._in_dialog = {
            "INVITE": self._reinvite,
            "UPDATE": reoffers.update_came,
            "PRACK": provisionals.prack_came,
            "BYE": self._bye,
            "INFO": self._info,
            "REFER": transfers.refer_came,
            "NOTIFY": transfers.notify_came,
            "SUBSCRIBE": transfers.subscribe_came,
            "OPTIONS": self._options,
        }

    def told(self, transaction: ServerTransaction, event: Event, envelope: Envelope | None) -> None:
        """A new request; or the ACK to a 2xx of a peer that wrongly keeps the INVITE's branch."""
        if envelope is None:
            return
        if event is Event.ACK:
            self.acknowledged(envelope)
        elif envelope.method == "CANCEL":
            self._cancel(transaction, envelope)
        elif envelope.to_tag:
            self._arrived_in_dialog(transaction, envelope)
        else:
            self._arrived_outside(transaction, envelope)

    def acknowledged(self, envelope: Envelope) -> None:
        """An ACK that belongs to no refusal: to our 200, a repeat of one, or to nothing; never answered."""
        session = self._core.dialogs.get((envelope.call_id, envelope.to_tag, envelope.from_tag))
        if session is None:
            return
        self._core.heard = session.id
        if session.unacked is not None and session.unacked.cseq == envelope.sequence:
            self._acknowledged(session, sdp_of(envelope))

    def _acknowledged(self, session: Session, sdp: str | None = None) -> None:
        if session.unacked is not None:
            session.unacked.rest()
            session.unacked = None
        offered = session.offer(OfferEvent.ANSWER_RECEIVED)
        doing = session.move_on(SessionEvent.ACK_CAME)
        if doing is None:
            return
        if session.state is SessionState.UP:
            self._core.fact(session, AckReceived(session.id, sdp))
            if offered:
                self._core.fact(session, AckAnswered(session.id, sdp))
        self._core.do(session, doing)

    def _arrived_outside(self, transaction: ServerTransaction, envelope: Envelope) -> None:
        core = self._core
        merged = (envelope.call_id, envelope.from_tag, envelope.sequence, envelope.method)
        if merged in core.merged:
            # The same request by another way: a fork upstream has found us twice (RFC 3261 8.2.2.2).
            core.reply(transaction, 482)
            return
        core.merged[merged] = transaction
        transaction.merged = merged
        if self._refuses(transaction, envelope):
            return
        if envelope.method == "INVITE":
            self._invite(transaction, envelope)
        elif envelope.method == "REFER":
            # A call to refer anybody from there is none: nobody may have us call by a word alone.
            core.reply(transaction, 403)
        elif envelope.method in _OURS:
            core.reply(transaction, 481)
        else:
            self._give_out(transaction, envelope)

    def _arrived_in_dialog(self, transaction: ServerTransaction, envelope: Envelope) -> None:
        core = self._core
        session = core.dialogs.get((envelope.call_id, envelope.to_tag, envelope.from_tag))
        if session is None or session.dialog is None:
            core.reply(transaction, 481)
            return
        core.heard = transaction.session_id = session.id
        transaction.session = session
        if self._refuses(transaction, envelope):
            return
        if not session.dialog.takes(envelope.sequence):
            core.reply(transaction, 500, "CSeq Is Not New")
            return
        listener = self._in_dialog.get(envelope.method)
        if listener is None:
            self._give_out(transaction, envelope)
        else:
            listener(session, transaction, envelope)

    def _refuses(self, transaction: ServerTransaction, envelope: Envelope) -> bool:
        """Method, extensions and content, in the order of RFC 3261 8.2."""
        refusal = self._refusal(envelope)
        if refusal is not None:
            status, headers = refusal
            self._core.reply(transaction, status, headers=headers)
        return refusal is not None

    def _refusal(self, envelope: Envelope) -> tuple[int, Headers] | None:
        """Status and headers for a request that no room of ours could take, else None."""
        method, headers = envelope.method, envelope.message.headers
        if method not in _OURS and method not in GIVEN_OUT:
            return 405, (ALLOW,)
        if headers.get("Require") is not None:
            unknown = [option for option in options_in(headers, "Require") if option.lower() not in self._core.pen.supported]
            if unknown:
                return 420, (("Unsupported", ", ".join(unknown)),)
        if envelope.message.body:
            refusal = body_refusal(envelope) if method in _DESCRIBED else None
            if refusal is not None:
                return refusal
            if (headers.get("Content-Encoding") or "identity").strip().lower() != "identity":
                return 415, (("Accept-Encoding", "identity"),)
        brief = self._refreshing.refuses(envelope) if method in _DESCRIBED else None
        return None if brief is None else (422, brief)

    def _invite(self, transaction: ServerTransaction, envelope: Envelope) -> None:
        core = self._core
        target = contact_uri(envelope.message.headers.get("Contact"))
        if target is None:
            core.reply(transaction, 400, "Missing Contact header")
            return
        session = Session(core.tokens(), core.origin())
        session.move_on(SessionEvent.INVITE_CAME)
        session.invite = transaction
        core.sessions[session.id] = session
        core.heard = transaction.session_id = session.id
        transaction.session = session
        core.reply(transaction, 100)
        dialog = as_callee(envelope, core.tokens(), target)
        core.tag(transaction, dialog.local)
        core.attach(session, dialog)
        self._provisionals.invited(session, envelope)
        self._refreshing.hears(session, transaction, envelope)
        sdp = sdp_of(envelope)
        session.offer(OfferEvent.ASKED if sdp is None else OfferEvent.OFFER_RECEIVED)
        core.fact(session, InviteReceived(session.id, request_in(envelope), envelope.source, sdp))

    def _reinvite(self, session: Session, transaction: ServerTransaction, envelope: Envelope) -> None:
        if session.unacked is not None and session.offers is OfferState.STABLE:
            # Nobody offers anew before our 200 has come: its ACK was overtaken or lost. One that brings an answer is waited for.
            self._acknowledged(session)
        self._reoffers.reinvite_came(session, transaction, envelope)

    def _bye(self, session: Session, transaction: ServerTransaction, envelope: Envelope) -> None:
        core = self._core
        arrived = session.state in (SessionState.ARRIVED, SessionState.ANSWER_HELD)
        doing = session.move_on(SessionEvent.BYE_CAME)
        if doing is None:
            core.reply(transaction, 481)
            return
        core.reply(transaction, 200)
        core.refuse_open(session)
        if arrived and isinstance(session.invite, ServerTransaction):
            core.reply(session.invite, 487)
        core.do(session, doing)
        if session.state is SessionState.GONE:
            core.fact(session, ByeReceived(session.id, request_in(envelope)))

    def _info(self, session: Session, transaction: ServerTransaction, envelope: Envelope) -> None:
        self._core.reply(transaction, 200)
        self._core.fact(session, InfoReceived(session.id, request_in(envelope)))

    def _options(self, session: Session, transaction: ServerTransaction, envelope: Envelope) -> None:
        self._core.reply(transaction, 200, headers=self._core.capabilities)

    def _cancel(self, transaction: ServerTransaction, envelope: Envelope) -> None:
        core = self._core
        invite = core.servers.get((*transaction.key[:-1], "INVITE"))
        if invite is None:
            core.reply(transaction, 481)
            return
        if invite.tagged:
            core.tag(transaction, invite.echo.to_value)
        core.heard = transaction.session_id = invite.session_id
        core.reply(transaction, 200)
        session = invite.session
        if session is None:
            return
        if session.reinvite is invite:
            core.refuse_reinvite(session, 487)
            core.fact(session, ReofferCancelled(session.id))
            return
        # Too late for one that has its final answer: the 200 above is all (RFC 3261 9.2).
        doing = session.move_on(SessionEvent.CANCEL_CAME) if session.invite is invite else None
        if doing is not None:
            core.reply(invite, 487)
            core.do(session, doing)
            core.fact(session, CancelReceived(session.id, request_in(envelope)))

    def _give_out(self, transaction: ServerTransaction, envelope: Envelope) -> None:
        transaction.asked = self._core.tokens()
        self._core.pending[transaction.asked] = transaction
        self._core.out.append(RequestReceived(transaction.asked, request_in(envelope), envelope.source))
