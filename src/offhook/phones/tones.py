"""Sound made for tests and tones, and sound judged: which tones are in it, how loud it is when, where somebody speaks, which keys.

Loudness is in dBFS of the root mean square: 0 is a square wave at full scale, -3 the loudest sine, about -20 a voice on the telephone.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from offhook.phones.audio import Samples, from_float, to_float
from offhook.phones.rtp import CLOCK_RATE

QUIETEST = -96.0
SPEECH_LEVEL = -45.0
_ROWS, _COLUMNS = (697, 770, 852, 941), (1209, 1336, 1477, 1633)
_KEYS = ("123A", "456B", "789C", "*0#D")
KEY_TONES = {key: (row, column) for keys, row in zip(_KEYS, _ROWS, strict=True) for key, column in zip(keys, _COLUMNS, strict=True)}
_KEY_OF = {tones: key for key, tones in KEY_TONES.items()}


def tone(frequencies: Iterable[float], seconds: float, level: float = -20.0, rate: int = CLOCK_RATE) -> Samples:
    """The sum of sines at `frequencies` (Hz), `level` dBFS in all; it starts and ends without a click (5 ms)."""
    pitches = tuple(frequencies)
    time = np.arange(round(seconds * rate)) / rate
    sound = np.sum([np.sin(2 * np.pi * pitch * time) for pitch in pitches], axis=0) if pitches else np.zeros(len(time))
    sound *= 10 ** (level / 20) * np.sqrt(2 / max(len(pitches), 1))
    ramp = min(int(0.005 * rate), len(sound) // 2)
    if ramp:
        sound[:ramp] *= np.linspace(0, 1, ramp)
        sound[-ramp:] *= np.linspace(1, 0, ramp)
    return from_float(sound)


def silence(seconds: float, rate: int = CLOCK_RATE) -> Samples:
    return np.zeros(round(seconds * rate), np.int16)


def key_tones(digits: str, on: float = 0.1, off: float = 0.1) -> Samples:
    """The keys as a caller without telephone events sends them: two tones a key (Q.23), `on` and `off` in seconds."""
    parts = [part for digit in digits for part in (tone(KEY_TONES[digit], on, -14.0), silence(off))]
    return np.concatenate([silence(off), *parts])


def speechlike(seconds: float, seed: int = 0) -> Samples:
    """A sound with the energy of speech (four syllables a second over a gliding voice with overtones), for tests that need no words."""
    time = np.arange(round(seconds * CLOCK_RATE)) / CLOCK_RATE
    drift = np.random.default_rng(seed).uniform(0, 2 * np.pi, 2)
    phase = 2 * np.pi * 140 * time + 40 * np.sin(2 * np.pi * 0.7 * time + drift[0])
    voice = np.sum([np.sin(number * phase) / np.sqrt(number) for number in range(1, 15)], axis=0)
    syllables = np.clip(np.sin(2 * np.pi * 4 * time + drift[1]), 0, 1) * (np.sin(2 * np.pi * 0.6 * time) > -0.8)
    return from_float(0.15 * voice * syllables)


def level(samples: Samples) -> float:
    """How loud the samples are in all, in dBFS; QUIETEST for silence."""
    if not len(samples):
        return QUIETEST
    power = float(np.mean(to_float(samples) ** 2))
    return max(10 * float(np.log10(power)), QUIETEST) if power > 0 else QUIETEST


def levels(samples: Samples, seconds: float = 0.5, rate: int = CLOCK_RATE) -> list[float]:
    """How loud each piece of `seconds` is; a last piece that is not whole is left out."""
    size = round(seconds * rate)
    return [level(samples[start : start + size]) for start in range(0, len(samples) - size + 1, size)]


def _shares(samples: Samples, frequencies: Sequence[float], rate: int) -> npt.NDArray[np.float64]:
    """The share of the sound's power at each frequency (Goertzel's sums, done by one matrix product; Hann-windowed against leaking)."""
    sound = to_float(samples) * np.hanning(len(samples))
    total = float(np.sum(sound**2))
    if not total:
        return np.zeros(len(frequencies))
    turns = np.outer(np.asarray(frequencies), np.arange(len(samples))) * (2j * np.pi / rate)
    sums = np.abs(np.exp(-turns) @ sound) ** 2
    shares: npt.NDArray[np.float64] = sums * 3 / len(samples) / total  # 3 makes it 1.0 for a pure tone: (N/4)^2 of N * 3N/16
    return shares


def tones_in(samples: Samples, frequencies: Iterable[float], rate: int = CLOCK_RATE, quietest: float = SPEECH_LEVEL) -> set[float]:
    """Which of the frequencies are heard: those that carry a fifth of the power or more in most tenths of a second that are not silent.

    Ask for what could be there, not one frequency alone: neighbours closer than about 20 Hz cannot be told apart.
    """
    asked = tuple(frequencies)
    size = rate // 10
    pieces = [samples[start : start + size] for start in range(0, len(samples) - size + 1, size)]
    loud = [piece for piece in pieces if level(piece) > quietest]
    if not loud:
        return set()
    votes = np.sum([_shares(piece, asked, rate) >= 0.2 for piece in loud], axis=0)
    return {frequency for frequency, vote in zip(asked, votes, strict=True) if vote * 2 > len(loud)}


def steady_tones(samples: Samples, seconds: float = 0.6, rate: int = CLOCK_RATE) -> list[float]:
    """The frequencies (to about 5 Hz, lowest first) that sounded without a change for `seconds` somewhere; a voice has none."""
    size, found = rate // 10, set[float]()
    wanted = max(round(seconds * 10), 1)
    runs: dict[float, int] = {}
    for start in range(0, len(samples) - size + 1, size):
        runs = {
            peak: 1 + max((runs.get(peak + near, 0) for near in (0, -5, 5)), default=0)
            for peak in _peaks(samples[start : start + size], rate)
        }
        for peak, pieces in runs.items():
            if pieces >= wanted and not any(abs(peak - known) <= 10 for known in found):
                found.add(peak)
    return sorted(found)


def _peaks(piece: Samples, rate: int) -> list[float]:
    """The frequencies, in steps of 5 Hz, that carry a fifth of the power or more: four at most."""
    if level(piece) <= SPEECH_LEVEL:
        return []
    power = np.abs(np.fft.rfft(to_float(piece) * np.hanning(len(piece)), rate // 5))
    tops = [
        place for place in np.argsort(power)[::-1][:24] if 0 < place < len(power) - 1 and power[place] == power[place - 1 : place + 2].max()
    ]
    frequencies = [float(place) * 5 for place in tops[:4]]
    return [frequency for frequency, share in zip(frequencies, _shares(piece, frequencies, rate), strict=True) if share >= 0.2]


@dataclass(frozen=True, slots=True)
class Segment:
    """Seconds from the beginning of the sound."""

    start: float
    end: float

    @property
    def seconds(self) -> float:
        return self.end - self.start


def loud_segments(samples: Samples, quietest: float = SPEECH_LEVEL, bridge: float = 0.3, rate: int = CLOCK_RATE) -> list[Segment]:
    """Where there is sound above `quietest` dBFS, in steps of 20 ms; pauses shorter than `bridge` seconds do not part a segment."""
    found: list[Segment] = []
    for number, loudness in enumerate(levels(samples, 0.02, rate)):
        if loudness <= quietest:
            continue
        start, end = number * 0.02, (number + 1) * 0.02
        if found and start - found[-1].end < bridge:
            found[-1] = Segment(found[-1].start, end)
        else:
            found.append(Segment(start, end))
    return found


def is_speech(samples: Samples, rate: int = CLOCK_RATE) -> bool:
    """Whether this sounds like a voice: loud for half a second in all, rising and falling like syllables, of many pitches."""
    loud = [loudness for loudness in levels(samples, 0.02, rate) if loudness > SPEECH_LEVEL]
    if len(loud) < 25 or float(np.std(loud)) < 2.5:
        return False
    power = np.abs(np.fft.rfft(to_float(samples))) ** 2
    width = max(len(power) * 20 // (rate // 2), 1)  # bands of 20 Hz
    bands = np.sort(power[: len(power) // width * width].reshape(-1, width).sum(axis=1))
    return bool(bands[-2:].sum() < 0.6 * power.sum())


def share_heard(samples: Samples, wanted: Samples, rate: int = CLOCK_RATE) -> float:
    """How much of the sound `wanted` is in `samples`, 0 to 1: each loud second of it is looked for, letter by letter so to speak.

    G.711 and its change of law do no harm, other words by the same voice score near 0. About 50 ms of work for ten seconds of each.
    """
    pieces = [wanted[start : start + rate] for start in range(0, len(wanted) - rate // 2, rate)]
    loud = [to_float(piece) for piece in pieces if level(piece) > SPEECH_LEVEL]
    if not loud or len(samples) < rate:
        return 0.0
    heard = to_float(samples)
    size = 1 << (len(heard) + rate).bit_length()
    spectrum, energy = np.fft.rfft(heard, size), np.concatenate([[0.0], np.cumsum(heard**2)])
    found = 0
    for piece in loud:
        places = len(heard) - len(piece) + 1
        match = np.fft.irfft(spectrum * np.conj(np.fft.rfft(piece, size)), size)[:places]
        there = energy[len(piece) : len(piece) + places] - energy[:places]
        found += bool(np.any(match > 0.9 * np.sqrt(np.maximum(there, 1e-9) * np.sum(piece**2))))
    return found / len(loud)


def keys_in(samples: Samples, rate: int = CLOCK_RATE) -> str:
    """The keys heard as two tones each (Q.24: 40 ms or longer, at most 8 dB between the two, little else beside them)."""
    size, found, before, count = rate // 50, "", "", 0
    for start in range(0, len(samples) - size + 1, size):
        key = _key(samples[start : start + size], rate)
        count = count + 1 if key == before else 1
        if key and count == 2:
            found += key
        before = key
    return found


def _key(piece: Samples, rate: int) -> str:
    if level(piece) < -40:
        return ""
    shares = _shares(piece, (*_ROWS, *_COLUMNS), rate)
    row, column = int(np.argmax(shares[:4])), int(np.argmax(shares[4:]))
    low, high = float(shares[row]), float(shares[4 + column])
    if low + high < 0.7 or max(low, high) > 6.3 * min(low, high):
        return ""
    return _KEY_OF[_ROWS[row], _COLUMNS[column]]
