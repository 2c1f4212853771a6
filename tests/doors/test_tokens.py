"""Tokens of programs: shown once, never more than their maker, and gone when they are deleted or expire."""

from typing import Any

import pytest

from offhook.domain.access import EVERYTHING, Role
from offhook.domain.errors import Unauthenticated
from offhook.services import tokens
from offhook.services.tokens import Access
from tests.doors.rooms import World
from tests.doors.test_roles import session


async def asks(world: World, by: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    async with world.client(by) as client:
        answer = await client.post("/api/v1/tokens", json=body)
    return answer.status_code, answer.json()


async def test_a_token_does_what_it_was_given_and_is_shown_once(world: World) -> None:
    status, made = await asks(world, world.lumen.token, {"label": "crm", "scopes": ["calls:read"], "lifetime_seconds": 3600})
    assert status == 201 and made["scopes"] == ["calls:read"] and made["expires_at"]
    async with world.client(made["token"]) as client:
        assert (await client.get("/api/v1/calls")).status_code == 200
        refused = await client.get("/api/v1/users")
        assert (refused.status_code, refused.json()["code"]) == (403, "access.forbidden")
    async with world.client(world.lumen.token) as client:
        listed = await client.get("/api/v1/tokens")
        assert made["token"] not in listed.text
        assert [each["label"] for each in listed.json()["tokens"]] == ["sandbox", "crm"]
        told = (await client.get(f"/api/v1/tokens/{made['id']}")).json()
        assert told in listed.json()["tokens"] and "token" not in told
        assert (await client.delete(f"/api/v1/tokens/{made['id']}")).json()["in_effect"] is True
        assert (await client.get(f"/api/v1/tokens/{made['id']}")).status_code == 404
    async with world.client(made["token"]) as client:
        assert (await client.get("/api/v1/calls")).status_code == 401


async def test_nobody_gives_a_token_more_than_they_have(world: World) -> None:
    held = frozenset({"tokens:write", "calls:read"})
    by = tokens.make_token(world.database, Access(world.lumen.profile.id, "x", held), "x", sorted(held), None).token
    for scope in sorted(EVERYTHING):
        status, _ = await asks(world, by, {"label": "y", "scopes": ["calls:read", scope]})
        assert status == (201 if scope in held else 403), scope
    assert (await asks(world, by, {"label": "y", "scopes": ["*"]}))[0] == 422


async def test_an_administrator_gives_all_that_is_named_but_not_whatever_comes(world: World) -> None:
    by = session(world, Role.GLOBAL)
    assert (await asks(world, by, {"label": "y", "scopes": sorted(EVERYTHING)}))[0] == 201
    assert (await asks(world, by, {"label": "y", "scopes": ["*"]}))[0] == 422
    status, made = await asks(world, world.lumen.token, {"label": "y", "scopes": ["*"]})
    assert status == 201 and tokens.authenticate(world.database, made["token"]).sovereign


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"label": "crm", "scopes": []}, "scopes"),
        ({"label": "crm", "scopes": ["users:fly"]}, "scopes"),
        ({"label": "crm", "scopes": ["users:read", "*"]}, "scopes"),
        ({"label": "anna@lumen.test", "scopes": ["users:read"]}, "label"),
        ({"label": "", "scopes": ["users:read"]}, "label"),
        ({"label": " Provider ", "scopes": ["users:read"]}, "label"),
        ({"label": "jobs", "scopes": ["users:read"]}, "label"),
        ({"label": "crm", "scopes": ["users:read"], "lifetime_seconds": 0}, "lifetime_seconds"),
        ({"label": "crm", "scopes": ["users:read"], "lifetime_seconds": 10**12}, "lifetime_seconds"),
        ({"label": "crm", "scopes": ["users:read"], "hash": "x"}, "hash"),
        ({"label": "crm", "scopes": "*"}, "scopes"),
    ],
)
async def test_what_cannot_be_is_refused_with_its_field(world: World, body: dict[str, Any], field: str) -> None:
    status, told = await asks(world, world.lumen.token, body)
    assert (status, told["field"]) == (422, field)


async def test_sessions_are_listed_by_user_and_can_be_ended_by_others(world: World) -> None:
    theirs = session(world, Role.READER, "ben")
    async with world.client(world.lumen.token) as client:
        (shown,) = (await client.get("/api/v1/tokens", params={"username": "ben"})).json()["tokens"]
        assert shown["username"] == "ben"
        await client.delete(f"/api/v1/tokens/{shown['id']}")
    async with world.client(theirs) as client:
        assert (await client.get("/api/v1/me")).status_code == 401


async def test_nobody_takes_away_what_may_do_more_than_they_may(world: World) -> None:
    held = frozenset({"tokens:write", "calls:read"})
    by = tokens.make_token(world.database, Access(world.lumen.profile.id, "x", held), "x", sorted(held), None)
    _, equal = await asks(world, world.lumen.token, {"label": "y", "scopes": ["calls:read"]})
    _, more = await asks(world, world.lumen.token, {"label": "z", "scopes": ["calls:read", "users:read"]})
    async with world.client(world.lumen.token) as owner:
        (own,) = (await owner.get("/api/v1/tokens?label=sandbox")).json()["tokens"]
    async with world.client(by.token) as client:
        assert (await client.delete(f"/api/v1/tokens/{equal['id']}")).status_code == 200
        for id in (more["id"], own["id"]):
            refused = await client.delete(f"/api/v1/tokens/{id}")
            assert (refused.status_code, refused.json()["code"]) == (403, "access.forbidden")
    async with world.client(session(world, Role.GLOBAL)) as administrator:
        assert (await administrator.delete(f"/api/v1/tokens/{own['id']}")).status_code == 200, "one that is known to others must go"
    async with world.client(world.lumen.token) as owner:
        assert (await owner.get("/api/v1/me")).status_code == 401


def test_with_another_secret_key_the_providers_token_is_another_one(world: World) -> None:
    first = tokens.provider_token(world.database, b"first")
    assert tokens.provider_token(world.database, b"first") == first
    second = tokens.provider_token(world.database, b"second")
    assert tokens.authenticate(world.database, second).organization is None
    with pytest.raises(Unauthenticated):
        tokens.authenticate(world.database, first)
