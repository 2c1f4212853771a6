"""One call of a telephone, from its own side: what a person can do with it, what they see, and what they hear."""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from sipmessage import Request, Response

from offhook.phones.ear import Ear
from offhook.phones.media import Figures, MediaPort
from offhook.phones.negotiation import Negotiation
from offhook.phones.offers import NothingShared
from offhook.phones.sources import Source
from offhook.phones.trace import Trace
from offhook.phones.waiting import News
from offhook.sip import facts
from offhook.sip.agent import Agent, SessionRefuses, SessionState
from offhook.sip.identity import Party, asserted, claimed
from offhook.sip.sdp import Direction

PATIENCE = 10.0
_REOFFER_TRIES = 4


class CallState(StrEnum):
    """Where a call stands, as its telephone shows it."""

    CALLING = "calling"
    RINGING = "ringing"
    UP = "up"
    ENDED = "ended"


class Who(StrEnum):
    """Who ended a call: this telephone, the other side, or nobody (it failed)."""

    US = "us"
    THEM = "them"
    NOBODY = "nobody"


@dataclass(frozen=True, slots=True)
class Ended:
    """How a call ended: the SIP status that says so (200 for one that was up and was hung up), the reason in words, and who."""

    status: int
    reason: str
    who: Who


class CallRefuses(Exception):
    """The call cannot do this now; the text says why, with the SIP messages seen."""


class Line(Protocol):
    """What a call needs of its telephone."""

    name: str
    agent: Agent
    trace: Trace

    def now(self) -> float:
        """The telephone's clock, in seconds."""

    def do(self, outputs: list[facts.Output]) -> None:
        """Send and heed what the agent gave out."""

    def challenged(self, refusal: facts.RefusalReceived, uri: str) -> tuple[str, str] | None:
        """The header that answers a challenge, None if there is no password to do it with, or none that helped."""


