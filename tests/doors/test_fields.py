"""Every field of every request: wrong type, too long, unknown, twice, taken, somebody else's. Refused by name; nothing is written."""

import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from httpx import Response

from offhook.services.tokens import provider_token
from tests.doors.conftest import KEY
from tests.doors.rooms import World
from tests.doors.test_refusals import problem

GOOD: dict[str, Any] = {
    "number": "+12065550177",
    "from": "+12065550199",
    "to": "+12065550100",
    "domain": "maple.test",
    "country": "CA",
    "address": "192.0.2.5",
    "string": "anna",
    "first": "+13125550100",
    "last": "+13125550101",
    "integer": 3,
    "array": ["*"],
    "object": {},
    "boolean": True,
}
WRONG: dict[str, list[Any]] = {
    "string": [7, True, [], {"a": 1}],
    "integer": ["3", 1.5, True, [], 10**30, -1],
    "array": ["x", 7, {}, [7]],
    "object": ["x", 7, [], {"1": 7}],
    "boolean": ["maybe", 7, [], {}],
    "number": ["x", [], {}],
}


IDS = {"username": "anna", "number": "+12065550101", "kind": "user", "address": "192.0.2.7", "call": "last"}
"""What stands at the places of a path; at all others 1."""


def offers(world: World) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and description of everything that can be asked."""
    for path, methods in world.app.openapi()["paths"].items():
        for method, offer in methods.items():
            yield method, path, offer


def bodies(world: World) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Method, path and the schema of the body of every route that takes JSON."""
    schemas = world.app.openapi()["components"]["schemas"]
    for method, path, offer in offers(world):
        schema = offer.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
        if name := schema.get("$ref", "").rpartition("/")[2]:
            yield method, path, schemas[name]


def parts(schema: dict[str, Any]) -> list[dict[str, Any]]:
    """Of what a field may be one."""
    return list(schema.get("anyOf", [schema]))


def kinds(schema: dict[str, Any]) -> set[str]:
    """The types that a field may have."""
    return {part.get("type", "string") for part in parts(schema)}


def wrongs(name: str, field: dict[str, Any]) -> Iterator[Any]:
    """What a field cannot be."""
    allowed = kinds(field)
    for kind in allowed - {"null"}:
        yield from (value for value in WRONG[kind])
    if "null" not in allowed:
        yield None
    if "string" in allowed:
        yield "x" * 20_000
    if "string" in allowed and "password" not in name:
        yield "a\x00b"


def good_value(name: str, field: dict[str, Any]) -> Any:
    if any(part.get("format") == "date-time" for part in parts(field)):
        return "2026-11-24T09:30:00Z"
    return GOOD.get(name) or GOOD[min(kinds(field) - {"null"})]


def token_for(world: World, offer: dict[str, Any]) -> str | None:
    """Whoever may ask this."""
    return provider_token(world.database, KEY) if offer.get("x-offhook-scopes") == ["provider"] else world.lumen.token


def at(path: str) -> str:
    """A path with something at each of its places."""
    return re.sub(r"\{(\w+)\}", lambda place: IDS.get(place[1], "1"), path)


async def sent(world: World, method: str, path: str, body: Any, **headers: str) -> Response:
    content = body if isinstance(body, str) else json.dumps(body)
    token = token_for(world, world.app.openapi()["paths"].get(path, {}).get(method, {}))
    async with world.client(token, **{"Content-Type": "application/json"} | headers) as client:
        return await client.request(method, at(path), content=content)


def history(world: World) -> list[Any]:
    with world.database.view(world.lumen.profile.id) as transaction:
        return list(transaction.history.since(0))


async def test_what_a_field_cannot_be_is_refused_by_its_name(world: World) -> None:
    before, asked = history(world), 0
    for method, path, schema in bodies(world):
        fields = schema["properties"]
        good = {name: good_value(name, field) for name, field in fields.items() if name in schema.get("required", [])}
        for name, field in fields.items():
            for value in wrongs(name, field):
                if value == "a\x00b" and path.endswith("/sign-in"):
                    continue  # nobody is called so
                answer = await sent(world, method, path, good | {name: value})
                assert answer.status_code == 422, (method, path, name, value, answer.text)
                named = [each["field"] for each in problem(answer).get("errors", [{"field": problem(answer)["field"]}])]
                assert any(each.split(".")[0] == name for each in named), (method, path, name, value, answer.text)
                asked += 1
        for odd, field in (({"colour": "blue"}, "colour"), ([], "body"), ("7", "body"), (None, "body")):
            told = problem(await sent(world, method, path, good | odd if isinstance(odd, dict) else odd))
            assert told["status"] == 422 and field in [each["field"] for each in told["errors"]], (method, path, odd, told)
        twice = "{" + ", ".join(f'"{name}": "x", "{name}": "y"' for name in list(fields)[:1]) + "}"
        assert problem(await sent(world, method, path, twice))["field"] == next(iter(fields))
    assert asked > 150
    assert history(world) == before


