"""The command line as people and programs run it: a process of its own, against a real server on loopback."""

import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest
import uvicorn
from starlette.types import ASGIApp

from offhook import __version__
from offhook.doors.cli.app import cli
from offhook.doors.cli.server import EXIT_WORDS, Exit
from offhook.services.ports.edge import Banned, Registration
from offhook.services.tokens import provider_token
from tests.doors.conftest import KEY
from tests.doors.rooms import World
from tests.wiring.test_plan import PLAN

SRC = Path(__file__).parents[2] / "src"
PATIENCE = 30.0
PROGRAM = "import sys; from offhook.doors.cli.app import cli; sys.exit(cli(sys.argv[1:]))"
ROW = {"name": "register", "passed": True, "skipped": False, "seconds": 0.25, "detail": "two telephones registered"}


class Served(uvicorn.Server):
    """A server in a thread, which leaves the process's signals alone."""

    def install_signal_handlers(self) -> None:
        """None: signals are the test run's."""


@contextmanager
def served(app: ASGIApp) -> Iterator[str]:
    """The address of an application on loopback."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = Served(uvicorn.Config(app, log_level="warning", lifespan="off"))
    thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
    thread.start()
    deadline = time.monotonic() + PATIENCE
    while not server.started and time.monotonic() < deadline:
        time.sleep(0.01)
    assert server.started
    yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    server.should_exit = True
    thread.join(PATIENCE)
    listener.close()


@pytest.fixture
def url(world: World) -> Iterator[str]:
    with served(world.app) as address:
        yield address


@pytest.fixture
def running(world: World, url: str, tmp_path: Path) -> Path:
    """The data folder of a running system."""
    folder = tmp_path / "var"
    folder.mkdir()
    (folder / "sandbox.json").write_text(json.dumps({"api": {"url": url, "token": world.lumen.token}}))
    return folder


def environment(data: Path | None, **more: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OFFHOOK_")}
    named = {"OFFHOOK_DATA_DIR": str(data)} if data else {}
    # No profiles of whoever runs the tests.
    return kept | {"PYTHONPATH": str(SRC), "TZ": "UTC", "LC_ALL": "C.UTF-8", "XDG_CONFIG_HOME": "/nonexistent"} | named | more


def offhook(*arguments: str, data: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """The command line inside this process, which spares each time the third of a second that Python takes to start."""
    out, err = io.StringIO(), io.StringIO()
    with patch.dict(os.environ, environment(data, **more), clear=True), redirect_stdout(out), redirect_stderr(err):
        time.tzset()
        code = cli(arguments)
    time.tzset()
    return subprocess.CompletedProcess(arguments, code, out.getvalue(), err.getvalue())


def process(*arguments: str, data: Path | None = None, cwd: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """The command line as a process of its own."""
    command = [sys.executable, "-c", PROGRAM, *arguments]
    env = environment(data, **more)
    return subprocess.run(command, env=env, cwd=cwd, capture_output=True, text=True, timeout=PATIENCE, check=False)


def answered(*arguments: str, data: Path) -> Any:
    """What a command prints for programs."""
    done = offhook(*arguments, "--json", data=data)
    assert (done.returncode, done.stderr) == (Exit.DONE, "")
    return json.loads(done.stdout)


def test_calls_are_listed_for_people_and_for_programs(world: World, running: Path) -> None:
    over, alive = *world.recorded(1), world.lives(2)
    done = process("calls", data=running)
    assert done.returncode == Exit.DONE
    head, first, second = done.stdout.splitlines()
    assert head.split() == ["call", "when", "caller", "dialled", "connected", "length", "state", "findings"]
    assert re.split(r"\s{2,}", first.rstrip()) == [alive, "2023-11-14 22:15:20", "101", "102", "Ben's phone", "live: talking"]
    assert re.split(r"\s{2,}", second)[:7] == [over, "2023-11-14 22:14:20", "101", "102", "Ben's phone", "0:32", "completed.by_callee"]
    assert [call["call"] for call in answered("calls", data=running)["calls"]] == [alive, over]
    assert [call["call"] for call in answered("calls", "--live", data=running)["calls"]] == [alive]
    limited = answered("calls", "--limit", "1", data=running)
    assert [call["call"] for call in limited["calls"]] == [alive] and limited["next"]


def test_times_are_those_of_where_one_is(world: World, running: Path) -> None:
    world.recorded(1)
    assert "2023-11-14 14:14:20" in process("calls", data=running, TZ="America/Los_Angeles").stdout


def test_a_switch_that_is_down_is_said_beside_the_list(world: World, running: Path) -> None:
    world.recorded(1)
    world.switch.down = True
    done = offhook("calls", data=running)
    assert (done.returncode, "completed.by_callee" in done.stdout) == (Exit.DONE, True)
    assert "The switch does not answer" in done.stderr


def test_a_call_is_explained_for_people_and_for_programs(world: World, running: Path) -> None:
    (call,) = world.recorded(1)
    done = offhook("explain", data=running)
    assert done.returncode == Exit.DONE
    lines = done.stdout.splitlines()
    assert lines[0] == "101 called 102 and reached Ben's phone for 0:32: they talked, and the called side hung up."
    assert lines[1] == f"2023-11-14 22:14:20, call {call}, configuration revision 7"
    titles = ["Who was recognised", "Decisions, in order", "What happened", "SIP messages", "Sound", "Findings"]
    assert [line for line in lines if line in titles] == titles
    assert "Ending: completed.by_callee" in lines
    assert "Call-ID" not in done.stdout
    full = offhook("explain", call[:8], "--messages", data=running).stdout
    assert full.count("Call-ID: abc@127.0.0.1") == 12
    assert answered("explain", call, data=running)["explanation"]["call"] == call


def test_what_comes_from_outside_gives_a_terminal_no_orders(world: World, running: Path) -> None:
    call = world.lives(1)
    world.switch.traces[call] |= {"caller": "Eve\x1b[2J\x07[bold]", "dialled": "1\r2"}
    done = offhook("explain", call, data=running)
    assert done.stdout.splitlines()[0].startswith("Eve�[2J�[bold] called 1�2")
    assert "\x1b" not in done.stdout


def test_a_self_test_that_passes_ends_with_0_and_one_that_fails_with_1(world: World, running: Path) -> None:
    world.probe.rows = [ROW, ROW | {"name": "carrier", "passed": False, "skipped": True, "detail": "there is no sandbox carrier"}]
    passed = offhook("selftest", data=running)
    assert passed.returncode == Exit.DONE
    assert [re.split(r"\s{2,}", line)[:3] for line in passed.stdout.splitlines()[1:3]] == [
        ["register", "passed", "0.2 s"],
        ["carrier", "skipped", "0.2 s"],
    ]
    assert passed.stdout.splitlines()[-1] == "1 passed, 1 skipped"
    world.probe.rows = [ROW, ROW | {"name": "hold", "passed": False}]
    failed = process("selftest", "--json", data=running)
    assert (failed.returncode, json.loads(failed.stdout)["passed"]) == (Exit.NOT_ALL_WELL, False)
    assert "FAILED" in offhook("selftest", data=running).stdout


def test_a_sandbox_call_tells_what_it_heard_with_a_plot(world: World, running: Path) -> None:
    call = ("sandbox", "call", "--from", "+12065550199", "--to", "+12065550100", "--dtmf", "1", "--listen", "3")
    done = offhook(*call, data=running)
    assert (done.returncode, done.stdout.splitlines()) == (Exit.DONE, ["answered: yes", "energy: ·▆█", "tones: 440.0, 480.0"])
    assert world.carrier.asked == [("+12065550199", "+12065550100", "1", 3.0)]
    assert answered(*call, data=running) == world.carrier.report


def test_a_user_is_added_gets_a_password_and_another_one(world: World, running: Path) -> None:
    added = offhook("users", "add", "maria", "--name", "Maria Lopez", "--extension", "201", data=running)
    assert (added.returncode, added.stderr.strip()) == (Exit.DONE, "The password is not shown again.")
    first = dict(line.split(": ") for line in added.stdout.splitlines())
    assert (first["username"], first["domain"], first["sip address"]) == ("maria", "lumen.test", "127.0.0.1:5060")
    alone = offhook("users", "add", "nora", "--name", "Nora", "--no-telephone", data=running)
    assert alone.stdout == "Added the user nora, without a telephone.\n"
    assert [one["username"] for one in answered("devices", data=running)["devices"]] == ["anna", "ben", "chloe", "maria"]
    offhook("users", "remove", "nora", "--yes", data=running)
    second = answered("users", "password", "maria", "--yes", data=running)
    assert second["password"] != first["password"]
    assert "maria" in offhook("users", data=running).stdout
    assert [one["username"] for one in answered("users", data=running)["users"]] == ["anna", "ben", "chloe", "maria"]


def test_the_status_is_told(world: World, running: Path) -> None:
    told = offhook("status", data=running).stdout
    assert "version: 0.1.0" in told
    assert re.search(r"switch\s+4711\s+0", told)
    assert answered("status", data=running)["engines"] == [{"name": "rtpengine", "answers": True}]


WRONG: list[tuple[list[str], Exit, str]] = [
    (["explain", "zzzz"], Exit.NOT_THERE, "There is no such call."),
    (["explain", "../users"], Exit.NOT_THERE, "A call's id has letters and digits only"),
    (["users", "password", "zoe"], Exit.NOT_THERE, "There is no user zoe."),
    (["users", "password", ".."], Exit.NOT_THERE, "There is no user .."),
    (["users", "add", "anna", "--name", "Anna"], Exit.REFUSED, "There is a user anna already; choose another name."),
    (["calls", "--ending", "nonsense"], Exit.REFUSED, "nonsense is no ending"),
    (["sandbox", "call", "--from", "1", "--to", "2"], Exit.REFUSED, "from: "),
    (["--token", "nonsense", "calls"], Exit.NOT_ALLOWED, "This token is not valid or no longer so; ask for a new one."),
    (["--token", "nön", "calls"], Exit.NOT_REACHED, "Nothing answers at"),
    (["--url", "http://127.0.0.1:9", "--token", "x", "calls"], Exit.NOT_REACHED, "Nothing answers at http://127.0.0.1:9"),
    (["--url", "nonsense", "--token", "x", "calls"], Exit.NOT_REACHED, "Nothing answers at nonsense"),
]


def test_the_release_is_told() -> None:
    done = offhook("--version")
    assert (done.returncode, done.stdout) == (Exit.DONE, f"offhook {__version__}\n")


def test_the_script_leaves_people_their_own_time(tmp_path: Path) -> None:
    """Set-up, which the script does first, keeps its own clock in UTC."""
    shutil.copy(SRC.parent / "offhook", tmp_path)
    (tmp_path / "tools").mkdir()
    (tmp_path / "tools" / "setup.sh").write_text('export TZ=UTC; set_up() { :; }; PYTHON=$(dirname "${BASH_SOURCE[0]}")/shown\n')
    (tmp_path / "tools" / "shown").write_text('#!/bin/sh\necho "${TZ-none}"\n')
    (tmp_path / "tools" / "shown").chmod(0o755)
    for zone, shown in (("Europe/Paris", "Europe/Paris"), (None, "none")):
        env = {name: value for name, value in os.environ.items() if name != "TZ"} | ({"TZ": zone} if zone else {})
        done = subprocess.run([str(tmp_path / "offhook")], env=env, capture_output=True, text=True, timeout=PATIENCE, check=True)
        assert done.stdout == f"{shown}\n"


@contextmanager
def breaks_off() -> Iterator[str]:
    """The address of a system that takes a request and dies before it answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            came, _ = listener.accept()
            with came:
                came.recv(100_000)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
        thread.join(PATIENCE)


