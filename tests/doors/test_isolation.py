"""What is another organization's is not there: asked of every endpoint the API has."""

import re
from typing import Any

import pytest

from offhook.domain.jobs import RowState
from offhook.domain.numbers import E164
from offhook.domain.organizations import ToAttendant
from offhook.services.blueprint import written
from offhook.services.people_csv import read_sheet
from offhook.services.ports.edge import Banned, Registration
from offhook.services.ports.jobs import RowResult
from tests.doors.rooms import World

BODIES: dict[str, Any] = {
    "/api/v1/organization": {"name": "Lumen Works"},
    "/api/v1/users": {"username": "maria", "name": "Maria"},
    "/api/v1/users/{username}": {"name": "Maria"},
    "/api/v1/users/{username}/devices": {"name": "Desk"},
    "/api/v1/devices/{device}": {"name": "Desk"},
    "/api/v1/attendants": {"name": "Night", "extension": "250", "greeting": "We are closed."},
    "/api/v1/attendants/{attendant}": {"greeting": "We are closed."},
    "/api/v1/numbers": {"number": "+12065550177"},
    "/api/v1/numbers/{number}": {"username": None},
    "/api/v1/users/{username}/sign-in": {"password": "a few words"},
    "/api/v1/tokens": {"label": "crm", "scopes": ["calls:read"]},
    "/api/v1/webhooks": {"url": "https://crm.example.com/", "events": ["*"]},
    "/api/v1/webhooks/{webhook}": {"enabled": False},
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
OF_THE_PROVIDER = {
    ("get", "/metrics"),  # with a token; from an address that is trusted it needs none
    ("get", "/api/v1/bans"),
    ("delete", "/api/v1/bans/{address}"),
    ("get", "/api/v1/certificates"),
    ("post", "/api/v1/certificates/reload"),
}
"""What needs no token."""
REFUSED = {
    ("post", "/api/v1/sign-in"): 422,  # without name and password
    ("post", "/api/v1/sign-out"): 409,  # a program's token
    ("get", "/api/v1/events"): 422,  # this answer has no end, unless it is not asked for by its type
}
"""What says no to the organization's own token too, as it is asked here."""
FILES = {"/api/v1/configuration/plan", "/api/v1/configuration/apply"}
"""Where a file is wanted: the organization as it is."""
NOBODYS, NOBODYS_NUMBER = "zzzzzz", "987654"


def body_for(path: str, world: World) -> dict[str, Any]:
    """What to send to a path."""
    if path == "/api/v1/jobs/import-users":
        return {"content": "username,name\nzoe,Zoe"}
    if path not in FILES:
        return {"json": BODIES.get(path)}
    with world.database.view(world.lumen.profile.id) as transaction:
        return {"content": written(transaction.configured())}


def offers(world: World) -> list[tuple[str, str]]:
    return [(method, path) for path, methods in world.app.openapi()["paths"].items() for method in methods]


def theirs(path: str, world: World) -> list[str]:
    """The ids of Pine Bakery that a path could be asked for; one empty text for a path that takes none."""
    over, alive = world.recorded(1, of=world.pine)[0], world.lives(2, of=world.pine)
    with world.database.view(world.pine.profile.id) as transaction:
        token, webhook = transaction.tokens.all()[0].id, transaction.webhooks.all()[0].id
        device, attendant, number = transaction.devices.all()[0].id, transaction.attendants.all()[0].id, min(transaction.numbers.all())
        paul = transaction.users.by_username("paul")
    assert paul is not None
    ids = {
        "call": [over, alive, over[:8]],
        "username": ["paul"],
        "address": ["192.0.2.7"],
        "token": [str(token)],
        "device": [str(device)],
        "attendant": [str(attendant)],
        "number": [str(number)],
        "id": [str(paul.id)],
        "webhook": [str(webhook)],
        "delivery": ["1"],
        "job": [str(their_job(world))],
    }
    places = re.findall(r"{(\w+)}", path.replace("{kind}", "user"))
    assert set(places) <= set(ids), f"{path}: say in this test what ids of another organization there are"
    return ids[places[0]] if places else [""]


def their_job(world: World) -> int:
    """A job of Pine Bakery that waits, with one row that was refused."""
    with world.database.change(world.pine.profile.id, "paul") as transaction:
        sheet = read_sheet(b"username,name\npaul,Paul Novak\npaula,Paula Novak")
        job = transaction.jobs.add("import-users", "paul", 2, {}, sheet.packed())
        transaction.jobs.record(job.id, [RowResult(2, RowState.REFUSED, "paul", "thing.taken", "username", "paul is there")], None)
    return int(job.id)


def with_id(path: str, id: str) -> str:
    return re.sub(r"{\w+}", id, path.replace("{kind}", "user"))


async def test_no_endpoint_tells_or_changes_anything_of_another_organization(world: World) -> None:
    world.probe.rows = [{"name": "register", "passed": True, "skipped": False, "seconds": 0.1, "detail": "ok"}]
    secrets = re.compile(r"pine|paul|novak|\+15035550101", re.IGNORECASE)
    with world.database.change(world.pine.profile.id, "paul") as transaction:
        transaction.webhooks.add("https://pine.example.com/", ["*"], "sealed")
        transaction.attendants.add("Pine", "en", "100", "Pine Bakery", {})
    with world.database.view(world.pine.profile.id) as transaction:
        before = transaction.history.since(0)
    world.edge.registered = [Registration("paul", world.pine.profile.domain, "192.0.2.7:5060", "udp", "Novak", 2e9)]
    world.edge.banned = [Banned("192.0.2.7", "paul@pine.test", "guessing")]
    asked = 0
    for method, path in offers(world):
        for id in theirs(path, world):
            async with world.client(world.lumen.token) as client:
                answer = await client.request(method, with_id(path, id), **body_for(path, world))
                nobody = NOBODYS_NUMBER if id.isdigit() else NOBODYS
                nobodys = await client.request(method, with_id(path, nobody), **body_for(path, world)) if id else answer
            asked += 1
            if (method, path) in OF_THE_PROVIDER:
                assert answer.status_code == 403 and not secrets.search(answer.text), f"{method} {path}: {answer.text}"
                continue
            assert answer.status_code == (404 if id else REFUSED.get((method, path), answer.status_code)), f"{method} {path}: {answer.text}"
            assert answer.is_success or id or (method, path) in REFUSED, f"{method} {path}: {answer.text}"
            theirs_told, nobodys_told = (told.text.replace(nobody, "").replace(id, "") for told in (answer, nobodys))
            assert theirs_told == nobodys_told or not id, f"{method} {path} tells that {id} is there"
            assert not secrets.search(answer.text.replace(id, "") if id else answer.text), f"{method} {path}: {answer.text}"
    assert asked >= 12
    assert world.edge.banned and not world.edge.reloaded
    with world.database.view(world.pine.profile.id) as transaction:
        assert transaction.history.since(0) == before


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
