"""What is another organization's is not there: asked of every endpoint the API has."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from sqlalchemy import true

from offhook.domain.numbers import E164
from offhook.domain.organizations import ToAttendant
from offhook.services.blueprint import written
from offhook.services.ports.edge import Banned, Registration
from offhook.store.calls import Calls
from offhook.store.history import History
from offhook.store.scope import Scope
from tests.doors.furniture import Things, furnish, nobodys
from tests.doors.rooms import World

BODIES: dict[str, Any] = {
    "/api/v1/organization": {"name": "Lumen Works"},
    "/api/v1/users": {"username": "maria", "name": "Maria"},
    "/api/v1/users/{username}": {"name": "Maria"},
    "/api/v1/users/{username}/devices": {"name": "Desk"},
    "/api/v1/devices/{device}": {"name": "Desk"},
    "/api/v1/devices/credentials": {"usernames": ["anna"], "renew": True},
    "/api/v1/attendants": {"name": "Night", "extension": "250", "greeting": "We are closed."},
    "/api/v1/attendants/{attendant}": {"greeting": "We are closed."},
    "/api/v1/numbers": {"number": "+12065550177"},
    "/api/v1/numbers/{number}": {"username": None},
    "/api/v1/users/{username}/sign-in": {"password": "a few words"},
    "/api/v1/tokens": {"label": "crm", "scopes": ["calls:read"]},
    "/api/v1/webhooks": {"url": "https://crm.example.com/", "events": ["*"]},
    "/api/v1/webhooks/{webhook}": {"enabled": False},
    "/api/v1/organizations": {"name": "Maple", "domain": "maple.test", "country": "CA"},
    "/api/v1/organizations/{organization}/invitations": {},
    "/api/v1/carriers": {"name": "north", "address": "192.0.2.5"},
    "/api/v1/carriers/{carrier}": {"port": 5070},
    "/api/v1/provider/tokens": {"label": "billing"},
    "/api/v1/provider/stock": {"number": "+13125550100"},
    "/api/v1/provider/stock/range": {"first": "+13125550100", "last": "+13125550101"},
    "/api/v1/provider/stock/{number}": {"locality": "Seattle"},
    "/api/v1/provider/countries/{country}": {"served": False},
    "/api/v1/provider/products": {"sku": "night-line", "kind": "add_on", "name_en": "Night line", "name_fr": "Ligne de nuit"},
    "/api/v1/provider/products/{sku}": {"name_en": "Night line"},
    "/api/v1/provider/prices": {"sku": "phone-system", "currency": "USD", "period": "month", "amount": "9"},
    "/api/v1/provider/prices/import": {"prices": []},
    "/api/v1/provider/mails/test": {"to": "anna@example.com"},
    "/api/v1/sandbox/calls": {"from": "+12065550199", "to": "+12065550100"},
    "/api/v1/route": {"from": "anna", "to": "102"},
    "/api/v1/replay": {
        "plan": "offhook: 1\norganization: {domain: lumen.test, name: Lumen Works, country: US}",
        "since": "2020-01-01T00:00Z",
    },
}
OPEN = {
    ("get", "/api/v1/healthz"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/livez"),
    ("get", "/metrics"),
    ("post", "/api/v1/sign-in"),
}
"""What needs no token."""
OF_THE_PROVIDER = {
    (method, f"/api/v1/{path}")
    for path, methods in {
        "bans": "get", "bans/{address}": "delete", "certificates": "get", "certificates/reload": "post",
        "organizations": "get post", "organizations/{organization}": "get delete", "organizations/{organization}/records": "delete",
        "organizations/{organization}/history": "get", "organizations/{organization}/invitations": "get post",
        "organizations/{organization}/invitations/{invitation}": "delete", "carriers": "get post",
        "carriers/{carrier}": "get patch delete", "provider/tokens": "get post", "provider/tokens/{token}": "delete",
        "provider/history": "get", "provider/stock": "get post", "provider/stock/range": "post", "provider/stock/import": "post",
        "provider/stock/{number}": "get patch delete",
        "provider/countries": "get", "provider/countries/{country}": "get patch",
        "provider/products": "get post", "provider/products/{sku}": "get patch delete", "provider/products/{sku}/sell": "post",
        "provider/products/{sku}/withdraw": "post", "provider/prices": "get post", "provider/prices/import": "post",
        "provider/prices/{price}": "get delete",
        "provider/invitations": "get", "provider/invitations/{invitation}": "delete",
        "provider/mails": "get", "provider/mails/test": "post", "provider/mails/{mail}/retry": "post",
    }.items()
    for method in methods.split()
} | {("get", "/metrics")}  # fmt: skip
"""What only the provider is answered. /metrics with a token; from an address that is trusted it needs none."""
REFUSED = {
    ("post", "/api/v1/sign-in"): 422,  # without name and password
    ("post", "/api/v1/sign-out"): 409,  # a program's token
    ("get", "/api/v1/events"): 422,  # this answer has no end, unless it is not asked for by its type
    ("post", "/api/v1/jobs/{job}/resume"): 409,  # it waits
    ("delete", "/api/v1/users/{username}"): 409,  # a key of an attendant leads there
}
"""What says no to the organization's own token too, as it is asked here."""
FILES = {"/api/v1/configuration/plan", "/api/v1/configuration/apply"}
"""Where a file is wanted: the organization as it is."""
SECRETS = re.compile(r"pine|(?<!Sao )(?<!St[.] )paul|novak|\+15035550101", re.IGNORECASE)
"""What tells of Pine; two cities of the countries' facts are called after Paul too."""
NO_IDS = {
    "query": {
        "limit", "sort", "cursor", "state", "given", "revision", "at", "planned_at", "on_existing", "dry_run", "language", "location",
        "role", "ending", "of", "kind", "code", "field", "numbers", "telephone", "since", "until", "direction", "country",
        "service", "welcome",
    },
    "body": {
        "name", "language", "location", "time_zone", "role", "greeting", "rounds", "patience_seconds", "country", "password",
        "old_password", "label", "scopes", "lifetime_seconds", "url", "events", "enabled", "digits", "listen_seconds", "at",
        "revision", "plan", "since", "telephone", "renew",
    },
}  # fmt: skip
"""What names nothing that somebody could have. A cursor leads into a list: a test of its own."""


