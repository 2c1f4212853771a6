"""What both sides of the agent share: its sessions, dialogs, transactions and timers, and the few things all of it does."""

from collections.abc import Callable, Sequence
from enum import StrEnum
from functools import partial

from offhook.sip.addresses import Address
from offhook.sip.alarms import Alarms
from offhook.sip.bodies import ACCEPTED
from offhook.sip.dialogs import Dialog, DialogEvent, DialogKey
from offhook.sip.facts import AckMissing, ByeAnswered, Output, Send
from offhook.sip.offers import OfferEvent
from offhook.sip.origins import Origin
from offhook.sip.reading import split_values
from offhook.sip.referrals import ReferralEvent
from offhook.sip.session_timers import Wish
from offhook.sip.sessions import LOST, Session, SessionDo, SessionEvent, SessionState, Unacked
from offhook.sip.timers import Timers
from offhook.sip.transactions import (
    INVITE_CLIENT_MOVES,
    INVITE_SERVER_MOVES,
    OTHER_CLIENT_MOVES,
    OTHER_SERVER_MOVES,
    Event,
    State,
    Transaction,
    Walker,
)
from offhook.sip.wall import Envelope, reply_address, via_returned
from offhook.sip.writing import ALLOW, SDP, Echo, Headers, Outline, Pen

COOKIE = "z9hG4bK"
# The requests that make or refresh a dialog's target (RFC 3261 8.1.1.8, 3311 5.1, 3515 2.2, 6665 4.4.1).
WITH_CONTACT = frozenset(("INVITE", "UPDATE", "REFER", "NOTIFY"))

_CREDENTIALS = frozenset(("authorization", "proxy-authorization"))


class Purpose(StrEnum):
    """Why we sent a request."""

    INVITE = "invite"
    REOFFER = "reoffer"
    REFRESH = "refresh"
    PRACK = "prack"
    CANCEL = "cancel"
    BYE = "bye"
    STRAY_BYE = "stray bye"
    INFO = "info"
    REFER = "refer"
    NOTIFY = "notify"
    OUTSIDE = "outside"


class ClientTransaction(Transaction):
    """A request of ours. asked is the key of a request outside sessions.

    acks holds, by To tag, the ACK that each 2xx has got; None while it waits for our answer. offer is the description of a reoffer,
    tries how often it has been made.
    """

    __slots__ = ("acks", "asked", "offer", "outline", "purpose", "session", "tries")

    def __init__(self, key: tuple[str, ...], to: Address, outline: Outline, purpose: Purpose, session: Session | None, asked: str) -> None:
        moves = INVITE_CLIENT_MOVES if outline.method == "INVITE" else OTHER_CLIENT_MOVES
        super().__init__(moves, key, to, session.id if session else None)
        self.outline = outline
        self.purpose = purpose
        self.session = session
        self.asked = asked
        self.acks: dict[str, tuple[bytes, Address] | None] = {}
        self.offer: str | None = None
        self.tries = 0


class ServerTransaction(Transaction):
    """A request of a peer, with what its responses repeat.

    It keeps few of the request's fields and not the message: it lives for 32 s, and a busy switch has thousands.
    """

    __slots__ = ("asked", "contact", "cseq", "echo", "merged", "method", "session", "tagged", "wish")

    def __init__(
        self, key: tuple[str, ...], echo: Echo, method: str, cseq: int = 0, contact: str | None = None, *, tagged: bool = False
    ) -> None:
        super().__init__(INVITE_SERVER_MOVES if method == "INVITE" else OTHER_SERVER_MOVES, key, echo.to, None)
        self.echo = echo
        self.method = method
        self.cseq = cseq
        self.wish: Wish | None = None
        self.contact = contact
        self.tagged = tagged
        self.session: Session | None = None
        self.asked = ""
        self.merged: tuple[str, str, int, str] | None = None


