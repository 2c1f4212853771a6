"""A real rtpengine for the tests of this folder, on a loopback address of its own."""

import asyncio
import random
import socket
import struct
import subprocess
import time
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from offhook.engines.rtpengine.client import NgClient
from offhook.engines.rtpengine.daemon import RtpEngineSettings, arguments
from offhook.engines.rtpengine.relay import RtpEngine
from tests.engines.rtpengine.parties import Party, tone

DEADLINE_SECONDS = 15.0


async def eventually(holds: Callable[[], object], what: str = "") -> None:
    """Return as soon as `holds()` is true; fail with `what` if it stays false."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not holds():
        assert time.monotonic() < deadline, what or "it never came true"
        await asyncio.sleep(0.02)


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Daemon:
    """One rtpengine that tests may kill and start again."""

    def __init__(self, log: Path, address6: str | None = None) -> None:
        # An address of its own, for two engines would share RTP ports on one without noticing.
        address = f"127.{random.randint(64, 254)}.{random.randint(0, 254)}.{random.randint(1, 254)}"
        ports = free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM)
        first = 20000 if address6 is None else 2 * random.randrange(15000, 29000)  # ::1 is everybody's
        self.settings = RtpEngineSettings(address, *ports, port_min=first, port_max=first + 999, address6=address6)
        self._log = log
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process
        return self._process.pid

    def start(self) -> None:
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(arguments(self.settings), stdout=log, stderr=log)
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.settings.ng_tcp_port), timeout=1).close()
                return
            except OSError:
                assert self._process.poll() is None and time.monotonic() < deadline, self._log.read_text()
                time.sleep(0.02)

    def kill(self) -> None:
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None


@pytest.fixture(scope="module")
def daemon(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    engine = Daemon(tmp_path_factory.mktemp("rtpengine") / "log")
    engine.start()
    yield engine
    engine.kill()


@pytest.fixture
async def engine(daemon: Daemon) -> AsyncIterator[RtpEngine]:
    client = await NgClient.connect("127.0.0.1", daemon.settings.ng_port)
    yield RtpEngine(client)
    client.close()


@pytest.fixture
async def party(daemon: Daemon) -> AsyncIterator[Callable[..., Party]]:
    """Makes parties, each with a tone of its own."""
    made: list[Party] = []

    def make(codec: str = "PCMU") -> Party:
        made.append(Party(daemon.settings.address, 400 + 200 * len(made), codec))
        return made[-1]

    yield make
    for each in made:
        each.leaves()


@pytest.fixture
def sound(tmp_path: Path) -> Callable[[int], Path]:
    """Writes mu-law WAV files: a tone of so many hertz, half a second long."""

    def write(hertz: int) -> Path:
        path = tmp_path / f"{hertz}.wav"
        path.write_bytes(mulaw_wav(tone(hertz, "PCMU") * 25))
        return path

    return write


def mulaw_wav(samples: bytes) -> bytes:
    """A WAV file of mu-law samples at 8 kHz."""
    form = struct.pack("<HHIIHHH", 7, 1, 8000, 8000, 1, 8, 0)
    body = b"WAVE" + b"fmt " + struct.pack("<I", len(form)) + form + b"data" + struct.pack("<I", len(samples)) + samples
    return b"RIFF" + struct.pack("<I", len(body)) + body
