"""Everything the API can do is asked for by some command; every command has help, and prints for programs what it prints for people."""

import asyncio
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from offhook.doors.api.app import API
from offhook.doors.cli.app import ELSEWHERE
from offhook.doors.cli.server import Exit, Server
from offhook.services import passwords
from offhook.services.invitations import invite
from offhook.services.ports.edge import Banned
from offhook.services.ports.mailing import Outcome, Verdict
from offhook.services.ports.mails import NewMail
from offhook.services.tokens import provider_token
from offhook.wiring import backup, bench, doctor
from tests.doors.conftest import KEY
from tests.doors.rooms import World
from tests.doors.test_command_line import PATIENCE, PROGRAM, environment, offhook, served
from tests.doors.test_command_line_doors import typed
from tests.doors.test_sign_in import QUICK
from tests.wiring.test_plan import PLAN
from tools.write_command_line import commands

NEEDS_NO_COMMAND = {
    ("get", "/healthz"): "for what watches the process; `offhook status` and `offhook doctor` tell people more",
}
"""Routes that no command asks, with the reason."""

PRINT_FILES = {"export", "users export", "prices export", "completion"}
"""Commands that print a file as it is, which programs read as well as people."""


class Noting:
    """An application that notes which of its routes were asked and answered well. Jobs wait until `at_work`."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._app: ASGIApp = world.app
        self._clerk: asyncio.Task[None] | None = None
        self.asked: set[tuple[str, str]] = set()
        self.at_work = False

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if self.at_work and self._clerk is None:
            self._clerk = asyncio.create_task(self._world.app.state.house.jobs.run())

        async def noting(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] < 400:
                route = scope.get("route")
                self.asked.add((scope["method"].lower(), str(getattr(route, "path_format", "")).removeprefix(API)))
            await send(message)

        await self._app(scope, receive, noting)


@pytest.fixture
def noting(world: World) -> Noting:
    return Noting(world)


@pytest.fixture
def running(world: World, noting: Noting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The data folder of a running system, with what the provider's commands look for."""
    monkeypatch.setattr(passwords, "HASHER", QUICK)
    folder = tmp_path / "var"
    (folder / "run").mkdir(parents=True)
    with served(noting) as url:
        (folder / "sandbox.json").write_text(json.dumps({"api": {"url": url, "token": world.lumen.token}}))
        port = int(url.rpartition(":")[2])
        (folder / "run" / "plan.json").write_text(json.dumps(replace(PLAN, address="127.0.0.1", http_port=port).values()))
        (folder / "provider.token").write_text(provider_token(world.database, KEY) + "\n")
        yield folder


class Clerk:
    """Runs commands that must do as they are told."""

    def __init__(self, data: Path, settings: Path) -> None:
        self.data = data
        self.more: dict[str, Any] = {"XDG_CONFIG_HOME": str(settings)}

    def does(self, words: str, *more: str, expect: int = 0) -> str:
        done = offhook(*words.split(), *more, data=self.data, **self.more)
        assert done.returncode == expect, (words, done.stdout, done.stderr)
        return done.stdout

    def told(self, words: str, *more: str) -> Any:
        return json.loads(self.does(words, *more, "--json"))


def test_every_route_is_asked_by_some_command(world: World, running: Path, noting: Noting, tmp_path: Path) -> None:
    clerk = Clerk(running, tmp_path / "settings")
    world.recorded(1)
    world.edge.banned = [Banned("192.0.2.7", None, "flood")]
    paths = world.app.openapi()["paths"]
    offers = {(method, path.removeprefix(API)) for path, methods in paths.items() if path.startswith(API) for method in methods}
    _asks_for_calls(clerk, world)
    _asks_for_things(clerk)
    _asks_for_webhooks(clerk)
    _asks_for_mail(clerk, world)
    _asks_for_files(clerk, noting, tmp_path)
    _comes_in_and_goes_out(clerk)
    _listens(running)
    _looks_after_the_system(clerk, world)
    _keeps_shop(clerk, tmp_path)
    _has_one_leave(clerk)
    assert offers - noting.asked == NEEDS_NO_COMMAND.keys()


