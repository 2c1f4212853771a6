"""The user agent: sans-I/O, used by the switch (UDP) and by the software telephone (UDP or TCP).

Give it each message that comes, each order, and the time when next_due() says so; put every Send it gives out on the wire, and act on
its facts. Time is any clock that only goes forward, in seconds. Headers are (name, value) pairs written as they are.
"""

from collections.abc import Callable, Sequence

from sipmessage import Response

from offhook.sip.addresses import Address
from offhook.sip.called import Called
from offhook.sip.calling import Calling
from offhook.sip.core import COOKIE, ClientTransaction, Core, Purpose, ServerTransaction
from offhook.sip.dialogs import DialogEvent
from offhook.sip.facts import Heard, Output, SessionId
from offhook.sip.offers import OfferEvent, OfferState
from offhook.sip.reading import tag_in
from offhook.sip.sessions import Called as Order
from offhook.sip.sessions import Session, SessionEvent, SessionRefuses, SessionState
from offhook.sip.timers import Timers
from offhook.sip.transactions import OTHER_CLIENT_MOVES, Event
from offhook.sip.wall import Envelope, Malformed, open_envelope
from offhook.sip.writing import SDP, Headers, Outline, one_line

__all__ = ["Agent", "SessionRefuses", "SessionState"]

DEFAULT_TIMERS = Timers()


