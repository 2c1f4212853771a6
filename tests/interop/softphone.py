"""What every softphone of the table has: a program of its own in a folder of its own, an account, and what a person does with it."""

import asyncio
import os
import re
import signal
import socket
import struct
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from offhook.phones.audio import Sound, resampled, wav
from offhook.phones.tones import tone, tones_in
from offhook.sip.addresses import Address
from tests.calls.stories import eventually

TONE = 600.0  # what every softphone says
PATIENCE_SECONDS = 20.0
_GONE_SECONDS = 5.0
_TONE_SECONDS = 150.0


class Missing(Exception):
    """A client is not installed; the text says which package brings it."""


@dataclass(frozen=True, slots=True)
class Line:
    """The account a softphone has, and where it registers. `authority` is the certificate it trusts, for TLS."""

    username: str
    password: str
    domain: str
    edge: Address
    authority: Path | None = None

    @property
    def outbound(self) -> str:
        """The edge as a SIP URI."""
        return f"sip:{self.edge.host}:{self.edge.port};transport={self.edge.transport}"


@dataclass(frozen=True, slots=True)
class Wish:
    """How a softphone is set up for one cell; what is not wished is left as the softphone has it."""

    srtp: bool = False  # demanded, not only offered
    late_offer: bool = False
    session_seconds: int = 0
    reliable: bool = False  # 100rel required
    keys_by_info: bool = False


class Client(ABC):
    """A telephone of others, as a program. Make it, `start`, wait for `registered`; `stop` ends only what was started here."""

    name: ClassVar[str]
    lacks: ClassVar[Mapping[str, str]]  # cell: why the client cannot do it
    remarks: ClassVar[Mapping[str, str]] = {}  # cell: what must be known of how it passes
    plays: ClassVar[Mapping[str, Any]] = {}  # cells it plays in a way of its own

    def __init__(self, folder: Path, line: Line, wish: Wish) -> None:
        self.folder, self.line, self.wish = folder, line, wish
        self._process: asyncio.subprocess.Process | None = None
        self._read = 0
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "says.wav").write_bytes(wav(Sound(tone((TONE,), _TONE_SECONDS), 8000)))

    @classmethod
    @abstractmethod
    def version(cls) -> str:
        """Name and version of the client that is installed. Raises Missing."""

    @abstractmethod
    async def start(self) -> None:
        """Start the program, which registers by itself."""

    @abstractmethod
    async def registered(self) -> None:
        """Wait until the client says that it is registered."""

    def heard(self, frequencies: Iterable[float]) -> set[float]:
        """Which of these tones stand in what the client recorded, half a second of each at least."""
        found: set[float] = set()
        wanted = set(frequencies)
        for file in self.recordings():
            sound = recorded(file)
            for start in range(0, len(sound.samples), sound.rate // 2):
                piece = resampled(Sound(sound.samples[start : start + sound.rate // 2], sound.rate), 8000)
                found |= tones_in(piece.samples, wanted) if len(piece.samples) >= 2000 else set()
        return found

    def recordings(self) -> list[Path]:
        """The files into which the client wrote what it heard."""
        return sorted(self.folder.glob("heard*.wav"))

    # -- the program

    @property
    def printed(self) -> str:
        """All that the program printed."""
        file = self.folder / "printed.log"
        return file.read_text(errors="replace") if file.exists() else ""

    async def run(self, *command: str, environment: Mapping[str, str] | None = None) -> None:
        """Start the program, with a pipe to type into, in a group of its own."""
        with (self.folder / "printed.log").open("wb") as printed:
            self._process = await asyncio.create_subprocess_exec(
                *command,
                cwd=self.folder,
                stdin=asyncio.subprocess.PIPE,
                stdout=printed,
                stderr=printed,
                env={**os.environ, **(environment or {})},
                start_new_session=True,
            )

    async def types(self, text: str) -> None:
        """Type a line."""
        assert self._process is not None and self._process.stdin is not None
        self._process.stdin.write(text.encode() + b"\n")
        await self._process.stdin.drain()

    async def prints(self, pattern: str, what: str, patience: float = PATIENCE_SECONDS) -> "re.Match[str]":
        """Wait until the program prints something after what was waited for last. Raises AssertionError."""
        deadline = asyncio.get_running_loop().time() + patience
        while True:
            text = self.printed
            found = re.compile(pattern, re.MULTILINE).search(text, self._read)
            if found:
                self._read = found.end()
                return found
            if asyncio.get_running_loop().time() > deadline or (self._process is not None and self._process.returncode is not None):
                raise AssertionError(f"{self.name} did not print {what} ({pattern}):\n{text[-3000:]}")
            await asyncio.sleep(0.05)

    async def stop(self) -> None:
        """End the program, kindly first."""
        process, self._process = self._process, None
        if process is None or process.returncode is not None:
            return
        with suppress(ProcessLookupError):
            process.terminate()
        try:
            await asyncio.wait_for(process.wait(), _GONE_SECONDS)
        except TimeoutError:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


class Softphone(Client):
    """A client that a person can use while it runs."""

    @abstractmethod
    async def dials(self, number: str) -> None:
        """Call a number; done when the client was told to."""

    @abstractmethod
    async def answers(self) -> None:
        """Take the call that rings; waits until it does."""

    @abstractmethod
    async def hangs_up(self) -> None:
        """End the call."""

    @abstractmethod
    async def holds(self) -> None:
        """Put the call on hold."""

    @abstractmethod
    async def resumes(self) -> None:
        """Take it back."""

    async def hears_after_hold(self, frequency: float) -> None:
        """The client heard this tone since it took the call back. Raises AssertionError."""
        found = await eventually(lambda: self.heard((frequency,)), f"{self.name} hearing {frequency:g} Hz")
        assert found == {frequency}

    @abstractmethod
    async def presses(self, digits: str) -> None:
        """Press keys in the call."""

    @abstractmethod
    async def transfers(self, number: str) -> None:
        """Blind transfer: REFER the far side to a number."""

    async def consults(self, number: str) -> None:
        """Hold the call and dial a second one, for an attended transfer."""
        raise NotImplementedError

    async def joins(self) -> None:
        """Attended transfer: REFER the far side of the first call to that of the second, with Replaces."""
        raise NotImplementedError

    @abstractmethod
    def digits(self) -> str:
        """The keys that the client says it received."""


def recorded(file: Path) -> Sound:
    """The 16-bit sound in a WAV file that may not have been closed: its sizes are not believed."""
    data = file.read_bytes()
    place = data.find(b"fmt ")
    body = data.find(b"data", place)
    if place < 0 or body < 0:
        return Sound(np.zeros(0, np.int16), 8000)
    _, channels, rate, _, _, _ = struct.unpack_from("<HHIIHH", data, place + 8)
    samples = np.frombuffer(data[body + 8 : body + 8 + (len(data) - body - 8) // 2 * 2], "<i2").astype(np.int16)
    return Sound(samples[::channels], rate)


def free_pair(host: str = "127.0.0.1") -> int:
    """A port that nobody uses, over UDP and TCP, and whose neighbour nobody uses: some clients take the next one for TLS."""
    for _ in range(50):
        with suppress(OSError, OverflowError), socket.socket() as one, socket.socket() as two, socket.socket(type=socket.SOCK_DGRAM) as udp:
            one.bind((host, 0))
            port = int(one.getsockname()[1])
            two.bind((host, port + 1))
            udp.bind((host, port))
            return port
    raise AssertionError("no two free ports beside each other")
