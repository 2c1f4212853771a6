"""The provider looks at all organizations, and has one leave."""

from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest
from httpx import AsyncClient

from offhook.doors.cli.server import Exit
from offhook.services import passwords
from offhook.services.tokens import provider_token
from tests.doors.conftest import KEY
from tests.doors.rooms import World
from tests.doors.test_command_line_routes import Clerk, Noting, noting, running
from tests.doors.test_refusals import problem
from tests.doors.test_sign_in import QUICK

__all__ = ["noting", "running"]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(passwords, "HASHER", QUICK)
    monkeypatch.setattr(passwords, "NOBODYS", QUICK.hash("nobody's"))
    yield


@pytest.fixture
async def provider(world: World) -> AsyncIterator[AsyncClient]:
    async with world.client(provider_token(world.database, KEY)) as client:
        client.base_url = "http://offhook.test/api/v1"
        yield client


async def pine_of(provider: AsyncClient) -> dict[str, Any]:
    (pine,) = (await provider.get("/organizations?domain=pine.test")).json()["organizations"]
    return dict(pine)


async def test_the_provider_sees_every_organization_and_what_it_has(world: World, provider: AsyncClient) -> None:
    listed = (await provider.get("/organizations")).json()
    assert [each["name"] for each in listed["organizations"]] == ["Lumen Works", "Pine Bakery"] and listed["next"] is None
    first = (await provider.get("/organizations?limit=1")).json()
    rest = (await provider.get(f"/organizations?limit=1&cursor={first['next']}")).json()
    assert first["organizations"] + rest["organizations"] == listed["organizations"]
    pine = await pine_of(provider)
    answer = await provider.get(f"/organizations/{pine['id']}")
    assert answer.json() == pine | {"users": 1, "devices": 1, "attendants": 0, "numbers": 1}
    again = await provider.get(f"/organizations/{pine['id']}", headers={"If-None-Match": answer.headers["etag"]})
    assert again.status_code == 304


@pytest.mark.parametrize("method", ["GET", "DELETE"])
async def test_no_organization_sees_or_closes_any(world: World, method: str) -> None:
    async with world.client(world.lumen.token) as client:
        for path in (f"/organizations/{world.pine.profile.id}", f"/organizations/{world.lumen.profile.id}"):
            told = problem(await client.request(method, f"/api/v1{path}?numbers=give_back" if method == "DELETE" else f"/api/v1{path}"))
            assert (told["status"], told["code"]) == (403, "access.not_the_provider")
        assert (await client.get("/api/v1/organization")).status_code == 200


async def test_who_is_closed_comes_in_no_more_and_nobody_else_notices(world: World, provider: AsyncClient) -> None:
    pine = await pine_of(provider)
    async with world.client(world.pine.token) as theirs:
        await theirs.put("/api/v1/users/paul/sign-in", json={"password": "a few words of his own"})
        signed_in = await theirs.post("/api/v1/sign-in", json={"username": "paul@pine.test", "password": "a few words of his own"})
        assert signed_in.status_code == 200
    with world.database.view(world.lumen.profile.id) as transaction:
        before = transaction.history.since(0)
    (over,) = world.recorded(1, of=world.pine)
    refreshed = world.switch.refreshed
    closed = await provider.delete(f"/organizations/{pine['id']}?numbers=give_back")
    assert (closed.status_code, closed.json()["in_effect"]) == (200, True), closed.text
    assert closed.json()["revision"] > pine["revision"] and world.switch.refreshed == refreshed + 1
    for token in (world.pine.token, signed_in.json()["token"]):
        async with world.client(token) as client:
            assert (await client.get("/api/v1/me")).status_code == 401
            keyed = await client.post("/api/v1/users", json={}, headers={"Idempotency-Key": "k"})
            assert keyed.status_code == 401
    async with world.client(None) as client:
        sent = {"username": "paul@pine.test", "password": "a few words of his own"}
        refused = await client.post("/api/v1/sign-in", json=sent)
        nobody = await client.post("/api/v1/sign-in", json=sent | {"username": "paul@nowhere.test"})
        assert (refused.status_code, refused.json()) == (401, nobody.json())
    with world.database.view(world.lumen.profile.id) as transaction:
        assert transaction.history.since(0) == before
    shown = (await provider.get(f"/organizations/{pine['id']}")).json()
    assert shown["closed_at"] and shown["users"] == shown["numbers"] == 0 and shown["name"] == "Pine Bakery"
    assert [each["id"] for each in (await provider.get("/organizations?state=closed")).json()["organizations"]] == [pine["id"]]
    assert [call["call"] for call in (await provider.get("/calls")).json()["calls"]] == [over]
    async with world.client(world.lumen.token) as client:
        taken = await client.post("/api/v1/numbers", json={"number": "+15035550101"})
        assert taken.status_code == 201


