"""What is the provider's own: carriers, tokens, and the history of both and of all organizations."""

import re
from typing import Any

import pytest
from httpx import AsyncClient

from offhook.services.ports.edge import Banned
from offhook.services.ports.live import CarrierStanding
from tests.doors.rooms import World
from tests.doors.test_invitations import provider
from tests.doors.test_organizations import pine_of
from tests.doors.test_refusals import problem

__all__ = ["provider"]

NORTH: dict[str, Any] = {"name": "north", "address": "192.0.2.5", "port": 5070}


async def told(provider: AsyncClient, **asked: Any) -> list[tuple[str, str, str]]:
    changes = (await provider.get("/provider/history", params=asked)).json()["changes"]
    return [(line["kind"], line["id"], line["who"]) for line in changes]


async def test_the_first_carrier_is_the_default_until_another_one_is(world: World, provider: AsyncClient) -> None:
    assert [each["name"] for each in (await provider.get("/carriers")).json()["carriers"]] == ["sandbox"]
    refreshed = world.switch.refreshed
    north = await provider.post("/carriers", json=NORTH)
    assert north.status_code == 201 and north.json()["in_effect"] and world.switch.refreshed == refreshed + 1
    assert north.json()["carrier"] == NORTH | {"default": True, "sandbox": False, "version": north.json()["revision"]}
    south = (await provider.post("/carriers", json={"name": "south", "address": "2001:DB8::5"})).json()["carrier"]
    assert (south["address"], south["port"], south["default"]) == ("2001:db8::5", 5060, False)
    looked = await provider.get("/carriers/south")
    changed = await provider.patch("/carriers/south", json={"default": True}, headers={"If-Match": looked.headers["etag"]})
    assert changed.json()["carrier"]["default"]
    stale = problem(await provider.patch("/carriers/south", json={"port": 5080}, headers={"If-Match": looked.headers["etag"]}))
    assert (stale["status"], stale["code"]) == (412, "thing.stale")
    defaults = {each["name"]: each["default"] for each in (await provider.get("/carriers")).json()["carriers"]}
    assert defaults == {"north": False, "sandbox": False, "south": True}
    assert (await provider.delete("/carriers/north")).status_code == 200
    lines = (await provider.get("/provider/history?kind=carrier&id=north")).json()["changes"]
    assert [(line["before"] and line["before"]["is_default"], line["after"] and line["after"]["is_default"]) for line in lines] == [
        (False, None),
        (True, False),
        (None, True),
    ]


async def test_the_list_tells_which_carriers_answer(world: World, provider: AsyncClient) -> None:
    for number, name in enumerate(("east", "north", "south")):
        await provider.post("/carriers", json=NORTH | {"name": name, "address": f"192.0.2.{number + 1}"})
    world.switch.carriers_asked = [
        CarrierStanding("north", "up", 1_700_000_000.0, 404, 0.0123456),
        CarrierStanding("south", "down", 1_700_000_060.0, None, None),
    ]
    fields = ("state", "state_at", "answered", "round_trip_seconds")
    listed = {each["name"]: [each[field] for field in fields] for each in (await provider.get("/carriers")).json()["carriers"]}
    assert listed["north"] == ["up", "2023-11-14T22:13:20Z", 404, 0.0123]
    assert listed["south"] == ["down", "2023-11-14T22:14:20Z", None, None]
    assert listed["east"] == ["unknown", None, None, None]
    assert "state" not in (await provider.get("/carriers/north")).json(), "an object with a version tells what a version stands for"
    world.switch.down = True
    assert {each["state"] for each in (await provider.get("/carriers")).json()["carriers"]} == {"unknown"}


@pytest.mark.parametrize(
    ("body", "status", "code", "field"),
    [
        (NORTH | {"name": "sandbox"}, 409, "carrier.sandbox", "name"),
        (NORTH | {"name": "a/b"}, 422, "value.invalid", "name"),
        (NORTH | {"name": "West"}, 422, "value.invalid", "name"),
        (NORTH | {"name": "taken"}, 409, "thing.taken", "name"),
        (NORTH | {"address": "192.0.2.9", "port": 5060}, 409, "thing.taken", "address"),
        (NORTH | {"address": "sip.example.com"}, 422, "value.invalid", "address"),
        (NORTH | {"address": "0.0.0.0"}, 422, "value.invalid", "address"),
        (NORTH | {"address": "224.0.0.1"}, 422, "value.invalid", "address"),
        (NORTH | {"address": "fe80::1%eth0"}, 422, "value.invalid", "address"),
        (NORTH | {"port": 0}, 422, "value.invalid", "port"),
        (NORTH | {"port": "5060"}, 422, "value.invalid", "port"),
        ({"name": "north"}, 422, "value.invalid", "address"),
    ],
)
async def test_a_carrier_that_cannot_be_is_refused_with_the_field(
    world: World, provider: AsyncClient, body: dict[str, Any], status: int, code: str, field: str
) -> None:
    assert (await provider.post("/carriers", json={"name": "taken", "address": "192.0.2.9"})).status_code == 201
    refused = problem(await provider.post("/carriers", json=body))
    assert (refused["status"], refused["code"], refused["field"]) == (status, code, field)
    assert len((await provider.get("/carriers")).json()["carriers"]) == 2


