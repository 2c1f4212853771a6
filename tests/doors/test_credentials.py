"""Passwords for the telephones of many people at once: made by one request, written into one file, kept by nobody."""

import csv
import io
import json
import stat
from pathlib import Path
from typing import Any

import pytest

from offhook.domain.access import Role, scopes_of
from offhook.doors.api.devices import IN_EFFECT, REVISION
from offhook.doors.cli import passwords
from offhook.doors.cli.server import Exit, Failed, Server
from offhook.services.ports.organization import NewUser
from offhook.services.secrets import ha1
from offhook.services.tokens import issue
from tests.doors.rooms import World
from tests.doors.test_command_line import answered, offhook, running, url

__all__ = ["running", "url"]

CREDENTIALS = "/api/v1/devices/credentials"


def newcomers(world: World, many: int) -> list[str]:
    """People who were imported, and have no telephone."""
    names = [f"new{number:04}" for number in range(many)]
    with world.database.change(world.lumen.profile.id, "tests") as transaction:
        for name in names:
            transaction.users.add(NewUser(name, name.title(), "en"))
    return names


def opens(world: World, row: dict[str, str]) -> bool:
    """Whether the telephone of a row can sign in with the password of the row, and is that user's."""
    with world.database.view(world.lumen.profile.id) as transaction:
        user = transaction.users.by_username(row["username"])
        assert user is not None
        device = transaction.devices.all(user.id)[0]
        kept = transaction.devices.credential(device.id)
    return device.sip_username == row["sip_username"] and kept == ha1(row["sip_username"], row["domain"], row["password"])


def rows_of(octets: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(octets.decode("utf-8-sig"), newline="")))


async def test_many_get_telephones_by_one_request_in_one_revision(world: World) -> None:
    names = newcomers(world, 500)
    async with world.client(world.lumen.token) as client:
        found = (await client.get("/api/v1/users?telephone=none&limit=500")).json()["users"]
        before = (await client.get("/api/v1/organization")).json()["revision"]
        answer = await client.post(CREDENTIALS, json={"usernames": [one["username"] for one in found]})
        assert (await client.get("/api/v1/users?telephone=none")).json()["users"] == []
        assert {one["username"] for one in (await client.get("/api/v1/users?telephone=some&limit=500")).json()["users"]} >= {
            "anna",
            *names[:400],
        }
    rows = rows_of(answer.content)
    assert (answer.headers["content-type"], answer.headers["cache-control"]) == ("text/csv; charset=utf-8", "no-store")
    assert (answer.headers[IN_EFFECT], answer.headers[REVISION]) == ("true", str(before + 1))
    assert [row["username"] for row in rows] == names and all(opens(world, row) for row in rows)
    assert len({row["password"] for row in rows}) == 500
    assert (rows[0]["name"], rows[0]["domain"], rows[0]["sip_address"]) == ("New0000", "lumen.test", "127.0.0.1:5060")


async def test_who_has_a_telephone_gets_another_password_only_when_that_is_said(world: World) -> None:
    newcomers(world, 1)
    async with world.client(world.lumen.token) as client:
        refused = await client.post(CREDENTIALS, json={"usernames": ["new0000", "ben"]})
        assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (409, "thing.taken", "usernames.1")
        assert len((await client.get("/api/v1/users?telephone=none")).json()["users"]) == 1  # neither got one
        first, again = [await client.post(CREDENTIALS, json={"usernames": ["new0000", "ben"], "renew": True}) for _ in range(2)]
        devices = (await client.get("/api/v1/devices?username=new0000")).json()["devices"]
    assert [opens(world, row) for row in rows_of(first.content)] == [False, False]
    assert [opens(world, row) for row in rows_of(again.content)] == [True, True]
    assert len(devices) == 1


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ({"usernames": []}, 422, "usernames"),
        ({"usernames": [f"x{number}" for number in range(501)]}, 422, "usernames"),
        ({"usernames": "anna"}, 422, "usernames"),
        ({"usernames": ["ben", 7]}, 422, "usernames.1"),
        ({"usernames": ["ben", "nobody"], "renew": True}, 404, "usernames.1"),
        ({"usernames": ["ben", "paul"], "renew": True}, 404, "usernames.1"),
        ({"usernames": ["ben", "ben"], "renew": True}, 422, "usernames.1"),
        ({"usernames": ["ben"], "renewal": True}, 422, "renewal"),
        ({}, 422, "usernames"),
    ],
)
async def test_what_cannot_be_is_refused_and_nobody_loses_a_password(world: World, body: Any, status: int, field: str) -> None:
    async with world.client(world.lumen.token) as client:
        before = (await client.get("/api/v1/organization")).json()["revision"]
        answer = await client.post(CREDENTIALS, json=body)
        assert (answer.status_code, answer.json()["field"]) == (status, field)
        assert (await client.get("/api/v1/organization")).json()["revision"] == before


async def test_the_answer_is_kept_by_nobody(world: World) -> None:
    body = {"usernames": newcomers(world, 1)}
    async with world.client(world.lumen.token) as client:
        keyed = await client.post(CREDENTIALS, json=body, headers={"Idempotency-Key": "monday"})
        assert (keyed.status_code, keyed.json()["code"]) == (422, "idempotency.not_kept")
        (row,) = rows_of((await client.post(CREDENTIALS, json=body)).content)
        told = (await client.get("/api/v1/history?limit=5")).text
    assert row["password"] not in told
    for name in ("offhook.sqlite", "offhook.sqlite-wal"):
        file = Path(str(world.database.engine.url.database).removeprefix("file:").partition("?")[0]).with_name(name)
        assert not file.exists() or row["password"].encode() not in file.read_bytes()