def test_when_the_answer_to_a_change_is_lost_nobody_is_told_that_nothing_was_done(tmp_path: Path) -> None:
    for command, doubt in ((["webhooks", "test", "1"], True), (["users"], False), (["route", "--from", "anna", "--to", "102"], False)):
        with breaks_off() as url:
            done = offhook("--url", url, "--token", "x", *command, data=tmp_path)
        assert (done.returncode, "Whether it was done is not known" in done.stderr) == (Exit.NOT_REACHED, doubt), command


def test_what_goes_wrong_is_one_line_and_an_exit_code(running: Path) -> None:
    for arguments, code, words in WRONG:
        done = offhook(*arguments, data=running)
        assert (done.returncode, done.stdout) == (code, ""), arguments
        (line,) = done.stderr.splitlines()
        assert line.startswith(f"offhook: {words}")


def test_a_refusal_is_told_to_programs_as_the_problem_it_is(running: Path) -> None:
    done = process("explain", "zzzz", "--json", data=running)
    assert (done.returncode, json.loads(done.stdout)["code"]) == (Exit.NOT_THERE, "thing.missing")


@pytest.mark.parametrize("arguments", [["nonsense"], ["calls", "--nonsense"], ["calls", "--limit", "0"], ["sandbox", "call"]])
def test_a_command_line_that_cannot_be_understood_is_told_how_it_is_meant(arguments: list[str]) -> None:
    done = offhook(*arguments)
    assert done.returncode == Exit.WRONG_COMMAND
    assert "Usage: offhook" in done.stderr