async def test_the_default_carrier_stays_unless_it_is_agreed_that_nobody_calls_out(world: World, provider: AsyncClient) -> None:
    await provider.post("/carriers", json=NORTH)
    refused = problem(await provider.delete("/carriers/north"))
    assert (refused["status"], refused["code"], refused["field"]) == (409, "carrier.default", "default")
    assert "emergency" in refused["detail"]
    assert problem(await provider.patch("/carriers/north", json={"default": False}))["code"] == "carrier.default"
    assert (await provider.delete("/carriers/north?default=none")).status_code == 200
    assert problem(await provider.delete("/carriers/north"))["code"] == "thing.missing"


async def test_the_sandbox_looks_after_its_own_carrier(world: World, provider: AsyncClient) -> None:
    assert problem(await provider.delete("/carriers/sandbox"))["code"] == "carrier.sandbox"
    assert problem(await provider.patch("/carriers/sandbox", json={"port": 5070}))["field"] == "port"
    assert (await provider.patch("/carriers/sandbox", json={"default": True})).json()["carrier"]["default"]


async def test_a_program_of_the_provider_comes_in_until_its_token_is_revoked(world: World, provider: AsyncClient) -> None:
    made = await provider.post("/provider/tokens", json={"label": "billing", "lifetime_seconds": 3600})
    assert made.status_code == 201 and made.json()["expires_at"]
    async with world.client(made.json()["token"]) as billing:
        assert (await billing.post("/api/v1/carriers", json=NORTH)).status_code == 201
        assert (await billing.get("/api/v1/me")).json()["label"] == "provider billing"
        pine = world.pine.profile.id
        assert (await billing.delete(f"/api/v1/organizations/{pine}?numbers=give_back")).status_code == 200
    listed = await provider.get("/provider/tokens")
    assert [each["label"] for each in listed.json()["tokens"]] == ["provider", "billing"] and made.json()["token"] not in listed.text
    lines = (await provider.get(f"/organizations/{pine}/history?kind=organization&limit=1")).json()["changes"]
    assert [line["who"] for line in lines] == ["provider billing"]
    assert (await provider.delete(f"/provider/tokens/{made.json()['id']}")).status_code == 200
    async with world.client(made.json()["token"]) as billing:
        assert (await billing.get("/api/v1/carriers")).status_code == 401
    own = listed.json()["tokens"][0]["id"]
    assert problem(await provider.delete(f"/provider/tokens/{own}"))["code"] == "token.of_folder"
    assert problem(await provider.delete("/provider/tokens/987654"))["field"] == "token"


async def test_a_program_of_the_provider_looks_or_does_as_its_token_says(world: World, provider: AsyncClient) -> None:
    """Of every route that lets the provider in, by its method: whatever is added later too."""
    tokens = {}
    for scope in ("provider:read", "provider:write"):
        made = await provider.post("/provider/tokens", json={"label": scope[9:], "scopes": [scope], "lifetime_seconds": 60})
        assert made.status_code == 201 and made.json()["scopes"] == [scope] and made.json()["expires_at"]
        tokens[scope] = made.json()["token"]
    paths, seen = world.app.openapi()["paths"], set()
    for path, offers in paths.items():
        for method, offer in offers.items():
            if offer.get("x-offhook-scopes") != ["provider"]:
                continue
            own, other = ("read", "write") if method == "get" else ("write", "read")
            asked = re.sub(r"{\w+}", "987654", path)
            async with world.client(tokens[f"provider:{other}"]) as client:
                told = problem(await client.request(method, asked, json={}))
                assert (told["status"], told["code"]) == (403, "access.forbidden"), (method, path)
            async with world.client(tokens[f"provider:{own}"]) as client:
                assert (await client.request(method, asked, json={})).status_code not in (401, 403), (method, path)
            seen.add(method)
    assert {"get", "post", "patch", "delete"} <= seen
    async with world.client(tokens["provider:read"]) as reads, world.client(tokens["provider:write"]) as writes:
        assert (await reads.get("/metrics")).status_code == 200 and (await writes.get("/metrics")).status_code == 403
        assert (await reads.get("/api/v1/calls")).status_code == 200 and (await writes.get("/api/v1/calls")).status_code == 403
        for wanted, status in ((["provider:write"], 201), (["provider:read"], 403), (["*"], 422), (["calls:read"], 422), ([], 422)):
            answer = await writes.post("/api/v1/provider/tokens", json={"label": "another", "scopes": wanted})
            assert answer.status_code == status, answer.text
        for label, scopes in (("looks", ["provider:read"]), ("both", ["provider:read", "provider:write"])):
            other = (await provider.post("/provider/tokens", json={"label": label, "scopes": scopes})).json()["id"]
            assert (await writes.delete(f"/api/v1/provider/tokens/{other}")).status_code == 403
            assert (await provider.delete(f"/provider/tokens/{other}")).status_code == 200
        everything = (await provider.post("/provider/tokens", json={"label": "all"})).json()
        assert everything["scopes"] == ["*"]
        assert (await writes.delete(f"/api/v1/provider/tokens/{everything['id']}")).status_code == 403


