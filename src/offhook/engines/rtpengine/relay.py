"""rtpengine as the media engine of calls: one ng call-id a call, one tag a leg."""

import time
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from offhook.domain.calls.ids import CallId, LegId
from offhook.domain.media import MediaFigures, MediaShape
from offhook.engines.rtpengine.client import CallUnknown, LegUnknown, NgClient, NothingPlays
from offhook.engines.rtpengine.figures import figures_of
from offhook.engines.rtpengine.sdp import listening_answer, narrowed, offers_all
from offhook.engines.rtpengine.tags import alone
from offhook.engines.rtpengine.wire import Body
from offhook.services.ports.media import MediaRefused

_PLAIN: Body = {"transport-protocol": "RTP/AVP", "SDES": ["off"]}
_SECURE: Body = {
    "transport-protocol": "RTP/SAVP",
    # rtpengine 10.5 offers these too unless told not to, and does not know "only-...".
    "SDES": ["no-NULL_HMAC_SHA1_80", "no-NULL_HMAC_SHA1_32", "no-F8_128_HMAC_SHA1_80", "no-F8_128_HMAC_SHA1_32"],
}
MOST_LISTED = 2500
"""Calls whose names surely fit into one datagram."""

_SHAPES: dict[MediaShape, Body] = {
    MediaShape(secure, ipv6): {
        **(_SECURE if secure else _PLAIN),
        "DTLS": "off",
        "ICE": "remove",
        "rtcp-mux": ["demux"],
        "address-family": "IP6" if ipv6 else "IP4",
    }
    for secure in (False, True)
    for ipv6 in (False, True)
}
"""What the party an SDP goes *to* can do."""

_ALWAYS: Body = {
    # A second answer (183 from one phone, 200 from another; a re-INVITE) must not move the other side's port.
    "flags": ["port latching"],
    # The o= line names the phone's own address and software; the far side need not know.
    "replace": ["origin"],
}


class _WideOffer(NamedTuple):
    sdp: str
    shape: MediaShape


class _Alone(NamedTuple):
    """A leg that was answered by the system: to which SDP, in which codec, and whether the system's end is still there."""

    sdp: str
    codec: str
    shape: MediaShape
    attended: bool = True


