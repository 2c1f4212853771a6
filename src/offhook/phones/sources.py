"""What a telephone says: sources of sound, asked for one frame of 20 ms at a time."""

from collections import deque

import numpy as np

from offhook.phones.audio import Samples, Sound, from_float, resampled
from offhook.phones.rtp import CLOCK_RATE, FRAME_SAMPLES

_ECHO_FRAMES = 50  # a second: more would pile up when the other side's clock is faster
_SILENT = np.zeros(FRAME_SAMPLES, np.int16)


class Source:
    """A source that sends nothing at all, as a phone that is mute on the wire. Base of the others."""

    def frame(self) -> Samples | None:
        """The next 160 samples, None to send nothing in these 20 ms."""
        return None

    def hears(self, samples: Samples) -> None:
        """What just came from the other side."""

    @property
    def finished(self) -> bool:
        """Whether a sound that ends has been sent to its end."""
        return False


Nothing = Source


class Silence(Source):
    """Packets without sound: keeps a path open, as phones do that have no silence suppression."""

    def frame(self) -> Samples | None:
        return _SILENT


class Tone(Source):
    """A steady sum of sines at `frequencies` (Hz), `level` dBFS in all, for ever and without a jump in its phase."""

    def __init__(self, *frequencies: float, level: float = -20.0) -> None:
        self._pitches = np.asarray(frequencies, dtype=np.float64)
        self._scale = 10 ** (level / 20) * np.sqrt(2 / max(len(frequencies), 1))
        self._sent = 0

    def frame(self) -> Samples | None:
        time = np.arange(self._sent, self._sent + FRAME_SAMPLES) / CLOCK_RATE
        self._sent += FRAME_SAMPLES
        return from_float(np.sin(2 * np.pi * np.outer(self._pitches, time)).sum(axis=0) * self._scale)


class Recording(Source):
    """A sound of any rate, played once and followed by `then` (silence, if not given), or over and over with `repeat`."""

    def __init__(self, sound: Sound, *, repeat: bool = False, then: Source | None = None) -> None:
        samples = resampled(sound, CLOCK_RATE).samples
        self._samples: Samples = np.concatenate([samples, np.zeros(-len(samples) % FRAME_SAMPLES, np.int16)])
        self._repeat = repeat
        self._then = then or Silence()
        self._place = 0

    def frame(self) -> Samples | None:
        if self._place >= len(self._samples):
            if not self._repeat or not len(self._samples):
                return self._then.frame()
            self._place = 0
        start, self._place = self._place, self._place + FRAME_SAMPLES
        return self._samples[start : self._place]

    def hears(self, samples: Samples) -> None:
        if self.finished:
            self._then.hears(samples)

    @property
    def finished(self) -> bool:
        return not self._repeat and self._place >= len(self._samples)


class Echo(Source):
    """Says what it hears; silence while it hears nothing."""

    def __init__(self) -> None:
        self._waiting: deque[Samples] = deque(maxlen=_ECHO_FRAMES)
        self._rest: Samples = _SILENT[:0]

    def hears(self, samples: Samples) -> None:
        self._rest = np.concatenate([self._rest, samples])
        while len(self._rest) >= FRAME_SAMPLES:
            self._waiting.append(self._rest[:FRAME_SAMPLES])
            self._rest = self._rest[FRAME_SAMPLES:]

    def frame(self) -> Samples | None:
        return self._waiting.popleft() if self._waiting else _SILENT