def wrong_texts(schema: dict[str, Any]) -> Iterator[str]:
    """What a parameter of a query cannot be."""
    allowed = kinds(schema)
    if "integer" in allowed:
        yield from ("x", "1.5", "", "-1", "9" * 30, "true")
    elif "boolean" in allowed:
        yield from ("maybe", "2", "")
    else:
        yield "x" * 20_000
        yield "a\x00b"
    if any("enum" in part or part.get("format") == "date-time" for part in parts(schema)):
        yield from ("x", "2026-13-01T00:00:00Z", "2026-11-24T09:30:00")


async def test_what_a_parameter_cannot_be_is_refused_by_its_name(world: World) -> None:
    """Of every list and every other question; by whoever may ask it."""
    with world.database.change(world.lumen.profile.id, "tests") as transaction:  # for what stands below one of them
        transaction.webhooks.add("https://crm.example.com/", ["*"], "sealed")
        transaction.jobs.add("import-users", "tests", 1, {}, b"")
    before, asked, paths = history(world), 0, set()
    for method, path, offer in offers(world):
        named = {each["name"]: each["schema"] for each in offer.get("parameters", []) if each["in"] == "query"}
        if not path.startswith("/api/v1/") or path.endswith("/events"):
            continue
        queries = [("colour=blue", "colour")]
        for name, schema in named.items():
            schema = parts(schema.get("items", schema))[0] | {"anyOf": parts(schema)}
            queries += [(urlencode({name: value}), name) for value in wrong_texts(schema)]
            queries.append((f"{name}=1&{name}=2", name))
        async with world.client(token_for(world, offer)) as client:
            for query, name in queries:
                answer = await client.request(method, f"{at(path)}?{query}")
                told = problem(answer)
                fields = [each["field"] for each in told.get("errors", [told])]
                assert (told["status"], told["code"]) == (422, "value.invalid") and name in fields, (method, path, query, told)
                asked += 1
        paths |= {path} if named else set()
    assert asked > 400 and {"/api/v1/history", "/api/v1/calls", "/api/v1/organizations", "/api/v1/bans", "/api/v1/users"} <= paths
    assert history(world) == before


@pytest.mark.parametrize(
    "kind", ["application/json", "application/json; charset=utf-8", "application/merge-patch+json", "Application/X+JSON"]
)
async def test_a_member_that_stands_twice_is_refused_whatever_the_json_is_called(world: World, kind: str) -> None:
    twice = '{"name": "A", "name": "B"}'
    told = problem(await sent(world, "patch", "/api/v1/users/anna", twice, **{"Content-Type": kind}))
    assert (told["status"], told["field"]) == (422, "name")


@pytest.mark.parametrize("name", ["query", "body", "path", "header"])
async def test_a_member_that_is_called_like_a_place_is_told_by_its_name(world: World, name: str) -> None:
    told = problem(await sent(world, "patch", "/api/v1/users/anna", {name: 1}))
    assert (told["status"], told["field"]) == (422, name)