class RtpEngine:
    """The port `Media` on one rtpengine."""

    def __init__(self, client: NgClient) -> None:
        self._client = client
        self._alone: dict[CallId, dict[LegId, _Alone]] = {}
        self._offered: dict[CallId, set[tuple[LegId, LegId]]] = {}  # who was offered to whom, and not removed since
        self._wide: dict[CallId, dict[tuple[LegId, LegId], _WideOffer]] = {}  # not answered yet

    async def offer(self, call: CallId, offerer: LegId, answerer: LegId, sdp: str, shape: MediaShape, codecs: tuple[str, ...] = ()) -> str:
        """The SDP to send to `answerer`; see Media.offer. A re-INVITE is offered here too: ports stay, a=sendonly and the like pass."""
        wide: Body = {"codec": {"transcode": [*codecs, "telephone-event"]}} if codecs else {}
        offered = self._as_agreed(call, offerer, sdp)
        if wide:
            self._wide.setdefault(call, {})[offerer, answerer] = _WideOffer(offered, shape)
        sent = await self._exchanged("offer", call, offerer, answerer, offered, {**_SHAPES[shape], **wide})
        self._offered.setdefault(call, set()).add((offerer, answerer))
        return sent

    async def answer(self, call: CallId, offerer: LegId, answerer: LegId, sdp: str, shape: MediaShape) -> str:
        """The SDP to send to `offerer`; see Media.answer."""
        answered = await self._exchanged("answer", call, offerer, answerer, sdp, _SHAPES[shape])
        wide = self._wide.get(call, {}).pop((offerer, answerer), None)
        if wide is None or not offers_all(wide.sdp, sdp):
            return answered
        # Nothing need be transcoded, yet rtpengine 10.5 keeps a mark of it, and discards the phones' receiver reports ("No payload type
        # known for RTCP RR"): no MOS, no loss. The same offer without the wider codecs clears it; ports stay, no phone is asked.
        await self._exchanged("offer", call, offerer, answerer, wide.sdp, _SHAPES[wide.shape])
        return await self._exchanged("answer", call, offerer, answerer, sdp, _SHAPES[shape])

    async def answer_alone(self, call: CallId, leg: LegId, sdp: str, shape: MediaShape, codec: str) -> str:
        """The SDP that answers `leg` in `codec`; MediaRefused if the leg does not offer that codec. See Media.answer_alone."""
        made_up = listening_answer(sdp, codec)
        if made_up is None:
            raise MediaRefused(f"The phone does not offer {codec}: answer it in a codec that its SDP names.")
        self._alone.get(call, {}).pop(leg, None)  # asked anew, it may agree anew
        await self.offer(call, leg, alone(leg), sdp, MediaShape.PLAIN)
        answered = await self.answer(call, leg, alone(leg), made_up, shape)
        self._alone.setdefault(call, {})[leg] = _Alone(sdp, codec, shape)
        return answered

    async def leave_alone(self, call: CallId, leg: LegId) -> None:
        """Take away the system's end; see Media.leave_alone."""
        was = self._alone.get(call, {}).get(leg)
        if was is not None:
            self._alone[call][leg] = was._replace(attended=False)
        await self.remove(call, leg, alone(leg))

    async def play(self, call: CallId, to: LegId, sound: Path, repeat: int = 1) -> int:
        """Milliseconds that one round of `sound` lasts; see Media.play. A mu-law or A-law WAV starts sixteen times cheaper than 16 bit."""
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

    async def remove(self, call: CallId, offerer: LegId, answerer: LegId) -> None:
        """Forget one answerer; see Media.remove. One that is not known is no error: it is gone.

        With its last answerer a call is forgotten whole, the offerer's port too: offer to the next one first where the port must stay.
        """
        await self._order("delete", call, {"from-tag": offerer, "to-tag": answerer})
        self._wide.get(call, {}).pop((offerer, answerer), None)
        offered = self._offered.get(call, set())
        offered.discard((offerer, answerer))
        was = self._alone.get(call, {}).get(offerer)
        if was is not None and was.attended and offered <= {(offerer, alone(offerer))}:
            await self._attend_again(call, offerer, was)

    async def _attend_again(self, call: CallId, leg: LegId, was: _Alone) -> None:
        """Bring a leg back to the system's end.

        The offer to another took it away, and rtpengine 10.5 discards what has nowhere to go ("lack of sink"), digits with it.
        """
        made_up = listening_answer(was.sdp, was.codec)
        assert made_up is not None  # it was answered so before
        await self._exchanged("offer", call, leg, alone(leg), was.sdp, _SHAPES[MediaShape.PLAIN])
        await self._exchanged("answer", call, leg, alone(leg), made_up, _SHAPES[was.shape])

    async def figures(self, call: CallId) -> MediaFigures:
        """The figures up to now; empty when the engine does not know the call."""
        try:
            reply = await self._order("query", call, {})
        except CallUnknown:
            return MediaFigures()
        return figures_of(call, reply, time.time())

    async def close(self, call: CallId) -> MediaFigures:
        """Free every port of the call; its last figures, empty for a call that is not known."""
        self._alone.pop(call, None)
        self._wide.pop(call, None)
        self._offered.pop(call, None)
        # `delete` with a tag would tell the figures itself, but spares legs which that tag never spoke with; without one it takes all.
        last = await self.figures(call)
        await self._order("delete", call, {})
        return last

    async def calls(self) -> frozenset[str]:
        """What the engine holds; see Media.calls. Of more than MOST_LISTED some are left out."""
        listed = (await self._client.ask("list", {"limit": MOST_LISTED})).get("calls", ())
        return frozenset(map(str, listed)) if isinstance(listed, list) else frozenset()

    def _as_agreed(self, call: CallId, offerer: LegId, sdp: str) -> str:
        """What `offerer` still speaks of the SDP it sent: once the system has answered that SDP alone, the one codec of the answer.

        Without this a phone that answers later could choose another codec, of which nobody tells the offerer: it is not re-INVITEd.
        """
        was = self._alone.get(call, {}).get(offerer)
        return narrowed(sdp, was.codec) if was is not None and sdp == was.sdp else sdp

    async def _exchanged(self, command: str, call: CallId, offerer: LegId, answerer: LegId, sdp: str, extra: Body) -> str:
        reply = await self._order(command, call, {"from-tag": offerer, "to-tag": answerer, "sdp": sdp, **_ALWAYS, **extra})
        if "sdp" not in reply:
            raise MediaRefused(f"There is no SDP in what should be the {command}: nothing to relay.")
        return str(reply["sdp"])

    async def _order(self, command: str, call: CallId, extra: Body) -> Body:
        return await self._client.ask(command, {"call-id": call, **extra})


def _playing(to: LegId, sound: Path, repeat: int) -> Body:
    return {"from-tag": to, "file": str(sound.absolute()), "repeat-times": repeat}  # rtpengine's working directory is its own


def _unplayable(sound: Path) -> str:
    if not sound.exists():
        return f"The sound file {sound} is missing: put it there, or choose another."
    return f"The sound file {sound} cannot be played: see that rtpengine may read it and that it is a whole WAV file with sound in it."
