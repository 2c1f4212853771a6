"""Provisional responses that are acknowledged (100rel and PRACK, RFC 3262), on both sides, without anybody's doing."""

from functools import partial

from offhook.sip.alarms import Alarm
from offhook.sip.bodies import sdp_of
from offhook.sip.core import ClientTransaction, Core, Purpose, ServerTransaction
from offhook.sip.dialogs import Dialog, DialogEvent
from offhook.sip.extensions import RELIABLE, has_option
from offhook.sip.facts import AckAnswered, ByeAnswered, PrackMissing
from offhook.sip.offers import OfferEvent, OfferState
from offhook.sip.refreshing import Refreshing
from offhook.sip.sessions import Early, Session, SessionEvent, SessionState
from offhook.sip.transactions import Event
from offhook.sip.wall import Envelope
from offhook.sip.writing import SDP, Headers

MOST_EARLY = 32
MOST_WAITING = 8
"""Provisionals kept back until the one before them is acknowledged; the oldest of more are left out."""

_RELIABLE: Headers = (("Require", RELIABLE),)
_HIGHEST = 2**31 - 1


class Reliable:
    """What an INVITE that allows or demands reliable provisionals has got. said is the description that a reliable one brought.

    held is an answer (description and headers) that waits for a PRACK; waiting are provisionals that do.
    """

    __slots__ = ("alarms", "data", "describes", "held", "interval", "open", "required", "rseq", "said", "waiting")

    def __init__(self, *, required: bool, rseq: int) -> None:
        self.required = required
        self.rseq = rseq
        self.open = False
        self.describes = False
        self.data = b""
        self.interval = 0.0
        self.alarms: list[Alarm] = []
        self.said: str | None = None
        self.held: tuple[str, Headers] | None = None
        self.waiting: list[tuple[int, str, str | None, Headers]] = []

    def rest(self) -> None:
        for alarm in self.alarms:
            alarm.cancel()
        self.alarms.clear()


