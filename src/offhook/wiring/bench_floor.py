"""What the engines cost alone: Kamailio and rtpengine between two telephones, and nobody who thinks (bench/floor.cfg).

What a system that is made of these engines takes more is its own; what they take themselves nothing built on them can save.
"""

import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from offhook.engines.kamailio.render import PROGRAM
from offhook.engines.rtpengine.daemon import RtpEngineSettings, arguments
from offhook.probes.bench.generators import FOLDER, BenchRefused, Target
from offhook.services.bench import DOMAIN, PASSWORD

SHOWN = ("call", "signal", "register")
"""The scenarios that need no more than these two."""

_ADDRESS, _PORT, _INSIDE = "127.0.42.1", 5060, "127.0.0.1"
_READY_SECONDS, _GONE_SECONDS = 10.0, 10.0


@contextmanager
def engines_alone(rtp_block: tuple[int, int]) -> Iterator[Target]:
    """Both engines, ready to be loaded, with these ports for sound; nothing is left of them afterwards. Raises BenchRefused."""
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="offhook-floor-")))
        ng, ng_tcp = _free_port(socket.SOCK_DGRAM), _free_port(socket.SOCK_STREAM)
        media = RtpEngineSettings(_ADDRESS, ng_port=ng, ng_tcp_port=ng_tcp, port_min=rtp_block[0], port_max=rtp_block[1])
        edge = [
            PROGRAM,
            "-DD",
            "-E",
            "-f",
            str(FOLDER / "floor.cfg"),
            "-Y",
            str(folder),
            "-m",
            "256",
            "-M",
            "16",
            "-x",
            "tlsf",
            "-X",
            "tlsf",
        ]
        edge += ["-A", f"LISTEN=udp:{_ADDRESS}:{_PORT}", "-A", f'SECRET="{PASSWORD}"', "-A", f'NG="udp:{_INSIDE}:{ng}"']
        processes = []
        for command in (arguments(media), edge):  # Kamailio looks for rtpengine once, at its start
            processes.append(_started(command, folder, ending))
            _await((_INSIDE, ng) if len(processes) == 1 else (_ADDRESS, _PORT), processes[-1], folder)
        yield Target(_ADDRESS, _PORT, DOMAIN, PASSWORD, tuple(process.pid for process in processes))


def _started(command: list[str], folder: Path, ending: ExitStack) -> "subprocess.Popen[bytes]":
    with (folder / f"{Path(command[0]).name}.log").open("wb") as log:
        process = subprocess.Popen(command, stdout=log, stderr=log, stdin=subprocess.DEVNULL)
    ending.callback(_end, process)
    return process


def _end(process: "subprocess.Popen[bytes]") -> None:
    process.terminate()
    try:
        process.wait(_GONE_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _await(place: tuple[str, int], process: "subprocess.Popen[bytes]", folder: Path) -> None:
    """Until somebody holds this UDP port."""
    deadline = time.monotonic() + _READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind(place)
            except OSError:
                return
        time.sleep(0.1)
    said = "\n".join(file.read_text(errors="replace")[-2000:] for file in sorted(folder.glob("*.log")))
    raise BenchRefused(f"An engine did not start:\n{said}")


def _free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((_INSIDE, 0))
        return int(probe.getsockname()[1])
