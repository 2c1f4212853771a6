"""A POST that is sent again with its idempotency key is not done again, whatever happened to its answer."""

import asyncio
import re
import time
from typing import Any

import pytest
from httpx import Response
from sqlalchemy import select, update

from offhook.domain.errors import Unavailable
from offhook.doors.api import idempotency
from offhook.services.tokens import issue, provider_token
from offhook.store.answers import KEPT_SECONDS
from offhook.store.tables import answers
from tests.doors.conftest import KEY
from tests.doors.rooms import World
from tests.doors.test_isolation import body_for
from tests.doors.test_refusals import problem

MARIA = {"username": "maria", "name": "Maria"}


async def posted(world: World, path: str, body: Any, key: str = "k-1", token: str | None = None) -> Response:
    async with world.client(token or world.lumen.token, **{"Idempotency-Key": key}) as client:
        return await client.post(f"/api/v1{path}", json=body)


def usernames(world: World) -> list[str]:
    with world.database.view(world.lumen.profile.id) as transaction:
        return [user.username for user in transaction.users.all()]


async def test_the_same_request_gets_the_same_answer_and_is_done_once(world: World) -> None:
    first, again = await posted(world, "/users", MARIA), await posted(world, "/users", MARIA)
    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json()
    assert (again.headers["etag"], again.headers["location"]) == (first.headers["etag"], first.headers["location"])
    assert "idempotency-replayed" not in first.headers and again.headers["idempotency-replayed"] == "true"
    assert usernames(world).count("maria") == 1


async def test_the_same_key_for_another_request_is_refused(world: World) -> None:
    await posted(world, "/users", MARIA)
    for path, body in (("/users", MARIA | {"name": "Maria L."}), ("/attendants", MARIA)):
        told = problem(await posted(world, path, body))
        assert (told["status"], told["code"], told["field"]) == (422, "idempotency.mismatch", "Idempotency-Key")
    other = issue(world.database, world.lumen.profile.id, "other", None, "tests")
    assert problem(await posted(world, "/users", MARIA, token=other))["code"] == "idempotency.mismatch"


async def test_what_was_refused_may_be_sent_again_with_its_key(world: World) -> None:
    refused = await posted(world, "/users", MARIA | {"extension": "101"})
    assert refused.status_code == 409
    assert (await posted(world, "/users", MARIA | {"extension": "177"})).status_code == 201


async def test_a_secret_is_told_once_and_never_kept(world: World) -> None:
    first, again = [await posted(world, "/users/ben/devices", {"name": "Desk"}) for _ in range(2)]
    assert first.json()["password"] and again.json() == first.json() | {"password": None}
    made = await posted(world, "/tokens", {"label": "crm", "scopes": ["calls:read"]}, "k-2")
    hook = await posted(world, "/webhooks", {"url": "https://crm.example.com/", "events": ["*"]}, "k-3")
    assert made.status_code == 201 and hook.status_code == 201
    with world.database.engine.connect() as connection:
        kept = b"".join(connection.execute(select(answers.c.body)).scalars())
    for secret in (first.json()["password"], made.json()["token"], hook.json()["secret"]):
        assert secret.encode() not in kept
    assert (await posted(world, "/tokens", {"label": "crm", "scopes": ["calls:read"]}, "k-2")).json() == made.json() | {"token": None}


async def test_while_the_first_is_answered_the_second_is_told_to_wait(world: World) -> None:
    taken_up, goes_on = asyncio.Event(), asyncio.Event()

    async def slow(_organization: int, revision: int) -> int:
        taken_up.set()
        await goes_on.wait()
        return revision

    world.switch.take_up = slow  # type: ignore[method-assign, assignment]
    first = asyncio.create_task(posted(world, "/users", MARIA))
    await asyncio.wait_for(taken_up.wait(), 20)
    told = problem(await posted(world, "/users", MARIA))
    goes_on.set()
    assert (told["status"], told["code"]) == (409, "idempotency.in_flight")
    assert (await first).status_code == 201
    assert (await posted(world, "/users", MARIA)).headers["idempotency-replayed"] == "true"