@pytest.mark.parametrize("label", ["provider", "Provider billing", "start", "", "a@b"])
async def test_no_token_is_called_what_the_history_calls_others(world: World, provider: AsyncClient, label: str) -> None:
    assert problem(await provider.post("/provider/tokens", json={"label": label}))["field"] == "label"
    async with world.client(world.lumen.token) as lumen:
        assert problem(await lumen.post("/api/v1/tokens", json={"label": label, "scopes": ["calls:read"]}))["field"] == "label"


async def test_the_providers_history_tells_all_that_is_its(world: World, provider: AsyncClient) -> None:
    world.edge.banned = [Banned("192.0.2.7", "paul@pine.test", "guessing")]
    made = (await provider.post("/organizations", json={"name": "Maple", "domain": "maple.test", "country": "CA"})).json()
    maple, invitation = made["organization"]["id"], made["invitation"]["id"]
    await provider.delete(f"/organizations/{maple}/invitations/{invitation}")
    await provider.post("/carriers", json=NORTH)
    await provider.delete("/bans/192.0.2.7")
    await provider.post("/certificates/reload")
    await provider.delete(f"/organizations/{maple}")
    expected = [
        ("organization", str(maple)),
        ("certificates", "telephones"),
        ("ban", "192.0.2.7"),
        ("carrier", "north"),
        ("invitation", str(invitation)),
        ("invitation", str(invitation)),
        ("organization", str(maple)),
    ]
    assert await told(provider, limit=7) == [(*line, "provider") for line in expected]
    page = (await provider.get("/provider/history?limit=3")).json()
    rest = (await provider.get(f"/provider/history?limit=4&cursor={page['next']}")).json()
    assert [(line["kind"], line["id"]) for line in page["changes"] + rest["changes"]] == expected
    assert {line["organization"] for line in rest["changes"]} == {None, maple}
    assert page["changes"][2]["before"]["reason"] == "guessing" and rest["changes"][1]["before"]["hash"] == "set"
    assert problem(await provider.get("/provider/history?cursor=x"))["field"] == "cursor"


async def test_what_a_closed_organization_was_is_read_until_it_is_erased(world: World, provider: AsyncClient) -> None:
    pine = await pine_of(provider)
    path = f"/organizations/{pine['id']}/history"
    before = (await provider.get(path)).json()
    await provider.delete(f"/organizations/{pine['id']}?numbers=give_back")
    first = (await provider.get(f"{path}?limit=1")).json()
    rest = (await provider.get(f"{path}?limit=500&cursor={first['next']}")).json()
    assert first["changes"][0]["after"]["closed_at"] and rest["changes"] == before["changes"]
    assert (await provider.get(f"{path}?kind=user")).json()["changes"][0]["after"]["username"] == "paul"
    assert (await provider.delete(f"/organizations/{pine['id']}/records")).json()["complete"]
    assert problem(await provider.get(path))["code"] == "thing.missing"
    lines = (await provider.get("/provider/history?kind=organization&limit=2")).json()["changes"]
    assert [(line["before"], line["after"]) for line in lines] == [({}, None), ({}, {})]
    assert "pine" not in (await provider.get("/provider/history")).text.lower()


async def test_what_is_refused_leaves_no_line(world: World, provider: AsyncClient) -> None:
    before = await told(provider)
    await provider.post("/carriers", json=NORTH | {"name": "sandbox"})
    await provider.delete("/carriers/sandbox")
    await provider.delete(f"/organizations/{world.pine.profile.id}")
    await provider.post(f"/organizations/{world.pine.profile.id}/invitations", json={"username": "Not One"})
    assert await told(provider) == before
