"""Anything as it was: at a revision, at a moment or for a call, by its id or by what people call it."""

from dataclasses import replace
from typing import Any

from offhook.services.tokens import issue
from tests.doors.rooms import World, finished
from tests.doors.test_versions import asked


async def then(world: World, what: str, **query: Any) -> Any:
    """An object as it was; of a refusal its status, code and field."""
    async with world.client(world.lumen.token) as client:
        answer = await client.get(f"/api/v1/history/{what}", params=query)
    told = answer.json()
    return told if answer.status_code == 200 else (answer.status_code, told["code"], told.get("field"))


async def revision_of(world: World) -> int:
    return int((await asked(world, "GET", "/organization")).json()["revision"])


def routed(world: World, minute: int, revision: int | None) -> str:
    """A call that is over and that this configuration routed."""
    cdr, trace = finished(minute, world.lumen.profile.id, "completed.by_callee")
    with world.records() as writer:
        writer.keep(replace(cdr, revision=revision), trace | {"revision": revision})
    return cdr.call


async def test_who_had_an_extension_when_a_call_came_is_asked_by_that_call(world: World) -> None:
    revision = await revision_of(world)
    call = routed(world, 1, revision)
    await asked(world, "PATCH", "/users/ben", {"extension": "112"})
    assert (await asked(world, "GET", "/calls")).json()["calls"][0]["revision"] == revision
    was = await then(world, "user/ben", call=call)
    assert (was["revision"], was["object"]["extension"]) == (revision, "102")
    assert was == await then(world, "user/ben", call="last") == await then(world, "user/ben", call=call[:8])
    assert (await then(world, "user/ben"))["object"]["extension"] == "112"


async def test_a_call_that_goes_on_says_what_routed_it(world: World) -> None:
    call, revision = world.lives(1), await revision_of(world)
    world.switch.traces[call] |= {"revision": revision}
    assert (await asked(world, "GET", "/calls")).json()["calls"][0]["revision"] == 7
    assert (await then(world, "user/ben", call=call))["revision"] == revision


async def test_a_call_that_tells_no_configuration_is_refused_by_its_field(world: World) -> None:
    assert await then(world, "user/ben", call="zzzz") == (404, "thing.missing", "call")
    assert await then(world, "user/ben", call=routed(world, 1, None)) == (404, "thing.missing", "call")
    assert await then(world, "user/ben", call="last", revision=1) == (422, "value.invalid", "call")
    assert await then(world, "user/ben", at="2026-11-24T09:30:00Z", revision=1) == (422, "value.invalid", "at")
    token = issue(world.database, world.lumen.profile.id, "auditor", None, "tests", frozenset({"history:read"}))
    async with world.client(token) as client:
        assert (await client.get("/api/v1/history/user/ben?call=last")).status_code == 403


async def test_a_name_means_who_had_it_then_and_else_who_ever_had_it(world: World) -> None:
    first = (await asked(world, "POST", "/users", {"username": "max", "name": "Max Lind"})).json()["user"]
    await asked(world, "POST", "/users", {"username": "moritz", "name": "Another Max"})
    before = await revision_of(world)
    await asked(world, "PATCH", "/users/max", {"username": "maximilian"})
    assert (await asked(world, "PATCH", "/users/moritz", {"username": "max"})).status_code == 200
    assert (await then(world, "user/max"))["object"]["name"] == "Another Max"
    was = await then(world, "user/max", revision=before)
    assert (was["id"], was["object"]["name"]) == (str(first["id"]), "Max Lind")
    assert was == await then(world, "user/maximilian", revision=before) == await then(world, f"user/{first['id']}", revision=before)
    changes = (await asked(world, "GET", "/history?kind=user&id=maximilian")).json()["changes"]
    assert {change["id"] for change in changes} == {str(first["id"])} and changes[0]["before"]["username"] == "max"


async def test_everything_that_people_have_a_name_for_is_found_by_it(world: World) -> None:
    named = {"number/+1 206 555-0102": "+12065550102", "organization/lumen.test": str(world.lumen.profile.id)}
    assert {what: (await then(world, what))["id"] for what in named} == named
    assert (await then(world, "attendant/Reception"))["object"]["extension"] == "100"
    assert (await then(world, "device/ben"))["object"]["sip_username"] == "ben"
    assert await then(world, "user/nobody") == (404, "thing.missing", "id")
