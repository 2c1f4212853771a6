"""A Kamailio of the test's own, on free ports, with two organizations."""

import asyncio
import contextlib
import os
import signal
import socket
import ssl
import subprocess
import tempfile
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from offhook.engines.kamailio.client import Edge
from offhook.engines.kamailio.directory import Directory, write
from offhook.engines.kamailio.render import arguments, write_configuration
from offhook.engines.kamailio.settings import EdgeSettings
from offhook.services.ports.registrar import RegistrarAbsent
from offhook.supervisor.certificates import CertificateFolder, now_utc
from tests.engines.kamailio.talk import Line, Phone, eventually, free_ports, ha1, tcp_line, udp_line

CARRIER_IP = "127.0.8.1"
CARRIER_PORT = 5090
PORT_TRIES = 5
PEOPLE = {("anna", "lumen.test"): "anna-secret", ("ben", "lumen.test"): "ben-secret", ("paul", "pine.test"): "paul-secret"}
DIRECTORY = Directory(
    credentials={(user, domain): (ha1(user, domain, password), user) for (user, domain), password in PEOPLE.items()},
    emergency={"lumen.test": frozenset({"911", "933"}), "pine.test": frozenset({"112"})},
    carriers=((CARRIER_IP, CARRIER_PORT),),
)


def has_ipv6() -> bool:
    """Whether this machine has ::1."""
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


IPV6 = has_ipv6()
NEEDS_IPV6 = pytest.mark.skipif(not IPV6, reason="this machine has no IPv6")
ALL_TRANSPORTS = pytest.mark.parametrize(
    "transport", ["UDP", "TCP", "TLS", *(pytest.param(name, marks=NEEDS_IPV6) for name in ("UDP6", "TCP6", "TLS6"))]
)


class PortTaken(Exception):
    """Between asking for a free port and opening it somebody else took it."""


@dataclass
class RunningEdge:
    """One Kamailio as a child process group, and what a test needs to talk to it."""

    settings: EdgeSettings
    client: Edge
    process: subprocess.Popen[bytes] | None = None

    @property
    def phones(self) -> tuple[str, int]:
        return (self.settings.address, self.settings.sip_port)

    @property
    def carriers(self) -> tuple[str, int]:
        return (self.settings.address, self.settings.carrier_port)

    @property
    def inner(self) -> tuple[str, int]:
        return ("127.0.0.1", self.settings.inner_port)

    @property
    def log(self) -> str:
        return (self.settings.run_folder / "kamailio.log").read_text(encoding="utf-8", errors="replace")

    @property
    def certificates(self) -> CertificateFolder:
        return CertificateFolder(self.settings.certificate.parent, tuple(host.strip("[]") for host in self.settings.hosts))

    async def start(self) -> None:
        self.certificates.bring_up_to_date(now_utc())
        write_configuration(self.settings)
        self.process = self._spawn()

        async def answers() -> bool:
            assert self.process is not None
            if self.process.poll() is not None:
                raise PortTaken(self.log) if "Address already in use" in self.log else AssertionError(self.log)
            try:
                await self.client.counters()
            except RegistrarAbsent:
                return False
            return True

        await eventually(answers, 20)

    def _spawn(self) -> subprocess.Popen[bytes]:
        with (self.settings.run_folder / "kamailio.log").open("ab") as log:
            return subprocess.Popen(arguments(self.settings), stdout=log, stderr=log, start_new_session=True)

    def end(self, how: signal.Signals = signal.SIGTERM) -> None:
        if self.process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, how)
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait(10)
        self.process = None

    async def phone(self, user: str = "anna", ip: str = "127.0.0.1", transport: str = "UDP", domain: str = "lumen.test") -> Phone:
        ip, address = ("::1", "::1") if transport.endswith("6") else (ip, self.settings.address)
        at = (address, self.settings.sips_port if transport.startswith("TLS") else self.settings.sip_port)
        security = ssl.create_default_context(cafile=self.certificates.authority) if transport.startswith("TLS") else None
        line = await (udp_line(ip) if transport.startswith("UDP") else tcp_line(at, ip, security))
        return Phone(line, at, user, domain, PEOPLE.get((user, domain), "no-secret"))


def settings_in(folder: Path, address6: str | None = None) -> EdgeSettings:
    sip, sips, carrier, inner, switch = free_ports(5)
    return EdgeSettings(
        address="127.0.0.1", address6=address6, sip_port=sip, sips_port=sips, carrier_port=carrier, inner_port=inner, switch_port=switch,
        run_folder=folder / "run", database=folder / "edge.sqlite", certificate=folder / "tls" / "server.pem",
        secret="0123456789abcdef" * 4, tcp_children=1, shared_memory_mb=128,
        phone_silence_ms=60_000, guesses_by_user=4, guesses_by_source=12, flood_requests=60, tcp_idle_seconds=3,
    )  # fmt: skip


@pytest.fixture
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix="edge-") as path:
        yield Path(path)


@pytest.fixture
async def edge(folder: Path) -> AsyncIterator[RunningEdge]:
    write(settings_in(folder).database, DIRECTORY)
    for _ in range(PORT_TRIES):
        settings = settings_in(folder, "::1" if IPV6 else None)
        running = RunningEdge(settings, Edge(settings))
        try:
            await running.start()
            yield running
            return
        except PortTaken:
            continue
        finally:
            running.end()
    raise PortTaken(running.log)


@pytest.fixture
async def switch(edge: RunningEdge) -> AsyncIterator[Line]:
    line = await udp_line("127.0.0.1", edge.settings.switch_port)
    yield line
    line.close()
    await asyncio.sleep(0)


def changed(directory: Directory = DIRECTORY, **fields: object) -> Directory:
    return replace(directory, **fields)  # type: ignore[arg-type]