async def test_it_is_refused_plainly_while_there_are_numbers_or_it_was_changed(world: World, provider: AsyncClient) -> None:
    pine = await pine_of(provider)
    path = f"/organizations/{pine['id']}"
    told = problem(await provider.delete(path))
    assert (told["status"], told["code"], told["field"]) == (409, "organization.has_numbers", "numbers")
    assert "Pine Bakery has 1 numbers" in told["detail"]
    assert problem(await provider.delete(f"{path}?numbers=keep"))["field"] == "numbers"
    stale = problem(await provider.delete(f"{path}?numbers=give_back", headers={"If-Match": '"999"'}))
    assert (stale["status"], stale["code"]) == (412, "thing.stale")
    assert problem(await provider.delete(f"{path}/records"))["code"] == "organization.not_closed"
    assert (await pine_of(provider)) == pine
    assert (await provider.delete(f"{path}?numbers=give_back", headers={"If-Match": f'"{pine["version"]}"'})).status_code == 200
    assert problem(await provider.delete(path))["code"] == "organization.closed"
    assert problem(await provider.delete("/organizations/987654"))["code"] == "thing.missing"


async def test_the_switch_that_is_away_is_told_of(world: World, provider: AsyncClient) -> None:
    pine = await pine_of(provider)
    world.switch.down = True
    closed = await provider.delete(f"/organizations/{pine['id']}?numbers=give_back")
    assert (closed.status_code, closed.json()["in_effect"]) == (200, False)
    assert problem(await provider.delete(f"/organizations/{pine['id']}/records"))["code"] == "system.unavailable"


async def test_records_are_erased_once_no_call_goes_on(world: World, provider: AsyncClient) -> None:
    pine, lumens = await pine_of(provider), world.recorded(1)
    world.recorded(2, 3, of=world.pine)
    world.lives(4, of=world.pine)
    path = f"/organizations/{pine['id']}"
    assert (await provider.delete(f"{path}?numbers=give_back")).status_code == 200
    told = problem(await provider.delete(f"{path}/records"))
    assert (told["status"], told["code"]) == (409, "organization.in_calls")
    world.switch.living.clear()
    erased = (await provider.delete(f"{path}/records")).json()
    assert (erased["calls"], erased["complete"]) == (2, True) and erased["changes"] > 3
    assert (await provider.get(path)).status_code == 404
    assert [call["call"] for call in (await provider.get("/calls")).json()["calls"]] == lumens
    assert (await provider.get("/organizations?state=closed")).json()["organizations"] == []


def test_the_command_line_has_the_name_said_first(world: World, running: Path, noting: Noting, tmp_path: Path) -> None:
    clerk = Clerk(running, tmp_path / "settings")
    assert "Pine Bakery" in clerk.does("organizations") and clerk.told("organizations show pine.test")["numbers"] == 1
    for words, more in (("close pine.test --give-back-numbers", ()), ("close pine.test --give-back-numbers", ("--name", "Lumen Works"))):
        clerk.does(f"organizations {words}", *more, expect=Exit.REFUSED)
    clerk.does("organizations close nowhere.test", "--name", "Pine Bakery", expect=Exit.NOT_THERE)
    clerk.does("organizations close pine.test", "--name", "Pine Bakery", expect=Exit.REFUSED)
    would = clerk.told("organizations close pine.test --give-back-numbers --dry-run")
    assert would["method"] == "DELETE" and "1 users, 1 devices, 1 numbers" in would["would"]
    assert clerk.told("organizations list --closed")["organizations"] == []
    told = clerk.does("organizations close pine.test --give-back-numbers", "--name", "Pine Bakery")
    assert "Closed Pine Bakery" in told
    (closed,) = clerk.told("organizations list --closed")["organizations"]
    clerk.does(f"organizations erase {closed['id']}", expect=Exit.REFUSED)
    assert "Erased 0 calls" in clerk.does(f"organizations erase {closed['id']}", "--name", "Pine Bakery")
    assert clerk.told("organizations list --closed")["organizations"] == []
