"""The command line comes in and goes out: profiles, passwords, tokens, webhooks, events, and what a shell completes."""

import io
import json
import socket
import stat
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from offhook.doors.cli.server import Exit
from offhook.services import passwords
from offhook.services.ports.edge import Registration
from offhook.services.tokens import provider_token
from tests.doors.conftest import KEY
from tests.doors.rooms import World
from tests.doors.test_command_line import PATIENCE, PROGRAM, answered, breaks_off, environment, offhook, running, url
from tests.doors.test_sign_in import QUICK
from tests.wiring.test_plan import PLAN

__all__ = ["running", "url"]

PASSWORD = "a few words of her own"


@pytest.fixture(autouse=True)
def quick_hashing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "HASHER", QUICK)
    monkeypatch.setattr(passwords, "NOBODYS", QUICK.hash("nobody's"))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """Where somebody's settings are."""
    return tmp_path / "settings"


def typed(*arguments: str, line: str, data: Path | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """A command with a line on standard input."""
    with patch.object(sys, "stdin", io.StringIO(line + "\n")):
        return offhook(*arguments, data=data, **more)


def lets_in(running: Path, username: str = "anna") -> None:
    done = typed("users", "sign-in", username, "--password-from-stdin", "--yes", line=PASSWORD, data=running)
    assert done.returncode == Exit.DONE, done.stderr


def test_who_signs_in_is_that_person_until_signing_out(world: World, running: Path, url: str, home: Path) -> None:
    lets_in(running)
    mine: Any = {"XDG_CONFIG_HOME": str(home)}
    came = typed("--url", url, "sign-in", "anna@lumen.test", "--password-from-stdin", line=PASSWORD, **mine)
    assert came.returncode == Exit.DONE and "kept as the profile lumen-test" in came.stdout, came.stderr
    file = home / "offhook" / "profiles.toml"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    token = next(line.split('"')[1] for line in file.read_text().splitlines() if line.startswith("token"))
    me = json.loads(offhook("me", "--json", **mine).stdout)
    assert (me["organization"], me["user"]["username"]) == ("lumen.test", "anna")
    listed = offhook("profiles", **mine).stdout + offhook("profiles", "list", "--json", **mine).stdout
    assert "lumen-test" in listed and "anna@lumen.test" in listed and token not in listed + came.stdout + came.stderr
    assert offhook("sign-out", **mine).returncode == Exit.DONE
    assert token not in file.read_text()
    assert offhook("--url", url, "--token", token, "me").returncode == Exit.NOT_ALLOWED
    gone = offhook("me", **mine)
    assert gone.returncode == Exit.NOT_ALLOWED and "sign-in" in gone.stderr


def test_a_wrong_password_is_told_with_what_to_do(running: Path, url: str, home: Path) -> None:
    lets_in(running)
    refused = typed("--url", url, "sign-in", "anna@lumen.test", "--password-from-stdin", line="guessed", XDG_CONFIG_HOME=str(home))
    assert refused.returncode == Exit.NOT_ALLOWED and "users sign-in" in refused.stderr
    assert not home.exists()


def test_nobody_is_asked_for_a_password_where_nobody_sits(running: Path) -> None:
    for command in (["sign-in", "anna@lumen.test"], ["users", "sign-in", "anna", "--yes"]):
        refused = typed(*command, line=PASSWORD, data=running)
        assert refused.returncode == Exit.WRONG_COMMAND and "--password-from-stdin" in refused.stderr


def test_what_is_named_nearer_is_asked(world: World, running: Path, url: str, home: Path) -> None:
    """Options, then the environment, then the profile in use, then the system here."""
    world.recorded(1)
    lumen, pine = world.lumen.token or "", world.pine.token or ""
    mine: Any = {"XDG_CONFIG_HOME": str(home)}

    def whose(*options: str, **more: Any) -> Any:
        done = offhook(*options, "me", "--json", **mine, **more)
        return json.loads(done.stdout)["organization"] if done.returncode == Exit.DONE else done.stderr

    assert typed("profiles", "add", "pine", "--url", url, "--with-token", line=pine, **mine).returncode == Exit.DONE
    assert typed("profiles", "add", "lumen", "--url", url, "--with-token", line=lumen, **mine).returncode == Exit.DONE
    assert whose() == "pine.test"  # the first is in use
    assert offhook("profiles", "use", "lumen", **mine).returncode == Exit.DONE
    assert whose() == "lumen.test"
    assert whose("--profile", "pine") == "pine.test"
    assert whose(OFFHOOK_PROFILE="pine") == "pine.test"
    assert whose("--profile", "lumen", OFFHOOK_PROFILE="pine") == "lumen.test"
    assert whose("--profile", "lumen", OFFHOOK_URL=url, OFFHOOK_TOKEN=pine) == "lumen.test"
    assert whose(OFFHOOK_URL=url, OFFHOOK_TOKEN=pine) == "pine.test"
    assert whose("--token", lumen, "--profile", "pine") == "lumen.test"
    assert "There is no profile elm" in whose("--profile", "elm")
    offhook("profiles", "use", "pine", **mine)
    assert whose(OFFHOOK_DATA_DIR=str(running)) == "lumen.test"  # a folder that is named is the environment's


def test_a_profiles_token_goes_to_no_other_address(url: str, home: Path) -> None:
    mine: Any = {"XDG_CONFIG_HOME": str(home)}
    typed("profiles", "add", "pine", "--url", url, "--with-token", line="secret-token", **mine)
    refused = offhook("--profile", "pine", "--url", "http://127.0.0.1:9", "me", **mine)
    assert refused.returncode == Exit.NOT_ALLOWED and "is for" in refused.stderr


def test_a_token_that_a_folder_keeps_goes_to_no_other_address(world: World, running: Path, url: str) -> None:
    started_here(running, url)
    (running / "provider.token").write_text(provider_token(world.database, KEY) + "\n")
    for command in ("users", "bans"):
        assert offhook("--url", url + "/", command, data=running).returncode == Exit.DONE
        with breaks_off() as other:
            refused = offhook("--url", other, command, data=running)
            assert (refused.returncode, f"Give a token for {other}" in refused.stderr) == (Exit.NOT_ALLOWED, True)
            socket.create_connection((other.split("/")[2].split(":")[0], int(other.rpartition(":")[2]))).close()


def test_a_profile_is_removed_when_that_is_agreed_to(url: str, home: Path) -> None:
    mine: Any = {"XDG_CONFIG_HOME": str(home)}
    typed("profiles", "add", "pine", "--url", url, "--with-token", line="secret-token", **mine)
    refused = typed("profiles", "remove", "pine", line="y", **mine)
    assert refused.returncode == Exit.REFUSED and "its token" in refused.stderr and "--yes" in refused.stderr
    assert "Would remove" in offhook("profiles", "remove", "pine", "--dry-run", **mine).stdout
    assert len(json.loads(offhook("profiles", "list", "--json", **mine).stdout)["profiles"]) == 1
    assert offhook("profiles", "remove", "pine", "--yes", **mine).returncode == Exit.DONE
    assert json.loads(offhook("profiles", "list", "--json", **mine).stdout) == {"profiles": []}


@pytest.mark.parametrize("held", ["use = ", "[profiles]\npine = 3\n", "[profiles.pine]\nurl = 5\n", '[profiles.pine]\nuri = "x"\n'])
def test_a_damaged_file_of_profiles_is_named_and_left_alone(home: Path, held: str) -> None:
    file = home / "offhook" / "profiles.toml"
    file.parent.mkdir(parents=True)
    file.write_text(held)
    done = offhook("profiles", "add", "pine", "--url", "http://127.0.0.1:9", XDG_CONFIG_HOME=str(home))
    assert done.returncode == Exit.WRONG_COMMAND and str(file) in done.stderr
    assert file.read_text() == held


def test_a_token_is_made_listed_and_removed(world: World, running: Path) -> None:
    would = offhook("tokens", "add", "crm", "--scope", "calls:read", "--dry-run", data=running)
    assert would.stdout == "Would make a token crm that may calls:read.\n"
    assert [each["label"] for each in answered("tokens", data=running)["tokens"]].count("crm") == 0
    made = answered("tokens", "add", "crm", "--scope", "calls:read", "--lifetime", "30d", data=running)
    assert made["token"] and made["expires_at"]
    assert "crm" in offhook("tokens", "list", "--label", "crm", data=running).stdout
    refused = typed("tokens", "remove", str(made["id"]), line="y", data=running)
    assert refused.returncode == Exit.REFUSED and "what crm comes in with" in refused.stderr
    assert offhook("tokens", "remove", str(made["id"]), "--yes", data=running).returncode == Exit.DONE
    assert answered("tokens", "list", "--label", "crm", data=running)["tokens"] == []
    assert offhook("tokens", "remove", str(made["id"]), "--yes", data=running).returncode == Exit.NOT_THERE
    assert offhook("tokens", "add", "x", "--scope", "calls:read", "--lifetime", "soon", data=running).returncode == Exit.WRONG_COMMAND


def test_a_webhook_is_made_changed_tried_and_removed(running: Path) -> None:
    made = answered("webhooks", "add", "https://crm.example.com/hook", "--event", "call.ended", "--event", "user.*", data=running)
    hook = str(made["webhook"]["id"])
    assert made["secret"]
    seen = answered("webhooks", "show", hook, data=running)
    would = offhook("webhooks", "change", hook, "--disable", "--dry-run", data=running)
    assert would.stdout == f"Would change the webhook {hook}: enabled yes -> no.\n"
    changed = offhook("webhooks", "change", hook, "--disable", data=running)
    assert changed.stdout == f"Changed the webhook {hook}: enabled yes -> no\n"
    late = offhook("webhooks", "change", hook, "--event", "*", "--version", seen["version"], data=running)
    assert late.returncode == Exit.REFUSED and "Nothing was done." in late.stderr
    assert answered("webhooks", data=running)["webhooks"] == [
        {"id": int(hook), "url": "https://crm.example.com/hook", "events": ["call.ended", "user.*"], "enabled": False}
    ]
    assert answered("webhooks", "secret", hook, "--yes", data=running)["secret"] != made["secret"]
    assert answered("webhooks", "deliveries", hook, data=running)["deliveries"] == []
    refused = typed("webhooks", "remove", hook, line="y", data=running)
    assert refused.returncode == Exit.REFUSED and "https://crm.example.com/hook is told nothing more" in refused.stderr
    assert offhook("webhooks", "remove", hook, "--yes", data=running).returncode == Exit.DONE
    assert offhook("webhooks", data=running).stdout == "No webhooks.\n"


def test_what_goes_on_is_told_as_it_happens(world: World, running: Path) -> None:
    call = world.lives(1)
    command = [sys.executable, "-c", PROGRAM, "events", "--of", "call", "--json"]
    program = subprocess.Popen(command, env=environment(running), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    ends = threading.Timer(PATIENCE, program.kill)
    ends.start()
    try:
        assert program.stdout is not None
        first = json.loads(program.stdout.readline())
        assert first["event"] == "now" and call in json.dumps(first["data"])
    finally:
        ends.cancel()
        program.terminate()
        program.communicate(timeout=PATIENCE)


WOULD = [
    (["users", "add", "maria", "--name", "Maria", "--role", "voice"], "add the user maria (name Maria, role voice, telephone Telephone)"),
    (["users", "password", "ben"], "give the first telephone of ben a new password; lost would be: the password of ben (Telephone)"),
    (["users", "sign-in", "ben"], "set what ben signs in with, and end every session of theirs"),
    (
        ["devices", "password", "2"],
        "give the telephone 2 a new password; lost would be: the password of ben (Telephone), a telephone of ben",
    ),
    (["devices", "add", "ben", "--name", "Desk phone"], "give ben a telephone called Desk phone"),
    (
        ["attendants", "add", "Night", "--extension", "250", "--greeting", "Closed.", "--key", "1=anna", "--key", "2=ben"],
        "add the attendant Night (extension 250, greeting Closed., keys 1 anna, 2 ben)",
    ),
    (["numbers", "take", "+12065550177", "--to-attendant", "Night"], "take +12065550177 into use to the attendant Night"),
    (["webhooks", "add", "https://crm.example.com", "--event", "call.*"], "tell https://crm.example.com of call.*"),
]


def test_a_dry_run_says_what_would_be_done_and_where_and_sends_nothing(world: World, url: str, running: Path) -> None:
    with world.database.view(world.lumen.profile.id) as transaction:
        before = transaction.profile().revision
    for command, words in WOULD:
        done = offhook(*command, "--dry-run", data=running)
        assert (done.returncode, done.stdout, done.stderr) == (Exit.DONE, f"Would {words}.\n", f"Nothing was done at {url}.\n")
        assert answered(*command, "--dry-run", data=running)["would"] == words
    with world.database.view(world.lumen.profile.id) as transaction:
        assert transaction.profile().revision == before
        assert transaction.users.by_username("maria") is None


def test_what_is_meant_wrongly_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    add = ["attendants", "add", "Night", "--extension", "250", "--greeting", "Closed."]
    for command in (
        [*add, "--key", "anna"],
        [*add, "--key", "1=anna", "--key", "1=ben"],
        ["numbers", "give", "+12065550177"],
        ["numbers", "give", "+12065550177", "--to", "anna", "--to-attendant", "Night"],
        ["profiles", "add", "a b", "--url", "http://127.0.0.1"],
        ["profiles", "add", "here", "--url", "127.0.0.1"],
    ):
        assert offhook(*command, data=tmp_path / "nowhere", XDG_CONFIG_HOME=str(tmp_path)).returncode == Exit.WRONG_COMMAND, command


def completed(line: str, data: Path | None) -> list[str]:
    """What the scripts of shells are told for what stands on the line."""
    asked = {"_OFFHOOK_COMPLETE": "complete_fish", "_TYPER_COMPLETE_FISH_ACTION": "get-args", "_TYPER_COMPLETE_ARGS": line}
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment(data, **asked), capture_output=True, text=True, timeout=PATIENCE, check=False
    )
    assert done.stderr == ""
    return [line.partition("\t")[0] for line in done.stdout.splitlines() if line]


def test_a_shell_completes_commands_and_values_of_the_running_system(running: Path, tmp_path: Path) -> None:
    assert {"users", "numbers", "doctor", "backup"} <= set(completed("offhook ", running))
    assert completed("offhook users sh", running) == ["show"]
    assert "--dry-run" in completed("offhook users remove --", running)
    assert completed("offhook users --rol", running) == ["--role"]  # the noun alone lists, and has the options of that
    assert completed("offhook users --role v", running) == ["voice"]
    assert completed("offhook tokens add crm --scope=users:", running) == ["users:read", "users:write"]
    assert completed("offhook webhooks add https://crm.example.com --event call.", running) == [
        "call.*", "call.answered", "call.began", "call.ended",
    ]  # fmt: skip
    until = time.monotonic() + PATIENCE
    while (found := completed("offhook users show b", running)) != ["ben"] and time.monotonic() < until:
        time.sleep(0.1)  # on a busy machine a quarter of a second may be too short for an answer
    assert found == ["ben"]
    assert completed("offhook users show b", tmp_path / "nowhere") == []


def test_completion_waits_for_nobody_who_says_nothing(tmp_path: Path) -> None:
    """A system that takes the question and does not answer: the shell is told of nothing, and soon."""
    (tmp_path / "sandbox.json").write_text(json.dumps({"api": {"url": "http://127.0.0.1:1", "token": "x"}}))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        silent.settimeout(PATIENCE)
        told = json.dumps({"api": {"url": f"http://127.0.0.1:{silent.getsockname()[1]}", "token": "x"}})
        (tmp_path / "sandbox.json").write_text(told)
        assert completed("offhook users show b", tmp_path) == []
        assert silent.accept()[0].recv(8).startswith(b"GET /api")  # it was asked, and waited for no longer than completion.py says


def test_without_the_sandbox_the_address_is_found_and_signing_in_is_what_to_do(running: Path, url: str, home: Path) -> None:
    lets_in(running)
    (running / "sandbox.json").unlink()
    mine: Any = {"data": running, "XDG_CONFIG_HOME": str(home)}
    assert "Offhook is not running here" in offhook("users", **mine).stderr
    started_here(running, url, sandbox=True)  # and stopped: it takes sandbox.json with it
    assert "Offhook is not running here" in offhook("users", **mine).stderr
    started_here(running, url, sandbox=False)
    refused = offhook("users", **mine)
    assert refused.returncode == Exit.NOT_ALLOWED and "offhook sign-in" in refused.stderr and url in refused.stderr
    came = typed("sign-in", "anna@lumen.test", "--password-from-stdin", line=PASSWORD, **mine)
    assert came.returncode == Exit.DONE, came.stderr
    assert offhook("--profile", "lumen-test", "me", **mine).returncode == Exit.DONE


def started_here(folder: Path, url: str, *, sandbox: bool = True) -> None:
    """The folder has what a system leaves there that answers at this address."""
    host, _, port = url.removeprefix("http://").partition(":")
    (folder / "run").mkdir(exist_ok=True)
    (folder / "run" / "plan.json").write_text(json.dumps(replace(PLAN, address=host, http_port=int(port), sandbox=sandbox).values()))


def test_registrations_are_those_of_the_profile_in_use_else_of_all(world: World, running: Path, url: str, home: Path) -> None:
    started_here(running, url)
    (running / "provider.token").write_text(provider_token(world.database, KEY) + "\n")
    at = ("192.0.2.7:5062", "udp", "a telephone", 1_700_000_600.0)
    world.edge.registered = [Registration(user, f"{domain}.test", *at) for user, domain in (("anna", "lumen"), ("paul", "pine"))]
    assert [each["user"] for each in answered("registrations", data=running)["registrations"]] == ["anna", "paul"]
    mine: Any = {"XDG_CONFIG_HOME": str(home)}
    typed("profiles", "add", "pine", "--url", url, "--with-token", line=world.pine.token, **mine)
    assert [each["user"] for each in json.loads(offhook("registrations", "--json", **mine).stdout)["registrations"]] == ["paul"]


def test_only_an_organization_is_told_to_wait_for_its_revision(world: World, running: Path, url: str) -> None:
    token = provider_token(world.database, KEY)
    world.switch.down = True
    for words in ("carriers add north --address 192.0.2.5", "organizations add Maple --domain maple.test --country CA"):
        told = offhook(*words.split(), OFFHOOK_URL=url, OFFHOOK_TOKEN=token)
        assert told.returncode == Exit.DONE and "this counts as soon as it is up again." in told.stderr
        assert "offhook organization show" not in told.stderr, "that asks for an organization's token"
    own = offhook("users", "change", "ben", "--name", "Benjamin", data=running)
    assert "as soon as it is up again: `offhook organization show --wait`." in own.stderr