def body_for(path: str, world: World) -> dict[str, Any]:
    """What to send to a path."""
    if path == "/api/v1/jobs/import-users":
        return {"content": "username,name\nzoe,Zoe"}
    if path == "/api/v1/provider/stock/import":
        return {"content": "e164\n+13125550100"}
    if path not in FILES:
        return {"json": BODIES.get(path)}
    with world.database.view(world.lumen.profile.id) as transaction:
        return {"content": written(transaction.configured())}


def offers(world: World) -> list[tuple[str, str]]:
    return [(method, path) for path, methods in world.app.openapi()["paths"].items() for method in methods]


def places(world: World, method: str, path: str) -> Iterator[tuple[str, str]]:
    """Where something of an organization can be named in a request: of its path, its query, its body. Raises for what nobody thought of."""
    described = world.app.openapi()
    offer = described["paths"][path][method]
    found = [("path", name) for name in re.findall(r"{(\w+)}", path) if name != "kind"]
    found += [("query", each["name"]) for each in offer.get("parameters", []) if each["in"] == "query"]
    schema = offer.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    if reference := schema.get("$ref", "").rpartition("/")[2]:
        found += [("body", name) for name in described["components"]["schemas"][reference]["properties"]]
    return (place for place in found if place[1] not in NO_IDS.get(place[0], ()))


async def asked(world: World, method: str, path: str, own: Things, where: str = "", name: str = "", value: Any = None) -> Any:
    """The answer to Lumen, who names its own things everywhere but in one place; nothing stays as it was left."""
    sent = body_for(path, world)
    for each in re.findall(r"{(\w+)}", path):
        if each == "kind":
            path = path.replace("{kind}/{id}", str(value) if (where, name) == ("path", "id") else own.path["id"][0])
        else:
            path = path.replace(f"{{{each}}}", str(value) if (where, name) == ("path", each) else own.path[each][0])
    if where == "body":
        sent["json"] = {**(sent.get("json") or {}), name: value}
    with as_it_was(world):
        async with world.client(world.lumen.token) as client:
            return await client.request(method, path, params={name: value} if where == "query" else {}, **sent)


@contextmanager
def as_it_was(world: World) -> Iterator[None]:
    """Whatever is written within is taken back."""
    with closing(sqlite3.connect(":memory:")) as before:
        _copied(world, lambda now: now.backup(before))
        try:
            yield
        finally:
            _copied(world, before.backup)


