"""The prompts and sounds of the house, kept on disk: made when first asked for, and anew when a file is damaged or its voice changes."""

import asyncio
import hashlib
import json
import logging
import unicodedata
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from offhook.engines.speech import rendering, words
from offhook.engines.speech.studio import Studio
from offhook.engines.speech.voices import voice_for
from offhook.services.ports.speech import SpeechRefused

MUSIC_FOLDER = Path("/usr/share/asterisk/moh")  # Debian's asterisk-moh-opsound-wav
_FAVOURITE = "manolo_camp-morning_coffee.wav"
_LONGEST = 2000

Cadence = Sequence[tuple[Sequence[float], float]]
# One period each of what is heard while the other side rings, in Hz and seconds (ITU-T E.180, supplement 2).
_RINGBACK: dict[str, Cadence] = {
    "US": (((440, 480), 2.0), ((), 4.0)),
    "CA": (((440, 480), 2.0), ((), 4.0)),
    "GB": (((400, 450), 0.4), ((), 0.2), ((400, 450), 0.4), ((), 2.0)),
    "IE": (((400, 450), 0.4), ((), 0.2), ((400, 450), 0.4), ((), 2.0)),
    "FR": (((440,), 1.5), ((), 3.5)),
}
_RINGBACK_ELSEWHERE: Cadence = (((425,), 1.0), ((), 4.0))
_BEEP: Cadence = (((), 0.1), ((1400,), 0.3), ((), 0.1))

log = logging.getLogger(__name__)


class Prompts:
    """`Speech` and `Sounds` (services.ports.speech) out of a folder of at most `most` files; the least lately used go first."""

    def __init__(self, folder: Path, *, most: int = 2000, music_folder: Path = MUSIC_FOLDER, studio: Studio | None = None) -> None:
        self._folder, self._most, self._music_folder = folder, most, music_folder
        self._studio = studio or Studio()
        self._making: dict[Path, asyncio.Task[None]] = {}

    async def say(self, text: str, language: str, codec: str) -> Path:
        voice, clean = voice_for(language), cleaned(text)
        order = {"make": "speech", "engine": voice.engine, "voice": voice.name, "text": clean}
        return await self._kept(f"{voice.key} {clean}", order, codec)

    def spelled(self, number: str, language: str) -> str:
        return words.spelled(number, language)

    async def ringback(self, country: str, codec: str) -> Path:
        return await self._cadence(_RINGBACK.get(country.upper(), _RINGBACK_ELSEWHERE), codec)

    async def beep(self, codec: str) -> Path:
        return await self._cadence(_BEEP, codec)

    async def music(self, codec: str) -> Path:
        files = await asyncio.to_thread(lambda: sorted(self._music_folder.glob("*.wav")))
        files.sort(key=lambda file: file.name != _FAVOURITE)
        sources = [str(file) for file in files]
        return await self._kept(f"music {sources}", {"make": "music", "sources": sources}, codec)

    async def close(self) -> None:
        """End the process that makes sounds."""
        await self._studio.close()

    async def _cadence(self, parts: Cadence, codec: str) -> Path:
        return await self._kept(f"cadence {json.dumps(parts)}", {"make": "cadence", "parts": parts}, codec)

    async def _kept(self, key: str, order: dict[str, Any], codec: str) -> Path:
        name = hashlib.sha256(f"{rendering.VERSION} {key}".encode()).hexdigest()[:32]
        path = self._folder / f"{name}.{rendering.form_of(codec)}.au"
        if not await asyncio.to_thread(_in_use, path, codec):
            # Ten callers of one attendant want the same words at once: they are said once.
            if path not in self._making:
                task = asyncio.create_task(self._make(path, {**order, "path": str(path), "codec": codec}))
                self._making[path] = task
                task.add_done_callback(lambda _: self._made(path))
            await asyncio.shield(self._making[path])
        return path

    def _made(self, path: Path) -> None:
        task = self._making.pop(path)
        if not task.cancelled():
            task.exception()  # seen, though every caller may have hung up before

    async def _make(self, path: Path, order: dict[str, Any]) -> None:
        await self._studio.make(order)
        if not await asyncio.to_thread(rendering.is_whole, path, order["codec"]):
            raise SpeechRefused(f"The sound {path} was made but is not whole: is the disk full?")
        await asyncio.to_thread(_make_room, self._folder, self._most)


def cleaned(text: str) -> str:
    """The text without control characters and the brackets our voice takes for phonetics. Raises SpeechRefused: too long, empty."""
    if len(text) > _LONGEST:
        raise SpeechRefused(f"{len(text)} characters are too many to say at once; {_LONGEST} are allowed.")
    letters = (
        " " if unicodedata.category(letter).startswith("C") or letter in "[]" else letter for letter in unicodedata.normalize("NFC", text)
    )
    clean = " ".join("".join(letters).split())
    if not any(letter.isalnum() for letter in clean):
        raise SpeechRefused("There is nothing to say: the text holds no letter and no digit.")
    return clean


def _in_use(path: Path, codec: str) -> bool:
    """Whether the file is there and whole; its time is set, so that what is used is kept."""
    if rendering.is_whole(path, codec):
        path.touch()
        return True
    if path.exists():
        log.warning("%s is damaged and is made anew", path)
    return False


def _make_room(folder: Path, most: int) -> None:
    files = sorted((file for file in folder.iterdir() if not file.name.startswith(".")), key=lambda file: file.stat().st_mtime)
    for file in files[: max(len(files) - most, 0)]:
        file.unlink(missing_ok=True)