def test_a_mistake_of_the_server_is_the_systems(world: World, running: Path) -> None:
    world.probe.rows = [{}]
    assert offhook("selftest", data=running).returncode == Exit.SYSTEM_FAILED


def test_without_a_running_system_it_says_what_to_start(tmp_path: Path) -> None:
    done = offhook("calls", data=tmp_path / "nowhere")
    assert done.returncode == Exit.NOT_REACHED
    assert done.stderr == (
        f"offhook: Offhook is not running here: there is no {tmp_path}/nowhere/sandbox.json. "
        "./run starts it; for another system give --url and --token.\n"
    )
    (tmp_path / "sandbox.json").write_text("{")
    assert "is damaged" in offhook("calls", data=tmp_path).stderr


def test_the_system_is_found_in_the_folder_one_is_in_by_the_environment_or_by_options(world: World, running: Path, url: str) -> None:
    world.recorded(1)
    here = process("calls", cwd=running.parent)
    token = world.pine.token
    by_environment = offhook("calls", OFFHOOK_URL=url, OFFHOOK_TOKEN=token)
    by_options = offhook("--url", url, "--token", token, "calls", OFFHOOK_URL="http://127.0.0.1:9")
    with_a_proxy = process("calls", data=running, http_proxy="http://127.0.0.1:9", HTTP_PROXY="http://127.0.0.1:9")
    assert "completed.by_callee" in here.stdout
    assert by_environment.stdout == by_options.stdout == "No calls.\n"
    assert with_a_proxy.returncode == Exit.DONE


