"""Who is registered, what is spoken and what is kept, all in memory but the sounds, which are files as everywhere."""

import wave
from pathlib import Path

from offhook.domain.calls.cdr import Cdr
from offhook.services.ports.records import Trace
from offhook.services.ports.registrar import Contact, RegistrarAbsent
from offhook.services.ports.speech import SpeechRefused


class FakeRegistrar:
    """`devices` maps a username to the addresses of its telephones; without `present` it does not answer."""

    def __init__(self, **devices: tuple[str, ...]) -> None:
        self.devices = devices
        self.present = True

    async def contacts(self, username: str, domain: str) -> tuple[Contact, ...]:
        if not self.present:
            raise RegistrarAbsent("who is registered was asked, and nobody answered")
        there = self.devices.get(username, ())
        return tuple(Contact(f"sip:{username}@{address}", f"device-{address}", "Phone/1", "udp", 60) for address in there)


class FakeVoice:
    """Speaks and sounds by silence of a twentieth of a second. `mute` makes it refuse, as a voice without its words does."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.said: list[str] = []
        self.mute = False

    async def say(self, text: str, language: str, codec: str) -> Path:
        if self.mute:
            raise SpeechRefused("there is no voice")
        self.said.append(text)
        return self._silence("said")

    def spelled(self, number: str, language: str) -> str:
        return " ".join(number)

    async def ringback(self, country: str, codec: str) -> Path:
        return self._silence("ringback")

    async def music(self, codec: str) -> Path:
        return self._silence("music")

    async def beep(self, codec: str) -> Path:
        return self._silence("beep")

    def _silence(self, name: str) -> Path:
        path = self._folder / f"{name}.wav"
        with wave.open(str(path), "wb") as file:
            file.setnchannels(1)
            file.setsampwidth(2)
            file.setframerate(8000)
            file.writeframes(bytes(800))
        return path


class KeptRecords:
    """What would be written; `broken` makes it raise, which the real one must never do."""

    def __init__(self) -> None:
        self.kept: list[tuple[Cdr, Trace]] = []
        self.broken = False

    def keep(self, cdr: Cdr, trace: Trace) -> None:
        if self.broken:
            raise OSError("no space left")
        self.kept.append((cdr, trace))
