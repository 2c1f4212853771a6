"""A media engine without sound: it keeps the orders it was given, and makes the SDP a real one would make."""

import itertools
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from offhook.domain.calls.ids import CallId, LegId
from offhook.domain.media import MediaFigures, MediaShape, StreamFigures
from offhook.engines.rtpengine.sdp import formats, listening_answer, narrowed
from offhook.services.ports.media import MediaAbsent, MediaFull, MediaRefused

ADDRESS = "127.0.0.1"
_OFFERABLE = {
    "PCMU": "0 PCMU/8000",
    "PCMA": "8 PCMA/8000",
    "G722": "9 G722/8000",
    "opus": "96 opus/48000/2",
    "telephone-event": "101 telephone-event/8000",
}
_FIRST_PORT = 40000


class Order(NamedTuple):
    """One order as it was given; `detail` is the codec, the sound file's name or empty."""

    what: str
    call: CallId
    legs: tuple[LegId, ...]
    detail: str = ""


class Playing(NamedTuple):
    """What plays to a leg now."""

    sound: Path
    repeat: int


@dataclass(slots=True)
class _Call:
    answerers: set[LegId] = field(default_factory=set)
    ports: dict[LegId, int] = field(default_factory=dict)
    said: dict[LegId, str] = field(default_factory=dict)
    alone: dict[LegId, tuple[str, str]] = field(default_factory=dict)


class FakeMedia:
    """Passes the same contract suite as the real engine. `dies()` and `comes_back()` do to it what kill -9 and a restart do."""

    def __init__(self) -> None:
        self.orders: list[Order] = []
        self.playing: dict[LegId, Playing] = {}
        self.silenced: set[LegId] = set()
        self.refusals: dict[str, str] = {}
        """By order ("play"): the reason the next such order is refused with."""
        self.free = 1000
        """How many legs can still be offered to, those for help apart."""
        self.streams: dict[LegId, StreamFigures] = {}
        """What figures() and close() tell of a leg in place of a silent stream."""
        self._calls: dict[CallId, _Call] = {}
        self._ports = itertools.count(_FIRST_PORT, 2)
        self._present = True

    def dies(self) -> None:
        """Answer nothing from now on, and forget every call."""
        self._present = False
        self._calls.clear()
        self.playing.clear()
        self.silenced.clear()

    def comes_back(self) -> None:
        """Answer again."""
        self._present = True

    @property
    def open_calls(self) -> set[CallId]:
        """The calls that hold ports now: empty when nothing leaks."""
        return set(self._calls)

    def given(self, what: str) -> list[Order]:
        """The orders of one kind, oldest first."""
        return [order for order in self.orders if order.what == what]

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
        if self.free <= 0 and not urgent:
            raise MediaFull("No ports are free for sound.")
        self.free -= 1
        self._takes(Order("offer", call, (offerer, answerer), ",".join(codecs)))
        known = self._calls.setdefault(call, _Call())
        return self._offered(known, offerer, answerer, sdp, codecs)

    async def answer(self, call: CallId, offerer: LegId, answerer: LegId, sdp: str, shape: MediaShape) -> str:
        self._takes(Order("answer", call, (offerer, answerer)))
        return self._answered(self._known(call), offerer, answerer, sdp)

    async def answer_alone(self, call: CallId, leg: LegId, sdp: str, shape: MediaShape, codec: str) -> str:
        if self.free <= 0:
            raise MediaFull("No ports are free for sound.")
        self._takes(Order("answer_alone", call, (leg,), codec))
        made_up = listening_answer(sdp, codec)
        if made_up is None:
            raise MediaRefused(f"The phone does not offer {codec}.")
        known = self._calls.setdefault(call, _Call())
        self._offered(known, leg, _system_beside(leg), sdp, ())
        known.alone[leg] = (sdp, codec)
        return self._answered(known, leg, _system_beside(leg), made_up)

    async def leave_alone(self, call: CallId, leg: LegId) -> None:
        self._takes(Order("leave_alone", call, (leg,)))
        self._forget(call, _system_beside(leg))

    async def play(self, call: CallId, to: LegId, sound: Path, repeat: int = 1) -> int:
        self._takes(Order("play", call, (to,), sound.name))
        if to not in self._known(call).ports:
            raise MediaRefused(f"No such leg: {to}")
        milliseconds = _milliseconds(sound)
        if not milliseconds:
            raise MediaRefused(f"The sound file {sound} cannot be played.")
        self.playing[to] = Playing(sound, repeat)
        return milliseconds

    async def stop(self, call: CallId, to: LegId) -> None:
        self._takes(Order("stop", call, (to,)))
        self.playing.pop(to, None)

    async def silence(self, call: CallId, leg: LegId) -> None:
        self._takes(Order("silence", call, (leg,)))
        self._known(call)
        self.silenced.add(leg)

    async def unsilence(self, call: CallId, leg: LegId) -> None:
        self._takes(Order("unsilence", call, (leg,)))
        self._known(call)
        self.silenced.discard(leg)

    async def remove(self, call: CallId, offerer: LegId, answerer: LegId) -> None:
        self._takes(Order("remove", call, (offerer, answerer)))
        self._forget(call, answerer)

    async def press(self, call: CallId, leg: LegId, digit: str, milliseconds: int) -> None:
        self._takes(Order("press", call, (leg,), digit))
        if len(self._known(call).ports) < 2:
            raise MediaRefused("Nobody hears the digit: the leg speaks with no other yet.")

    async def knows(self, call: CallId) -> bool:
        self._takes(Order("knows", call, ()))
        return call in self._calls

    async def figures(self, call: CallId) -> MediaFigures:
        self._takes(Order("figures", call, ()))
        return self._figures(call)

    async def close(self, call: CallId) -> MediaFigures:
        self._takes(Order("close", call, ()))
        last = self._figures(call)
        self._end(call)
        return last

    async def calls(self) -> frozenset[str]:
        self._takes(Order("calls", CallId(""), ()))
        return frozenset(self._calls)

    def _takes(self, order: Order) -> None:
        if not self._present:
            raise MediaAbsent("The media engine does not answer.")
        self.orders.append(order)
        if order.what in self.refusals:
            raise MediaRefused(self.refusals.pop(order.what))

    def _known(self, call: CallId) -> _Call:
        if call not in self._calls:
            raise MediaRefused(f"Unknown call: {call}")
        return self._calls[call]

    def _offered(self, known: _Call, offerer: LegId, answerer: LegId, sdp: str, codecs: tuple[str, ...]) -> str:
        if not formats(sdp):
            raise MediaRefused("There is no sound in the SDP.")
        known.said[offerer] = sdp
        known.answerers.add(answerer)
        self._port(known, offerer)
        answered, codec = known.alone.get(offerer, ("", ""))
        return _readdressed(_widened(narrowed(sdp, codec) if sdp == answered else sdp, codecs), self._port(known, answerer))

    def _answered(self, known: _Call, offerer: LegId, answerer: LegId, sdp: str) -> str:
        known.said[answerer] = sdp
        return _readdressed(sdp, self._port(known, offerer))

    def _port(self, known: _Call, leg: LegId) -> int:
        if leg not in known.ports:
            known.ports[leg] = next(self._ports)
        return known.ports[leg]

    def _forget(self, call: CallId, answerer: LegId) -> None:
        known = self._calls.get(call)
        if known is None or answerer not in known.answerers:
            return
        known.answerers.discard(answerer)
        if not known.answerers:
            self._end(call)

    def _end(self, call: CallId) -> None:
        known = self._calls.pop(call, _Call())
        for leg in known.ports:
            self.playing.pop(leg, None)
            self.silenced.discard(leg)

    def _figures(self, call: CallId) -> MediaFigures:
        known = self._calls.get(call, _Call())
        legs = sorted((leg for leg in known.ports if not leg.endswith(".system")), key=lambda leg: (len(leg), leg))
        return MediaFigures(tuple(self.streams.get(leg) or _silent(leg, known.said.get(leg)) for leg in legs))


