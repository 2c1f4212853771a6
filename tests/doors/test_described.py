"""The API's description of itself: every route is told with examples that fit it, the problems it may answer and the scope it needs."""

from collections.abc import Iterator
from typing import Any

import pytest
from jsonschema_rs import Draft202012Validator

from offhook.domain.access import EVERYTHING
from offhook.doors.api import described
from tests.doors.rooms import World
from tests.doors.test_isolation import OF_THE_PROVIDER, OPEN

OWN_BUSINESS = {("post", "/api/v1/sign-out"), ("get", "/api/v1/me"), ("put", "/api/v1/users/{username}/sign-in"), ("get", "/api/v1/events")}
"""What needs a token but not always a scope: who one is, one's own password; and events, each of which needs its own."""


@pytest.fixture
def told(world: World) -> dict[str, Any]:
    found: dict[str, Any] = world.app.openapi()
    return found


def offers(told: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    for path, methods in told["paths"].items():
        for method, offer in methods.items():
            yield method, path, offer


def test_it_is_openapi_3_1_with_every_tag_told(told: dict[str, Any]) -> None:
    assert told["openapi"].startswith("3.1.")
    used = {tag for _, _, offer in offers(told) for tag in offer["tags"]}
    assert used == {tag["name"] for tag in told["tags"]}


def test_every_route_but_the_open_ones_names_its_scope(world: World, told: dict[str, Any]) -> None:
    named = described.scopes(world.app)
    for method, path, offer in offers(told):
        asked = named.get((method, path), [])
        assert set(asked) <= EVERYTHING | {"provider"}
        assert bool(asked) != ((method, path) in OPEN | OWN_BUSINESS), f"{method} {path} names {asked or 'no scope'}"
        assert offer.get("x-offhook-scopes", []) == asked
        assert (asked == ["provider"]) == ((method, path) in OF_THE_PROVIDER - OPEN)


def test_every_route_is_told_in_words_with_its_problems(told: dict[str, Any]) -> None:
    for method, path, offer in offers(told):
        assert len(offer["description"]) > 20, f"{method} {path}"
        statuses = set(offer["responses"])
        assert "500" in statuses and ({"401", "403"} <= statuses or (method, path) in OPEN), f"{method} {path}: {statuses}"
        assert "404" in statuses or "{" not in path, f"{method} {path}"
        for parameter in offer.get("parameters", []):
            assert parameter["in"] == "path" or parameter.get("description") or parameter["schema"], f"{method} {path} {parameter['name']}"


def examples(told: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any], Any]]:
    """Where it stands, the schema, the example: of every request and answer in JSON, and of every model."""
    for method, path, offer in offers(told):
        contents = [("request", offer.get("requestBody", {}).get("content", {}))]
        contents += [(status, answer.get("content", {})) for status, answer in offer["responses"].items()]
        for where, content in contents:
            for kind, media in content.items():
                if "json" in kind:
                    assert "example" in media or "examples" in media, f"{method} {path} {where}"
                    yield f"{method} {path} {where}", media["schema"], media.get("example")
    for name, schema in told["components"]["schemas"].items():
        for example in schema.get("examples", []):
            yield name, schema, example


def test_every_request_and_answer_has_an_example_that_fits(told: dict[str, Any]) -> None:
    checked = 0
    for where, schema, example in examples(told):
        faults = [fault.message for fault in Draft202012Validator(schema | {"components": told["components"]}).iter_errors(example)]
        assert not faults, f"{where}: {example} does not fit: {faults}"
        checked += 1
    assert checked > 300


async def test_answers_are_as_they_are_told(world: World, told: dict[str, Any]) -> None:
    async with world.client(world.lumen.token) as client:
        template = {"/users/anna": "/users/{username}", "/users/zoe": "/users/{username}", "/attendants/1": "/attendants/{attendant}"}
        for path in ("/organization", "/users", "/devices", "/attendants", "/numbers", "/history", "/calls", "/jobs", *template):
            answer = await client.get(f"/api/v1{path}")
            offer = told["paths"]["/api/v1" + template.get(path, path)]["get"]
            (media,) = offer["responses"][str(answer.status_code)]["content"].values()
            Draft202012Validator(media["schema"] | {"components": told["components"]}).validate(answer.json())