async def test_what_was_done_is_not_done_again_when_its_answer_was_lost(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def dies(*_: Any) -> None:
        raise Unavailable("the process dies here")

    monkeypatch.setattr(idempotency.Idempotency, "_keep", dies)
    assert (await posted(world, "/users", MARIA)).status_code == 201
    told = problem(await posted(world, "/users", MARIA))
    assert (told["status"], told["code"]) == (409, "idempotency.answer_lost")
    assert usernames(world).count("maria") == 1


async def test_a_failure_after_the_change_is_not_given_as_what_it_led_to(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def fails(*_: Any) -> None:
        raise Unavailable("the answer cannot be made")

    monkeypatch.setattr("offhook.doors.api.people.saved", fails)
    assert (await posted(world, "/users", MARIA)).status_code == 503
    monkeypatch.undo()
    told = problem(await posted(world, "/users", MARIA))
    assert (told["status"], told["code"]) == (409, "idempotency.answer_lost")
    assert usernames(world).count("maria") == 1


async def test_the_key_and_the_change_are_committed_together_or_not_at_all(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def breaks(*_: Any) -> None:
        raise Unavailable("the disk is full")

    monkeypatch.setattr("offhook.store.answers.Answers.keep", breaks)
    assert (await posted(world, "/users", MARIA)).status_code == 503
    assert "maria" not in usernames(world)
    monkeypatch.undo()
    assert (await posted(world, "/users", MARIA)).status_code == 201


async def test_a_key_is_forgotten_after_a_day(world: World) -> None:
    await posted(world, "/users", MARIA)
    with world.database.engine.begin() as connection:
        connection.execute(update(answers).values(at=time.time() - KEPT_SECONDS - 1))
    assert problem(await posted(world, "/users", MARIA))["code"] == "thing.taken"
    assert (await posted(world, "/users", MARIA | {"username": "mario"})).status_code == 201
    with world.database.engine.connect() as connection:
        assert len(connection.execute(select(answers.c.key)).all()) == 1


async def test_another_organization_has_keys_of_its_own(world: World) -> None:
    ours, theirs = await posted(world, "/users", MARIA), await posted(world, "/users", MARIA, token=world.pine.token)
    assert theirs.status_code == 201 and "idempotency-replayed" not in theirs.headers
    assert theirs.json()["user"]["id"] != ours.json()["user"]["id"]


@pytest.mark.parametrize("key", ["", " ", "x" * 101, "two words", "\xe9"])
async def test_a_key_that_is_none_is_refused(world: World, key: str) -> None:
    async with world.client(world.lumen.token) as client:
        answer = await client.post("/api/v1/users", json=MARIA, headers={b"Idempotency-Key": key.encode("latin-1")})
    assert (problem(answer)["code"], problem(answer)["field"]) == ("value.invalid", "Idempotency-Key")
    assert "maria" not in usernames(world)


async def test_a_body_that_is_too_long_is_refused_with_a_key_too(world: World) -> None:
    assert problem(await posted(world, "/users", MARIA | {"name": "x" * 100_000}))["code"] == "request.too_large"


async def test_a_key_is_kept_or_refused_by_every_route_and_never_ignored(world: World) -> None:
    told = world.app.openapi()["paths"]
    world.probe.rows = [{"name": "register", "passed": True, "skipped": False, "seconds": 0.1, "detail": "ok"}]
    kept = set()
    for path, offer in ((path, methods["post"]) for path, methods in told.items() if "post" in methods):
        takes = any(parameter["name"] == "Idempotency-Key" for parameter in offer.get("parameters", []))
        provider = offer.get("x-offhook-scopes") == ["provider"]
        token = provider_token(world.database, KEY) if provider else world.lumen.token
        async with world.client(token, **{"Idempotency-Key": f"all-{path}"}) as client:
            answer = await client.post(re.sub(r"{\w+}", "1", path), **body_for(path, world))
        refused = answer.json().get("code") == "idempotency.not_kept" if answer.content else False
        assert refused != takes, f"{path}: {answer.text}"
        if refused:
            assert problem(answer)["field"] == "Idempotency-Key"
        else:
            kept.add(path)
    assert {"/api/v1/users", "/api/v1/tokens", "/api/v1/configuration/apply", "/api/v1/jobs/import-users"} <= kept
    assert {"/api/v1/organizations", "/api/v1/carriers", "/api/v1/provider/tokens"} <= kept
    assert not world.carrier.asked and not world.edge.reloaded, "what is refused is not done"


async def test_a_key_that_nothing_is_kept_of_is_refused_before_anything_is_done(world: World) -> None:
    told = problem(await posted(world, "/certificates/reload", None, token=provider_token(world.database, KEY)))
    assert (told["status"], told["code"]) == (422, "idempotency.not_kept") and not world.edge.reloaded


async def test_a_key_is_kept_where_there_was_nothing_to_do(world: World) -> None:
    async with world.client(world.lumen.token, **{"Idempotency-Key": "k-1"}) as client:
        file = (await client.get("/api/v1/configuration")).content
        first, again = [await client.post("/api/v1/configuration/apply", content=file) for _ in range(2)]
        other = await client.post("/api/v1/configuration/apply", content=file.replace(b"Lumen Works", b"Lumen"))
    assert first.json()["differences"] == [] and again.json() == first.json()
    assert again.headers["idempotency-replayed"] == "true"
    assert problem(other)["code"] == "idempotency.mismatch"


async def test_nobodys_key_is_not_asked_about(world: World) -> None:
    assert problem(await posted(world, "/users", MARIA, token="nobodys"))["code"] == "access.unauthenticated"