def _system_beside(leg: LegId) -> LegId:
    return LegId(f"{leg}.system")


def _silent(leg: LegId, sdp: str | None) -> StreamFigures:
    return StreamFigures(leg, None, _place(sdp) if sdp else None, None, 0, 0, None)


def _place(sdp: str) -> str:
    lines = sdp.splitlines()
    address = next(line.split()[-1] for line in lines if line.startswith("c="))
    return f"{address}:{next(line.split()[1] for line in lines if line.startswith('m=audio'))}"


def _readdressed(sdp: str, port: int) -> str:
    lines = []
    for line in sdp.splitlines():
        words = line.split()
        if line.startswith("c="):
            words[-1] = ADDRESS
        elif line.startswith("m=audio"):
            words[1] = str(port)
        elif line.startswith("o="):
            words = ["o=-", "1", "1", "IN", "IP4", ADDRESS]
        lines.append(" ".join(words))
    return "\r\n".join([*lines, ""])


def _widened(sdp: str, codecs: tuple[str, ...]) -> str:
    there = {each.codec.lower() for each in formats(sdp)}
    extra = [_OFFERABLE[codec].split(" ") for codec in codecs if codec.lower() not in there]
    lines = []
    for line in sdp.splitlines():
        if line.startswith("m=audio"):
            lines.append(" ".join([line, *(payload for payload, _ in extra)]))
            lines += [f"a=rtpmap:{payload} {name}" for payload, name in extra]
        else:
            lines.append(line)
    return "\r\n".join([*lines, ""])


def _milliseconds(sound: Path) -> int:
    """How long a WAV file lasts, any coding; 0 for a file that is missing or none."""
    data = sound.read_bytes() if sound.is_file() else b""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return 0
    at, rate, length = 12, 0, 0
    while at + 8 <= len(data):
        kind, size = data[at : at + 4], int(struct.unpack_from("<I", data, at + 4)[0])
        if kind == b"fmt " and at + 20 <= len(data):
            rate = int(struct.unpack_from("<I", data, at + 16)[0])
        elif kind == b"data":
            length = min(size, len(data) - at - 8)
        at += 8 + size + size % 2
    return length * 1000 // rate if rate else 0
