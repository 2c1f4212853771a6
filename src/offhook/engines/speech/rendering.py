"""From a raw sound to the file that is played: loudness, band, form, and a check that the file is whole."""

import os
import struct
from pathlib import Path

import numpy as np
import numpy.typing as npt

from offhook.phones.audio import Sound, from_float, resampled, to_float, wav

VERSION = 1  # part of every file's key: raise it when the sound of this module's work changes
SPEECH_LEVEL = -20.0
MUSIC_LEVEL = -26.0
_LOUDEST = 0.9
_LEAD_SECONDS = 0.2  # telephones open their ear a moment after they answered
_HEADER = 44
_FORMS = {"PCMU": ("pcmu", 8000, 7), "PCMA": ("pcma", 8000, 6)}
_WIDE = ("wide", 16000, 1)


def form_of(codec: str) -> str:
    """The name of the form a codec is served in: "pcmu", "pcma" or "wide"."""
    return _FORMS.get(codec.upper(), _WIDE)[0]


def rendered(sound: npt.NDArray[np.floating], rate: int, codec: str, level: float | None = None, lead: bool = False) -> bytes:
    """The WAV file of a sound in -1..1 for a call in `codec`; `level` is the loudness (dBFS) its loud parts get, None leaves it."""
    _, wanted, _ = _FORMS.get(codec.upper(), _WIDE)
    narrow = to_float(resampled(Sound(from_float(sound), rate), wanted).samples)
    if level is not None:
        narrow = narrow * _gain(narrow, wanted, level)
    if lead:
        narrow = np.concatenate([np.zeros(int(_LEAD_SECONDS * wanted)), narrow])
    return wav(Sound(from_float(narrow), wanted), codec.upper() if codec.upper() in _FORMS else None)


def _gain(sound: npt.NDArray[np.float64], rate: int, level: float) -> float:
    """What brings the loud parts to `level`, pauses not counted, without a peak that would be cut."""
    size = rate // 50
    pieces = sound[: len(sound) // size * size].reshape(-1, size)
    power = (pieces**2).mean(axis=1) if len(pieces) else np.zeros(1)
    loud = power[power > power.max() / 1000]
    peak = float(np.abs(sound).max(initial=0.0))
    if not len(loud) or not peak:
        return 1.0
    return float(min(10 ** (level / 20) / np.sqrt(loud.mean()), _LOUDEST / peak))


def write_whole(path: Path, content: bytes) -> None:
    """Write by rename: whoever opens `path` finds all of it or what was there before. Raises OSError."""
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def is_whole(path: Path, codec: str) -> bool:
    """Whether `path` is a file of ours for this codec, as long as its own header says; damage inside the sound is not seen."""
    _, rate, kind = _FORMS.get(codec.upper(), _WIDE)
    try:
        with path.open("rb") as file:
            header = file.read(_HEADER)
            size = os.fstat(file.fileno()).st_size
    except OSError:
        return False
    if len(header) < _HEADER or header[:4] != b"RIFF" or header[8:16] != b"WAVEfmt " or header[36:40] != b"data":
        return False
    whole, found_kind, channels, found_rate = struct.unpack_from("<4xI12xHHI", header)
    sound = struct.unpack_from("<I", header, 40)[0]
    return (found_kind, channels, found_rate) == (kind, 1, rate) and size == whole + 8 == _HEADER + sound + sound % 2 and sound > 0