class Provisionals:
    """Sends, repeats and hears reliable provisionals."""

    def __init__(self, core: Core, refreshing: Refreshing) -> None:
        self._core = core
        self._refreshing = refreshing

    # -- called

    def invited(self, session: Session, envelope: Envelope) -> None:
        """A call has come: see whether its caller knows of reliability, or demands it."""
        headers = envelope.message.headers
        required = has_option(headers, "Require", RELIABLE)
        if required or has_option(headers, "Supported", RELIABLE):
            # Any first number but 0, best by chance (RFC 3262 3).
            session.reliable = Reliable(required=required, rseq=int(self._core.dice() * (_HIGHEST // 2)))

    def ring(self, session: Session, status: int, reason: str, sdp: str | None, headers: Headers) -> None:
        """Send a provisional response, reliably where the caller demands it, or can do it and the response describes anything.

        A caller that demands it and made no offer gets none without a description: it would have to be our offer (RFC 3262 5).
        """
        reliable, invite = session.reliable, session.invite
        if not isinstance(invite, ServerTransaction):
            return
        asked = session.offers is OfferState.PEER_ASKED
        if not isinstance(reliable, Reliable) or not (reliable.required or (sdp is not None and not asked)):
            described = session.origin.writes(sdp).encode() if sdp is not None else b""
            self._core.reply(invite, status, reason, headers=headers, dialog=True, kind=SDP, body=described)
        elif asked and sdp is None:
            return
        elif reliable.open:
            reliable.waiting = [*reliable.waiting, (status, reason, sdp, headers)][-MOST_WAITING:]
        else:
            self._say(session, invite, reliable, status, reason, sdp, headers)

    def holds_back(self, session: Session) -> bool:
        """Whether a 2xx must wait: a description of ours is not yet acknowledged (RFC 3262 3)."""
        return isinstance(session.reliable, Reliable) and session.reliable.open and session.reliable.describes

    def hold(self, session: Session, sdp: str, headers: Headers) -> None:
        """Keep the answer until the PRACK comes."""
        if isinstance(session.reliable, Reliable):
            session.reliable.held = sdp, headers

    def answer(self, session: Session, sdp: str, headers: Headers) -> None:
        """Send the 200. A description that a reliable provisional has brought is not said again (RFC 3262 5)."""
        core, reliable, invite = self._core, session.reliable, session.invite
        if not isinstance(invite, ServerTransaction):
            return
        sdp, said = session.origin.writes(sdp), None
        if isinstance(reliable, Reliable):
            reliable.rest()
            reliable.waiting.clear()
            said = reliable.said
        if said is None:
            session.offer(OfferEvent.ANSWER_SENT)
        session.described = sdp
        if session.dialog is not None:
            session.dialog.follow(DialogEvent.SUCCESS)
        headers = (*headers, *self._refreshing.grants(session, invite))
        core.reply(invite, 200, headers=headers, dialog=True, kind=SDP, body=b"" if said == sdp else sdp.encode())
        core.await_ack(session, invite)

    def prack_came(self, session: Session, transaction: ServerTransaction, envelope: Envelope) -> None:
        """A PRACK: 200 where it names the provisional that waits for one, else 481."""
        core, reliable, invite = self._core, session.reliable, session.invite
        rack = (envelope.message.headers.get("RAck") or "").split()
        if not isinstance(reliable, Reliable) or not isinstance(invite, ServerTransaction) or not reliable.open:
            core.reply(transaction, 481)
            return
        if rack != [str(reliable.rseq), str(invite.cseq), "INVITE"]:
            core.reply(transaction, 481)
            return
        reliable.rest()
        reliable.open = False
        sdp = sdp_of(envelope)
        if session.offers is OfferState.ACK_AWAITED and reliable.describes:
            session.offer(OfferEvent.ANSWER_RECEIVED)
            core.reply(transaction, 200)
            core.fact(session, AckAnswered(session.id, sdp))
        else:
            # A second offer before the answer would need an answer in this 200: it may come again once the call is up.
            core.reply(transaction, 200 if sdp is None else 488)
        self._go_on(session, invite, reliable)

    def _go_on(self, session: Session, invite: ServerTransaction, reliable: Reliable) -> None:
        if session.state is SessionState.ANSWER_HELD and reliable.held is not None:
            session.move_on(SessionEvent.PRACK_CAME)
            self.answer(session, *reliable.held)
        elif session.state is SessionState.ARRIVED and reliable.waiting:
            self._say(session, invite, reliable, *reliable.waiting.pop(0))

    def _say(
        self, session: Session, invite: ServerTransaction, reliable: Reliable, status: int, reason: str, sdp: str | None, headers: Headers
    ) -> None:
        core = self._core
        reliable.rseq += 1
        if sdp is not None and reliable.said is None:
            session.offer(OfferEvent.ANSWER_SENT)
            sdp = reliable.said = session.described = session.origin.writes(sdp)
            reliable.describes = True
        else:
            # One description by each side (RFC 3261 13.2.1): what comes after it would be passed over.
            sdp, reliable.describes = None, False
        said = (*_RELIABLE, ("RSeq", str(reliable.rseq)), *headers)
        core.reply(invite, status, reason, headers=said, dialog=True, kind=SDP, body=(sdp or "").encode())
        reliable.open, reliable.data, reliable.interval = True, invite.sent, core.timers.t1
        reliable.alarms.append(core.alarms.set(core.now + reliable.interval, partial(self._repeat, session, invite, reliable)))
        reliable.alarms.append(core.alarms.set(core.now + core.timers.limit, partial(self._give_up, session, invite, reliable)))

    def _repeat(self, session: Session, invite: ServerTransaction, reliable: Reliable) -> None:
        core = self._core
        core.walker.walk(invite, Event.SAY_PROVISIONAL, say=reliable.data)
        reliable.interval *= 2
        reliable.alarms.append(core.alarms.set(core.now + reliable.interval, partial(self._repeat, session, invite, reliable)))

    def _give_up(self, session: Session, invite: ServerTransaction, reliable: Reliable) -> None:
        core = self._core
        reliable.rest()
        doing = session.move_on(SessionEvent.PRACK_MISSED)
        if doing is None:
            return
        core.reply(invite, 504)
        core.fact(session, PrackMissing(session.id))
        core.fact(session, ByeAnswered(session.id, 504))
        core.do(session, doing)

    # -- calling

    def heard(self, session: Session, transaction: ClientTransaction, envelope: Envelope) -> bool:
        """Acknowledge a reliable provisional; False where it is a repeat, or came before its turn, and tells nothing new."""
        headers, dialog, called = envelope.message.headers, session.dialog, session.called
        rseq = headers.get("RSeq")
        if rseq is None or dialog is None or not envelope.to_tag or not has_option(headers, "Require", RELIABLE):
            return True
        # We said that we can do it only where we made the offer; and a number has ten digits at most.
        if called is None or called.sdp is None or not (rseq.isascii() and rseq.isdigit() and len(rseq) <= 10):
            return True
        early = session.early.get(envelope.to_tag)
        if early is None:
            if len(session.early) >= MOST_EARLY:
                return False
            early = session.early[envelope.to_tag] = Early(dialog, int(rseq) - 1)
        if int(rseq) != early.rseq + 1:
            return False
        early.rseq += 1
        sdp = sdp_of(envelope)
        if sdp is not None and early.sdp is None:
            early.sdp = sdp
            session.offer(OfferEvent.ANSWER_RECEIVED)
        self._acknowledge(session, early.dialog, rseq, transaction.outline.cseq)
        return True

    def _acknowledge(self, session: Session, dialog: Dialog, rseq: str, cseq: int) -> None:
        outline = dialog.outline("PRACK", self._core.branch())
        self._core.ask(outline, dialog.to, Purpose.PRACK, session=session, headers=(("RAck", f"{rseq} {cseq} INVITE"),))
