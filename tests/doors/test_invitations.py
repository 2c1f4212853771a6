"""The provider makes an organization; its first administrator comes in by a link, once."""

import time
from collections.abc import AsyncIterator
from html import unescape
from typing import Any

import pytest
from httpx import AsyncClient
from sqlalchemy import update

from offhook.doors.api.words import ENGLISH, FRENCH
from offhook.services.invitations import invite
from offhook.services.tokens import provider_token
from offhook.store.tables import invitations
from tests.doors.conftest import KEY
from tests.doors.rooms import World
from tests.doors.test_organizations import quick
from tests.doors.test_pages import Elements, got, sent, token_on
from tests.doors.test_refusals import problem

__all__ = ["quick"]

MAPLE = {"name": "Maple Workshop", "domain": "Maple.Test", "country": "ca", "time_zone": "America/Toronto"}
MARIA = {"username": "maria", "name": "Maria Lopez", "password": "a few words of her own", "again": "a few words of her own"}


@pytest.fixture
async def provider(world: World) -> AsyncIterator[AsyncClient]:
    async with world.client(provider_token(world.database, KEY)) as client:
        client.base_url = "http://offhook.test/api/v1"
        yield client


async def made(provider: AsyncClient, **administrator: str) -> dict[str, Any]:
    answer = await provider.post("/organizations", json=MAPLE | {"administrator": administrator})
    assert answer.status_code == 201, answer.text
    return dict(answer.json())


def path_of(invitation: dict[str, Any]) -> str:
    link = str(invitation["link"])
    assert link.startswith("http://offhook.test/welcome/")
    return link.removeprefix("http://offhook.test")


async def test_an_organization_comes_to_be_and_its_administrator_comes_in_signed_in(world: World, provider: AsyncClient) -> None:
    maple = await made(provider, username="maria", email="maria@example.com")
    own = maple["organization"]
    assert (own["name"], own["domain"], own["country"], own["time_zone"]) == ("Maple Workshop", "maple.test", "CA", "America/Toronto")
    assert maple["in_effect"] and world.switch.refreshed
    path = path_of(maple["invitation"])
    page = await got(world, path)
    assert "Administer Maple Workshop" in page.text and 'value="maria"' in page.text
    joined = await sent(world, path, MARIA, "fr")
    assert joined.status_code == 200 and "Bienvenue, Maria Lopez" in joined.text and MARIA["password"] not in joined.text
    async with world.client(token_on(joined.text)) as maria:
        me = (await maria.get("/api/v1/me")).json()
        assert (me["label"], me["user"]["role"], me["user"]["language"]) == ("maria@maple.test", "global", "fr") and me["expires_at"]
        (user,) = (await maria.get("/api/v1/users")).json()["users"]
        assert (user["email"], user["name"]) == ("maria@example.com", "Maria Lopez")
        history = (await maria.get("/api/v1/history")).json()["changes"]
        assert [(line["kind"], line["who"]) for line in history] == [
            ("password", "maria@maple.test"),
            ("user", "maria@maple.test"),
            ("organization", "provider"),
        ]
    again = await sent(world, path, MARIA | {"username": "mallory"})
    assert again.status_code == 404 and ENGLISH["thing.missing token"] in unescape(again.text)
    async with world.client(None) as client:
        back = await client.post("/api/v1/sign-in", json={"username": "maria@maple.test", "password": MARIA["password"]})
        assert back.status_code == 200