def _asks_for_calls(clerk: Clerk, world: World) -> None:
    world.probe.rows = [{"name": "register", "passed": True, "skipped": False, "seconds": 0.2, "detail": ""}]
    for words in ("calls", "explain", "selftest", "status", "registrations", "bans", "bans lift 192.0.2.7", "certificates"):
        clerk.does(words)
    clerk.does("certificates reload")
    clerk.does("sandbox call --from +12065550199 --to +12065550100")
    clerk.does("route --from anna --to 102")


def _asks_for_things(clerk: Clerk) -> None:
    for words in ("organization", "users", "users add maria --name Maria --extension 201", "users password maria --yes", "attendants"):
        clerk.does(words)
    _asks_for_the_organization(clerk)
    _asks_for_devices(clerk)
    _asks_for_attendants(clerk)
    _asks_for_numbers(clerk)
    _asks_for_the_history(clerk)
    _asks_for_people(clerk)
    token = clerk.told("tokens add crm --scope calls:read")["id"]
    clerk.does("tokens")
    clerk.does(f"tokens remove {token} --yes")


def _looks_after_the_system(clerk: Clerk, world: World) -> None:
    clerk.does("organizations add Maple --domain maple.test --country CA --time-zone America/Toronto --username maria")
    invitation = clerk.told("invitations add maple.test --email maria@maple.test")["id"]
    assert len(clerk.told("invitations list maple.test")["invitations"]) == 2
    (mail,) = clerk.told("mails list --provider --to maria@maple.test")["mails"]
    clerk.does(f"mails retry {mail['id']} --provider")
    clerk.does(f"invitations revoke maple.test {invitation} --yes")
    invite(world.database)
    (founding,) = clerk.told("invitations list none")["invitations"]
    clerk.does(f"invitations revoke none {founding['id']} --yes")
    clerk.does("organizations history maple.test")
    clerk.does("carriers add north --address 192.0.2.5 --port 5070")
    clerk.does("carriers show north")
    clerk.does("carriers change north --port 5060")
    clerk.does("carriers")
    clerk.does("carriers remove north --yes", expect=Exit.REFUSED)
    clerk.does("carriers remove north --leave-none --yes")
    _keeps_a_stock(clerk)
    token = clerk.told("provider tokens add billing --lifetime 4w")["id"]
    clerk.does("provider tokens")
    clerk.does(f"provider tokens remove {token} --yes")
    assert "billing" in clerk.does("provider history --kind provider_token")


def _keeps_a_stock(clerk: Clerk) -> None:
    clerk.does("stock add +13125550100 --locality Chicago")
    clerk.does("stock add +13125550101 --last +13125550103")
    (clerk.data / "numbers.csv").write_text("e164,locality\n+13125550104,Chicago\n+13125550100,Cicero\n")
    assert clerk.told("stock import", str(clerk.data / "numbers.csv"))["results"] == {"created": 1, "changed": 1}
    assert "Cicero" in clerk.does("stock show +13125550100")
    clerk.does("stock withhold +13125550100 --because quarantine")
    assert len(clerk.told("stock --prefix +1312555010 --state free")["stock"]) == 4
    clerk.does("stock release +13125550100")
    clerk.does("stock change +13125550100 --kind national --carrier sandbox")
    clerk.does("stock remove +13125550100 --yes")


