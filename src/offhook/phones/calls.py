"""One call of a telephone, from its own side: what a person can do with it, what they see, and what they hear."""

import asyncio
from collections.abc import Callable, Sequence
from urllib.parse import quote

from offhook.phones.happenings import PATIENCE, CallRefuses, CallState, Ended, HeardCall, Line, Who, domain_in
from offhook.phones.offers import NothingShared
from offhook.sip.agent import SessionRefuses, SessionState
from offhook.sip.reading import uri_in
from offhook.sip.referring import Replaces
from offhook.sip.sdp import Direction

__all__ = ["PATIENCE", "CallRefuses", "CallState", "Ended", "Line", "PhoneCall", "Who"]

TRANSFER_PATIENCE = 30.0


class PhoneCall(HeardCall):
    """A call made or received. Every wait is bounded (`patience`, seconds) and raises NotInTime with the story so far."""

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

    def redirects(self, contacts: Sequence[str], status: int = 302) -> None:
        """Send the caller elsewhere: to these sip: URIs, the first one first."""
        # RFC 3261 section 20.10: q orders them; a caller that knows nothing of it takes them as they come.
        values = [f"<{uri}>;q={1 - place / 10:.1f}" for place, uri in enumerate(contacts)]
        headers = (("Contact", ", ".join(values)),)
        self._order(lambda now: self._line.agent.refuse(self._session, status=status, headers=headers, now=now))
        self._end(Ended(status, "redirected", Who.US))

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

    async def asks_for_offer(self, patience: float = PATIENCE) -> None:
        """Send a re-INVITE without a description; the other side offers, and we answer in the ACK. Raises CallRefuses if it is refused."""
        await self._reoffer(self._talk.flow, patience, offerless=True)

    async def updates(self, patience: float = PATIENCE) -> None:
        """Describe our side anew by UPDATE (RFC 3311). Raises CallRefuses if it is refused."""
        await self._reoffer(self._talk.flow, patience, update=True)

    async def transfers(self, to: str, patience: float = TRANSFER_PATIENCE) -> int:
        """Blind transfer (REFER) to a number, a name or a whole sip: URI; the status it ended with: 200 where the other call came about.

        `notified` has every status told on the way. Raises CallRefuses where the call ended before the end was told.
        """
        return await self._refer(f"<{to if ':' in to else f'sip:{to}@{domain_in(self._line.own_uri)}'}>", patience)

    async def transfers_to(self, other: "PhoneCall", patience: float = TRANSFER_PATIENCE) -> int:
        """Attended transfer: the other side of this call takes our place in that one (REFER with Replaces); the status it ended with."""
        note = self._line.agent.remembered(other._session)
        replaces = quote(str(Replaces(note.call_id, note.remote_tag, note.local_tag)), safe="")
        return await self._refer(f"<{uri_in(note.remote)}?Replaces={replaces}>", patience)

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

    async def _refer(self, refer_to: str, patience: float) -> int:
        told: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self._transferred = told
        headers = (("Referred-By", f"<{self._line.own_uri}>"),)
        self._order(lambda now: self._line.agent.refer(self._session, refer_to=refer_to, headers=headers, now=now))
        await self.until(lambda: told.done() or self.state is CallState.ENDED, "the end of the transfer", patience)
        if not told.done():
            raise CallRefuses(f"the call ended before the transfer was told of. {self.story()}")
        return told.result()

    async def _reoffer(self, flow: Direction, patience: float, *, offerless: bool = False, update: bool = False) -> None:
        """Glare is settled by the agent: the answer is a last word."""
        before = self._talk.flow
        self._talk.flow = flow
        self._asked_for_offer = offerless
        self._reoffered = answered = asyncio.get_running_loop().create_future()
        # Not before the ACK to our own 200 is here (RFC 3261 section 14.1): the other side may have changed the call a moment ago.
        await self.until(lambda: self._offers_anew(update=update), "our turn to offer", patience)
        await self.until(answered.done, "the answer to our offer", patience)
        if answered.result() != 200:
            self._talk.flow = before
            raise CallRefuses(f"our offer was refused with {answered.result()}. {self.story()}")

    def _offers_anew(self, *, update: bool) -> bool:
        """Send a re-INVITE or UPDATE if it may be sent now. Raises CallRefuses when it never may."""
        agent, now = self._line.agent, self._line.now()
        try:
            if update:
                outputs = agent.update(self._session, sdp=self._talk.offer(), now=now)
            else:
                outputs = agent.reoffer(self._session, sdp=None if self._asked_for_offer else self._talk.offer(), now=now)
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
