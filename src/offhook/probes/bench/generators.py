"""SIPp for the signalling and rtpbench for the sound: made ready, started, and ended for sure."""

import ipaddress
import os
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from offhook.probes.bench.scenarios import Scenario

FOLDER = Path(__file__).resolve().parents[4] / "bench"
"""SIPp's scripts and the C helpers, as they are in the project."""

_BLOCK = ipaddress.IPv4Address("127.64.0.0") + os.getpid() % 8192 * 512
"""512 addresses of our own, so that two benches can be at work."""

CALLERS_IP, CALLEES_IP = str(_BLOCK + 1), str(_BLOCK + 2)
CALLERS_PORT, CALLEES_PORT = 5060, 5070
RTP_PORT = 20000
_HELPERS = {"rtpbench": ("rtpbench.c", ("-lm",)), "fineclock.so": ("fineclock.c", ("-shared", "-fPIC"))}


class BenchRefused(Exception):
    """The bench cannot be run here; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class Target:
    """The system under load: where it takes SIP, its users' domain and password, and the processes whose cost counts."""

    host: str
    port: int
    domain: str
    password: str
    processes: tuple[int, ...]

    def __post_init__(self) -> None:
        if not ipaddress.ip_address(self.host).is_loopback:
            raise BenchRefused(f"{self.host} is no loopback address: load is made within this machine only.")


def build(folder: Path) -> dict[str, Path]:
    """The C helpers, compiled into a folder unless they are there. Raises BenchRefused."""
    folder.mkdir(parents=True, exist_ok=True)
    made = {}
    for name, (source, options) in _HELPERS.items():
        made[name] = folder / name
        if not made[name].exists() or made[name].stat().st_mtime < (FOLDER / source).stat().st_mtime:
            draft = folder / f"{name}.{os.getpid()}"
            try:
                subprocess.run(["cc", "-O2", "-o", str(draft), str(FOLDER / source), *options], check=True)
            except (OSError, subprocess.CalledProcessError) as why:
                raise BenchRefused(f"{source} cannot be compiled ({why}). Install: apt-get install gcc libc6-dev") from why
            draft.replace(made[name])
    return made


def source_of(position: int) -> str:
    """The address of the caller at this position: telephones do not share one, and a guard against floods counts by it."""
    return str(_BLOCK + 8 + position)


def user_rows(users: Sequence[int], numbers: Sequence[str], mode: str, password: str) -> str:
    """SIPp's file of callers: user, credentials, number, room, mode of the sound, address."""
    rows = [
        f"{user};[authentication username={user} password={password}];{number};0;{mode};{source_of(position)}"
        for position, (user, number) in enumerate(zip(users, numbers, strict=True))
    ]
    return "SEQUENTIAL\n" + "\n".join(rows) + "\n"


@dataclass(frozen=True, slots=True)
class Sipp:
    """How SIPp is started for one target, in one folder of its own."""

    target: Target
    folder: Path

    def start(
        self,
        name: str,
        script: str,
        host: str,
        port: int,
        keys: Mapping[str, object],
        options: Sequence[str],
        environment: dict[str, str] | None = None,
    ) -> "subprocess.Popen[bytes]":
        """Start one; what it writes begins with `name`."""
        command = ["sipp", f"{self.target.host}:{self.target.port}", "-sf", str(FOLDER / "scenarios" / script)]
        command += ["-i", host, "-p", str(port), "-mi", host, "-nostdin", "-buff_size", "4194304", "-trace_stat", "-fd", "1"]
        for option, ending in (("-stf", "stat"), ("-error_file", "err"), ("-log_file", "log")):
            command += [option, str(self.folder / f"{name}.{ending}")]
        command += ["-trace_err", "-trace_logs", "-key", "domain", self.target.domain]
        for key, value in keys.items():
            command += ["-key", key, str(value)]
        with (self.folder / f"{name}.out").open("wb") as out:
            return subprocess.Popen(
                [*command, *options],
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                env=environment,
            )

    def callees(self, users: Sequence[int], mode: str) -> "subprocess.Popen[bytes]":
        """Register the callees, at a pace below the guard against floods, and leave telephones that answer at once. Raises BenchRefused."""
        (self.folder / "callees.csv").write_text(user_rows(users, [str(user) for user in users], "r", self.target.password))
        keys = {"expires": 3600}
        options = ["-inf", "callees.csv", "-m", str(len(users)), "-r", "90", "-timeout", "60", "-recv_timeout", "8000"]
        registering = self.start("callees", "register.xml", CALLEES_IP, CALLEES_PORT, keys, options)
        if registering.wait(90) != 0:
            raise BenchRefused(f"Not every callee could register at {self.target.host}:{self.target.port}; see {self.folder}/callees.err")
        return self.start("uas", "uas.xml", CALLEES_IP, CALLEES_PORT, {"rtpport": RTP_PORT + 2, "rtpmode": mode}, ["-aa"])


def start_sound(tool: Path, folder: Path, scenario: Scenario, seconds: float) -> "subprocess.Popen[str]":
    """Start rtpbench: it learns from SIPp's logs which calls stand, and ends by itself a minute after the run at the latest."""
    command = [str(tool), "-t", str(int(seconds + 60)), "-s", f"A:{CALLERS_IP}:{RTP_PORT}:{folder / 'uac.log'}"]
    if scenario.callees:
        command += ["-s", f"B:{CALLEES_IP}:{RTP_PORT + 2}:{folder / 'uas.log'}"]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def end(process: "subprocess.Popen[bytes] | subprocess.Popen[str] | None") -> None:
    """End a process of ours, whatever it does."""
    if process is None or process.poll() is not None:
        return
    process.terminate()
    try:
        process.wait(5)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
