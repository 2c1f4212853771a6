"""What a call needs of a media engine: relay between two legs, sound played to one, figures."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from offhook.domain.calls.ids import CallId, LegId
from offhook.domain.media import MediaFigures, MediaShape


class MediaRefused(Exception):
    """The engine answered, and said no: a codec nobody shares, a file it cannot read, a call it does not know. The text says which."""


class MediaFull(MediaRefused):
    """There are no ports left for it."""


class MediaAbsent(Exception):
    """The engine did not answer in time, twice: it is dead or drowning."""


class Media(Protocol):
    """One media engine. Every method may raise MediaRefused or MediaAbsent."""

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
        """The SDP to send to `answerer` for the SDP `offerer` sent. Every answerer of one offerer gets ports of its own (parallel forking).

        `shape` is the answerer's. `codecs` are offered to the answerer beside what the offerer speaks, in the engine's names ("PCMA",
        "opus"), and transcoded only if chosen. MediaFull where there are no ports for it; some are kept for what is `urgent`.
        """

    async def answer(self, call: CallId, offerer: LegId, answerer: LegId, sdp: str, shape: MediaShape) -> str:
        """The SDP to send to `offerer` for the answer `answerer` gave; sound flows from now on. `shape` is the offerer's."""

    async def answer_alone(self, call: CallId, leg: LegId, sdp: str, shape: MediaShape, codec: str) -> str:
        """The SDP that answers `leg` when it speaks with the system itself (attendant, announcement), in `codec`. `shape` is the leg's.

        Until `leave_alone` what comes from `leg` is let through to nobody, digits apart.
        """

    async def leave_alone(self, call: CallId, leg: LegId) -> None:
        """Take away the system's end that `answer_alone` made, once another leg has taken its place, and let the leg be heard.

        Its port stays.
        """

    async def play(self, call: CallId, to: LegId, sound: Path, repeat: int = 1) -> int:
        """Play a file to `to`, `repeat` times; milliseconds that one round lasts. What played before stops."""

    async def stop(self, call: CallId, to: LegId) -> None:
        """Stop what plays to `to`; nothing happens if nothing does."""

    async def silence(self, call: CallId, leg: LegId) -> None:
        """Let nothing through that comes from `leg`, digits apart."""

    async def unsilence(self, call: CallId, leg: LegId) -> None:
        """Take `silence` back."""

    async def remove(self, call: CallId, offerer: LegId, answerer: LegId) -> None:
        """Forget one answerer (a phone that was not the one to answer); the others go on."""

    async def press(self, call: CallId, leg: LegId, digit: str, milliseconds: int) -> None:
        """Send a digit ("0".."9", "*", "#", "A".."D") to whom `leg` speaks with, as if `leg` had pressed it.

        It goes as RFC 4733 to a party that has it, as a tone to one that has not. Refused while no sound has come from `leg`: the digit
        goes into its stream.
        """

    async def knows(self, call: CallId) -> bool:
        """Whether the engine has the call: it has not when it was started anew and remembers nothing."""

    async def figures(self, call: CallId) -> MediaFigures:
        """The figures up to now."""

    async def close(self, call: CallId) -> MediaFigures:
        """Free every port of the call; its last figures. Closing a call that is not known is no error and gives no figures."""

    async def calls(self) -> frozenset[str]:
        """The names of all calls the engine holds, other programs' too."""


DigitHeard = Callable[[CallId, LegId, str, int], None]
"""Told once for each RFC 4733 digit: the call, the leg that pressed it, the digit ("0".."9", "*", "#", "A".."D"), its length in
milliseconds.
"""
