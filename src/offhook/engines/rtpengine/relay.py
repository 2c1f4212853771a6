"""rtpengine as the media engine of calls: one ng call-id a call, one tag a leg."""

import asyncio
import time
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from offhook.domain.calls.ids import CallId, LegId
from offhook.domain.media import MediaFigures, MediaShape
from offhook.engines.rtpengine.client import CallUnknown, LegUnknown, NgClient, NothingPlays
from offhook.engines.rtpengine.figures import Standing, figures_of, standing_of
from offhook.engines.rtpengine.keys import is_secure, strongly_keyed
from offhook.engines.rtpengine.pairs import Alone, CallPairs, Exchange
from offhook.engines.rtpengine.ports import PORTS_A_LINE, Ports
from offhook.engines.rtpengine.sdp import audio_transport, listening_answer, narrowed, offers_all
from offhook.engines.rtpengine.shapes import answering, offering
from offhook.engines.rtpengine.tags import alone
from offhook.engines.rtpengine.wire import Body, Raw
from offhook.services.ports.media import MediaRefused

MOST_LISTED = 2500
"""Calls whose names surely fit into one datagram."""

BEAT_SECONDS = 0.02
"""Every sound begins at a whole multiple of this, and so all their packets go out together, every 20 ms.

rtpengine wakes for each packet that is due at a time of its own: sixty listeners cost it 0.11 CPU s a minute each where they began at any
time, 0.10 on one beat.
"""

_NONE = CallPairs()
_LOOKS_FOR_SOUND, _LOOK_SECONDS = 10, 0.05