def _copied(world: World, copy_all: Any) -> None:
    connection = world.database.engine.raw_connection()
    try:
        copy_all(connection.driver_connection)
    finally:
        connection.close()


async def leaks(world: World, own: Things, theirs: Things) -> tuple[list[str], set[tuple[str, str, str, str]]]:
    """What is told or done of Pine's when Lumen names it, wherever it can be named; and everything that was asked."""
    found, every = [], set()
    for method, path in offers(world):
        if (method, path) in OPEN:
            continue
        if (method, path) in OF_THE_PROVIDER:
            answer = await asked(world, method, path, theirs)
            if answer.status_code != 403 or SECRETS.search(answer.text):
                found.append(f"{method} {path}: {answer.status_code}")
            every.add((method, path, "", ""))
            continue
        for where, name in places(world, method, path):
            assert name in theirs.of(where), f"{method} {path}: say in this test what of another organization can be its {name} ({where})"
            every.add((method, path, where, name))
            for value in theirs.of(where)[name]:
                found += await told_of(world, method, path, own, where, name, value)
    return found, every


async def told_of(world: World, method: str, path: str, own: Things, where: str, name: str, value: Any) -> list[str]:
    other = nobodys(where, name, value)
    answer = await asked(world, method, path, own, where, name, value)
    nobody = await asked(world, method, path, own, where, name, other)
    named = f"{method} {path} {where} {name}={value}"
    words = [
        str(each)
        for said in (value, other)
        for each in (said.values() if isinstance(said, dict) else said if isinstance(said, list) else [said])
    ]
    words += [part for word in words for part in word.split("/")]
    told = [each.text for each in (answer, nobody)]
    for word in sorted(words, key=len, reverse=True):
        told = [text.replace(word, "") for text in told]
    found = [f"{named}: {answer.status_code}, nobody's {nobody.status_code}"] if answer.status_code != nobody.status_code else []
    if told[0] != told[1]:
        found.append(f"{named}: {answer.text} is not {nobody.text}")
    if where == "path" and answer.status_code != 404:
        found.append(f"{named}: {answer.status_code}")
    if SECRETS.search(told[0]) or answer.status_code >= 500:
        found.append(f"{named}: {answer.text}")
    return found


@pytest.fixture
def furnished(world: World) -> tuple[Things, Things]:
    """Lumen's things and Pine's."""
    world.probe.rows = [{"name": "register", "passed": True, "skipped": False, "seconds": 0.1, "detail": "ok"}]
    world.edge.registered = [Registration("paul", world.pine.profile.domain, "192.0.2.7:5060", "udp", "Novak", 2e9)]
    world.edge.banned = [Banned("192.0.2.7", "paul@pine.test", "guessing")]
    return furnish(world, world.lumen, 1), furnish(world, world.pine, 5)


async def test_nothing_of_another_organization_is_told_or_done_wherever_it_is_named(world: World, furnished: tuple[Things, Things]) -> None:
    own, theirs = furnished
    with world.database.view(world.pine.profile.id) as transaction:
        before = transaction.history.since(0)
    found, every = await leaks(world, own, theirs)
    assert found == []
    assert world.edge.banned and not world.edge.reloaded
    with world.database.view(world.pine.profile.id) as transaction:
        assert transaction.history.since(0) == before
    assert len({place[3] for place in every if place[2] == "path"}) >= 10
    assert len([place for place in every if place[2] == "query"]) >= 20 and len([place for place in every if place[2] == "body"]) >= 15


async def test_what_asks_for_nothing_by_name_tells_only_ones_own(world: World, furnished: tuple[Things, Things]) -> None:
    own, _ = furnished
    for method, path in offers(world):
        if (method, path) not in OPEN | OF_THE_PROVIDER:
            answer = await asked(world, method, path, own)
            assert answer.is_success or (method, path) in REFUSED, f"{method} {path}: {answer.text}"
            assert answer.status_code == REFUSED.get((method, path), answer.status_code), f"{method} {path}: {answer.text}"
            assert not SECRETS.search(answer.text), f"{method} {path}: {answer.text}"


