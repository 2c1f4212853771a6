"""Every way the API says no: a problem with a stable code, and a field where there is one."""

from collections.abc import AsyncIterator
from typing import Any

import pytest
from httpx import Response

from offhook.services.tokens import issue
from tests.doors.rooms import World

LONG = "x" * 300
CALL = {"from": "+12065550199", "to": "+12065550100"}
ANNA = {"username": "anna", "name": "Anna"}

REFUSALS: list[tuple[str, str, Any, int, str, str | None]] = [
    ("GET", "/calls?limit=0", None, 422, "value.invalid", "limit"),
    ("GET", "/calls?limit=501", None, 422, "value.invalid", "limit"),
    ("GET", "/calls?limit=many", None, 422, "value.invalid", "limit"),
    ("GET", "/calls?state=dreaming", None, 422, "value.invalid", "state"),
    ("GET", "/calls?ending=nonsense", None, 422, "value.invalid", "ending"),
    ("GET", "/calls?sort=asc", None, 422, "value.invalid", "sort"),
    ("GET", "/calls/zzzz", None, 404, "thing.missing", "call"),
    ("POST", "/users", {}, 422, "value.invalid", "username"),
    ("POST", "/users", [], 422, "value.invalid", "body"),
    ("POST", "/users", ANNA | {"colour": "blue"}, 422, "value.invalid", "colour"),
    ("POST", "/users", ANNA | {"extension": "201"}, 409, "thing.taken", "username"),
    ("POST", "/users", {"username": "Anna!", "name": "Anna"}, 422, "value.invalid", "username"),
    ("POST", "/users", {"username": "zoe", "name": LONG}, 422, "value.invalid", "name"),
    ("POST", "/users", {"username": "zoe", "name": "Zoe\x1b[2J"}, 422, "value.invalid", "name"),
    ("POST", "/users", {"username": "zoe", "name": "Zoe", "extension": "911"}, 422, "value.invalid", "extension"),
    ("POST", "/users", {"username": "zoe", "name": "Zoe", "extension": "101"}, 409, "thing.taken", "extension"),
    ("POST", "/users", {"username": "zoe", "name": "Zoe", "extension": 201}, 422, "value.invalid", "extension"),
    ("POST", "/users", {"username": "zoe", "name": "Zoe", "number": "911"}, 422, "value.invalid", "number"),
    ("POST", "/users", {"username": "zoe", "name": "Zoe", "number": "+12065550101"}, 409, "thing.taken", "number"),
    ("POST", "/users", {"username": "zoe", "name": "Zoe", "language": "klingon"}, 422, "value.invalid", "language"),
    ("POST", "/users/zoe/password", None, 404, "thing.missing", "username"),
    ("POST", "/sandbox/calls", CALL | {"from": "0199"}, 422, "value.invalid", "from"),
    ("POST", "/sandbox/calls", CALL | {"to": "+"}, 422, "value.invalid", "to"),
    ("POST", "/sandbox/calls", CALL | {"digits": "1;rm"}, 422, "value.invalid", "digits"),
    ("POST", "/sandbox/calls", CALL | {"listen_seconds": 3600}, 422, "value.invalid", "listen_seconds"),
    ("POST", "/sandbox/calls", CALL | {"listen_seconds": -1}, 422, "value.invalid", "listen_seconds"),
    ("GET", "/nothing", None, 404, "path.missing", None),
    ("DELETE", "/users", None, 405, "method.not_allowed", None),
]


def problem(answer: Response) -> dict[str, Any]:
    """The problem in an answer, with what RFC 9457 asks of every one."""
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["status"] == answer.status_code
    assert body["type"] == "about:blank"
    assert body["title"]
    assert body["detail"]
    return body


