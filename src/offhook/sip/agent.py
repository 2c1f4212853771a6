"""The user agent: sans-I/O, used by the switch (UDP) and by the software telephone (UDP or TCP).

Give it each message that comes, each order, and the time when next_due() says so; put every Send it gives out on the wire, and act on
its facts. Time is any clock that only goes forward, in seconds. Headers are (name, value) pairs written as they are.
"""

from collections.abc import Callable
from random import random

from sipmessage import Response

from offhook.sip.addresses import Address
from offhook.sip.called import Called
from offhook.sip.calling import Calling
from offhook.sip.core import COOKIE, ClientTransaction, Core, ServerTransaction
from offhook.sip.extensions import SPOKEN, TIMER
from offhook.sip.facts import Heard, Output, SessionId
from offhook.sip.orders_called import CalledOrders
from offhook.sip.orders_calling import CallingOrders
from offhook.sip.orders_outside import OutsideOrders
from offhook.sip.orders_talking import TalkingOrders
from offhook.sip.orders_transfer import TransferOrders
from offhook.sip.provisionals import Provisionals
from offhook.sip.refreshing import Refreshing
from offhook.sip.reoffers import Reoffers
from offhook.sip.session_timers import SessionTimers
from offhook.sip.sessions import SessionRefuses, SessionState
from offhook.sip.timers import Timers
from offhook.sip.transactions import OTHER_CLIENT_MOVES, Event
from offhook.sip.transfers import Transfers
from offhook.sip.wall import Envelope, Malformed, open_envelope
from offhook.sip.writing import Headers

__all__ = ["Agent", "SessionRefuses", "SessionState"]

DEFAULT_TIMERS = Timers()


class Agent(CallingOrders, CalledOrders, TalkingOrders, TransferOrders, OutsideOrders):
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
        dice: Callable[[], float] = random,
        session_timers: SessionTimers | None = None,
    ) -> None:
        """tokens gives a new unguessable word at each call, of letters and digits: tags, branches, Call-IDs and session ids are made of it.

        local is what our Via and Contact say; reliable means TCP. dice gives a number from 0 to below 1: pauses, first RSeqs and what
        a session is called in its descriptions are made of it. session_timers: calls are refreshed, and hung up where the peer is dead
        (RFC 4028); None leaves them alone.
        """
        spoken = [option for option in SPOKEN if option != TIMER or session_timers is not None]
        self._core = Core(
            local=local,
            user_agent=user_agent,
            tokens=tokens,
            dice=dice,
            timers=timers,
            reliable=reliable,
            user=contact_user,
            spoken=spoken,
        )
        self._transfers = Transfers(self._core)
        self._refreshing = Refreshing(self._core, session_timers)
        self._reoffers = Reoffers(self._core, self._refreshing)
        self._provisionals = Provisionals(self._core, self._refreshing)
        self._calling = Calling(self._core, self._reoffers, self._provisionals, self._refreshing, self._transfers)
        self._called = Called(self._core, self._reoffers, self._provisionals, self._refreshing, self._transfers)

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

    @property
    def capabilities(self) -> Headers:
        """What the answer to an OPTIONS says that we can do (RFC 3261 11.2)."""
        return self._core.capabilities

    def state(self, session: SessionId) -> SessionState:
        """Where a session stands; GONE for one that is not known."""
        found = self._core.sessions.get(session)
        return found.state if found else SessionState.GONE

    def session_of(self, call_id: str, local_tag: str, remote_tag: str) -> SessionId | None:
        """The session that lives in this dialog, early or up; None where there is none. A Replaces has our tag as its to-tag."""
        found = self._core.dialogs.get((call_id, local_tag, remote_tag))
        return found.id if found else None

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
        if isinstance(found.reinvite, ServerTransaction):
            self._core.abandon(found.reinvite)
        # Transactions know their session too: apart, all go as soon as they are over, not when the garbage collector comes one day.
        found.invite = found.reinvite = found.withheld = found.referral = None
