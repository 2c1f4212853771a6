"""An organization, its people and its attendants through the API."""

import hashlib
from typing import Any

from httpx import Response

from offhook.services.tokens import issue
from tests.doors.rooms import World

MARIA = {"username": "maria", "name": "Maria Lopez", "extension": "201", "number": "+1 206 555 0107", "language": "es"}


async def asked(world: World, method: str, path: str, body: Any = None) -> Response:
    async with world.client(world.lumen.token) as client:
        return await client.request(method, f"/api/v1{path}", json=body)


async def test_an_organization_says_who_it_is(world: World) -> None:
    answer = await asked(world, "GET", "/organization")
    assert answer.json() | {"id": 0, "revision": 0} == {
        "id": 0,
        "name": "Lumen Works",
        "domain": "lumen.test",
        "country": "US",
        "purpose": "sandbox",
        "main_number": "+12065550100",
        "time_zone": "America/Los_Angeles",
        "version": 2,
        "emergency_numbers": ["911"],
        "revision": 0,
        "revision_in_effect": 0,
        "sip_address": "127.0.0.1:5060",
    }


async def test_the_organization_tells_which_revision_is_in_effect(world: World) -> None:
    """So whoever was told that a change does not count yet can ask when it does."""
    own = world.lumen.profile.id
    world.switch.held[own] = 3
    world.switch.down = True
    saved = (await asked(world, "PATCH", "/users/anna", {"name": "Anna B."})).json()
    assert saved["in_effect"] is False
    assert (await asked(world, "GET", "/organization")).json()["revision_in_effect"] is None
    world.switch.down = False
    told = (await asked(world, "GET", "/organization")).json()
    assert (told["revision"], told["revision_in_effect"]) == (saved["revision"], 3) and world.switch.refreshed == 0
    await world.switch.take_up(own, saved["revision"])
    assert (await asked(world, "GET", "/organization")).json()["revision_in_effect"] == saved["revision"]


async def test_a_user_is_added_and_the_switch_knows_it_at_once(world: World) -> None:
    answer = await asked(world, "POST", "/users", MARIA)
    told = answer.json()
    maria: dict[str, Any] = {"username": "maria", "name": "Maria Lopez", "language": "es", "extension": "201", "number": "+12065550107"}
    maria |= {"id": told["user"]["id"], "version": told["revision"], "email": None, "location": "", "time_zone": "", "role": None}
    assert (answer.status_code, told) == (201, {"user": maria, "telephone": None, "revision": told["revision"], "in_effect": True})
    assert world.switch.refreshed == 1
    assert maria in (await asked(world, "GET", "/users")).json()["users"]


async def test_a_user_comes_with_a_telephone_or_not_at_all(world: World) -> None:
    told = (await asked(world, "POST", "/users", MARIA | {"telephone": " Desk "})).json()
    telephone = told["telephone"]
    assert {name: telephone[name] for name in ("username", "domain", "sip_username", "name", "sip_address")} == {
        "username": "maria", "domain": "lumen.test", "sip_username": "maria", "name": "Desk", "sip_address": "127.0.0.1:5060",
    }  # fmt: skip
    with world.database.view(world.lumen.profile.id) as transaction:
        kept = transaction.devices.credential(telephone["id"])
        assert transaction.profile().revision == told["revision"] == told["user"]["version"]
    assert kept is not None
    assert kept.ha1_md5 == hashlib.md5(f"maria:lumen.test:{telephone['password']}".encode(), usedforsecurity=False).hexdigest()
    wrong = await asked(world, "POST", "/users", {"username": "nora", "name": "Nora", "telephone": "\x07"})
    assert (wrong.status_code, wrong.json()["field"]) == (422, "telephone")
    assert (await asked(world, "GET", "/users/nora")).status_code == 404


async def test_who_may_not_make_telephones_makes_no_user_with_one(world: World) -> None:
    token = issue(world.database, world.lumen.profile.id, "people alone", None, "tests", frozenset({"users:write", "users:read"}))
    async with world.client(token) as client:
        refused = await client.post("/api/v1/users", json=MARIA | {"telephone": "Desk"})
        assert (refused.status_code, "devices:write" in refused.json()["detail"]) == (403, True)
        assert (await client.get("/api/v1/users/maria")).status_code == 404
        assert (await client.post("/api/v1/users", json=MARIA)).status_code == 201


async def test_a_password_is_made_shown_once_and_is_the_one_that_counts(world: World) -> None:
    ben = next(entry.user for entry in world.lumen.users if entry.user.username == "ben")
    account = (await asked(world, "POST", "/users/ben/password")).json()
    assert (account["username"], account["domain"], account["in_effect"]) == ("ben", "lumen.test", True)
    with world.database.view(world.lumen.profile.id) as transaction:
        kept = transaction.devices.credential(transaction.devices.all(ben.id)[0].id)
    ha1 = hashlib.md5(f"ben:lumen.test:{account['password']}".encode(), usedforsecurity=False).hexdigest()
    assert kept is not None
    assert kept.ha1_md5 == ha1


async def test_what_was_changed_while_the_switch_was_down_is_kept_and_said_so(world: World) -> None:
    world.switch.down = True
    assert (await asked(world, "POST", "/users", MARIA)).json()["in_effect"] is False
    assert (await asked(world, "POST", "/users/maria/password")).json()["in_effect"] is False


async def test_who_changed_something_stands_in_the_history(world: World) -> None:
    await asked(world, "POST", "/users", MARIA)
    with world.database.view(world.lumen.profile.id) as transaction:
        last = transaction.history.since(0)[-1]
    assert (last.kind, last.who) == ("number", "sandbox")


async def test_attendants_are_listed_with_whom_their_keys_connect_to(world: World) -> None:
    (attendant,) = (await asked(world, "GET", "/attendants")).json()["attendants"]
    assert (attendant["name"], attendant["extension"]) == ("Reception", "100")
    assert attendant["keys"] == {"0": "chloe", "1": "anna", "2": "ben"}