async def test_no_cursor_leads_into_another_organization(world: World, furnished: tuple[Things, Things]) -> None:
    followed = 0
    for method, path in offers(world):
        listed = {each["name"] for each in world.app.openapi()["paths"][path][method].get("parameters", [])} >= {"cursor", "limit"}
        if not listed or "{" in path or (method, path) in OF_THE_PROVIDER:
            continue
        async with world.client(world.pine.token) as theirs, world.client(world.lumen.token) as client:
            cursor = (await theirs.get(path, params={"limit": 1})).json()["next"]
            if cursor is not None:
                answer = await client.get(path, params={"limit": 1, "cursor": cursor})
                assert not SECRETS.search(answer.text), f"{path}: {answer.text}"
                followed += 1
    assert followed >= 3


BROKEN: list[tuple[type, str, Any, set[str]]] = [
    (Scope, "_own", lambda *_: true(), {"device", "attendant", "number", "token", "webhook", "job", "username"}),
    (Calls, "_own", lambda *_: true(), {"call"}),
    (History, "as_of", lambda *_: {"name": "Paul Novak"}, {"id"}),
]


@pytest.mark.parametrize(("room", "method", "broken", "seen"), BROKEN, ids=["rows", "calls", "history"])
async def test_a_wall_that_is_broken_is_seen(
    world: World, furnished: tuple[Things, Things], monkeypatch: pytest.MonkeyPatch, room: type, method: str, broken: Any, seen: set[str]
) -> None:
    """These tests can fail: without one condition of one room, they name the routes."""
    own, theirs = furnished
    monkeypatch.setattr(room, method, broken)
    found: list[str] = []
    for verb, path in offers(world):
        for where, name in places(world, verb, path):
            if where == "path" and name in seen and verb == "get":
                found += await told_of(world, verb, path, own, where, name, theirs.path[name][0])
    assert {name for name in seen if any(f" path {name}=" in each for each in found)} == seen


async def test_the_last_call_is_the_last_of_ones_own(world: World) -> None:
    (own,) = world.recorded(1)
    world.recorded(2, of=world.pine)
    world.lives(3, of=world.pine)
    async with world.client(world.lumen.token) as client:
        told = (await client.get("/api/v1/calls/last")).json()
        page = (await client.get("/api/v1/calls")).json()
    assert told["explanation"]["call"] == own
    assert [call["call"] for call in page["calls"]] == [own]


async def test_no_endpoint_is_open_without_a_token_unless_it_is_meant_to_be(world: World) -> None:
    for method, path in offers(world):
        async with world.client(None) as client:
            answer = await client.request(method, re.sub(r"{\w+}", "x", path), **body_for(path, world))
        assert (answer.status_code == 401) == ((method, path) not in OPEN), f"{method} {path}: {answer.status_code}"


@pytest.mark.parametrize("username", ["../users", "anna/../paul", "%2e%2e", "paul@pine.test"])
async def test_a_name_that_looks_like_a_path_finds_nobody(world: World, username: str) -> None:
    async with world.client(world.lumen.token) as client:
        answer = await client.post(f"/api/v1/users/{username}/password")
    assert answer.status_code in {404, 405}


@pytest.mark.parametrize(
    ("path", "many"),
    [
        ("/users?username=paul", "users"),
        ("/users?number=%2B15035550101", "users"),
        ("/users?q=paul", "users"),
        ("/devices?username=paul", "devices"),
        ("/devices?sip_username=paul", "devices"),
        ("/attendants?extension=150", "attendants"),
        ("/numbers?username=paul", "numbers"),
        ("/numbers?attendant=Pine", "numbers"),
        ("/numbers?q=%2B15035550101", "numbers"),
        ("/history?kind=number&id=%2B15035550101", "changes"),
    ],
)
async def test_no_filter_finds_what_is_of_another_organization(world: World, path: str, many: str) -> None:
    with world.database.change(world.pine.profile.id, "paul") as transaction:
        pine = transaction.attendants.add("Pine", "en", "150", "Pine Bakery", {})
        transaction.numbers.assign(E164("+15035550102"), ToAttendant(pine.id))
    async with world.client(world.lumen.token) as client, world.client(world.pine.token) as theirs:
        assert (await client.get(f"/api/v1{path}")).json()[many] == []
        assert (await theirs.get(f"/api/v1{path}")).json()[many]


async def test_equal_extensions_are_two_people_in_two_organizations(world: World) -> None:
    found = []
    for token in (world.lumen.token, world.pine.token):
        async with world.client(token) as client:
            (user,) = (await client.get("/api/v1/users?extension=101")).json()["users"]
            found.append(user["username"])
    assert found == ["anna", "paul"]