class Core:
    """One agent's memory. now and out belong to the call in progress: begin() sets them, take() gives out back."""

    def __init__(
        self,
        *,
        local: Address,
        user_agent: str,
        tokens: Callable[[], str],
        dice: Callable[[], float],
        timers: Timers,
        reliable: bool,
        user: str,
        spoken: Sequence[str],
    ) -> None:
        self.pen = Pen(local, user_agent, reliable=reliable, contact_user=user, supported=spoken)
        self.capabilities: Headers = (ALLOW, *ACCEPTED, ("Supported", ", ".join(spoken)))
        self.local = local
        self.tokens = tokens
        self.dice = dice
        self.timers = timers
        self.alarms = Alarms()
        self.now = 0.0
        self.out: list[Output] = []
        self.heard: str | None = None
        self.sessions: dict[str, Session] = {}
        self.dialogs: dict[DialogKey, Session] = {}
        self.clients: dict[tuple[str, ...], ClientTransaction] = {}
        self.servers: dict[tuple[str, ...], ServerTransaction] = {}
        self.merged: dict[tuple[str, str, int, str], ServerTransaction] = {}
        self.pending: dict[str, ServerTransaction] = {}
        self.on_response: Callable[[ClientTransaction, Event, Envelope | None], None] = _nobody
        self.on_request: Callable[[ServerTransaction, Event, Envelope | None], None] = _nobody
        self.walker = Walker(
            timers=timers, reliable=reliable, alarms=self.alarms, clock=lambda: self.now, send=self.say, tell=self._tell, end=self._end
        )

    def begin(self, now: float) -> None:
        self.now = now
        self.out = []
        self.heard = None

    def take(self) -> list[Output]:
        out, self.out = self.out, []
        return out

    def say(self, data: bytes, to: Address, session_id: str | None) -> None:
        self.out.append(Send(data, to, session_id))

    def fact(self, session: Session, fact: Output) -> None:
        """Tell it, unless the session has been forgotten meanwhile."""
        if self.sessions.get(session.id) is session:
            self.out.append(fact)

    def origin(self) -> Origin:
        return Origin(1 + int(self.dice() * 2**53))

    def branch(self) -> str:
        return COOKIE + self.tokens()

    def ask(
        self,
        outline: Outline,
        to: Address,
        purpose: Purpose,
        *,
        session: Session | None = None,
        asked: str = "",
        headers: Headers = (),
        kind: str = "",
        body: bytes = b"",
    ) -> ClientTransaction:
        """Send a request and follow it."""
        transaction = ClientTransaction((outline.branch, outline.method), to, outline, purpose, session, asked)
        self.clients[transaction.key] = transaction
        data = self.pen.request(outline, headers=headers, contact=outline.method in WITH_CONTACT, kind=kind, body=body)
        self.walker.walk(transaction, Event.SAY_REQUEST, say=data)
        return transaction

    def open_server(self, key: tuple[str, ...], envelope: Envelope) -> None:
        """Follow a new request of a peer; on_request hears of it."""
        headers = envelope.message.headers
        vias = [value for line in headers.getlist("Via") for value in split_values(line)]
        to = reply_address(vias[0], envelope.source)
        vias[0] = via_returned(vias[0], envelope.source)
        via_lines = "".join([f"Via: {via}\r\n" for via in vias])
        lines = f"{via_lines}From: {headers['From']}\r\nCall-ID: {envelope.call_id}\r\nCSeq: {headers['CSeq']}\r\n"
        routes = "".join([f"Record-Route: {route}\r\n" for route in headers.getlist("Record-Route")])
        echo, contact = Echo(lines, headers["To"], routes, to), headers.get("Contact")
        transaction = ServerTransaction(key, echo, envelope.method, envelope.sequence, contact, tagged=bool(envelope.to_tag))
        self.servers[key] = transaction
        self.walker.walk(transaction, Event.REQUEST, envelope)

    def reply(
        self,
        transaction: ServerTransaction,
        status: int,
        reason: str = "",
        *,
        headers: Headers = (),
        dialog: bool = False,
        kind: str = "",
        body: bytes = b"",
    ) -> None:
        """Answer a request; dialog: this response makes or refreshes one, so it carries our Contact."""
        if status > 100 and not transaction.tagged:
            self.tag(transaction, f"{transaction.echo.to_value};tag={self.tokens()}")
        data = self.pen.response(transaction.echo, status, reason, headers=headers, contact=dialog, dialog=dialog, kind=kind, body=body)
        self.walker.walk(transaction, _said(transaction, status), say=data)

    def put_off(self, transaction: ServerTransaction) -> None:
        """500: it is to come again, at a moment that is not that of everybody else who was told so (RFC 3261 14.2, RFC 3311 5.2)."""
        self.reply(transaction, 500, headers=(("Retry-After", str(int(self.dice() * 11))),))

    def tag(self, transaction: ServerTransaction, to_value: str) -> None:
        """From now on its responses carry this To, with a tag."""
        lines, _, routes, to = transaction.echo
        transaction.echo = Echo(lines, to_value, routes, to)
        transaction.tagged = True

    def attach(self, session: Session, dialog: Dialog) -> None:
        """The session lives in this dialog from now on."""
        if session.dialog is not None and session.dialog.key != dialog.key:
            self.dialogs.pop(session.dialog.key, None)
        session.dialog = dialog
        self.dialogs[dialog.key] = session

    def acknowledge(self, transaction: ClientTransaction, dialog: Dialog, to_tag: str, headers: Headers, sdp: str | None = None) -> None:
        """ACK a 2xx, and keep the ACK for its repeats (RFC 3261 13.2.2.4)."""
        outline = dialog.outline("ACK", self.branch(), transaction.outline.cseq)
        data = self.pen.request(outline, headers=headers, kind=SDP, body=(sdp or "").encode())
        transaction.acks[to_tag] = data, dialog.to
        self.say(data, dialog.to, transaction.session_id)

    def expect_soon(self, transaction: ClientTransaction) -> None:
        """A re-INVITE that got a 1xx is not waited for longer than one that got nothing: nobody has to come to this telephone."""
        if not transaction.alarms:
            self.walker.give_up_later(transaction)

    def withhold_ack(self, session: Session, transaction: ClientTransaction, to_tag: str) -> None:
        """The 2xx made an offer: its ACK waits until release_ack() brings our answer."""
        transaction.acks[to_tag] = None
        session.withheld = transaction

    def release_ack(self, session: Session, sdp: str | None) -> bool:
        """ACK what has been withheld; False where nothing has."""
        withheld, session.withheld = session.withheld, None
        if not isinstance(withheld, ClientTransaction) or session.dialog is None:
            return False
        session.offer(OfferEvent.ANSWER_SENT)
        if sdp is not None:
            sdp = session.described = session.origin.writes(sdp)
        self.acknowledge(withheld, session.dialog, session.dialog.key[2], credentials_of(session), sdp)
        return True

    def repeat_ack(self, session: Session, transaction: ClientTransaction, to_tag: str) -> None:
        """A repeat of a 2xx gets the ACK that the first one got, unless that still waits for our answer."""
        acked = transaction.acks[to_tag]
        if acked is not None:
            self.say(*acked, transaction.session_id)
        elif session.dialog is not None and self.sessions.get(session.id) is not session:
            # Forgotten while it waited: nobody will answer its offer any more.
            self.acknowledge(transaction, session.dialog, to_tag, credentials_of(session))
            self.ask(session.dialog.outline("BYE", self.branch()), session.dialog.to, Purpose.STRAY_BYE, session=session)

    def await_ack(self, session: Session, transaction: ServerTransaction) -> None:
        """Repeat a 200 until its ACK comes, on every transport, and hang up when it does not (RFC 3261 13.3.1.4)."""
        unacked = Unacked(transaction, transaction.cseq, self.timers.t1)
        session.unacked = unacked
        unacked.alarms.append(self.alarms.set(self.now + unacked.interval, partial(self._repeat_answer, unacked)))
        unacked.alarms.append(self.alarms.set(self.now + self.timers.limit, partial(self._miss_ack, session, unacked)))

    def do(self, session: Session, doing: tuple[SessionDo, ...]) -> None:
        """Carry out what the session's table says."""
        for order in doing:
            if order is SessionDo.SEND_BYE:
                self._send_bye(session)
            elif order is SessionDo.SEND_REFUSAL:
                if isinstance(session.invite, ServerTransaction):
                    self.reply(session.invite, 480, headers=session.farewell)
                self.fact(session, ByeAnswered(session.id, 480))
            else:
                self._send_cancel(session)
        if session.state is SessionState.GONE:
            self.drop(session)

    def lose(self, session: Session, status: int) -> None:
        """Hang up where this answer says that the peer knows nothing of the call."""
        doing = session.move_on(SessionEvent.LOST) if status in LOST else None
        if doing is not None:
            self.do(session, doing)

    def drop(self, session: Session) -> None:
        """The session is over: nobody finds its dialog any more."""
        session.rest()
        if session.dialog is not None:
            session.dialog.follow(DialogEvent.BYE)
            self.dialogs.pop(session.dialog.key, None)

    def abandon(self, transaction: ServerTransaction) -> None:
        """Forget an INVITE that has no final answer and will get none: its transaction has no timer that would end it."""
        if transaction.state is State.PROCEEDING:
            self._end(transaction)

    def refuse_reinvite(self, session: Session, status: int, headers: Headers = ()) -> bool:
        """Refuse the peer's open re-INVITE, if there is one: what was agreed before holds."""
        reinvite, session.reinvite = session.reinvite, None
        if not isinstance(reinvite, ServerTransaction):
            return False
        session.offer(OfferEvent.WITHDRAWN)
        self.reply(reinvite, status, headers=headers)
        return True

    def refuse_open(self, session: Session) -> None:
        """What the peer has asked and we have not answered ends with the call (RFC 3261 15.1.2)."""
        self.refuse_reinvite(session, 487)
        referral = session.referral
        if referral is not None and referral.move_on(ReferralEvent.REFUSE) and isinstance(referral.transaction, ServerTransaction):
            self.reply(referral.transaction, 487)

    def _send_bye(self, session: Session) -> None:
        dialog = session.dialog
        if dialog is None:
            return
        self.refuse_open(session)
        self.release_ack(session, None)
        session.rest()
        self.ask(dialog.outline("BYE", self.branch()), dialog.to, Purpose.BYE, session=session, headers=session.farewell)

    def _send_cancel(self, session: Session) -> None:
        invite = session.invite
        if not isinstance(invite, ClientTransaction):
            return
        self.ask(invite.outline._replace(method="CANCEL"), invite.to, Purpose.CANCEL, session=session, headers=session.farewell)
        # RFC 3261 9.1: a peer that answers the CANCEL but never the INVITE is not waited for longer.
        self.walker.give_up_later(invite)

    def _repeat_answer(self, unacked: Unacked) -> None:
        self.walker.walk(unacked.transaction, Event.SAY_SUCCESS)
        unacked.interval = min(unacked.interval * 2, self.timers.t2)
        unacked.alarms.append(self.alarms.set(self.now + unacked.interval, partial(self._repeat_answer, unacked)))

    def _miss_ack(self, session: Session, unacked: Unacked) -> None:
        unacked.rest()
        if session.unacked is unacked:
            session.unacked = None
        session.offer(OfferEvent.WITHDRAWN)
        doing = session.move_on(SessionEvent.ACK_MISSED)
        if doing is not None:
            self.fact(session, AckMissing(session.id))
            self.do(session, doing)

    def _tell(self, transaction: Transaction, event: Event, envelope: Envelope | None) -> None:
        if isinstance(transaction, ClientTransaction):
            self.on_response(transaction, event, envelope)
        elif isinstance(transaction, ServerTransaction):
            self.on_request(transaction, event, envelope)

    def _end(self, transaction: Transaction) -> None:
        if isinstance(transaction, ClientTransaction):
            self.clients.pop(transaction.key, None)
        elif isinstance(transaction, ServerTransaction):
            self.servers.pop(transaction.key, None)
            self.pending.pop(transaction.asked, None)
            session = transaction.session
            if session is not None and session.reinvite is transaction:
                # An UPDATE that nobody has answered: its sender has given up by now.
                session.reinvite = None
                session.offer(OfferEvent.WITHDRAWN)
            if transaction.merged is not None:
                self.merged.pop(transaction.merged, None)


def _said(transaction: ServerTransaction, status: int) -> Event:
    if status < 200:
        return Event.SAY_PROVISIONAL
    if transaction.moves is OTHER_SERVER_MOVES:
        return Event.SAY_FINAL
    return Event.SAY_SUCCESS if status < 300 else Event.SAY_FAILURE


def credentials_of(session: Session) -> Headers:
    """An ACK to a 2xx carries its INVITE's credentials (RFC 3261 13.2.2.4)."""
    called = session.called
    return [header for header in called.headers if header[0].lower() in _CREDENTIALS] if called and called.headers else ()


def _nobody(transaction: Transaction, event: Event, envelope: Envelope | None) -> None:
    """Before the agent is put together nobody listens."""