@pytest.mark.parametrize(
    ("changes", "status", "code", "field"),
    [
        ({"domain": "Lumen.test"}, 409, "thing.taken", "domain"),
        ({"domain": "nonsense"}, 422, "value.invalid", "domain"),
        ({"domain": "2.closed.invalid"}, 422, "value.invalid", "domain"),
        ({"country": "XX"}, 422, "value.invalid", "country"),
        ({"time_zone": "Mars/Olympus"}, 422, "value.invalid", "time_zone"),
        ({"name": " "}, 422, "value.invalid", "name"),
        ({"administrator": {"username": "Not One"}}, 422, "value.invalid", "administrator.username"),
        ({"administrator": {"email": "nobody"}}, 422, "value.invalid", "administrator.email"),
        ({"administrator": {"password": "x"}}, 422, "value.invalid", "administrator.password"),
    ],
)
async def test_an_organization_that_cannot_be_is_refused_and_nothing_of_it_stays(
    world: World, provider: AsyncClient, changes: dict[str, Any], status: int, code: str, field: str
) -> None:
    told = problem(await provider.post("/organizations", json=MAPLE | changes))
    assert (told["status"], told["code"], told["field"]) == (status, code, field)
    assert len((await provider.get("/organizations")).json()["organizations"]) == 2
    assert "Maple" not in (await provider.get("/provider/history")).text


@pytest.mark.parametrize(
    ("changes", "field", "words"),
    [
        ({"username": "Not One"}, "username", "value.invalid username"),
        ({"username": "anna."}, "username", "value.invalid username"),
        ({"username": "anna"}, "username", "thing.taken username"),
        ({"name": ""}, "name", "value.invalid name"),
        ({"password": "short", "again": "short"}, "password", "value.invalid password"),
        (dict.fromkeys(("username", "password", "again"), "mary.ann.long"), "password", "value.invalid password"),
        ({"again": "a few words of his own"}, "again", "value.invalid again"),
    ],
)
async def test_a_form_that_cannot_be_taken_says_why_and_leaves_the_invitation_good(
    world: World, provider: AsyncClient, changes: dict[str, str], field: str, words: str
) -> None:
    path = path_of((await provider.post(f"/organizations/{world.lumen.profile.id}/invitations", json={})).json())
    page = await sent(world, path, MARIA | changes, "fr")
    assert page.status_code in (409, 422) and FRENCH[words] in unescape(page.text)
    elements = Elements(page.text)
    (wrong,) = [entry for entry in elements.all("input") if entry.get("aria-invalid")]
    assert wrong["name"] == field and not any(
        entry.get("value") for entry in elements.all("input") if entry["name"] in ("password", "again")
    )
    assert (await sent(world, path, MARIA)).status_code == 200


async def test_who_is_there_already_becomes_administrator_only_when_the_invitation_names_them(world: World, provider: AsyncClient) -> None:
    path = f"/organizations/{world.lumen.profile.id}/invitations"
    link = path_of((await provider.post(path, json={"username": "anna"})).json())
    page = await got(world, link)
    assert 'value="Anna Lind"' in page.text and "readonly" in page.text
    assert ENGLISH["password_known"] in unescape(page.text), "the password that she has ends"
    joined = await sent(world, link, MARIA | {"username": "anna", "name": "Anna Lind"})
    async with world.client(token_on(joined.text)) as anna:
        assert (await anna.get("/api/v1/me")).json()["user"]["role"] == "global"
        assert (await anna.get("/api/v1/users/anna")).json()["extension"] == "101"


async def test_invitations_are_listed_revoked_and_expire(world: World, provider: AsyncClient) -> None:
    lumen, pine = world.lumen.profile.id, world.pine.profile.id
    path = f"/organizations/{lumen}/invitations"
    first, second = [(await provider.post(path, json={"email": f"{name}@example.com"})).json() for name in ("maria", "noah")]
    listed = await provider.get(path)
    assert [each["email"] for each in listed.json()["invitations"]] == ["maria@example.com", "noah@example.com"]
    assert first["link"].rpartition("/")[2] not in listed.text and "hash" not in listed.text
    assert (await provider.get(f"/organizations/{pine}/invitations")).json() == {"invitations": []}
    told = problem(await provider.delete(f"/organizations/{pine}/invitations/{first['id']}"))
    assert (told["status"], told["field"]) == (404, "invitation")
    assert (await provider.delete(f"{path}/{second['id']}")).json() == {"id": second["id"]}
    third = (await provider.post(path, json={})).json()
    assert third["id"] not in (first["id"], second["id"]), "a number that the history tells of is nobody else's"
    assert (await got(world, path_of(second))).status_code == 404 == (await sent(world, path_of(second), MARIA)).status_code
    with world.database.engine.begin() as connection:
        connection.execute(update(invitations).values(expires_at=time.time() - 1))
    assert (await provider.get(path)).json() == {"invitations": []}
    assert (await sent(world, path_of(first), MARIA)).status_code == 404


