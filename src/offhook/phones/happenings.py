"""One call of a telephone as it happens to it: the facts its agent tells, and what they make of the call."""

import asyncio
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
from offhook.sip.agent import Agent, SessionRefuses
from offhook.sip.identity import Party, asserted, claimed
from offhook.sip.sdp import Direction

PATIENCE = 10.0


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

    def over(self, session: str) -> None:
        """The call of this session has ended, whoever ended it: nothing of it is told any more."""

    @property
    def own_uri(self) -> str:
        """The telephone's own name, as others call it."""

    def challenged(self, refusal: facts.RefusalReceived, uri: str) -> tuple[str, str] | None:
        """The header that answers a challenge, None if there is no password to do it with, or none that helped."""


class HeardCall:
    """What a call is and what happens to it; `PhoneCall` adds what a person does."""

    def __init__(
        self,
        line: Line,
        session: str,
        negotiation: Negotiation,
        *,
        uri: str,
        call_id: str,
        invite: Request | None = None,
        their_offer: str | None = None,
        asked_for_offer: bool = False,
    ) -> None:
        self._their_offer = their_offer
        self._line, self._session, self._talk = line, session, negotiation
        self.uri, self.call_id, self.invite = uri, call_id, invite
        self.state = CallState.CALLING if invite is None else CallState.RINGING
        self.ending: Ended | None = None
        self.progress: list[int] = []
        self.answer: Response | None = None
        self.refusal: Response | None = None
        self.contacts: tuple[str, ...] = ()
        self.digits_by_info = ""
        self.began = line.now()
        self.rang_at: float | None = None
        self.answered_at: float | None = None
        self.ended_at: float | None = None
        self.notified: list[int] = []
        self.on_refer: Callable[[facts.ReferReceived], None] | None = None  # without it a telephone calls nobody on another's word
        self._offered: str | None = None
        self._ending_as: Ended | None = None
        self._news = News()
        self._reoffered: asyncio.Future[int] | None = None
        self._informed: asyncio.Future[int] | None = None
        self._transferred: asyncio.Future[int] | None = None
        self._asked_for_offer = asked_for_offer
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

    def _end(self, ending: Ended) -> None:
        if self.ending is None:
            self.ending, self.state, self.ended_at = ending, CallState.ENDED, self._line.now()
            for waiting in (self._reoffered, self._informed):
                if waiting is not None and not waiting.done():
                    waiting.set_result(481)
            self.media.close()
            self._line.over(self._session)
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
        if not fact.sdp or not (self._acknowledge(fact.sdp) if self._asked_for_offer else self._listen(fact.sdp)):
            self._hang_up_over("the answer held no sound that we speak")

    def _acknowledge(self, theirs: str) -> bool:
        """Answer, in the ACK, the offer we have asked for; False where we cannot."""
        self._asked_for_offer = False
        try:
            answer = self._talk.answer(theirs)
        except NothingShared:
            return False
        self._order(lambda now: self._line.agent.acknowledge(self._session, sdp=answer, now=now))
        return True

    def _listen(self, theirs: str) -> bool:
        try:
            self._talk.answered(theirs)
        except NothingShared:
            return False
        return True

    def _was_refused(self, fact: facts.RefusalReceived) -> None:
        self.refusal, self.contacts = fact.response, fact.contacts
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

    def _offer_answered(self, fact: facts.AckAnswered) -> None:
        if fact.sdp is None or not self._listen(fact.sdp):
            self._hang_up_over("the ACK held no sound that we speak")

    def _hang_up_over(self, what: str) -> None:
        self._ending_as = Ended(488, what, Who.US)
        self._order(lambda now: self._line.agent.bye(self._session, now=now))

    def _unconfirmed(self, fact: facts.AckMissing) -> None:
        self._end(Ended(408, "our answer was never acknowledged", Who.NOBODY))

    def _expired(self, fact: facts.SessionExpired) -> None:
        self._ending_as = self._ending_as or Ended(408, fact.words, Who.NOBODY)

    def _unheard(self, fact: facts.PrackMissing) -> None:
        self._ending_as = self._ending_as or Ended(504, "our ringing was never acknowledged", Who.NOBODY)

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
        heard = bool(fact.sdp) and (self._acknowledge if self._asked_for_offer else self._listen)(fact.sdp or "")
        if self._reoffered is not None and not self._reoffered.done():
            self._reoffered.set_result(200 if heard else 488)

    def _reoffer_refused(self, fact: facts.ReofferRefused) -> None:
        if self._reoffered is not None and not self._reoffered.done():
            self._reoffered.set_result(fact.status)

    def _was_referred(self, fact: facts.ReferReceived) -> None:
        if self.on_refer is not None:
            self.on_refer(fact)
        else:
            self._order(lambda now: self._line.agent.refuse_refer(self._session, status=603, now=now))

    def _refer_answered(self, fact: facts.ReferAnswered) -> None:
        if fact.status >= 300 and self._transferred is not None and not self._transferred.done():
            self._transferred.set_result(fact.status)

    def _was_notified(self, fact: facts.NotifyReceived) -> None:
        self.notified += [fact.status] if fact.status is not None else []
        if fact.final and self._transferred is not None and not self._transferred.done():
            self._transferred.set_result(self.notified[-1] if self.notified else 0)

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


def domain_in(uri: str) -> str:
    """The host, with its port, of a sip: URI."""
    return uri.partition(":")[2].rpartition("@")[2].partition(";")[0]


_HEEDS: dict[type, Callable[[HeardCall, Any], None]] = {
    facts.ProgressReceived: HeardCall._progressed,
    facts.AnswerReceived: HeardCall._was_answered,
    facts.RefusalReceived: HeardCall._was_refused,
    facts.CancelReceived: HeardCall._was_cancelled,
    facts.AckReceived: HeardCall._confirmed,
    facts.AckAnswered: HeardCall._offer_answered,
    facts.ReferReceived: HeardCall._was_referred,
    facts.ReferAnswered: HeardCall._refer_answered,
    facts.NotifyReceived: HeardCall._was_notified,
    facts.AckMissing: HeardCall._unconfirmed,
    facts.SessionExpired: HeardCall._expired,
    facts.PrackMissing: HeardCall._unheard,
    facts.ByeReceived: HeardCall._was_hung_up,
    facts.ByeAnswered: HeardCall._hung_up,
    facts.ReofferReceived: HeardCall._was_reoffered,
    facts.ReofferAnswered: HeardCall._reoffer_answered,
    facts.ReofferRefused: HeardCall._reoffer_refused,
    facts.InfoReceived: HeardCall._informed_us,
    facts.InfoAnswered: HeardCall._info_answered,
}
