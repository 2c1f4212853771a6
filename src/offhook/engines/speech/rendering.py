"""From a raw sound to the file that is played: loudness, band, form, and a check that the file is whole."""

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt

from offhook.phones.audio import AU_ENCODINGS, AU_HEADER, Sound, au, from_float, resampled, to_float

VERSION = 2  # part of every file's key: raise it when the sound of this module's work changes
SPEECH_LEVEL = -20.0
MUSIC_LEVEL = -26.0
_LOUDEST = 0.9
_LEAD_SECONDS = 0.2  # telephones open their ear a moment after they answered
_FORMS = {"PCMU": ("pcmu", 8000), "PCMA": ("pcma", 8000)}
_WIDE = ("wide", 16000)


def form_of(codec: str) -> str:
    """The name of the form a codec is served in: "pcmu", "pcma" or "wide"."""
    return _FORMS.get(codec.upper(), _WIDE)[0]


def rendered(sound: npt.NDArray[np.floating], rate: int, codec: str, level: float | None = None, lead: bool = False) -> bytes:
    """The AU file of a sound in -1..1 for a call in `codec`; `level` is the loudness (dBFS) its loud parts get, None leaves it.

    AU, not WAV: rtpengine reads WAV in pieces of half a second, sends each twice as fast as it should and then pauses for a quarter of a
    second, which is more than many telephones bridge. AU leaves every 20 ms, at three quarters of the CPU (measured with rtpengine 10.5).
    """
    _, wanted = _FORMS.get(codec.upper(), _WIDE)
    narrow = to_float(resampled(Sound(from_float(sound), rate), wanted).samples)
    if level is not None:
        narrow = narrow * _gain(narrow, wanted, level)
    if lead:
        narrow = np.concatenate([np.zeros(int(_LEAD_SECONDS * wanted)), narrow])
    return au(Sound(from_float(narrow), wanted), _narrow(codec))


def _narrow(codec: str) -> str | None:
    return codec.upper() if codec.upper() in _FORMS else None


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
    _, rate = _FORMS.get(codec.upper(), _WIDE)
    try:
        with path.open("rb") as file:
            header = file.read(AU_HEADER.size)
            size = os.fstat(file.fileno()).st_size
    except OSError:
        return False
    if len(header) < AU_HEADER.size:
        return False
    magic, start, sound, encoding, found_rate, channels = AU_HEADER.unpack(header)
    wanted = (b".snd", AU_HEADER.size, AU_ENCODINGS[_narrow(codec)], rate, 1)
    return (magic, start, encoding, found_rate, channels) == wanted and size == AU_HEADER.size + sound and sound > 0