def _keeps_shop(clerk: Clerk, folder: Path) -> None:
    assert "made up" in clerk.does("prices") + offhook("catalogue", data=clerk.data, **clerk.more).stderr
    assert "Phone System" in clerk.does("catalogue")
    clerk.does("countries")
    clerk.does("countries list --not-served")
    clerk.does("countries show fr")
    clerk.does("countries serve is --calling-plans --currency EUR")
    assert clerk.told("countries show IS")["said"] == ["served", "currency", "calling_plans"]
    clerk.does("countries leave FR")
    clerk.does("countries reset FR")
    clerk.does("catalogue add night-line --kind add_on --name Night --name-fr Nuit --needs phone-system")
    clerk.does("catalogue change night-line --description", "Calls after hours.")
    clerk.does("catalogue sell night-line")
    clerk.does("catalogue show night-line")
    clerk.does("catalogue withdraw night-line --yes")
    clerk.does("catalogue remove night-line --yes", expect=Exit.REFUSED)
    clerk.does("catalogue add owl --kind add_on --name Owl --name-fr Chouette")
    clerk.does("catalogue remove owl --yes")
    clerk.does("catalogue list --state on_sale")
    clerk.does("prices set phone-system 9.90 --currency USD --country US")
    later = clerk.told("prices set phone-system none --currency usd --country us --from 2030-01-01T00:00:00Z")["price"]["id"]
    clerk.does(f"prices show {later}")
    file = folder / "prices.csv"
    clerk.does("prices export", str(file))
    assert len(file.read_text().splitlines()) == 3
    assert clerk.told(f"prices import {file} --dry-run") == {"revision": None, "added": 0, "unchanged": 2}
    clerk.does(f"prices remove {later} --yes")
    assert clerk.told(f"prices import {file}")["added"] == 1
    file.write_text(file.read_text() + "phone-system,US,USD,month,9.999,\n")
    clerk.does(f"prices import {file}", expect=Exit.REFUSED)


def _has_one_leave(clerk: Clerk) -> None:
    clerk.does("organizations")
    clerk.does("organizations show pine.test")
    clerk.does("organizations close pine.test --give-back-numbers --name", "Pine Bakery")
    closed = clerk.told("organizations list --closed")["organizations"]
    clerk.does(f"organizations erase {closed[0]['id']} --name", "Pine Bakery")


def _asks_for_the_organization(clerk: Clerk) -> None:
    clerk.does("organization change --name", "Lumen and Sons")


def _asks_for_people(clerk: Clerk) -> None:
    clerk.does("users show maria")
    clerk.does("users change maria --language fr")
    clerk.does("users remove maria --yes")


def _asks_for_devices(clerk: Clerk) -> None:
    device = str(clerk.told("devices add maria --name", "Desk phone")["device"]["id"])
    clerk.does("devices list --user maria")
    clerk.does(f"devices show {device}")
    clerk.does(f"devices change {device} --name Kitchen")
    clerk.does(f"devices password {device} --yes")
    clerk.does("users add zora --name Zora --no-telephone")
    clerk.does(f"devices passwords --user zora --file {clerk.data}/passwords.csv")
    clerk.does(f"devices remove {device} --yes")


def _asks_for_attendants(clerk: Clerk) -> None:
    clerk.does("attendants add Night --extension 250 --greeting Closed. --key 1=anna")
    clerk.does("attendants show Night")
    clerk.does("attendants change Night --key 1=ben --key 2=anna")
    clerk.does("attendants remove Night --yes")


def _asks_for_numbers(clerk: Clerk) -> None:
    clerk.does("numbers list")
    assert "+12065550177" in clerk.does("numbers available --country us --prefix +1206 --search 0177")
    clerk.does("numbers take +12065550177 --to maria")
    clerk.does("numbers show +12065550177")
    clerk.does("numbers free +12065550177 --yes")
    clerk.does("numbers give-back +12065550177 --yes")


def _asks_for_the_history(clerk: Clerk) -> None:
    changed = clerk.told("history list --kind user --limit 1")["changes"][0]
    clerk.does(f"history show user {changed['id']}")


def _asks_for_webhooks(clerk: Clerk) -> None:
    hook = clerk.told("webhooks add https://crm.example.com/hook --event call.ended")["webhook"]["id"]
    clerk.does(f"webhooks show {hook}")
    clerk.does(f"webhooks secret {hook} --yes")
    sent = clerk.told(f"webhooks test {hook}")["id"]
    clerk.does(f"webhooks deliveries {hook}")
    clerk.does(f"webhooks again {hook} {sent}")
    clerk.does("webhooks")
    clerk.does(f"webhooks change {hook} --disable")
    clerk.does(f"webhooks remove {hook} --yes")