@pytest.mark.parametrize(("method", "path", "body", "status", "code", "field"), REFUSALS, ids=lambda value: str(value)[:40])
async def test_a_refusal_names_its_code_and_field(
    world: World, method: str, path: str, body: Any, status: int, code: str, field: str | None
) -> None:
    async with world.client(world.lumen.token) as client:
        answer = await client.request(method, f"/api/v1{path}", json=body)
    told = problem(answer)
    assert (answer.status_code, told["code"], told.get("field")) == (status, code, field)
    assert world.carrier.asked == []


async def test_every_field_that_is_wrong_is_named_at_once(world: World) -> None:
    async with world.client(world.lumen.token) as client:
        told = problem(await client.post("/api/v1/users", json={"username": 7, "colour": "blue"}))
    assert [error["field"] for error in told["errors"]] == ["username", "name", "colour"]


async def test_a_body_that_is_not_json_is_unreadable(world: World) -> None:
    async with world.client(world.lumen.token, **{"Content-Type": "application/json"}) as client:
        told = problem(await client.post("/api/v1/users", content="{username"))
    assert (told["status"], told["code"]) == (400, "request.unreadable")


async def endless() -> AsyncIterator[bytes]:
    for _ in range(1000):
        yield b"x" * 1000


async def test_a_body_that_is_far_too_long_is_not_read(world: World) -> None:
    async with world.client(world.lumen.token, **{"Content-Type": "application/json"}) as client:
        announced = problem(await client.post("/api/v1/users", content=b'{"username": "' + b"x" * 100_000 + b'"}'))
        found_out = problem(await client.post("/api/v1/users", content=endless()))
        form = problem(await client.post("/welcome/x", content=endless(), headers={"Content-Type": "application/x-www-form-urlencoded"}))
    for told in (announced, found_out, form):
        assert (told["status"], told["code"]) == (413, "request.too_large")


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer nonsense", "Basic YW5uYTpzZWNyZXQ=", "Bearer \xe9"])
async def test_without_a_valid_token_nothing_is_told(world: World, header: str) -> None:
    async with world.client(None) as client:
        answer = await client.get("/api/v1/users", headers={b"Authorization": header.encode("latin-1")} if header else {})
    told = problem(answer)
    assert (told["status"], told["code"]) == (401, "access.unauthenticated")
    assert answer.headers["www-authenticate"].startswith("Bearer")


async def test_a_token_that_has_expired_is_not_valid(world: World) -> None:
    token = issue(world.database, world.lumen.profile.id, "short", -1.0, "tests")
    async with world.client(token) as client:
        assert problem(await client.get("/api/v1/users"))["code"] == "access.unauthenticated"


async def test_the_provider_is_told_where_an_organization_is_needed(world: World) -> None:
    (call,) = world.recorded(1)
    token = issue(world.database, None, "provider", None, "tests")
    async with world.client(token) as client:
        told = problem(await client.get("/api/v1/users"))
        seen = (await client.get("/api/v1/calls")).json()
    assert (told["status"], told["code"]) == (403, "access.no_organization")
    assert [each["call"] for each in seen["calls"]] == [call]


async def test_a_room_that_is_down_is_unavailable_and_says_when_to_try_again(world: World) -> None:
    call = world.lives(1)

    async def gone(_call: str) -> None:
        world.switch.down = True
        await world.switch.calls()

    world.switch.trace = gone  # type: ignore[method-assign, assignment]
    async with world.client(world.lumen.token) as client:
        answer = await client.get(f"/api/v1/calls/{call}")
    told = problem(answer)
    assert (told["status"], told["code"]) == (503, "system.unavailable")
    assert answer.headers["retry-after"] == "5"


async def test_a_mistake_of_ours_is_ours_and_tells_nothing_of_the_inside(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.probe.rows = [{"name": "no result"}]
    async with world.client(world.lumen.token) as client:
        answer = await client.post("/api/v1/selftest")
    told = problem(answer)
    assert (told["status"], told["code"]) == (500, "system.mistake")
    assert "KeyError" not in answer.text
    assert "KeyError" in caplog.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")
