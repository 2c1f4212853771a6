"""What a telephone heard: the last minutes of sound by time of arrival, and questions about it."""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable

import numpy as np

from offhook.phones import tones
from offhook.phones.audio import Samples, Sound, resampled
from offhook.phones.rtp import CLOCK_RATE, FRAME_SECONDS

_LISTEN_EVERY = 0.1


class NotHeard(Exception):
    """What was waited for was not heard in time; the text says what was, and which packets came."""


class Ear:
    """Keeps the last `keep_seconds` of what arrived and answers questions about it. Times are seconds of `clock`.

    A question about the past looks at the last `within` seconds; where nothing arrived, there was silence.
    """

    def __init__(self, clock: Callable[[], float], keep_seconds: float = 120.0) -> None:
        self._clock = clock
        self._frames: deque[tuple[float, Samples]] = deque(maxlen=max(int(keep_seconds / FRAME_SECONDS), 1))
        self._news = asyncio.Event()
        self.since = clock()
        self.frames_heard = 0
        self.digits = ""

    def hear(self, samples: Samples) -> None:
        """Sound that has just arrived."""
        self._frames.append((self._clock(), samples))
        self.frames_heard += 1
        self._news.set()

    def hear_digit(self, digit: str) -> None:
        """A key that has just been pressed on the other side."""
        self.digits += digit
        self._news.set()

    def tell(self) -> None:
        """Have all who wait ask their question again."""
        self._news.set()

    def samples(self, within: float | None = None) -> Samples:
        """What arrived in the last `within` seconds (None: all that is kept), one frame after the other without the gaps between."""
        start = self._clock() - within if within is not None else 0.0
        kept = [samples for at, samples in self._frames if at >= start]
        return np.concatenate(kept) if kept else np.zeros(0, np.int16)

    def heard_tones(self, frequencies: Iterable[float], within: float = 0.5) -> set[float]:
        """Which of these frequencies (Hz) were heard; see `tones.tones_in`."""
        return tones.tones_in(self.samples(within), frequencies)

    def heard_tone(self, frequency: float, within: float = 0.5) -> bool:
        """Whether there was a tone of this frequency, a fifth of the sound at least."""
        return bool(self.heard_tones((frequency,), within))

    def heard_speech(self, within: float = 3.0) -> bool:
        """Whether somebody spoke; see `tones.is_speech`."""
        return tones.is_speech(self.samples(within))

    def level(self, within: float = 0.5) -> float:
        """How loud it was, in dBFS; nothing that arrived counts as silence."""
        heard = self.samples(within)
        missing = max(round(within * CLOCK_RATE) - len(heard), 0)
        return tones.level(np.concatenate([heard, np.zeros(missing, np.int16)]))

    def energy_over_time(self, step: float = 0.5, since: float | None = None) -> list[float]:
        """How loud each `step` seconds since `since` (the beginning) was, in dBFS; only whole steps."""
        begin = self.since if since is None else since
        steps = max(int((self._clock() - begin) / step), 0)
        power = np.zeros(steps)
        for at, samples in self._frames:
            place = int((at - begin) // step)
            if 0 <= place < steps:
                power[place] += float(np.sum(samples.astype(np.float64) ** 2))
        mean = power / (step * CLOCK_RATE * 32767.0**2)
        return [round(max(10 * float(np.log10(each)), tones.QUIETEST), 1) if each > 0 else tones.QUIETEST for each in mean]

    async def until(self, heard: Callable[[], bool], what: str, patience: float = 10.0) -> None:
        """Wait until `heard()` holds, asked as sound arrives and ten times a second. Raises NotHeard after `patience` seconds."""
        deadline = self._clock() + patience
        while not heard():
            left = deadline - self._clock()
            if left <= 0:
                raise NotHeard(f"{what} was not heard in {patience:g} s. {self.description()}")
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), min(left, _LISTEN_EVERY))
            except TimeoutError:
                continue

    async def tone(self, *frequencies: float, patience: float = 10.0) -> None:
        """Wait until all of these frequencies are heard together in the last 300 ms."""
        wanted = set(frequencies)
        names = ", ".join(f"{frequency:g} Hz" for frequency in frequencies)
        await self.until(lambda: self.heard_tones(wanted, 0.3) == wanted, f"a tone of {names}", patience)

    async def speech(self, patience: float = 10.0) -> None:
        """Wait until somebody speaks."""
        await self.until(self.heard_speech, "speech", patience)

    async def sound(self, sound: Sound, patience: float = 20.0) -> None:
        """Wait until this very sound was heard, four fifths of its seconds at least: `await call.hears.sound(read_sound(prompt))`."""
        wanted = resampled(sound, CLOCK_RATE).samples
        asked_at = 0

        def heard() -> bool:
            nonlocal asked_at
            if self.frames_heard - asked_at < 25:  # the question costs some 50 ms: twice a second is enough
                return False
            asked_at = self.frames_heard
            return tones.share_heard(self.samples(sound.seconds + 5), wanted) >= 0.8

        await self.until(heard, f"that sound of {sound.seconds:.1f} s", patience)

    async def quiet(self, seconds: float = 0.5, patience: float = 10.0) -> None:
        """Wait until there has been silence for `seconds`, be it silent packets or none."""
        begin = self._clock()
        await self.until(
            lambda: self._clock() - begin >= seconds and self.level(seconds) < tones.SPEECH_LEVEL, f"silence of {seconds:g} s", patience
        )

    async def pressed(self, digits: str, patience: float = 10.0) -> None:
        """Wait until the keys `digits` came as telephone events, last of all."""
        await self.until(lambda: self.digits.endswith(digits), f"the keys {digits}", patience)

    def description(self) -> str:
        """What was heard, in one sentence, for errors."""
        if not self.frames_heard:
            return "No packet with sound came."
        loudness = ", ".join(f"{each:.0f}" for each in self.energy_over_time()[-10:])
        quiet = self._clock() - self._frames[-1][0]
        keys = self.digits or "none"
        return f"{self.frames_heard} frames came, the last {quiet:.1f} s ago; dBFS of the last half seconds: {loudness}; keys: {keys}."
