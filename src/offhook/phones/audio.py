"""Sound as 16-bit samples: G.711, WAV and AU files, change of rate. numpy only."""

import math
import struct
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt

Samples = npt.NDArray[np.int16]

_PCM, _ALAW, _MULAW = 1, 6, 7
AU_HEADER = struct.Struct(">4sIIIII")
"""Magic, where the sound begins, its octets, encoding, rate, channels; all big-endian."""

AU_ENCODINGS: dict[str | None, int] = {"PCMU": 1, "PCMA": 27, None: 3}
_AU_KINDS = {1: _MULAW, 27: _ALAW, 3: _PCM}
_MULAW_BIAS = 132
_FULL_SCALE = 32767


class SoundUnreadable(ValueError):
    """The file is no WAV or AU that can be played; the text says why."""


def _mulaw_decoding() -> Samples:
    code = ~np.arange(256) & 0xFF
    magnitude = ((((code & 0x0F) << 3) + _MULAW_BIAS) << ((code >> 4) & 7)) - _MULAW_BIAS
    return np.where(code & 0x80, -magnitude, magnitude).astype(np.int16)


def _alaw_decoding() -> Samples:
    code = np.arange(256) ^ 0x55
    exponent = (code >> 4) & 7
    magnitude = ((code & 0x0F) << 4) + np.where(exponent, 0x108, 8)
    magnitude <<= np.maximum(exponent - 1, 0)
    return np.where(code & 0x80, magnitude, -magnitude).astype(np.int16)


def _every_sample() -> npt.NDArray[np.int64]:
    return np.arange(65536, dtype=np.uint16).view(np.int16).astype(np.int64)


def _mulaw_encoding() -> npt.NDArray[np.uint8]:
    samples = _every_sample() >> 2  # G.711 is defined on 14 bits
    magnitude = np.minimum(np.abs(samples), 8158) + _MULAW_BIAS // 4
    exponent = np.log2(magnitude).astype(np.int64) - 5
    code = np.where(samples < 0, 0x80, 0) | (exponent << 4) | ((magnitude >> (exponent + 1)) & 0x0F)
    return np.asarray(~code & 0xFF, np.uint8)


def _alaw_encoding() -> npt.NDArray[np.uint8]:
    samples = _every_sample()
    magnitude = np.where(samples < 0, -samples - 1, samples) >> 3
    segment = np.maximum(np.log2(np.maximum(magnitude, 1)).astype(np.int64) - 4, 0)
    code = (segment << 4) | ((magnitude >> np.maximum(segment, 1)) & 0x0F)
    return np.asarray(code ^ np.where(samples < 0, 0x55, 0xD5), np.uint8)


_DECODE = {"PCMU": _mulaw_decoding(), "PCMA": _alaw_decoding()}
_ENCODE = {"PCMU": _mulaw_encoding(), "PCMA": _alaw_encoding()}
_SILENCE = {codec: bytes(table[:1]) for codec, table in _ENCODE.items()}


def encode(samples: Samples, codec: str) -> bytes:
    """The samples in G.711, one octet each; `codec` is "PCMU" or "PCMA"."""
    return _ENCODE[codec][samples.view(np.uint16)].tobytes()


def decode(payload: bytes, codec: str) -> Samples:
    """The samples of a G.711 payload."""
    return _DECODE[codec][np.frombuffer(payload, np.uint8)]


def from_float(sound: npt.NDArray[np.floating]) -> Samples:
    """Samples of a sound in -1..1; louder parts are cut, so scale before."""
    samples: Samples = np.clip(np.rint(sound * _FULL_SCALE), -_FULL_SCALE, _FULL_SCALE).astype(np.int16)
    return samples


def to_float(samples: Samples) -> npt.NDArray[np.float64]:
    return samples.astype(np.float64) / _FULL_SCALE


@dataclass(frozen=True, slots=True)
class Sound:
    """Mono samples and how many of them make a second."""

    samples: Samples
    rate: int

    @property
    def seconds(self) -> float:
        return len(self.samples) / self.rate


def read_sound(path: Path) -> Sound:
    """The sound in a WAV or AU file: 16-bit, mu-law or A-law; several channels are mixed. Raises SoundUnreadable, OSError."""
    data = path.read_bytes()
    return _read_au(path, data) if data[:4] == b".snd" else _read_wav(path, data)