async def test_nobody_is_invited_into_what_is_closed_or_not_there(world: World, provider: AsyncClient) -> None:
    pine = world.pine.profile.id
    open_one = path_of((await provider.post(f"/organizations/{pine}/invitations", json={})).json())
    assert (await provider.delete(f"/organizations/{pine}?numbers=give_back")).status_code == 200
    told = problem(await provider.post(f"/organizations/{pine}/invitations", json={}))
    assert (told["status"], told["code"], told["field"]) == (409, "organization.closed", "organization")
    assert (await sent(world, open_one, MARIA)).status_code == 404
    assert problem(await provider.post("/organizations/987654/invitations", json={}))["code"] == "thing.missing"


async def test_one_invitation_lets_one_in(world: World, provider: AsyncClient) -> None:
    found = path_of((await made(provider))["invitation"])
    assert (await sent(world, found, {"name": "Oak", "domain": "oak.test", "country": "US"})).status_code == 422
    assert (await sent(world, found, MARIA)).status_code == 200
    assert len((await provider.get("/organizations")).json()["organizations"]) == 3


async def test_a_lost_answer_makes_no_second_organization(world: World, provider: AsyncClient) -> None:
    first, again = [await provider.post("/organizations", json=MAPLE, headers={"Idempotency-Key": "k-1"}) for _ in range(2)]
    assert (first.status_code, again.status_code) == (201, 201) and again.headers["idempotency-replayed"] == "true"
    hidden = first.json()["invitation"] | {"link": None}
    assert first.json()["invitation"]["link"] and again.json() == first.json() | {"invitation": hidden}
    assert len((await provider.get("/organizations")).json()["organizations"]) == 3
    other = problem(await provider.post("/organizations", json=MAPLE | {"domain": "oak.test"}, headers={"Idempotency-Key": "k-1"}))
    assert other["code"] == "idempotency.mismatch"
    refused = problem(await provider.post("/organizations", json=MAPLE, headers={"Idempotency-Key": "k-2"}))
    assert refused["code"] == "thing.taken"
    retried = await provider.post("/organizations", json=MAPLE | {"domain": "oak.test"}, headers={"Idempotency-Key": "k-2"})
    assert retried.status_code == 201


async def test_a_link_of_the_first_start_is_listed_and_can_be_revoked(world: World, provider: AsyncClient) -> None:
    token = invite(world.database)
    into = (await made(provider, username="maria"))["invitation"]["id"]
    listed = await provider.get("/provider/invitations")
    (founding,) = listed.json()["invitations"]
    assert founding["username"] is None and founding["id"] != into and token not in listed.text
    assert problem(await provider.delete(f"/provider/invitations/{into}"))["code"] == "thing.missing", "that leads into an organization"
    pine = f"/organizations/{world.pine.profile.id}/invitations/{founding['id']}"
    assert problem(await provider.delete(pine))["code"] == "thing.missing"
    assert (await got(world, f"/welcome/{token}")).status_code == 200
    assert (await provider.delete(f"/provider/invitations/{founding['id']}")).json() == {"id": founding["id"]}
    assert (await got(world, f"/welcome/{token}")).status_code == 404
    assert (await provider.get("/provider/invitations")).json()["invitations"] == []
    line = (await provider.get("/provider/history?kind=invitation&limit=1")).json()["changes"][0]
    assert (line["id"], line["after"], line["organization"], line["who"]) == (str(founding["id"]), None, None, "provider")