def _asks_for_mail(clerk: Clerk, world: World) -> None:
    with world.database.change(world.lumen.profile.id, "tests") as transaction:
        transaction.mails.add([NewMail("welcome", "change-1-0", "anna@example.com", "en", "sealed", 2e9)])
    (mail,) = clerk.told("mails list --state waiting")["mails"]
    clerk.does(f"mails retry {mail['id']}")
    clerk.does("mails test --to anna@example.com")
    assert [letter.recipient for letter in world.post_box.brought] == ["anna@example.com"]
    world.post_box.says = Outcome(Verdict.REFUSED, "RCPT was answered 550 no")
    assert "550 no" in clerk.does("mails test --to anna@example.com --language fr", expect=Exit.NOT_ALL_WELL)


def _asks_for_files(clerk: Clerk, noting: Noting, folder: Path) -> None:
    file, people = str(folder / "lumen.yaml"), folder / "people.csv"
    clerk.does("export", file)
    clerk.does(f"plan {file}")
    clerk.does(f"apply {file}")
    clerk.does(f"replay --since 30d --plan {file}")
    clerk.does("users export", str(folder / "everybody.csv"))
    people.write_text("username,name,extension\nzoe,Zoe Lind,131\nzara,Zara,911\n")
    found = json.loads((clerk.data / "sandbox.json").read_text())["api"]
    job = Server(found["url"], found["token"]).send("/jobs/import-users", people.read_bytes(), "text/csv")["id"]
    clerk.does(f"jobs cancel {job} --yes")
    noting.at_work = True
    clerk.does(f"jobs resume {job}")
    clerk.does(f"users import {people} --refused {folder}/refused.csv", expect=Exit.NOT_ALL_WELL)
    assert "zara" in (folder / "refused.csv").read_text()
    clerk.does("jobs")
    clerk.does(f"jobs show {job}")


def _comes_in_and_goes_out(clerk: Clerk) -> None:
    for words in ("users sign-in anna --yes", "--profile here sign-in anna@lumen.test"):
        if "here" in words:
            url = json.loads((clerk.data / "sandbox.json").read_text())["api"]["url"]
            clerk.does(f"profiles add here --url {url}")
        done = typed(*words.split(), "--password-from-stdin", line="a few words of her own", data=clerk.data, **clerk.more)
        assert done.returncode == Exit.DONE, done.stderr
    clerk.does("me")
    clerk.does("--profile here sign-out")


def _listens(data: Path) -> None:
    command = [sys.executable, "-c", PROGRAM, "events", "--json"]
    program = subprocess.Popen(command, env=environment(data), stdout=subprocess.PIPE, text=True)
    ends = threading.Timer(PATIENCE, program.kill)
    ends.start()
    assert program.stdout is not None and program.stdout.readline()
    ends.cancel()
    program.terminate()
    program.communicate(timeout=PATIENCE)


@pytest.mark.parametrize(("words", "command"), list(commands()), ids=lambda each: each if isinstance(each, str) else "")
def test_every_command_has_help_and_prints_for_programs(words: str, command: Any) -> None:
    told = offhook(*words.split(), "--help")
    assert told.returncode == Exit.DONE and command.help and command.help.split("\n")[0].rstrip(".")[:30] in told.stdout
    assert all(each.help for each in command.params if each.name != "help"), [each.name for each in command.params if not each.help]
    assert ("--json" in told.stdout) != (words in PRINT_FILES)


def test_what_is_listed_without_being_loaded_has_its_own_words() -> None:
    own = {"doctor": doctor.doctor, "bench": bench.bench, "backup": backup.backup, "restore": backup.restore, "migrate": backup.migrate}
    assert own.keys() | {"run"} == ELSEWHERE.keys()
    for name, command in own.items():
        assert (command.__doc__ or "").startswith(ELSEWHERE[name].rstrip(".")), name
