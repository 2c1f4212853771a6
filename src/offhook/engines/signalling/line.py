"""The switch's line to the edge: SIP over one UDP socket, spoken with the edge's inner listener and nobody else."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any
from urllib.parse import quote

from offhook.domain.calls.commands import InviteLeg
from offhook.domain.calls.endings import Ending
from offhook.domain.calls.events import (
    CallArrived,
    LegCancelled,
    LegRefused,
    Moment,
    TransferAsked,
)
from offhook.domain.calls.ids import CallId, LegId, call_of, leg_id
from offhook.engines.signalling.asking import Asking
from offhook.engines.signalling.diversions import diverted_in
from offhook.engines.signalling.reading import DTMF_RELAY, caller_of, description_of, dialled_in, hops_of, shape_of, user_of
from offhook.engines.signalling.replacing import answered_too_early, status_of_replacing
from offhook.engines.signalling.showing import cancel_reason, our_offer, reason_of, refusal_of, shown_as
from offhook.engines.signalling.telling import HUNG_UP_BY_THE_AGENT, OVER, TELLS
from offhook.engines.signalling.wire import EdgeWire
from offhook.services.ports.signalling import Deliver, Observe, SignallingRefused
from offhook.sip.addresses import Address
from offhook.sip.agent import Agent, SessionRefuses
from offhook.sip.facts import (
    AnswerReceived,
    ByeAnswered,
    ByeReceived,
    Heard,
    InviteReceived,
    Output,
    ReferReceived,
    RefusalReceived,
    RequestReceived,
    ResponseReceived,
    Send,
    SessionId,
)
from offhook.sip.notes import CalledNote, CallingNote, DialogNote
from offhook.sip.referring import Replaces
from offhook.sip.session_timers import SessionTimers
from offhook.sip.transfers import TOLD_SECONDS
from offhook.sip.writing import ALLOW, MAX_FORWARDS, Headers

log = logging.getLogger(__name__)

FAREWELL_SECONDS = 1.0
"""How long the last messages of a leg that is over (the 200 to its BYE, the ACK to a refusal) are still told as its own."""

_NOTES: Mapping[str, type] = {each.__name__: each for each in (DialogNote, CallingNote, CalledNote)}
_NOTED = {note: tuple(each.name for each in fields(note)) for note in _NOTES.values()}


@dataclass(slots=True)
class _Dialogue:
    """What is known of a leg: who called whom, whether it was answered, and whether its end has been ordered or told."""

    leg: LegId
    session: SessionId
    incoming: bool
    hops: int = MAX_FORWARDS
    answered: bool = False
    ending: bool = False


class EdgeLine:
    """Implements services.ports.signalling.Signalling. Facts go to `deliver`, every message of a leg to `observe`."""

    def __init__(
        self,
        *,
        local: Address,
        edge: Address,
        address: str = "127.0.0.1",
        deliver: Deliver,
        observe: Observe,
        new_call: Callable[[], CallId],
        tokens: Callable[[], str],
        follows_redirects: bool = True,
        offers_srtp: bool = True,
        session_timers: SessionTimers | None = None,
    ) -> None:
        """`address`: ours as carriers know it. `follows_redirects`: where a telephone sends its callers (3xx) is told; else it has only
        refused.

        `offers_srtp`: a caller who asks for our offer over TLS is offered secure sound.
        """
        self._follows_redirects, self._offers_srtp = follows_redirects, offers_srtp
        self._edge, self._deliver, self._observe, self._new_call = edge, deliver, observe, new_call
        self._agent = Agent(local=local, user_agent="Offhook", tokens=tokens, contact_user="switch", session_timers=session_timers)
        self._wire = EdgeWire(local, edge, self._hear, self._ring)
        self._route = f"<sip:{edge.host}:{edge.port};lr>"
        self._dialogues: dict[LegId, _Dialogue] = {}
        self._legs: dict[SessionId, LegId] = {}
        self._awaiting: dict[LegId, tuple[SessionId, asyncio.TimerHandle]] = {}
        self._farewells: deque[tuple[float, SessionId]] = deque()
        self._asking = Asking(self._agent, edge, self._route, address, self._act)

    async def open(self) -> None:
        """Bind the socket. Raises OSError when the port is taken."""
        await self._wire.open()

    def filled(self) -> float:
        """The share of the receive buffer that waits for us to read it; see EdgeWire.filled."""
        return self._wire.filled()

    @property
    def strangers(self) -> int:
        """How many datagrams came from others than the edge."""
        return self._wire.strangers

    def close(self) -> None:
        """Let go of the socket; nothing is said to anybody."""
        self._wire.close()

    def _hear(self, data: bytes) -> None:
        self._act(self._agent.receive(data, self._edge, time.monotonic()))

    def _act(self, outputs: list[Output]) -> None:
        try:
            self._carry(outputs)
        finally:
            # A mistake about one message must not stop the repeats and timeouts of all the others.
            self._wind()

    def _carry(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, InviteReceived):
                # The call comes first, so that its INVITE and the 100 to it stand in its ladder too.
                self._admit(output)
        for output in outputs:
            if isinstance(output, Send):
                # To the edge whatever a dialog's route set says: a telephone that leaves Record-Route out of its answer must not
                # make the switch write to an address of its choice.
                self._wire.send(output.data)
                self._note(output.session, "out", output.data)
            elif isinstance(output, Heard):
                self._note(output.session, "in", output.data)
            elif isinstance(output, RequestReceived):
                # The edge asks for signs of life. The rest (MESSAGE, SUBSCRIBE...) is known and not taken (RFC 3261 section 8.2.1).
                alive = output.request.method == "OPTIONS"
                headers: Headers = self._agent.capabilities if alive else (ALLOW,)
                self._act(self._agent.respond(output.key, status=200 if alive else 405, headers=headers, now=time.monotonic()))
            elif isinstance(output, ResponseReceived):
                self._asking.came(output)
            elif not isinstance(output, InviteReceived):
                self._happened(output)

    def _wind(self) -> None:
        due = self._agent.next_due()
        if self._farewells and (due is None or self._farewells[0][0] < due):
            due = self._farewells[0][0]
        self._wire.wind(due)

    def _ring(self) -> None:
        now = time.monotonic()
        while self._farewells and self._farewells[0][0] <= now:
            self._legs.pop(self._farewells.popleft()[1], None)
        self._act(self._agent.tick(now))

    def _note(self, session: SessionId | None, direction: str, data: bytes) -> None:
        leg = self._legs.get(session) if session is not None else None
        if leg is not None:
            self._observe(leg, time.time(), direction, data)

    def _admit(self, fact: InviteReceived) -> None:
        status = status_of_replacing(fact.request, self._named_by)
        if status:
            log.info("An INVITE with Replaces (%s) was refused with %d", fact.request.headers.get("Call-ID"), status)
            self._act(self._agent.refuse(fact.session, status=status, now=time.monotonic()))
            self._agent.forget(fact.session)
            return
        leg = leg_id(self._new_call(), 0)
        self._dialogues[leg] = _Dialogue(leg, fact.session, incoming=True, hops=hops_of(fact.request))
        self._legs[fact.session] = leg
        caller = caller_of(fact.request)
        # Who offers nothing asks what we offer (RFC 3261 section 13.2.1): he is taken to speak all that we do until he says otherwise.
        description = description_of(our_offer(shape_of(caller, offers_srtp=self._offers_srtp)) if fact.sdp is None else fact.sdp)
        request = fact.request
        self._deliver(CallArrived(_now(), leg, caller, dialled_in(request), description, diverted_in(request)))

    def _named_by(self, wanted: Replaces) -> _Dialogue | None:
        # Of the two tags of a dialog with us, "to" is ours: the telephone names it as it sees it (RFC 3891 section 3).
        session = self._agent.session_of(wanted.call_id, wanted.to_tag, wanted.from_tag)
        leg = self._legs.get(session) if session is not None else None
        return self._dialogues.get(leg) if leg is not None else None

    def _happened(self, fact: Any) -> None:
        leg = self._legs.get(getattr(fact, "session", ""))
        dialogue = self._dialogues.get(leg) if leg is not None else None
        if leg is None or dialogue is None:
            return
        kind = type(fact)
        if kind is ReferReceived:
            self._transfer_asked(leg, fact)
            return
        tells = TELLS.get(kind)
        event = tells(_now(), leg, fact) if tells is not None else None
        if kind in OVER:
            self._over(leg)
        if kind is AnswerReceived:
            dialogue.answered = True
        elif kind is ByeReceived and not dialogue.answered:
            # A caller may end an unanswered call with BYE as well as with CANCEL (RFC 3261 section 15).
            event = LegCancelled(_now(), leg)
        elif kind is ByeAnswered and dialogue.ending:
            return
        elif kind is RefusalReceived and not self._follows_redirects:
            event = LegRefused(_now(), leg, fact.status, fact.reason)
        elif kind in HUNG_UP_BY_THE_AGENT:
            dialogue.ending = True
        if event is not None:
            self._deliver(event)

    def _transfer_asked(self, leg: LegId, fact: ReferReceived) -> None:
        replaced: _Dialogue | None = None
        if fact.replaces is not None:
            replaced = self._named_by(fact.replaces)
            if replaced is None or answered_too_early(fact.replaces, replaced):
                self._order(leg, self._agent.refuse_refer, status=481 if replaced is None else 486)
                return
        dialled = user_of(fact.refer_to)
        if not dialled and replaced is None:
            self._order(leg, self._agent.refuse_refer, status=400)
            return
        self._deliver(TransferAsked(_now(), leg, dialled, replaced.leg if replaced is not None else None))

    def _over(self, leg: LegId) -> None:
        dialogue = self._dialogues.pop(leg, None)
        if dialogue is None:
            return
        if not dialogue.ending and self._agent.is_telling(dialogue.session):
            # Who hangs up after a REFER is still to be told what came of it: that outlives the call (RFC 5057 section 4.1).
            later = asyncio.get_running_loop().call_later(TOLD_SECONDS, self._told, leg)
            self._awaiting[leg] = dialogue.session, later
            return
        self._forget(dialogue.session)

    def _told(self, leg: LegId) -> None:
        """A telephone that had hung up knows what came of its transfer, or has waited for long enough."""
        session, later = self._awaiting.pop(leg)
        later.cancel()
        self._forget(session)

    def _forget(self, session: SessionId) -> None:
        self._agent.forget(session)
        self._farewells.append((time.monotonic() + FAREWELL_SECONDS, session))
        self._wind()

    def _order(self, leg: LegId, order: Callable[..., list[Output]], **details: Any) -> None:
        dialogue = self._dialogues.get(leg)
        if dialogue is None:
            raise SignallingRefused(f"leg {leg} is over")
        self._give(dialogue.session, order, **details)

    def _give(self, session: SessionId, order: Callable[..., list[Output]], **details: Any) -> None:
        try:
            outputs = order(session, now=time.monotonic(), **details)
        except SessionRefuses as refusal:
            raise SignallingRefused(str(refusal)) from refusal
        self._act(outputs)

    def invite(self, order: InviteLeg) -> None:
        """See the port."""
        leg = order.leg
        if leg in self._dialogues:
            raise SignallingRefused(f"leg {leg} is called already")
        caller = self._dialogues.get(leg_id(call_of(leg), 0))
        # A call that goes round between us and others must end some day: what it may still pass is handed on (RFC 7332).
        hops = caller.hops - 1 if caller is not None else MAX_FORWARDS
        if hops < 1:
            raise SignallingRefused(f"leg {leg} is not called: the call went round too often (Max-Forwards)")
        self._dialogues[leg] = _Dialogue(leg, leg, incoming=False)
        self._legs[leg] = leg
        shown, headers = shown_as(order)
        self._order(
            leg,
            self._agent.invite,
            request_uri=order.uri,
            from_header=shown,
            to_header=f"<sip:{quote(order.to, safe='+')}@{order.domain}>",
            destination=self._edge,
            sdp=order.sdp,
            routes=(self._route,),
            headers=(("Max-Forwards", str(hops)), *headers),
        )

    def ring(self, leg: LegId) -> None:
        """See the port."""
        self._order(leg, self._agent.ring)

    def progress(self, leg: LegId, sdp: str) -> None:
        """See the port."""
        self._order(leg, self._agent.ring, status=183, sdp=sdp)

    def answer(self, leg: LegId, sdp: str) -> None:
        """See the port."""
        self._order(leg, self._agent.answer, sdp=sdp)
        self._dialogues[leg].answered = True

    def end(self, leg: LegId, ending: Ending) -> None:
        """See the port. The Reason header (RFC 3326) lets a telephone say "answered elsewhere" and not "missed call"."""
        dialogue = self._dialogues.get(leg)
        if dialogue is None or dialogue.ending:
            return
        dialogue.ending = True
        if dialogue.answered:
            self._order(leg, self._agent.bye, headers=(reason_of(ending),))
        elif dialogue.incoming:
            self._order(leg, self._agent.refuse, **refusal_of(ending))
            self._over(leg)
        else:
            self._order(leg, self._agent.cancel, headers=(cancel_reason(ending),))

    def remembered(self, leg: LegId) -> dict[str, Any] | None:
        """See the port."""
        dialogue = self._dialogues.get(leg)
        note = self._agent.noted(dialogue.session) if dialogue is not None else None
        if note is None:
            return None
        return {"kind": type(note).__name__, **{name: getattr(note, name) for name in _NOTED[type(note)]}}

    def farewell(self, note: Mapping[str, Any], ending: Ending) -> None:
        """See the port. Raises TypeError or KeyError for a note that another version of this program wrote."""
        # One without a kind is of a time when there was but one.
        values, now = dict(note), time.monotonic()
        match _NOTES[values.pop("kind", DialogNote.__name__)](**values):
            case CallingNote() as calling:
                self._act(self._agent.cancel_for(calling, (cancel_reason(ending),), now))
            case CalledNote() as called:
                self._act(self._agent.refuse_for(called, **refusal_of(ending), now=now))
            case talking:
                self._act(self._agent.bye_for(talking, (reason_of(ending),), now))

    def accept_reoffer(self, leg: LegId, sdp: str) -> None:
        """See the port."""
        self._order(leg, self._agent.accept_reoffer, sdp=sdp)

    def refuse_reoffer(self, leg: LegId, status: int) -> None:
        """See the port."""
        self._order(leg, self._agent.refuse_reoffer, status=status)

    def reoffer(self, leg: LegId, sdp: str) -> None:
        """See the port."""
        self._order(leg, self._agent.reoffer, sdp=sdp)

    def accept_transfer(self, leg: LegId) -> None:
        """See the port."""
        self._order(leg, self._agent.accept_refer)

    def refuse_transfer(self, leg: LegId, status: int) -> None:
        """See the port."""
        self._order(leg, self._agent.refuse_refer, status=status)

    def tell_transfer(self, leg: LegId, status: int, words: str, final: bool) -> None:
        """See the port."""
        dialogue, awaiting = self._dialogues.get(leg), self._awaiting.get(leg)
        session = dialogue.session if dialogue is not None else awaiting[0] if awaiting is not None else None
        if session is None:
            return
        self._give(session, self._agent.notify_refer, status=status, reason=words, final=final)
        if final and awaiting is not None:
            self._told(leg)

    async def ask(self, uri: str) -> int | None:
        """See the port."""
        return await self._asking.ask(uri)

    def send_digit(self, leg: LegId, digit: str) -> None:
        """See the port."""
        body = f"Signal={digit}\r\nDuration=160\r\n".encode()
        self._order(leg, self._agent.info, content_type=DTMF_RELAY, body=body)


def _now() -> Moment:
    return Moment(time.time(), time.monotonic())