class RtpEngine:
    """The port `Media` on one rtpengine."""

    def __init__(self, client: NgClient, ports: Ports | None = None) -> None:
        self.client = client
        self.ports = ports or Ports()
        self.standing = Standing(0, 0, 0, 0)
        """As it was when last looked at."""
        self._calls: dict[CallId, CallPairs] = {}

    async def offer(
        self,
        call: CallId,
        offerer: LegId,
        answerer: LegId,
        sdp: str,
        shape: MediaShape,
        codecs: tuple[str, ...] = (),
        *,
        urgent: bool = False,
    ) -> str:
        """The SDP to send to `answerer`; see Media.offer. A re-INVITE is offered here too: ports stay, a=sendonly and the like pass.

        Raises CallUnknown where one of the two talks already and the engine has lost that.
        """
        known = self._calls.get(call) or self._calls.setdefault(call, CallPairs())
        exchange = Exchange(strongly_keyed(_as_agreed(known, offerer, sdp)), shape, codecs)
        if known.speaking(offerer) or known.speaking(answerer):
            # An engine that was started anew would make the call once more, at ports that nobody who talks already was told.
            await self._order("query", call, {})
        self.ports.take(call, PORTS_A_LINE * known.lines((offerer, answerer), exchange), urgent=urgent)
        sent = await self._offered(call, offerer, answerer, exchange)
        known.offers(offerer, answerer, exchange)
        return sent

    async def answer(self, call: CallId, offerer: LegId, answerer: LegId, sdp: str, shape: MediaShape) -> str:
        """The SDP to send to `offerer`; see Media.answer. Raises MediaRefused too for an answer as plain or secure as nobody offered."""
        exchange = self._calls.get(call, _NONE).pairs.get((offerer, answerer))
        if exchange and exchange.offered_to.secure is not is_secure(sdp) and audio_transport(sdp):
            wanted, given = ("secure", "plain") if exchange.offered_to.secure else ("plain", "secure")
            raise MediaRefused(f"The phone was offered {wanted} sound and answers with {given} sound: nobody asked for it (RFC 3264, 6).")
        strong = strongly_keyed(sdp)
        answered = await self._answered(call, offerer, answerer, strong, shape)
        if exchange:
            exchange.answered, exchange.answered_to = strong, shape
            exchange.marked = bool(exchange.codecs)
        return answered

    async def answer_alone(self, call: CallId, leg: LegId, sdp: str, shape: MediaShape, codec: str) -> str:
        """The SDP that answers `leg` in `codec`; MediaRefused if the leg does not offer that codec. See Media.answer_alone."""
        made_up = listening_answer(sdp, codec)
        if made_up is None:
            raise MediaRefused(f"The phone does not offer {codec}: answer it in a codec that its SDP names.")
        known = self._calls.get(call) or self._calls.setdefault(call, CallPairs())
        known.alone.pop(leg, None)  # asked anew, it may agree anew
        await self.offer(call, leg, alone(leg), sdp, MediaShape.PLAIN)
        answered = await self.answer(call, leg, alone(leg), made_up, shape)
        known.alone[leg] = Alone(sdp, codec, shape)
        await self.silence(call, leg)  # what nobody hears need not be sent on; keys are told all the same
        return answered

    async def leave_alone(self, call: CallId, leg: LegId) -> None:
        """Take away the system's end; see Media.leave_alone."""
        known = self._calls.get(call, _NONE)
        if was := known.alone.get(leg):
            known.alone[leg] = replace(was, attended=False)
        with suppress(CallUnknown, LegUnknown):
            await self.unsilence(call, leg)
        await self.remove(call, leg, alone(leg))

    async def play(self, call: CallId, to: LegId, sound: Path, repeat: int = 1) -> int:
        """Milliseconds that one round of `sound` lasts; see Media.play. Mu-law or A-law starts sixteen times cheaper than 16 bit."""
        await asyncio.sleep(until_beat(asyncio.get_running_loop().time()))
        try:
            reply = await self._order("play media", call, _playing(to, sound, repeat))
        except MediaRefused as refused:
            if "media playback" in str(refused):
                raise MediaRefused(_unplayable(sound)) from refused
            raise
        duration = reply.get("duration")
        if not isinstance(duration, int) or duration <= 0:
            await self.stop(call, to)
            raise MediaRefused(_unplayable(sound))
        return duration

    async def stop(self, call: CallId, to: LegId) -> None:
        """Stop what plays to `to`; see Media.stop."""
        with suppress(CallUnknown, LegUnknown, NothingPlays):
            await self._order("stop media", call, {"from-tag": to})

    async def silence(self, call: CallId, leg: LegId) -> None:
        """Let nothing through from `leg`; its digits are still told. See Media.silence."""
        await self._order("block media", call, {"from-tag": leg})

    async def unsilence(self, call: CallId, leg: LegId) -> None:
        """Take `silence` back."""
        await self._order("unblock media", call, {"from-tag": leg})

    async def press(self, call: CallId, leg: LegId, digit: str, milliseconds: int) -> None:
        """Send a digit as if `leg` had pressed it; see Media.press. From then on every packet of the call costs twice as much to relay."""
        known = self._calls.get(call, _NONE)
        speaking = known.speaking(leg)
        if speaking is None:
            raise MediaRefused("Nobody hears the digit: the leg speaks with no other yet.")
        if not known.injects:
            await self._order("query", call, {})  # as in offer
            known.injects = True
            (offerer, answerer), exchange = speaking
            await self._once_more(call, offerer, answerer, exchange)
            await self._sound_passes(call, leg)
        await self._order("play DTMF", call, {"from-tag": leg, "code": digit, "duration": milliseconds})

    async def _sound_passes(self, call: CallId, leg: LegId) -> None:
        """Wait for sound from `leg`: before some has passed after a new exchange rtpengine drops a digit without a word, as seen with three
        first keys in four. A leg that is silent is waited for half a second."""
        heard = -1
        for _ in range(_LOOKS_FOR_SOUND):
            stream = figures_of(call, await self._order("query", call, {}), time.time()).of(leg)
            if stream is not None and 0 <= heard < stream.packets - 1:
                break
            heard = stream.packets if stream is not None and heard < 0 else heard
            await asyncio.sleep(_LOOK_SECONDS)

    async def remove(self, call: CallId, offerer: LegId, answerer: LegId) -> None:
        """Forget one answerer; see Media.remove. One that is not known is no error: it is gone.

        With its last answerer a call is forgotten whole, the offerer's port too: offer to the next one first where the port must stay.
        """
        await self._order("delete", call, {"from-tag": offerer, "to-tag": answerer})
        known = self._calls.get(call)
        if known is None:
            return  # closed meanwhile
        known.forgets(offerer, answerer)
        self.ports.take(call, PORTS_A_LINE * known.lines())
        was = known.alone.get(offerer)
        if was is not None and was.attended and set(known.pairs) <= {(offerer, alone(offerer))}:
            await self._attend_again(call, offerer, was)

    async def _attend_again(self, call: CallId, leg: LegId, was: Alone) -> None:
        """Bring a leg back to the system's end.

        The offer to another took it away, and rtpengine 10.5 discards what has nowhere to go ("lack of sink"), digits with it.
        """
        made_up = listening_answer(was.sdp, was.codec)
        assert made_up is not None  # it was answered so before
        await self._offered(call, leg, alone(leg), Exchange(strongly_keyed(was.sdp), MediaShape.PLAIN, ()))
        await self._answered(call, leg, alone(leg), made_up, was.shape)

    async def knows(self, call: CallId) -> bool:
        """Whether the engine has the call."""
        try:
            await self._order("query", call, {})
        except CallUnknown:
            return False
        return True

    async def calls(self) -> frozenset[str]:
        """What the engine holds; see Media.calls. Of more than MOST_LISTED some are left out."""
        listed = (await self.client.ask("list", {"limit": MOST_LISTED})).get("calls", ())
        return frozenset(map(str, listed)) if isinstance(listed, list) else frozenset()

    def carried(self) -> frozenset[CallId]:
        """The calls whose sound was set up and not closed since."""
        return frozenset(call for call, known in self._calls.items() if known.pairs)

    async def look(self) -> Standing:
        """How the engine stands. `times_asked` grows with each time, and begins anew with another engine."""
        self.standing = standing_of(await self.client.ask("statistics", {}))
        self.ports.seen(self.standing.ports_used)
        return self.standing

    async def refused(self, seconds: float) -> None:
        """Return as soon as the machine says that no engine listens, after `seconds` at the latest."""
        self.client.refused.clear()
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.client.refused.wait()

    async def forget_strangers(self) -> None:
        """Free what the engine remembers of calls that ended while it or its memory was away."""
        for call in await self.calls() - self._calls.keys():
            await self._order("delete", CallId(call), {})

    async def figures(self, call: CallId) -> MediaFigures:
        """The figures up to now; empty when the engine does not know the call."""
        try:
            # Asked first: what is offered to an engine that was started anew makes the call once more, at ports that no phone was told.
            reply = await self._order("query", call, {})
            await self._unmark(call)
        except CallUnknown:
            return MediaFigures()
        return figures_of(call, reply, time.time())

    async def close(self, call: CallId) -> MediaFigures:
        """Free every port of the call; its last figures, empty for a call that is not known."""
        known = self._calls.pop(call, _NONE)
        try:
            if (centre := known.centre) is not None:
                return figures_of(call, await self._order("delete", call, {"from-tag": centre}), time.time())
            # `delete` with a tag tells the figures itself, but spares legs which that tag never spoke with; without one it takes all.
            last = await self.figures(call)
            await self._order("delete", call, {})
            return last
        finally:
            self.ports.release(call)

    async def _unmark(self, call: CallId) -> None:
        """Where codecs were offered beside the offerer's own and none was taken: make rtpengine forget them.

        Else rtpengine 10.5 discards the phones' receiver reports ("No payload type known for RTCP RR"): no MOS, no loss. The same offer
        without those codecs does it; ports stay, no phone is asked. Done with the first figures and not with the answer: the reports of
        the first seconds say little, and a call that is over before them saves it.
        """
        for (offerer, answerer), exchange in list(self._calls.get(call, _NONE).pairs.items()):
            if exchange.marked and exchange.answered is not None:
                exchange.marked = False
                if offers_all(exchange.offered, exchange.answered):
                    exchange.codecs = ()
                    await self._once_more(call, offerer, answerer, exchange)

    async def _once_more(self, call: CallId, offerer: LegId, answerer: LegId, exchange: Exchange) -> None:
        """Tell rtpengine what was exchanged; nothing changes for the phones."""
        answered, shape = exchange.answered, exchange.answered_to
        await self._offered(call, offerer, answerer, exchange)
        if answered is not None:
            await self._answered(call, offerer, answerer, answered, shape)

    async def _offered(self, call: CallId, offerer: LegId, answerer: LegId, exchange: Exchange) -> str:
        extra = offering(exchange.offered_to, exchange.codecs, self._calls.get(call, _NONE).injects)
        return await self._exchanged("offer", call, offerer, answerer, exchange.offered, extra, exchange.offered_to)

    async def _answered(self, call: CallId, offerer: LegId, answerer: LegId, sdp: str, shape: MediaShape) -> str:
        extra = answering(shape, self._calls.get(call, _NONE).injects)
        return await self._exchanged("answer", call, offerer, answerer, sdp, extra, shape)

    async def _exchanged(self, command: str, call: CallId, offerer: LegId, answerer: LegId, sdp: str, extra: Raw, shape: MediaShape) -> str:
        reply = await self._order(command, call, {"from-tag": offerer, "to-tag": answerer, "sdp": sdp}, extra)
        told = reply.get("sdp")
        if not isinstance(told, str):
            raise MediaRefused(f"There is no SDP in what should be the {command}: nothing to relay.")
        if shape.secure and "\na=crypto:" not in told and audio_transport(told):
            raise MediaRefused("The two phones found no cipher for secure sound: look at the a=crypto lines of their SDP.")
        return told

    async def _order(self, command: str, call: CallId, body: Body, extra: Raw | None = None) -> Body:
        return await self.client.ask(command, {"call-id": call, **body}, extra)


def until_beat(now: float) -> float:
    """Seconds from `now`, by any steady clock, to the next whole multiple of BEAT_SECONDS."""
    return BEAT_SECONDS - now % BEAT_SECONDS


def _as_agreed(known: CallPairs, offerer: LegId, sdp: str) -> str:
    """What `offerer` still speaks of the SDP it sent: once the system has answered that SDP alone, the one codec of the answer.

    Without this a phone that answers later could choose another codec, of which nobody tells the offerer: it is not re-INVITEd.
    """
    was = known.alone.get(offerer)
    return narrowed(sdp, was.codec) if was is not None and sdp == was.sdp else sdp


def _playing(to: LegId, sound: Path, repeat: int) -> Body:
    return {"from-tag": to, "file": str(sound.absolute()), "repeat-times": repeat}  # rtpengine's working directory is its own


def _unplayable(sound: Path) -> str:
    if not sound.exists():
        return f"The sound file {sound} is missing: put it there, or choose another."
    return f"The sound file {sound} cannot be played: see that rtpengine may read it and that it is a whole WAV file with sound in it."
