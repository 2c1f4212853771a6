"""The doctor: before anything was ever started, on a machine that is wrong, and beside a running system."""

import json
import os
import socket
import subprocess
import sys
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from offhook.probes.doctor.findings import Finding, State, exit_code, looked_at, ok
from offhook.probes.doctor.network import Network, Wanted, look_at_network
from offhook.wiring import doctor
from tests.calls.system import System

ENVIRONMENT = {name: value for name, value in os.environ.items() if not name.startswith("OFFHOOK_")}


def asked(*arguments: str, **settings: str) -> "subprocess.CompletedProcess[str]":
    """What the doctor says with these settings."""
    command = [sys.executable, "-P", "-m", "offhook", "doctor", *arguments]
    return subprocess.run(command, env=ENVIRONMENT | settings, capture_output=True, text=True, timeout=60, check=False)


def rows(printed: "subprocess.CompletedProcess[str]") -> dict[str, dict[str, Any]]:
    """Findings by area and name; each tells what to do unless all is well."""
    told = json.loads(printed.stdout)
    assert printed.returncode == told["exit_code"], printed.stderr
    assert all(each["remedy"] for each in told["findings"] if each["state"] != "ok")
    worst = {each["state"] for each in told["findings"]}
    assert told["exit_code"] == (2 if "failure" in worst else 1 if "warning" in worst else 0)
    return {f"{each['area']}: {each['name']}": each for each in told["findings"]}


def test_before_the_first_start_it_looks_and_leaves_nothing_behind(tmp_path: Path) -> None:
    folder = tmp_path / "var"
    found = rows(asked("--json", OFFHOOK_DATA_DIR=str(folder)))
    assert found["running: system"]["detail"] == "does not run"
    assert {"machine: memory", "machine: clock", "engines: kamailio", "engines: rtpengine", "network: address"} <= found.keys()
    assert not folder.exists()


def test_a_taken_port_is_named_with_its_holder_and_its_setting(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as holder:
        port = holder.getsockname()[1]
        found = rows(asked("--json", OFFHOOK_DATA_DIR=str(tmp_path / "var"), OFFHOOK_HTTP_PORT=str(port)))
        row = found[f"network: TCP {port}"]
    assert row["state"] == "failure" and str(os.getpid()) in row["detail"] and "OFFHOOK_HTTP_PORT" in row["remedy"]


def test_a_port_that_is_taken_over_ipv6_alone_is_told_too(tmp_path: Path) -> None:
    with socket.create_server(("::1", 0), family=socket.AF_INET6) as holder:
        port = holder.getsockname()[1]
        settings = {"OFFHOOK_ADDRESS6": "::1", "OFFHOOK_SIPS_PORT": str(port)}
        found = rows(asked("--json", OFFHOOK_DATA_DIR=str(tmp_path / "var"), **settings))
    assert found[f"network: TCP {port}"]["state"] == "ok"
    row = found[f"network: TCP {port} over IPv6"]
    assert row["state"] == "failure" and str(os.getpid()) in row["detail"] and "OFFHOOK_SIPS_PORT" in row["remedy"]
    assert {f"network: {kind} 5060 over IPv6" for kind in ("UDP", "TCP")} <= found.keys()


def test_an_address_that_is_not_ours_and_a_setting_that_cannot_be_used_are_failures(tmp_path: Path) -> None:
    printed = asked("--json", OFFHOOK_DATA_DIR=str(tmp_path / "var"), OFFHOOK_ADDRESS="192.0.2.77")
    assert printed.returncode == 2 and rows(printed)["network: address"]["state"] == "failure"
    printed = asked("--json", OFFHOOK_DATA_DIR=str(tmp_path / "var"), OFFHOOK_SIP_PORT="many")
    assert printed.returncode == 2 and "65535" in rows(printed)["settings: OFFHOOK_SIP_PORT"]["remedy"]


def test_a_damaged_database_and_key_are_told(tmp_path: Path) -> None:
    (tmp_path / "offhook.sqlite").write_bytes(b"no database " * 100)
    (tmp_path / "secret.key").write_bytes(b"short")
    tmp_path.chmod(0o755)
    found = rows(asked("--json", OFFHOOK_DATA_DIR=str(tmp_path)))
    assert found["kept: database"]["state"] == found["kept: secret.key"]["state"] == "failure"
    assert found["kept: data folder"]["state"] == "warning" and "chmod 700" in found["kept: data folder"]["remedy"]


def test_it_is_a_table_for_people(tmp_path: Path) -> None:
    printed = asked(OFFHOOK_DATA_DIR=str(tmp_path / "var"))
    assert printed.stdout.split()[:6] == ["area", "what", "state", "detail", "what", "to"]
    assert "doctor" in subprocess.run([sys.executable, "-P", "-m", "offhook", "--help"], capture_output=True, text=True, check=True).stdout


def test_a_check_that_breaks_is_a_warning_and_stops_no_other() -> None:
    def breaks() -> list[Finding]:
        raise OSError("no such table")

    found = list(looked_at("machine", (breaks, lambda: [ok("machine", "disk", "fine")])))
    assert [(each.state, each.name) for each in found] == [(State.WARNING, "breaks"), (State.OK, "disk")]
    assert exit_code(found) == 1 and exit_code(found[1:]) == 0


def test_a_running_system_whose_port_nobody_has_is_a_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    network = Network("127.0.0.1", None, True, (Wanted("OFFHOOK_HTTP_PORT", "127.0.0.1", port, ("tcp",)),), str, frozenset({1}))
    (row,) = [each for each in look_at_network(network) if each.name == f"TCP {port}"]
    assert row.state is State.FAILURE and "nobody listens" in row.detail


def test_telephones_are_counted_however_many_there_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The list of them is told a page at a time."""
    page = {"registrations": [{}] * 500, "next": "more"}

    def answers(request: httpx.Request) -> httpx.Response:
        told = {"/healthz": {"parts": {}}, "/api/v1/registrations": page, "/api/v1/carriers": {"carriers": []}}
        path = request.url.path
        return httpx.Response(200, text="offhook_registrations 1200\n") if path == "/metrics" else httpx.Response(200, json=told[path])

    (tmp_path / "provider.token").write_text("t")
    client = partial(httpx.Client, transport=httpx.MockTransport(answers))
    monkeypatch.setattr(httpx, "Client", client)
    (row,) = doctor._health(SimpleNamespace(folder=tmp_path, api_url="http://offhook.test"))  # type: ignore[arg-type]
    assert (row.name, row.detail) == ("registrar", "1200 telephones are registered")


@pytest.mark.engines
def test_beside_a_running_system_every_process_and_part_is_told(system: System) -> None:
    found = rows(system.offhook("doctor", "--json"))
    for name in ("switch", "kamailio", "rtpengine", "web", "carrier"):
        assert found[f"running: {name}"]["detail"].startswith("ready, process "), found
    for part in ("switch", "kamailio", "rtpengine", "database", "disk", "processes"):
        assert found[f"running: {part} answers"]["state"] == "ok"
    assert "kamailio" in found[f"network: UDP {system.edge.port}"]["detail"]
    assert found["kept: database"]["state"] == found["kept: certificate"]["state"] == "ok"
    assert found["running: registrar"]["detail"].endswith(" telephones are registered")
