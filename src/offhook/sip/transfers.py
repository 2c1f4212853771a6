"""REFER and NOTIFY in a call (RFC 3515, 4488): asked by the peer, or asked of it."""

import re

from sipmessage import Request

from offhook.sip.core import ClientTransaction, Core, Purpose, ServerTransaction
from offhook.sip.facts import NotifyReceived, ReferAnswered, ReferReceived
from offhook.sip.reading import parameter
from offhook.sip.reasons import REASONS
from offhook.sip.referrals import Referral, ReferralEvent, ReferralState, Subscription, SubscriptionEvent, SubscriptionState
from offhook.sip.referring import read_refer_to
from offhook.sip.sessions import Session, SessionState
from offhook.sip.wall import Envelope
from offhook.sip.writing import Headers, one_line

SIPFRAG = "message/sipfrag;version=2.0"
TOLD_SECONDS = 180
"""How long a subscription is said to last: a transfer that rings longer is told of to its end all the same."""

_EVENTS = (("Allow-Events", "refer"),)
_SILENT = (("Refer-Sub", "false"),)
_STATUS_LINE = re.compile(r"SIP/2\.0 ([1-6][0-9]{2})(?= |$)")


class Transfers:
    """What a REFER, and the NOTIFYs about it, mean for a session."""

    def __init__(self, core: Core) -> None:
        self._core = core

    # -- asked by the peer

    def refer_came(self, session: Session, transaction: ServerTransaction, envelope: Envelope) -> None:
        """A REFER: told as a fact, unless it cannot be read or comes at the wrong time."""
        core, request = self._core, envelope.message
        assert isinstance(request, Request)
        wanted = read_refer_to(request)
        if wanted is None:
            core.reply(transaction, 400, "Bad Refer-To header")
        elif session.state is not SessionState.UP:
            # No transfer before the answer; the ACK to it may still be on its way.
            core.put_off(transaction)
        elif session.referral is not None and session.referral.state is not ReferralState.OVER:
            core.reply(transaction, 491)
        else:
            # The first one's NOTIFYs need no number, and some telephones want none; the next ones must have it (RFC 3515 2.4.6).
            event = "refer" if session.referral is None else f"refer;id={envelope.sequence}"
            silent = (request.headers.get("Refer-Sub") or "").partition(";")[0].strip().lower() == "false"
            session.referral = Referral(transaction, event, silent=silent)
            session.referral.move_on(ReferralEvent.REFER_CAME)
            referred_by = request.headers.get("Referred-By")
            core.fact(session, ReferReceived(session.id, request, wanted.uri, wanted.replaces, referred_by))

    def subscribe_came(self, session: Session, transaction: ServerTransaction, envelope: Envelope) -> None:
        """Nothing can be subscribed to inside of a call but a REFER, and that by the REFER itself."""
        self._core.reply(transaction, 489, headers=_EVENTS)

    def accept(self, session: Session, referral: Referral) -> bool:
        """202 and the first NOTIFY; False where the REFER does not wait for it."""
        core = self._core
        if not referral.move_on(ReferralEvent.ACCEPT_SILENTLY if referral.silent else ReferralEvent.ACCEPT):
            return False
        referral.until = core.now + TOLD_SECONDS
        if isinstance(referral.transaction, ServerTransaction):
            core.reply(referral.transaction, 202, headers=_SILENT if referral.silent else (), dialog=True)
        if not referral.silent:
            self._notify(session, referral, 100, "", final=False)
        return True

    def notify(self, session: Session, referral: Referral, status: int, reason: str, *, final: bool) -> bool:
        """One more NOTIFY; False where none is wanted, or none any more."""
        if not referral.move_on(ReferralEvent.FINISH if final else ReferralEvent.NOTIFY):
            return False
        self._notify(session, referral, status, reason, final=final)
        return True

    def _notify(self, session: Session, referral: Referral, status: int, reason: str, *, final: bool) -> None:
        core, dialog = self._core, session.dialog
        if dialog is None:
            return
        seconds = max(1, round(referral.until - core.now))
        state = "terminated;reason=noresource" if final else f"active;expires={seconds}"
        headers = (("Event", referral.event), ("Subscription-State", state))
        body = f"SIP/2.0 {status} {one_line(reason) or REASONS.get(status, 'Unknown')}\r\n"
        # The subscription outlives the call in its dialog (RFC 5057 4.1), so this may follow a BYE.
        outline = dialog.outline("NOTIFY", core.branch())
        core.ask(outline, dialog.to, Purpose.NOTIFY, session=session, headers=headers, kind=SIPFRAG, body=body.encode())

    def notify_over(self, transaction: ClientTransaction, status: int, envelope: Envelope | None) -> None:
        """A NOTIFY that nobody takes ends the subscription and nothing else: the call is another matter (RFC 6665 4.2.2)."""
        session = transaction.session
        if session is not None and session.referral is not None and status >= 300:
            session.referral.move_on(ReferralEvent.UNWANTED)

    # -- asked of the peer

    def refer(self, session: Session, refer_to: str, headers: Headers) -> None:
        """Send the REFER."""
        core, dialog = self._core, session.dialog
        if dialog is None:
            return
        outline = dialog.outline("REFER", core.branch())
        session.subscription = Subscription(outline.cseq)
        session.subscription.move_on(SubscriptionEvent.REFER)
        where = refer_to if "<" in refer_to else f"<{refer_to}>"
        core.ask(outline, dialog.to, Purpose.REFER, session=session, headers=(("Refer-To", where), *headers))

    def refer_over(self, transaction: ClientTransaction, status: int, envelope: Envelope | None) -> None:
        """The final answer to our REFER."""
        session = transaction.session
        if session is None or status < 200:
            return
        subscription = session.subscription
        if subscription is not None and subscription.number == transaction.outline.cseq:
            silent = envelope is not None and (envelope.message.headers.get("Refer-Sub") or "").strip().lower().startswith("false")
            subscription.move_on(SubscriptionEvent.ACCEPTED if status < 300 and not silent else SubscriptionEvent.REFUSED)
        self._core.fact(session, ReferAnswered(session.id, status))

    def notify_came(self, session: Session, transaction: ServerTransaction, envelope: Envelope) -> None:
        """A NOTIFY in the call: of our REFER, or of nothing we have asked for (RFC 6665 4.1.3)."""
        core, headers = self._core, envelope.message.headers
        event = headers.get("Event") or ""
        name, _, parameters = event.partition(";")
        number = parameter(";" + parameters, "id") if parameters else None
        subscription = session.subscription
        known = (
            subscription is not None
            and name.strip().lower() == "refer"
            and number in (None, str(subscription.number))
            and subscription.state is not SubscriptionState.OVER
        )
        if subscription is None or not known:
            core.reply(transaction, 481)
            return
        core.reply(transaction, 200)
        final = (headers.get("Subscription-State") or "").strip().lower().startswith("terminated")
        subscription.move_on(SubscriptionEvent.FINAL_CAME if final else SubscriptionEvent.NOTIFY_CAME)
        line = _STATUS_LINE.match(envelope.message.body[:64].decode("ascii", "replace").lstrip())
        core.fact(session, NotifyReceived(session.id, event, int(line[1]) if line else None, final))