def test_something_else_that_answers_is_not_taken_for_offhook(url: str) -> None:
    done = offhook("--url", f"{url}/style.css#", "--token", "x", "calls")
    assert (done.returncode, "is not Offhook" in done.stderr) == (Exit.NOT_REACHED, True)


def test_a_reader_that_has_had_enough_gets_no_complaints(world: World, running: Path) -> None:
    world.recorded(*range(1, 300))
    reading, writing = os.pipe()
    os.close(reading)
    command = [sys.executable, "-c", PROGRAM, "calls", "--json", "--limit", "300"]
    env = environment(running)
    done = subprocess.run(command, env=env, stdout=writing, stderr=subprocess.PIPE, text=True, timeout=PATIENCE, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (Exit.NOT_ALL_WELL, "")


def test_help_explains_every_exit_code_and_every_command() -> None:
    told = " ".join(offhook("--help").stdout.split())
    for code, words in EXIT_WORDS.items():
        assert f"{code.value} {words}" in told
    for command in ("calls", "explain", "selftest", "sandbox", "users", "status"):
        assert f" {command} " in told


def test_the_command_line_loads_no_server() -> None:
    command = [sys.executable, "-c", "import sys; import offhook.doors.cli.app; print(*sys.modules)"]
    done = subprocess.run(command, env=environment(None), capture_output=True, text=True, check=True)
    assert "offhook.doors.cli.app" in done.stdout
    assert not {"fastapi", "sqlalchemy", "uvicorn", "numpy"} & set(done.stdout.split())


@pytest.fixture
def provided(running: Path, world: World, url: str) -> Path:
    """The same folder with what the provider's commands look for in it."""
    host, _, port = url.removeprefix("http://").partition(":")
    (running / "run").mkdir()
    (running / "run" / "plan.json").write_text(json.dumps(replace(PLAN, address=host, http_port=int(port)).values()))
    (running / "provider.token").write_text(provider_token(world.database, KEY) + "\n")
    return running


def test_bans_are_listed_and_lifted_as_the_provider(world: World, provided: Path) -> None:
    world.edge.banned = [Banned("192.0.2.7", None, "flood"), Banned("192.0.2.8", "ben@lumen.test", "guessing")]
    listed = offhook("bans", "list", data=provided)
    assert "192.0.2.7" in listed.stdout and "ben@lumen.test" in listed.stdout
    assert [ban["address"] for ban in answered("bans", "lift", "192.0.2.7", data=provided)["bans"]] == ["192.0.2.8"]
    assert offhook("bans", "lift", "192.0.2.7", data=provided).returncode == Exit.NOT_THERE
    would = offhook("bans", "lift", "192.0.2.8", "--dry-run", data=provided)
    assert would.stdout == "Would let 192.0.2.8 in again, and forget its wrong passwords.\n"
    assert offhook("bans", "lift", "somewhere", data=provided).returncode == Exit.WRONG_COMMAND
    assert [ban.address for ban in world.edge.banned] == ["192.0.2.8"]


def test_bans_are_refused_to_an_organization(world: World, provided: Path) -> None:
    refused = offhook("--token", world.lumen.token or "", "bans", "list", data=provided)
    assert refused.returncode == Exit.NOT_ALLOWED and "provider" in refused.stderr


def test_registrations_of_all_are_the_providers_and_ones_own_an_organizations(world: World, provided: Path) -> None:
    world.edge.registered = [
        Registration("anna", world.lumen.profile.domain, "127.0.0.1:5062", "udp", "Doc\x1b[2J phone", 1_700_000_000.0),
        Registration("paul", world.pine.profile.domain, "127.0.0.1:5063", "tls", "Other", 1_700_000_000.0),
    ]
    listed = offhook("registrations", data=provided).stdout
    assert "anna@lumen.test" in listed and "paul@pine.test" in listed and "2023-11-14 22:13:20" in listed and "\x1b" not in listed
    own = json.loads(offhook("--token", world.lumen.token or "", "registrations", "--json", data=provided).stdout)
    assert [each["user"] for each in own["registrations"]] == ["anna"]


def test_certificates_are_shown_and_reloaded(world: World, provided: Path) -> None:
    assert "offhook.test" in offhook("certificates", "show", data=provided).stdout
    assert answered("certificates", "reload", data=provided)["certificates"][0]["reloads"] == world.edge.reloaded == 1


def test_without_a_system_the_providers_commands_say_what_is_missing(tmp_path: Path) -> None:
    refused = offhook("bans", "list", data=tmp_path)
    assert refused.returncode == Exit.NOT_ALLOWED and "provider's token" in refused.stderr
