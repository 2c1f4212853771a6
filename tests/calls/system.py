"""A whole running system for the tests: started as its users start it, in a folder of its own, on free ports."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from offhook.phones.phone import RINGS, Phone, Policy
from offhook.phones.registration import Account
from offhook.plan import SystemPlan, read_plan
from offhook.sip.addresses import Address
from offhook.supervisor.ports import claim_rtp_block
from offhook.supervisor.refusals import NoRtpPorts

READY_SECONDS = 60.0
GONE_SECONDS = 20.0


def free_port(kind: socket.SocketKind = socket.SOCK_DGRAM, host: str = "127.0.0.1") -> int:
    """A port that nobody uses now."""
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((host, 0))
        return int(probe.getsockname()[1])


def free_sip_port() -> int:
    """A port that nobody uses now, neither over UDP nor over TCP."""
    while True:
        port = free_port()
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


@dataclass(slots=True)
class System:
    """A system that runs. `sandbox` is what sandbox.json says."""

    process: "subprocess.Popen[bytes]"
    folder: Path
    output: Path
    environment: Mapping[str, str]
    sandbox: dict[str, Any]

    @property
    def edge(self) -> Address:
        """Where telephones register."""
        return Address(self.sandbox["sip"]["host"], self.sandbox["sip"]["port"])

    @property
    def plan(self) -> SystemPlan:
        """What its processes were told."""
        return read_plan(self.folder / "run" / "plan.json")

    def organization(self, domain: str) -> dict[str, Any]:
        """What sandbox.json says of one organization."""
        return next(each for each in (self.sandbox, *self.sandbox["others"]) if each["sip"]["domain"] == domain)

    def phone(
        self,
        username: str,
        domain: str = "lumen.test",
        *,
        policy: Policy = RINGS,
        transport: str = "udp",
        ipv6: bool = False,
        **details: Any,
    ) -> Phone:
        """A telephone of a user of the sandbox, or of one with this `password`, not yet registered.

        Over TLS it trusts the system's authority alone, and speaks SRTP.
        """
        printed = {each["username"]: each["password"] for each in self.organization(domain)["sip"]["users"]}
        edge = Address("::1" if ipv6 else self.edge.host, self.plan.sips_port if transport == "tls" else self.edge.port, transport)
        account = Account(username, domain, edge, details.pop("password", None) or printed[username])
        if transport == "tls":
            details.setdefault("authority", self.plan.tls_folder / "authority.pem")
            details.setdefault("srtp", "offered")
        if ipv6:
            details.setdefault("host", "::1")
        return Phone(username, account=account, policy=policy, transport=transport, **details)

    def api(self, method: str, path: str, domain: str = "lumen.test", **details: Any) -> httpx.Response:
        """Ask the API with an organization's own token."""
        api = self.organization(domain)["api"]
        return httpx.request(
            method, api["url"] + "/api/v1" + path, headers={"Authorization": f"Bearer {api['token']}"}, timeout=120, **details
        )

    def record(self, path: str = "last", domain: str = "lumen.test") -> dict[str, Any]:
        """The record and explanation of a call, once it is written."""
        answer = self.api("GET", f"/calls/{path}", domain)
        answer.raise_for_status()
        return dict(answer.json())

    def offhook(self, *arguments: str, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
        """Run the command line against this system."""
        command = [sys.executable, "-P", "-m", "offhook", *arguments]
        return subprocess.run(command, env=dict(self.environment), capture_output=True, text=True, timeout=timeout, check=False)

    def log(self, name: str) -> str:
        """What a process wrote."""
        return (self.folder / "logs" / f"{name}.log").read_text(errors="replace")

    def pids(self) -> dict[str, int]:
        """Every process of the supervisor's children by name."""
        states = self.api("GET", "/status").json()["processes"]
        return {each["name"]: each["pid"] for each in states}

    def stop(self) -> int:
        """Ask it to stop; its exit code."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        try:
            return self.process.wait(GONE_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise


def _ports_for_sound() -> dict[str, str]:
    """Where two work at the tests, the second takes its blocks below those that systems choose by themselves: there are six of these."""
    if os.environ.get("PYTEST_XDIST_WORKER", "gw0") == "gw0":
        return {}
    for first in range(6000, 20000, 1000):
        with suppress(NoRtpPorts):
            claim_rtp_block((first, first + 999)).release()
            return {"OFFHOOK_RTP_PORTS": f"{first}-{first + 999}"}
    raise AssertionError("no block of 1,000 ports is free from 6000 to 19999")


def start_system(folder: Path, **settings: str) -> System:
    """Start a system and wait until it says that it is ready. Raises AssertionError with what it printed."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OFFHOOK_")}
    environment |= {
        "OFFHOOK_DATA_DIR": str(folder),
        "OFFHOOK_SIP_PORT": str(free_sip_port()),
        "OFFHOOK_SIPS_PORT": str(free_port(socket.SOCK_STREAM)),
        "OFFHOOK_HTTP_PORT": str(free_port(socket.SOCK_STREAM)),
        "OFFHOOK_DRAIN_SECONDS": "0",
        **_ports_for_sound(),
        **settings,
    }
    folder.mkdir(parents=True, exist_ok=True)
    output = folder.parent / f"{folder.name}.out"
    with output.open("wb") as printed:
        process = subprocess.Popen([sys.executable, "-P", "-m", "offhook", "run"], env=environment, stdout=printed, stderr=printed)
    file, deadline = folder / "sandbox.json", time.monotonic() + READY_SECONDS
    while not file.exists():
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            raise AssertionError(f"the system did not become ready:\n{output.read_text(errors='replace')}")
        time.sleep(0.05)
    return System(process, folder, output, environment, json.loads(file.read_text()))