class Agent:
    """A SIP user agent without sockets and clocks. An order that is not possible in the session's state raises SessionRefuses."""

    def __init__(
        self,
        *,
        local: Address,
        user_agent: str,
        tokens: Callable[[], str],
        timers: Timers = DEFAULT_TIMERS,
        reliable: bool = False,
        contact_user: str = "",
    ) -> None:
        """tokens gives a new unguessable word at each call, of letters and digits: tags, branches, Call-IDs and session ids are made of it.

        local is what our Via and Contact say; reliable means TCP.
        """
        self._core = Core(local=local, user_agent=user_agent, tokens=tokens, timers=timers, reliable=reliable, user=contact_user)
        self._calling = Calling(self._core)
        self._called = Called(self._core)
        self._host = local.host

    # -- what comes in

    def receive(self, data: bytes, source: Address, now: float) -> list[Output]:
        """One whole message, a datagram or one framed from a stream; never raises, whatever it is."""
        core = self._core
        core.begin(now)
        envelope = open_envelope(data, source)
        if isinstance(envelope, Malformed):
            if envelope.answer is not None:
                core.say(envelope.answer, source, None)
            return core.take()
        if isinstance(envelope.message, Response):
            self._receive_response(envelope, envelope.message.code)
        else:
            self._receive_request(envelope)
        return [Heard(core.heard, data, source), *core.take()]

    def tick(self, now: float) -> list[Output]:
        """Let all timers ring that are due."""
        self._core.begin(now)
        self._core.alarms.ring_due(now)
        return self._core.take()

    def next_due(self) -> float | None:
        """When tick() is wanted next, or None while no timer runs."""
        return self._core.alarms.next_due()

    def undeliverable(self, to: Address, now: float) -> list[Output]:
        """Nothing can be sent to this address (connection closed, ICMP): our open requests to it end with 503 (RFC 3261 17.1.4)."""
        self._core.begin(now)
        for transaction in [open_one for open_one in self._core.clients.values() if open_one.to == to]:
            self._core.walker.walk(transaction, Event.UNDELIVERABLE)
        return self._core.take()

    def state(self, session: SessionId) -> SessionState:
        """Where a session stands; GONE for one that is not known."""
        found = self._core.sessions.get(session)
        return found.state if found else SessionState.GONE

    def _receive_response(self, envelope: Envelope, status: int) -> None:
        core = self._core
        transaction = core.clients.get((envelope.branch, envelope.method))
        # A response whose Via is not ours went astray (RFC 3261 18.1.2).
        if transaction is None or envelope.sent_by != core.pen.sent_by or envelope.call_id != transaction.outline.call_id:
            return
        core.heard = transaction.session_id
        core.walker.walk(transaction, self._came(transaction, envelope, status), envelope)

    def _came(self, transaction: ClientTransaction, envelope: Envelope, status: int) -> Event:
        if status < 200:
            return Event.PROVISIONAL
        if transaction.moves is OTHER_CLIENT_MOVES:
            return Event.FINAL
        if status < 300:
            return Event.SUCCESS
        outline = transaction.outline._replace(method="ACK", to_value=envelope.message.headers["To"])
        transaction.ack = self._core.pen.request(outline)
        return Event.FAILURE

    def _receive_request(self, envelope: Envelope) -> None:
        core = self._core
        method = "INVITE" if envelope.method == "ACK" else envelope.method
        branch = envelope.branch
        if not branch.startswith(COOKIE):
            # RFC 2543 branches are not unique: the transaction is known by what its messages share (RFC 3261 17.2.3).
            branch = f"{envelope.call_id} {envelope.from_tag} {envelope.sequence} {branch}"
        key = (branch, envelope.sent_by, method)
        transaction = core.servers.get(key)
        if transaction is not None:
            core.heard = transaction.session_id
            core.walker.walk(transaction, Event.ACK if envelope.method == "ACK" else Event.REQUEST, envelope)
        elif envelope.method == "ACK":
            self._called.acknowledged(envelope)
        else:
            core.open_server(key, envelope)

    # -- calling

    def invite(
        self,
        session: SessionId,
        *,
        request_uri: str,
        from_header: str,
        to_header: str,
        destination: Address,
        sdp: str | None,
        now: float,
        routes: Sequence[str] = (),
        headers: Headers = (),
        call_id: str | None = None,
    ) -> list[Output]:
        """Call somebody, as a new session of this name. from_header needs no tag; routes are whole Route values, the nearest first."""
        core = self._core
        if session in core.sessions:
            raise SessionRefuses(session, SessionEvent.INVITE, core.sessions[session].state)
        core.begin(now)
        opened = core.sessions[session] = Session(session)
        opened.obey(SessionEvent.INVITE)
        from_value, tag = self._tagged(from_header)
        opened.called = Order(
            uri=one_line(request_uri),
            from_value=from_value,
            to_value=one_line(to_header),
            destination=destination,
            sdp=sdp,
            routes=tuple(routes),
            headers=tuple(headers),
            call_id=call_id or f"{core.tokens()}@{self._host}",
            local_tag=tag,
        )
        self._send_invite(opened, opened.called)
        return core.take()

    def invite_again(self, session: SessionId, *, headers: Headers, now: float) -> list[Output]:
        """Call again with credentials after 401 or 407: same Call-ID and From tag, the next CSeq (RFC 3261 22.2).

        headers come in place of the first INVITE's headers of the same names.
        """
        found = self._session(session, SessionEvent.INVITE_AGAIN)
        called = found.called
        found.obey(SessionEvent.INVITE_AGAIN)
        if called is None:
            raise SessionRefuses(session, SessionEvent.INVITE_AGAIN, found.state)
        self._core.begin(now)
        names = {name.lower() for name, _ in headers}
        kept = tuple(header for header in called.headers if header[0].lower() not in names)
        found.called = called._replace(headers=(*kept, *headers))
        self._send_invite(found, found.called)
        return self._core.take()

    def cancel(self, session: SessionId, *, now: float, headers: Headers = ()) -> list[Output]:
        """Stop calling. Before any provisional it waits for one (RFC 3261 9.1).

        Ends with RefusalReceived (487 mostly), or with ByeAnswered where a 200 came all the same.
        """
        return self._order(session, SessionEvent.CANCEL, now, headers)

    # -- being called

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

    # -- in a session

    def bye(self, session: SessionId, *, now: float, headers: Headers = ()) -> list[Output]:
        """Hang up. Before the ACK to our 200 it waits for that (RFC 3261 15). Ends with ByeAnswered."""
        return self._order(session, SessionEvent.BYE, now, headers)

    def reoffer(self, session: SessionId, *, sdp: str, now: float) -> list[Output]:
        """Offer anew (re-INVITE); refused while an offer of either side is open. Ends with ReofferAnswered or ReofferRefused.

        After a ReofferRefused with 491 try again 2.1-4 s later where we called, 0-2 s later where we were called (RFC 3261 14.1).
        """
        found = self._session(session, SessionEvent.REOFFER)
        dialog = found.dialog
        if dialog is None or found.offers is not OfferState.STABLE or found.unacked is not None:
            raise SessionRefuses(session, SessionEvent.REOFFER, found.state)
        found.obey(SessionEvent.REOFFER)
        self._core.begin(now)
        found.offer(OfferEvent.OFFER_SENT)
        outline = dialog.outline("INVITE", self._core.branch())
        self._core.ask(outline, dialog.to, Purpose.REINVITE, session=found, kind=SDP, body=sdp.encode())
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

    def forget(self, session: SessionId) -> None:
        """Drop a session, whatever its state: no fact of it comes any more. What is on its way is still acknowledged and repeated.

        Nothing is sent for it: cancel, refuse or hang up first. A call that is answered after all is hung up.
        """
        found = self._core.sessions.pop(session, None)
        if found is None:
            return
        self._core.drop(found)
        if isinstance(found.invite, ClientTransaction):
            # Nobody will cancel it any more, and a peer may ring for ever.
            self._core.walker.give_up_later(found.invite)
        elif isinstance(found.invite, ServerTransaction):
            self._core.abandon(found.invite)

    # -- outside sessions

    def request(
        self,
        key: str,
        *,
        method: str,
        request_uri: str,
        from_header: str,
        to_header: str,
        destination: Address,
        now: float,
        routes: Sequence[str] = (),
        headers: Headers = (),
        body: bytes = b"",
        call_id: str | None = None,
        cseq: int | None = None,
    ) -> list[Output]:
        """A request outside sessions: REGISTER, OPTIONS, MESSAGE. Ends with ResponseReceived(key).

        A body needs its Content-Type among the headers. call_id and cseq keep the registrations of one telephone in order.
        """
        core = self._core
        core.begin(now)
        outline = Outline(
            method=method,
            uri=one_line(request_uri),
            from_value=self._tagged(from_header)[0],
            to_value=one_line(to_header),
            call_id=call_id or f"{core.tokens()}@{self._host}",
            cseq=1 if cseq is None else cseq,
            branch=core.branch(),
            routes=tuple(routes),
        )
        core.ask(outline, destination, Purpose.OUTSIDE, asked=key, headers=headers, body=body)
        return core.take()

    def respond(self, key: str, *, status: int, now: float, reason: str = "", headers: Headers = (), body: bytes = b"") -> list[Output]:
        """Answer a RequestReceived, provisionally or finally; raises SessionRefuses once it has been answered or given up."""
        core = self._core
        transaction = core.pending.get(key)
        if transaction is None:
            raise SessionRefuses(key, "respond", SessionState.GONE)
        core.begin(now)
        core.reply(transaction, status, reason, headers=headers, body=body)
        if status >= 200:
            core.pending.pop(key, None)
        return core.take()

    # -- inside

    def _session(self, session: SessionId, order: SessionEvent) -> Session:
        found = self._core.sessions.get(session)
        if found is None:
            raise SessionRefuses(session, order, SessionState.GONE)
        return found

    def _begin(self, session: SessionId, order: SessionEvent, now: float) -> Session:
        found = self._session(session, order)
        found.obey(order)
        self._core.begin(now)
        return found

    def _order(self, session: SessionId, order: SessionEvent, now: float, farewell: Headers) -> list[Output]:
        """An order whose message the table sends, at once or later, with these headers."""
        found = self._session(session, order)
        doing = found.obey(order)
        found.farewell = tuple(farewell)
        self._core.begin(now)
        self._core.do(found, doing)
        return self._core.take()

    def _reinvited(self, session: SessionId, order: SessionEvent, now: float) -> tuple[Session, ServerTransaction]:
        found = self._session(session, order)
        reinvite = found.reinvite
        if not isinstance(reinvite, ServerTransaction):
            raise SessionRefuses(session, order, found.state)
        return self._begin(session, order, now), reinvite

    def _send_invite(self, session: Session, called: Order) -> None:
        core = self._core
        session.last_cseq += 1
        session.offer(OfferEvent.OFFER_SENT if called.sdp is not None else OfferEvent.ASKED)
        outline = Outline(
            "INVITE", called.uri, called.from_value, called.to_value, called.call_id, session.last_cseq, core.branch(), called.routes
        )
        session.invite = core.ask(
            outline, called.destination, Purpose.INVITE, session=session, headers=called.headers, kind=SDP, body=(called.sdp or "").encode()
        )

    def _reply(self, session: Session, status: int, reason: str, headers: Headers, sdp: str | None, *, dialog: bool) -> None:
        if isinstance(session.invite, ServerTransaction):
            self._core.reply(session.invite, status, reason, headers=headers, dialog=dialog, kind=SDP, body=(sdp or "").encode())

    def _tagged(self, from_header: str) -> tuple[str, str]:
        """A From value with a tag, and the tag."""
        value = one_line(from_header)
        tag = tag_in(value)
        if tag:
            return value, tag
        tag = self._core.tokens()
        return f"{value};tag={tag}", tag
