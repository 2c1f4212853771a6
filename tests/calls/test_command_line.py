"""The command line against a running system, as a person or a program uses it."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.calls.stories import connected, hear_each_other, registered, told
from tests.calls.system import System

pytestmark = pytest.mark.engines

SCENARIOS = ["register", "phone-to-phone", "hold", "attendant", "carrier-out", "carrier-in", "emergency"]
FAILED_TEST, NOT_REACHED = 1, 3


def _json(system: System, *arguments: str, code: int = 0) -> dict[str, Any]:
    ended = system.offhook(*arguments, "--json", timeout=300)
    assert ended.returncode == code, ended.stdout + ended.stderr
    return dict(json.loads(ended.stdout))


def test_the_self_test_passes_and_leaves_no_trace_with_the_organization(system: System) -> None:
    before = [call["call"] for call in _json(system, "calls", "--limit", "500")["calls"]]
    result = _json(system, "selftest")
    assert result["passed"] is True
    assert [row["name"] for row in result["rows"]] == SCENARIOS
    assert all(row["passed"] and row["detail"] and row["seconds"] > 0 for row in result["rows"])
    assert [call["call"] for call in _json(system, "calls", "--limit", "500")["calls"]] == before
    assert [user["username"] for user in _json(system, "users")["users"]] == ["anna", "ben", "chloe"]
    listed = system.offhook("users").stdout
    assert "Anna Lind" in listed and "101" in listed and "probe" not in listed.lower()


async def test_a_call_is_listed_and_explained(system: System) -> None:
    async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
        call, other = await connected(anna, ben, "102")
        await hear_each_other(call, other)
        live = system.offhook("calls", "--live").stdout
        assert "live: " in live and "102" in live
        await call.hangs_up()
        answer = await told(system, call, "completed.by_caller")
    assert _json(system, "explain", "last")["explanation"] == answer["explanation"]
    spoken = system.offhook("explain")
    assert spoken.returncode == 0 and f"call {answer['record']['call']}" in spoken.stdout
    assert system.offhook("explain", "zzzzzzzzzz").returncode == 5


def test_a_call_in_from_the_public_network_tells_what_was_heard(system: System) -> None:
    call = ("sandbox", "call", "--from", "+12065550199", "--to", "+12065550100", "--dtmf", "1", "--listen", "5")
    report = _json(system, *call)
    assert report["status"] == 200 and report["answered_after"] is not None and report["digits_sent"] == "1"
    assert len(report["energy"]) >= 8 and max(report["energy"]) > -40
    assert report["heard_speech"] and report["packets_heard"] > 100 and report["packets_lost"] == 0 and report["ending"]
    words = system.offhook(*call)
    assert words.returncode == 0 and "heard speech: yes" in words.stdout and "energy: " in words.stdout


def test_the_status_names_every_process_and_port(system: System) -> None:
    status = _json(system, "status")
    assert {each["name"]: each["state"] for each in status["processes"]} == dict.fromkeys(
        ("redis", "rtpengine", "kamailio", "carrier", "switch", "web"), "ready"
    )
    words = system.offhook("status")
    assert words.returncode == 0 and f"127.0.0.1:{system.edge.port}" in words.stdout and "kamailio" in words.stdout


@pytest.mark.long
def test_the_self_test_tells_that_the_media_engine_hangs(system: System) -> None:
    pid = system.pids()["rtpengine"]
    os.kill(pid, signal.SIGSTOP)
    try:
        ended = system.offhook("selftest", "--json", timeout=300)
    finally:
        os.kill(pid, signal.SIGCONT)
    assert ended.returncode == FAILED_TEST, ended.stderr
    rows = {row["name"]: row for row in json.loads(ended.stdout)["rows"]}
    assert list(rows) == SCENARIOS and rows["register"]["passed"]
    for name in ("phone-to-phone", "hold", "attendant", "carrier-out"):
        assert not rows[name]["passed"] and rows[name]["detail"], rows[name]
    assert _json(system, "selftest")["passed"] is True


@pytest.mark.parametrize("command", [("calls",), ("explain",), ("selftest",), ("users",), ("status",)], ids=" ".join)
def test_without_a_running_system_every_command_says_so(system: System, tmp_path: Path, command: tuple[str, ...]) -> None:
    elsewhere = System(system.process, tmp_path, system.output, {**system.environment, "OFFHOOK_DATA_DIR": str(tmp_path)}, system.sandbox)
    ended = elsewhere.offhook(*command)
    assert ended.returncode == NOT_REACHED and not ended.stdout
    assert ended.stderr.startswith(f"offhook: Offhook is not running here: there is no {tmp_path}/sandbox.json. ./run starts it")
    assert ended.stderr.count("\n") == 1