class PhoneCall:
    """A call made or received. Every wait is bounded (`patience`, seconds) and raises NotInTime with the story so far."""

    def __init__(
        self, line: Line, session: str, negotiation: Negotiation, *, uri: str, call_id: str, invite: Request | None = None
    ) -> None:
        self._line, self._session, self._talk = line, session, negotiation
        self.uri, self.call_id, self.invite = uri, call_id, invite
        self.state = CallState.CALLING if invite is None else CallState.RINGING
        self.ending: Ended | None = None
        self.progress: list[int] = []
        self.answer: Response | None = None
        self.refusal: Response | None = None
        self.digits_by_info = ""
        self.began = line.now()
        self.rang_at: float | None = None
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        self._offered: str | None = None
        self._ending_as: Ended | None = None
        self._news = News()
        self._reoffered: asyncio.Future[int] | None = None
        self._informed: asyncio.Future[int] | None = None
        self._attempts = 0

    # -- what a person sees and hears

    @property
    def media(self) -> MediaPort:
        return self._talk.media

    @property
    def hears(self) -> Ear:
        """Questions about what is heard: `await call.hears.tone(440)`, `.speech()`, `.quiet()`, `.pressed("1")`, `.energy_over_time()`."""
        return self._talk.media.ear

    @property
    def figures(self) -> Figures:
        """Packets, loss, jitter and round trip."""
        return self._talk.media.figures

    @property
    def outgoing(self) -> bool:
        return self.invite is None

    @property
    def caller(self) -> Party | None:
        """Who calls, for a call received: as vouched for by the network, else as From claims."""
        return None if self.invite is None else asserted(self.invite) or claimed(self.invite)

    @property
    def holding(self) -> bool:
        """Whether this telephone holds the call."""
        return self._talk.flow is not Direction.SENDRECV

    @property
    def held(self) -> bool:
        """Whether the other side holds the call."""
        return self._talk.held_by_them

    def says(self, source: Source) -> None:
        """Speak this from now on: Tone(440), Recording(sound), Echo(), Silence(), Nothing()."""
        self._talk.media.source = source

    def story(self) -> str:
        """What happened in this call, for errors."""
        end = f" ({self.ending.status} {self.ending.reason}, by {self.ending.who})" if self.ending else ""
        return f"{self._line.name}'s call with {self.uri} is {self.state}{end}. {self._line.trace.told(self.call_id)}"

    # -- what a person waits for

    async def until(self, holds: Callable[[], bool], what: str, patience: float = PATIENCE) -> None:
        """Wait until `holds()`, asked whenever something happened to this call."""
        await self._news.until(holds, f"{self._line.name}: {what}", patience, self.story)

    async def wait_for(self, state: CallState, patience: float = PATIENCE) -> "PhoneCall":
        """Wait for a state; CallRefuses at once if the call ended instead."""
        await self.until(lambda: self.state in (state, CallState.ENDED), f"the call being {state}", patience)
        if self.state is not state:
            raise CallRefuses(f"waiting for {state}: {self.story()}")
        return self

    async def ringing(self, patience: float = PATIENCE) -> "PhoneCall":
        """Wait until the other side rings (180 or 183), if it has not answered already."""
        await self.until(lambda: bool(self.progress) or self.state in (CallState.UP, CallState.ENDED), "ringing", patience)
        if self.state is CallState.ENDED:
            raise CallRefuses(f"waiting for ringing: {self.story()}")
        return self

    async def answered(self, patience: float = PATIENCE) -> "PhoneCall":
        """Wait until the call is up."""
        return await self.wait_for(CallState.UP, patience)

    async def ended(self, patience: float = PATIENCE) -> Ended:
        """Wait until the call is over; how it ended."""
        await self.until(lambda: self.ending is not None, "the end of the call", patience)
        assert self.ending is not None
        return self.ending

    # -- what a person does

    def rings(self, status: int = 180, early_media: bool = False) -> None:
        """Say that it rings here; with `early_media` sound goes to the caller before the answer (183)."""
        self._order(lambda now: self._line.agent.ring(self._session, now=now, status=status, sdp=self._answer() if early_media else None))

    async def answers(self, patience: float = PATIENCE) -> "PhoneCall":
        """Take the call; done when the caller's ACK came. A call whose sound we cannot speak is refused with 488."""
        try:
            answer = self._answer()
        except NothingShared as reason:
            self.declines(488)
            raise CallRefuses(f"{reason}. {self.story()}") from reason
        self._order(lambda now: self._line.agent.answer(self._session, sdp=answer, now=now))
        return await self.answered(patience)

    def declines(self, status: int = 603, reason: str = "") -> None:
        """Refuse the call: 603 no, 486 busy, 480 not now."""
        self._order(lambda now: self._line.agent.refuse(self._session, status=status, reason=reason, now=now))
        self._end(Ended(status, reason, Who.US))

    async def hangs_up(self, patience: float = PATIENCE) -> Ended:
        """End the call, whatever its state; done when the other side has confirmed it. Nothing happens to a call that is over."""
        if self.state is CallState.RINGING:
            self.declines()
        elif self.state is not CallState.ENDED and self._ending_as is None:
            self._ending_as = Ended(200 if self.state is CallState.UP else 487, "hung up", Who.US)
            order = self._line.agent.bye if self.state is CallState.UP else self._line.agent.cancel
            self._order(lambda now: order(self._session, now=now))
        return await self.ended(patience)

    async def holds(self, patience: float = PATIENCE) -> None:
        """Hold: re-INVITE with sendonly. Raises CallRefuses if it is refused."""
        await self._reoffer(Direction.SENDONLY, patience)

    async def resumes(self, patience: float = PATIENCE) -> None:
        """Take a held call back: re-INVITE with sendrecv. Raises CallRefuses if it is refused."""
        await self._reoffer(Direction.SENDRECV, patience)

    async def presses(self, digits: str, *, info: bool = False, sung: bool = False) -> None:
        """Press keys: as telephone events (RFC 4733), by INFO, or as tones in the sound. Done when all are sent (INFO: confirmed)."""
        if sung:
            await self.media.sings(digits)
        elif not info:
            await self.media.presses(digits)
        else:
            for digit in digits:
                await self._inform(digit)

    # -- inside

    def _order(self, order: Callable[[float], list[facts.Output]]) -> None:
        try:
            outputs = order(self._line.now())
        except SessionRefuses as reason:
            raise CallRefuses(f"{reason}. {self.story()}") from reason
        self._line.do(outputs)

    def _answer(self) -> str:
        """Our half of the description: the same in 183 and 200 (RFC 3261 section 13.2.1); an offer if the INVITE had none."""
        if self._offered is None:
            theirs = self._their_offer
            self._offered = self._talk.answer(theirs) if theirs is not None else self._talk.offer()
        return self._offered

    @property
    def _their_offer(self) -> str | None:
        return self.invite.body.decode("utf-8", "replace") if self.invite is not None and self.invite.body else None

    async def _reoffer(self, flow: Direction, patience: float) -> None:
        before = self._talk.flow
        for _ in range(_REOFFER_TRIES):
            self._talk.flow = flow
            self._reoffered = asyncio.get_running_loop().create_future()
            # Not before the ACK to our own 200 is here (RFC 3261 section 14.1): the other side may have changed the call a moment ago.
            await self.until(self._offers_anew, "our turn to offer", patience)
            await self.until(lambda: self._reoffered is None or self._reoffered.done(), "the answer to our re-INVITE", patience)
            status = self._reoffered.result()
            if status == 200:
                return
            self._talk.flow = before
            if status != 491 or self.state is not CallState.UP:
                break
            # Both offered at once: RFC 3261 section 14.1 names these pauses.
            await asyncio.sleep(random.uniform(2.1, 4) if self.outgoing else random.uniform(0, 2))
        raise CallRefuses(f"our re-INVITE was refused with {status}. {self.story()}")

    def _offers_anew(self) -> bool:
        """Send a re-INVITE if it may be sent now. Raises CallRefuses when it never may."""
        agent = self._line.agent
        offer = self._talk.offer()
        try:
            outputs = agent.reoffer(self._session, sdp=offer, now=self._line.now())
        except SessionRefuses as reason:
            if agent.state(self._session) is not SessionState.UP or self.state is not CallState.UP:
                raise CallRefuses(f"{reason}. {self.story()}") from reason
            return False
        self._line.do(outputs)
        return True

    async def _inform(self, digit: str) -> None:
        self._informed = asyncio.get_running_loop().create_future()
        body = f"Signal={digit}\r\nDuration=160\r\n".encode()
        kind = "application/dtmf-relay"
        self._order(lambda now: self._line.agent.info(self._session, content_type=kind, body=body, now=now))
        informed = self._informed
        await self.until(informed.done, f"the answer to INFO {digit}", PATIENCE)
        if informed.result() >= 300:
            raise CallRefuses(f"INFO {digit} was refused with {informed.result()}. {self.story()}")

    def _end(self, ending: Ended) -> None:
        if self.ending is None:
            self.ending, self.state, self.ended_at = ending, CallState.ENDED, self._line.now()
            for waiting in (self._reoffered, self._informed):
                if waiting is not None and not waiting.done():
                    waiting.set_result(481)
            self.media.close()
        self._news.tell()
        self.hears.tell()

    def happened(self, fact: Any) -> None:
        """Heed a fact of this session; the telephone calls this."""
        heed = _HEEDS.get(type(fact))
        if heed is not None and self.state is not CallState.ENDED:
            heed(self, fact)
        self._news.tell()

    def _progressed(self, fact: facts.ProgressReceived) -> None:
        self.progress.append(fact.status)
        self.rang_at = self.rang_at or self._line.now()
        if fact.sdp:
            self._listen(fact.sdp)

    def _was_answered(self, fact: facts.AnswerReceived) -> None:
        self.answer, self.answered_at, self.state = fact.response, self._line.now(), CallState.UP
        if not fact.sdp or not self._listen(fact.sdp):
            self._ending_as = Ended(488, "the answer held no sound that we speak", Who.US)
            self._order(lambda now: self._line.agent.bye(self._session, now=now))

    def _listen(self, theirs: str) -> bool:
        try:
            self._talk.answered(theirs)
        except NothingShared:
            return False
        return True

    def _was_refused(self, fact: facts.RefusalReceived) -> None:
        self.refusal = fact.response
        if fact.status in (401, 407) and self._ending_as is None and self._attempts < 2:
            self._attempts += 1
            header = self._line.challenged(fact, self.uri)
            if header is not None:
                self._order(lambda now: self._line.agent.invite_again(self._session, headers=[header], now=now))
                return
        who = Who.NOBODY if fact.response is None else Who.THEM
        self._end(self._ending_as or Ended(fact.status, fact.reason, who))

    def _was_cancelled(self, fact: facts.CancelReceived) -> None:
        self._end(Ended(487, fact.request.headers.get("Reason") or "cancelled", Who.THEM))

    def _confirmed(self, fact: facts.AckReceived) -> None:
        if self.state is CallState.RINGING:
            self.state, self.answered_at = CallState.UP, self._line.now()
        if fact.sdp:
            self._listen(fact.sdp)

    def _unconfirmed(self, fact: facts.AckMissing) -> None:
        self._end(Ended(408, "our answer was never acknowledged", Who.NOBODY))

    def _was_hung_up(self, fact: facts.ByeReceived) -> None:
        self._end(Ended(200, fact.request.headers.get("Reason") or "hung up", Who.THEM))

    def _hung_up(self, fact: facts.ByeAnswered) -> None:
        self._end(self._ending_as or Ended(fact.status, "the session was lost", Who.NOBODY))

    def _was_reoffered(self, fact: facts.ReofferReceived) -> None:
        agent = self._line.agent
        try:
            answer = self._talk.answer(fact.sdp) if fact.sdp else self._talk.offer()
        except NothingShared:
            self._order(lambda now: agent.refuse_reoffer(self._session, status=488, now=now))
            return
        self._order(lambda now: agent.accept_reoffer(self._session, sdp=answer, now=now))

    def _reoffer_answered(self, fact: facts.ReofferAnswered) -> None:
        heard = bool(fact.sdp) and self._listen(fact.sdp or "")
        if self._reoffered is not None and not self._reoffered.done():
            self._reoffered.set_result(200 if heard else 488)

    def _reoffer_refused(self, fact: facts.ReofferRefused) -> None:
        if self._reoffered is not None and not self._reoffered.done():
            self._reoffered.set_result(fact.status)

    def _informed_us(self, fact: facts.InfoReceived) -> None:
        kind = (fact.request.headers.get("Content-Type") or "").partition(";")[0].strip().lower()
        text = fact.request.body.decode("ascii", "replace")
        if kind == "application/dtmf":
            self.digits_by_info += text.strip()[:1]
        elif kind == "application/dtmf-relay":
            fields = dict(line.partition("=")[::2] for line in text.replace(" ", "").splitlines())
            self.digits_by_info += fields.get("Signal", "")[:1]

    def _info_answered(self, fact: facts.InfoAnswered) -> None:
        if self._informed is not None and not self._informed.done():
            self._informed.set_result(fact.status)


_HEEDS: dict[type, Callable[[PhoneCall, Any], None]] = {
    facts.ProgressReceived: PhoneCall._progressed,
    facts.AnswerReceived: PhoneCall._was_answered,
    facts.RefusalReceived: PhoneCall._was_refused,
    facts.CancelReceived: PhoneCall._was_cancelled,
    facts.AckReceived: PhoneCall._confirmed,
    facts.AckMissing: PhoneCall._unconfirmed,
    facts.ByeReceived: PhoneCall._was_hung_up,
    facts.ByeAnswered: PhoneCall._hung_up,
    facts.ReofferReceived: PhoneCall._was_reoffered,
    facts.ReofferAnswered: PhoneCall._reoffer_answered,
    facts.ReofferRefused: PhoneCall._reoffer_refused,
    facts.InfoReceived: PhoneCall._informed_us,
    facts.InfoAnswered: PhoneCall._info_answered,
}