@pytest.mark.parametrize(("role", "status"), [(Role.HELP_DESK, 200), (Role.VOICE, 200), (Role.READER, 403), (Role.BILLING, 403)])
async def test_who_looks_after_telephones_may(world: World, role: Role, status: int) -> None:
    names = newcomers(world, 1)
    async with world.client(issue(world.database, world.lumen.profile.id, "somebody", None, "tests", scopes_of(role))) as client:
        assert (await client.post(CREDENTIALS, json={"usernames": names})).status_code == status


def test_one_command_makes_all_the_passwords_into_a_file_of_ones_own(
    world: World, running: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_AT_ONCE", 3)
    names, file = newcomers(world, 7), tmp_path / "passwords.csv"
    would = offhook("devices", "passwords", "--file", str(file), "--dry-run", data=running)
    assert would.stdout == "Would make the passwords of 7 telephones, 0 of which are there already.\n" and not file.exists()
    done = offhook("devices", "passwords", "--file", str(file), data=running)
    assert (done.returncode, done.stdout) == (Exit.DONE, f"7 passwords are in {file}; they are not shown again.\n")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    rows = rows_of(file.read_bytes())
    assert [row["username"] for row in rows] == names and all(opens(world, row) for row in rows)
    assert not any(row["password"] in done.stdout + done.stderr for row in rows)
    again = offhook("devices", "passwords", "--file", str(tmp_path / "more.csv"), data=running)
    assert (again.returncode, again.stdout) == (Exit.DONE, "Everybody has a telephone.\n")
    there = offhook("devices", "passwords", "--file", str(file), "--user", "ben", "--renew", "--yes", data=running)
    assert there.returncode == Exit.REFUSED and "passwords replace nothing" in there.stderr
    assert all(opens(world, row) for row in rows)


def test_a_file_of_people_or_names_say_for_whom(world: World, running: Path, tmp_path: Path) -> None:
    newcomers(world, 3)
    people, file = tmp_path / "people.csv", tmp_path / "passwords.csv"
    people.write_text("name;username\nNew;new0002\n")
    command = ["devices", "passwords", "--file", str(file), "--from", str(people), "--user", "new0001"]
    assert answered(*command, data=running) == {"file": str(file), "passwords": 2, "in_effect": True}
    assert [row["username"] for row in rows_of(file.read_bytes())] == ["new0001", "new0002"]
    assert answered("users", "--without-telephone", data=running)["users"][0]["username"] == "new0000"
    for more, code, words in (
        (["--user", "nobody"], Exit.NOT_THERE, "no user nobody"),
        (["--from", str(tmp_path / "none.csv")], Exit.WRONG_COMMAND, "cannot be read"),
        (["--from", str(file)], Exit.WRONG_COMMAND, "not known"),
        (["--user", "ben"], Exit.REFUSED, "ben have a telephone already"),
        (["--user", "ben", "--renew"], Exit.REFUSED, "the password of ben. Nothing was done"),
    ):
        refused = offhook("devices", "passwords", "--file", str(tmp_path / "x.csv"), *more, data=running)
        assert (refused.returncode, words in refused.stderr) == (code, True), refused.stderr
        assert not (tmp_path / "x.csv").exists()
    short = tmp_path / "short.csv"
    for text, words in (("name,username\nNew\n", "row 2 names nobody"), ("username,name\nnew0000,New\n,Old\n", "row 3 names nobody")):
        short.write_text(text)
        refused = offhook("devices", "passwords", "--file", str(tmp_path / "x.csv"), "--from", str(short), data=running)
        assert (refused.returncode, words in refused.stderr) == (Exit.WRONG_COMMAND, True), refused.stderr
    renewed = answered("devices", "passwords", "--file", str(tmp_path / "x.csv"), "--user", "ben", "--renew", "--yes", data=running)
    assert renewed["passwords"] == 1 and opens(world, rows_of((tmp_path / "x.csv").read_bytes())[0])


def test_what_breaks_off_says_how_far_it_came_and_keeps_that(
    world: World, running: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(passwords, "_AT_ONCE", 3)
    newcomers(world, 7)
    asks, left = Server.file, [1]

    def breaks_off(server: Server, *arguments: Any, **more: Any) -> Any:
        if not left:
            raise Failed("The answer was lost.", Exit.NOT_REACHED)
        left.pop()
        return asks(server, *arguments, **more)

    monkeypatch.setattr(Server, "file", breaks_off)
    file = tmp_path / "passwords.csv"
    done = offhook("devices", "passwords", "--file", str(file), data=running)
    assert done.returncode == Exit.NOT_REACHED
    assert f"3 passwords are in {file}. From new0003 on there are none" in done.stderr
    assert all(opens(world, row) for row in rows_of(file.read_bytes())) and len(rows_of(file.read_bytes())) == 3
    assert json.loads(offhook("users", "--without-telephone", "--json", data=running).stdout)["users"][0]["username"] == "new0003"
    nothing = offhook("devices", "passwords", "--file", str(tmp_path / "more.csv"), data=running)
    assert nothing.returncode == Exit.NOT_REACHED and not (tmp_path / "more.csv").exists()