def _read_au(path: Path, data: bytes) -> Sound:
    if len(data) < AU_HEADER.size:
        raise SoundUnreadable(f"{path}: cut short in its header")
    _, start, size, encoding, rate, channels = AU_HEADER.unpack_from(data)
    if encoding not in _AU_KINDS:
        raise SoundUnreadable(f"{path}: encoding {encoding}; wanted 16-bit PCM, A-law or mu-law")
    body = data[start : start + size]
    if len(body) < size:
        raise SoundUnreadable(f"{path}: cut short, {size - len(body)} octets are missing")
    kind = _AU_KINDS[encoding]
    if kind == _PCM:
        body = np.frombuffer(body[: len(body) // 2 * 2], ">i2").astype("<i2").tobytes()
    return _sound(path, (kind, channels, rate, 16 if kind == _PCM else 8), body)


def _read_wav(path: Path, data: bytes) -> Sound:
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        raise SoundUnreadable(f"{path}: no RIFF WAVE and no AU file")
    form: tuple[int, int, int, int] | None = None
    place = 12
    while place + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, place)
        body = data[place + 8 : place + 8 + size]
        if len(body) < size:
            raise SoundUnreadable(f"{path}: cut short, {size - len(body)} octets are missing")
        if name == b"fmt ":
            if size < 16:
                raise SoundUnreadable(f"{path}: format chunk of {size} octets")
            kind, channels, rate, _, _, bits = struct.unpack_from("<HHIIHH", body)
            form = (kind, channels, rate, bits)
        elif name == b"data":
            if form is None:
                raise SoundUnreadable(f"{path}: sound before its format")
            return _sound(path, form, body)
        place += 8 + size + size % 2
    raise SoundUnreadable(f"{path}: no sound in it")


def _sound(path: Path, form: tuple[int, int, int, int], body: bytes) -> Sound:
    kind, channels, rate, bits = form
    if channels < 1 or rate < 1 or (kind, bits) not in ((_PCM, 16), (_ALAW, 8), (_MULAW, 8)):
        raise SoundUnreadable(f"{path}: format {kind}, {bits} bits, {channels} channels at {rate} Hz; wanted 16-bit PCM, A-law or mu-law")
    if kind == _PCM:
        samples: Samples = np.frombuffer(body[: len(body) // 2 * 2], "<i2").astype(np.int16)
    else:
        samples = decode(body, "PCMA" if kind == _ALAW else "PCMU")
    if channels > 1:
        whole = len(samples) // channels * channels
        samples = samples[:whole].reshape(-1, channels).mean(axis=1).astype(np.int16)
    return Sound(samples, rate)


def wav(sound: Sound, codec: str | None = None) -> bytes:
    """A WAV file: in G.711 when `codec` is "PCMU" or "PCMA", else 16-bit."""
    kind, width = {"PCMU": (_MULAW, 1), "PCMA": (_ALAW, 1)}.get(codec or "", (_PCM, 2))
    body = sound.samples.astype("<i2").tobytes() if codec is None else encode(sound.samples, codec)
    header = struct.pack("<HHIIHH", kind, 1, sound.rate, sound.rate * width, width, 8 * width)
    padded = body + b"\0" * (len(body) % 2)
    chunks = b"WAVEfmt " + struct.pack("<I", len(header)) + header + b"data" + struct.pack("<I", len(body)) + padded
    return b"RIFF" + struct.pack("<I", len(chunks)) + chunks


def au(sound: Sound, codec: str | None = None) -> bytes:
    """An AU file (Sun, NeXT): in G.711 when `codec` is "PCMU" or "PCMA", else 16-bit."""
    body = sound.samples.astype(">i2").tobytes() if codec is None else encode(sound.samples, codec)
    return AU_HEADER.pack(b".snd", AU_HEADER.size, len(body), AU_ENCODINGS[codec], sound.rate, 1) + body


def resampled(sound: Sound, rate: int) -> Sound:
    """The sound at another rate, what the new rate cannot carry filtered out first (windowed sinc, Kaiser, about 70 dB)."""
    if rate == sound.rate:
        return sound
    ratio = Fraction(rate, sound.rate)
    up, down = ratio.numerator, ratio.denominator
    widest = max(up, down)
    taps = up * (2 * (48 * widest // up // 2) + 1)
    middle = (taps - 1) / 2
    # The pass band ends at 45 % of the lower rate: 3.6 kHz for telephones, alias below hearing.
    steps = np.arange(taps) - middle
    kernel = np.sinc(steps * 0.9 / widest) * 0.9 / widest * np.kaiser(taps, 7.0) * up
    width = taps // up
    source = np.concatenate([np.zeros(width), sound.samples.astype(np.float64), np.zeros(width + 1)])
    count = math.ceil(len(sound.samples) * ratio)
    windows = np.lib.stride_tricks.sliding_window_view(source, width)
    result = np.empty(count)
    for start in range(0, count, 16384):  # in pieces: the gathered windows of a whole tune would fill the memory
        place = np.arange(start, min(start + 16384, count)) * down + int(middle)
        base, phase = place // up, place % up
        for each in np.unique(phase):
            chosen = np.nonzero(phase == each)[0]
            result[start + chosen] = windows[base[chosen] + 1] @ kernel[each::up][::-1]
    samples: Samples = np.clip(np.rint(result), -_FULL_SCALE, _FULL_SCALE).astype(np.int16)
    return Sound(samples, rate)