TAKEN = [
    ("post", "/users", {"username": "ben", "name": "B"}, "username"),
    ("post", "/users", {"username": "zoe", "name": "Z", "extension": "100"}, "extension"),
    ("post", "/users", {"username": "zoe", "name": "Z", "number": "+12065550100"}, "number"),
    ("patch", "/users/anna", {"username": "ben"}, "username"),
    ("patch", "/users/anna", {"extension": "102"}, "extension"),
    ("patch", "/users/anna", {"number": "+12065550102"}, "number"),
    ("post", "/attendants", {"name": "Reception", "extension": "250", "greeting": "x"}, "name"),
    ("post", "/attendants", {"name": "Night", "extension": "101", "greeting": "x"}, "extension"),
    ("patch", "/attendants/1", {"extension": "101"}, "extension"),
    ("post", "/numbers", {"number": "+12065550101"}, "number"),
    ("patch", "/organization", {"country": "FR"}, "country"),
]
NOT_AVAILABLE = [
    (method, path, body | {"number": number}, "number")
    # Another organization's, withheld, and one that is not in the stock.
    for number in ("+15035550101", "+12065550199", "+14155550188")
    for method, path, body in (
        ("post", "/users", {"username": "zoe", "name": "Z"}),
        ("patch", "/users/anna", {}),
        ("post", "/numbers", {}),
    )
]
SOMEBODY_ELSES = [
    ("post", "/attendants", {"name": "Night", "extension": "250", "greeting": "x", "keys": {"1": "paul"}}, "keys.1"),
    ("patch", "/attendants/1", {"keys": {"0": "chloe", "*": "paul"}}, "keys.*"),
    ("post", "/numbers", {"number": "+12065550177", "username": "paul"}, "username"),
    ("post", "/numbers", {"number": "+12065550177", "attendant": "Pine"}, "attendant"),
    ("patch", "/numbers/+12065550101", {"username": "paul"}, "username"),
    ("patch", "/numbers/+12065550101", {"attendant": "Pine"}, "attendant"),
    ("patch", "/organization", {"main_number": "+15035550101"}, "main_number"),
    ("patch", "/numbers/+15035550101", {"username": "anna"}, "number"),
    ("delete", "/numbers/+15035550101", {}, "number"),
    ("patch", "/users/paul", {"name": "x"}, "username"),
    ("post", "/users/paul/devices", {"name": "x"}, "username"),
]
CANNOT_BE = [
    ("post", "/users", {"username": "Anna!", "name": "A"}, "username"),
    ("patch", "/users/anna", {"extension": "911"}, "extension"),
    ("patch", "/users/anna", {"extension": "1"}, "extension"),
    ("patch", "/users/anna", {"number": "12"}, "number"),
    ("patch", "/users/anna", {"name": "  "}, "name"),
    ("patch", "/users/anna", {"language": "klingon"}, "language"),
    ("patch", "/users/anna", {"email": "anna"}, "email"),
    ("patch", "/users/anna", {"location": "XX"}, "location"),
    ("patch", "/users/anna", {"time_zone": "Mars/Base"}, "time_zone"),
    ("patch", "/users/anna", {"role": "king"}, "role"),
    ("post", "/attendants", {"name": "N", "extension": "250", "greeting": " "}, "greeting"),
    ("post", "/attendants", {"name": "N", "extension": "250", "greeting": "a\x07"}, "greeting"),
    ("post", "/attendants", {"name": "N", "extension": "250", "greeting": "x", "keys": {"A": "anna"}}, "keys"),
    ("post", "/attendants", {"name": "N", "extension": "250", "greeting": "x", "rounds": 0}, "rounds"),
    ("post", "/attendants", {"name": "N", "extension": "250", "greeting": "x", "patience_seconds": 61}, "patience_seconds"),
    ("post", "/attendants", {"name": "N", "extension": "911", "greeting": "x"}, "extension"),
    ("post", "/numbers", {"number": "206 555 0107"}, "number"),
    ("patch", "/numbers/+12065550101", {"username": "anna", "attendant": "Reception"}, "attendant"),
    ("patch", "/organization", {"country": "XX"}, "country"),
    ("patch", "/organization", {"time_zone": "Mars/Base"}, "time_zone"),
    ("patch", "/organization", {"main_number": "x"}, "main_number"),
    ("patch", "/organization", {"domain": "other.test"}, "domain"),
    ("get", "/devices/0", {}, "device"),
    ("get", "/devices/99999999999", {}, "device"),
    ("get", "/attendants/x", {}, "attendant"),
]


@pytest.mark.parametrize(
    ("method", "path", "body", "field", "status", "code"),
    [(*row, 409, "thing.taken") for row in TAKEN]
    + [(*row, 409, "number.not_available") for row in NOT_AVAILABLE]
    + [(*row, 404, "thing.missing") for row in SOMEBODY_ELSES]
    + [(*row, 422, "value.invalid") for row in CANNOT_BE],
    ids=lambda value: json.dumps(value)[:40] if isinstance(value, dict) else str(value)[:30],
)
async def test_a_value_that_does_not_fit_is_refused_by_its_name(
    world: World, method: str, path: str, body: Any, field: str, status: int, code: str
) -> None:
    with world.database.change(world.pine.profile.id, "tests") as transaction:
        transaction.attendants.add("Pine", "en", "100", "Pine Bakery", {})
    with world.database.change(world.lumen.profile.id, "tests") as transaction:
        chloe = transaction.users.by_username("chloe")
        assert chloe is not None
        transaction.users.change(chloe.id, extension="112")  # an emergency number in France
    before = history(world)
    told = problem(await sent(world, method, f"/api/v1{path}", body))
    assert (told["status"], told["code"], told["field"]) == (status, code, field), told
    assert not any(word in json.dumps(told) for word in ("Pine", "Novak") if word not in json.dumps(body))
    assert history(world) == before


REFERENCED = [
    ("/users/anna", "Key 1 of the attendant Reception leads to anna", "username"),
    ("/numbers/+12065550100", "is the organization's main number", "number"),
]


@pytest.mark.parametrize(("path", "words", "field"), REFERENCED)
async def test_what_something_leads_to_is_not_removed(world: World, path: str, words: str, field: str) -> None:
    before = history(world)
    told = problem(await sent(world, "delete", f"/api/v1{path}", ""))
    assert (told["status"], told["code"], told["field"]) == (409, "thing.in_use", field)
    assert words in told["detail"]
    assert history(world) == before
