"""Thousands of people come in while the system runs, and the web process dies in the middle of it."""

import os
import signal
import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.calls.system import System, start_system

pytestmark = [pytest.mark.engines]

ROWS = 5_000
PATIENCE = 90.0


def job_of(system: System, id: int) -> dict[str, Any]:
    """The job; while the web process is away it is asked again."""
    deadline = time.monotonic() + PATIENCE
    while True:
        try:
            answer = system.api("GET", f"/jobs/{id}")
            if answer.is_success:
                return dict(answer.json())
        except httpx.TransportError:
            pass
        assert time.monotonic() < deadline, "the web process did not come back"
        time.sleep(0.05)


def test_an_import_survives_the_death_of_the_web_process_and_does_no_row_twice(tmp_path: Path) -> None:
    system = start_system(tmp_path / "var")
    try:
        rows = "username,name,extension\n" + "".join(f"user{n:04},User {n},{20000 + n}\n" for n in range(ROWS))
        job = system.api("POST", "/jobs/import-users", content=rows).json()
        while (job := job_of(system, job["id"]))["done"] == 0:
            time.sleep(0.02)
        assert job["done"] < ROWS
        web = system.pids()["web"]
        os.kill(web, signal.SIGKILL)
        deadline = time.monotonic() + PATIENCE
        while (job := job_of(system, job["id"]))["state"] == "running":
            assert time.monotonic() < deadline, job
            time.sleep(0.2)
        assert system.pids()["web"] != web
        assert (job["state"], job["done"], job["results"], job["in_effect"]) == ("done", ROWS, {"created": ROWS}, True)
        lines = system.api("GET", "/users.csv").text.splitlines()
        assert sum(line.startswith("user") and line[4].isdigit() for line in lines) == ROWS
        assert system.api("POST", "/route", json={"from": "anna", "to": "24999"}).json()["way"]
    finally:
        system.stop()
