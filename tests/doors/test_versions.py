"""What can be done with every object; what is unchanged is not sent again, what was changed meanwhile is not overwritten."""

import re
from datetime import datetime
from typing import Any

import pytest
from httpx import Response

from offhook.services.history import SECRETS
from offhook.store.tables import changes
from tests.doors.rooms import World
from tests.doors.test_refusals import problem

CHANGES: list[tuple[str, dict[str, Any]]] = [
    ("/organization", {"time_zone": "Europe/Paris"}),
    ("/users/anna", {"extension": "177"}),
    ("/users/anna", {"number": None}),
    ("/users/anna", {"number": "+12065550188"}),
    ("/users/anna", {"email": "anna@example.com", "location": "FR", "time_zone": "Europe/Paris", "role": "reader"}),
    ("/devices/1", {"name": "Kitchen"}),
    ("/attendants/1", {"keys": {"0": "ben"}}),
    ("/attendants/1", {"greeting": "We are closed.", "rounds": 1}),
    ("/numbers/+12065550101", {"username": "ben"}),
    ("/numbers/+12065550101", {"attendant": "Reception"}),
    ("/numbers/+12065550101", {"username": None}),
]


async def asked(world: World, method: str, path: str, body: Any = None, **headers: str) -> Response:
    async with world.client(world.lumen.token, **{name.replace("_", "-"): value for name, value in headers.items()}) as client:
        return await client.request(method, f"/api/v1{path}", json=body)


async def removed(world: World, path: str) -> int:
    """Remove something; its answer tells the revision that this made, and that it is in effect."""
    answer = await asked(world, "DELETE", path)
    with world.database.view(world.lumen.profile.id) as transaction:
        (line, *_) = transaction.history.page(1)
    assert answer.json() == {"revision": line.revision, "in_effect": True}
    return answer.status_code


@pytest.mark.parametrize(("path", "body"), CHANGES, ids=str)
async def test_only_what_is_named_changes_and_the_version_with_it(world: World, path: str, body: dict[str, Any]) -> None:
    before = await asked(world, "GET", path)
    etag = before.headers["etag"]
    assert (await asked(world, "GET", path, If_None_Match=etag)).status_code == 304
    answer = await asked(world, "PATCH", path, body, If_Match=etag)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    (noun,) = told.keys() - {"revision", "in_effect"}
    other = {"revision", "version", "revision_in_effect"} | ({"attendant", "username"} if noun == "number" else set())
    kept = {name: value for name, value in before.json().items() if name not in other | body.keys()}
    assert told[noun] | kept | body == told[noun], told
    assert told["in_effect"] is True and told[noun]["version"] == told["revision"]
    after = await asked(world, "GET", path, If_None_Match=etag)
    assert (after.status_code, after.json()) == (200, told[noun])
    assert after.headers["etag"] == answer.headers["etag"] != etag
    assert told[noun] in (await asked(world, "GET", "/" + path.split("/")[1])).json().get(path.split("/")[1], [told[noun]])
    stale = problem(await asked(world, "PATCH", path, body, If_Match=etag))
    assert (stale["status"], stale["code"]) == (412, "thing.stale")
    if noun != "organization":
        assert problem(await asked(world, "DELETE", path, If_Match=etag))["code"] == "thing.stale"
    assert (await asked(world, "GET", path)).json() == told[noun]


@pytest.mark.parametrize(("path", "body"), CHANGES, ids=str)
async def test_a_change_to_what_it_is_makes_no_revision(world: World, path: str, body: dict[str, Any]) -> None:
    first = (await asked(world, "PATCH", path, body)).json()
    again = (await asked(world, "PATCH", path, body)).json()
    assert again == first
    assert (await asked(world, "PATCH", path, {})).json() == first


@pytest.mark.parametrize(
    ("tag", "status", "code"),
    [
        ("*", 200, None), ('"999"', 412, "thing.stale"), ('W/"1"', 412, "thing.stale"), ('"abc"', 412, "thing.stale"),
        ("abc", 422, "value.invalid"), ('"1", "2"', 422, "value.invalid"), ("x" * 500, 422, "value.invalid"),
    ],
)  # fmt: skip
async def test_what_is_sent_as_if_match(world: World, tag: str, status: int, code: str | None) -> None:
    answer = await asked(world, "PATCH", "/users/anna", {"name": "A"}, If_Match=tag)
    assert (answer.status_code, answer.json().get("code")) == (status, code), answer.text


async def test_the_version_alone_is_enough(world: World) -> None:
    version = (await asked(world, "GET", "/users/anna")).json()["version"]
    assert (await asked(world, "PATCH", "/users/anna", {"name": "A"}, If_Match=f'"{version}"')).status_code == 200


@pytest.mark.parametrize("tag", ["*", '"x", {etag}', "W/{etag}"])
async def test_what_is_sent_as_if_none_match(world: World, tag: str) -> None:
    etag = (await asked(world, "GET", "/users/anna")).headers["etag"]
    answer = await asked(world, "GET", "/users/anna", If_None_Match=tag.format(etag=etag))
    assert (answer.status_code, answer.headers["etag"], answer.content) == (304, etag, b"")


async def test_who_has_a_number_has_changed_when_it_goes_to_another(world: World) -> None:
    anna, ben = [(await asked(world, "GET", f"/users/{name}")).headers["etag"] for name in ("anna", "ben")]
    await asked(world, "PATCH", "/numbers/+12065550101", {"username": "ben"})
    for name, etag in (("anna", anna), ("ben", ben)):
        assert problem(await asked(world, "PATCH", f"/users/{name}", {"language": "fr"}, If_Match=etag))["code"] == "thing.stale"


async def test_another_name_is_seen_wherever_it_is_shown(world: World) -> None:
    places = ("/attendants/1", "/devices/1", "/numbers/+12065550101")
    etags = {path: (await asked(world, "GET", path)).headers["etag"] for path in places}
    owner = (await asked(world, "GET", "/devices/1")).json()["username"]
    assert owner == "anna"
    assert (await asked(world, "PATCH", "/users/anna", {"username": "annika"})).status_code == 200
    for path in places:
        answer = await asked(world, "GET", path, If_None_Match=etags[path])
        assert answer.status_code == 200 and "annika" in answer.text and '"username":"anna"' not in answer.text


async def test_a_telephone_comes_and_goes(world: World) -> None:
    made = await asked(world, "POST", "/users/anna/devices", {"name": "Desk"})
    told = made.json()
    assert (made.status_code, told["sip_username"], told["username"]) == (201, "anna-2", "anna")
    path = made.headers["location"].removeprefix("/api/v1")
    assert (await asked(world, "GET", path)).json() == told["device"] == {k: told["device"][k] for k in told["device"]}
    renewed = (await asked(world, "POST", f"{path}/password")).json()
    assert renewed["password"] != told["password"] and renewed["device"]["version"] == renewed["revision"]
    assert [each["name"] for each in (await asked(world, "GET", "/users/anna/devices")).json()["devices"]] == ["Telephone", "Desk"]
    assert (await removed(world, path)) == 200
    assert problem(await asked(world, "GET", path))["code"] == "thing.missing"


async def test_an_attendant_comes_and_goes_and_its_number_stays(world: World) -> None:
    body = {"name": "Night", "extension": "250", "greeting": "We are closed.\nGoodbye.", "keys": {"0": "ben", "#": "anna"}}
    made = await asked(world, "POST", "/attendants", body)
    attendant = made.json()["attendant"]
    assert (made.status_code, attendant) == (201, attendant | body | {"rounds": 3, "patience_seconds": 5, "language": "en"})
    await asked(world, "POST", "/numbers", {"number": "+1 206 555 0177", "attendant": "Night"})
    assert (await removed(world, f"/attendants/{attendant['id']}")) == 200
    left = (await asked(world, "GET", "/numbers/+12065550177")).json()
    assert (left["attendant"], left["username"]) == (None, None)


async def test_a_user_goes_with_telephones_and_the_number_stays(world: World) -> None:
    await asked(world, "PATCH", "/attendants/1", {"keys": {}})
    assert (await removed(world, "/users/anna")) == 200
    assert problem(await asked(world, "GET", "/users/anna"))["code"] == "thing.missing"
    assert (await asked(world, "GET", "/devices", None)).json()["devices"][0]["username"] != "anna"
    assert (await asked(world, "GET", "/numbers/+12065550101")).json()["username"] is None
    assert (await removed(world, "/numbers/+12065550101")) == 200


async def test_the_history_tells_what_was_and_who_changed_it(world: World) -> None:
    anna = (await asked(world, "GET", "/users/anna")).json()
    changed = (await asked(world, "PATCH", "/users/anna", {"extension": "177"})).json()
    line = (await asked(world, "GET", "/history?kind=user&limit=1")).json()["changes"][0]
    assert (line["revision"], line["id"], line["who"]) == (changed["revision"], str(anna["id"]), "sandbox")
    assert (line["before"]["extension"], line["after"]["extension"]) == ("101", "177")
    path = f"/history/user/{anna['id']}"
    assert (await asked(world, "GET", path)).json()["object"]["extension"] == "177"
    then = (await asked(world, "GET", f"{path}?revision={line['revision'] - 1}")).json()
    assert (then["object"]["extension"], then["revision"]) == ("101", line["revision"] - 1)
    at = (await asked(world, "GET", path + "?at=" + line["at"].replace("+", "%2B"))).json()
    assert at["revision"] in (line["revision"], line["revision"] - 1)
    for query, status in (("revision=9999", 404), ("revision=0", 422), ("at=yesterday", 422), ("at=2001-01-01T00:00:00Z", 404)):
        assert problem(await asked(world, "GET", f"{path}?{query}"))["status"] == status
    both = problem(await asked(world, "GET", f"{path}?revision=1&at=2026-01-01T00:00:00Z"))
    assert (both["status"], both["field"]) == (422, "at")
    assert problem(await asked(world, "GET", "/history/colour/1"))["status"] == 404
    assert "ha1" not in str([each["after"] for each in (await asked(world, "GET", "/history?kind=device")).json()["changes"]]).replace(
        "'ha1_md5': 'set'", ""
    ).replace("'ha1_sha256': 'set'", "")


async def test_a_removal_tells_that_it_is_not_in_effect_while_the_switch_is_away(world: World) -> None:
    world.switch.down = True
    answer = await asked(world, "DELETE", "/devices/1")
    assert (answer.status_code, answer.json()["in_effect"]) == (200, False)
    assert answer.json()["revision"] == (await asked(world, "GET", "/organization")).json()["revision"]


async def test_the_history_tells_moments_as_moments_and_of_secrets_only_that_they_are_set(world: World) -> None:
    made = await asked(world, "POST", "/tokens", {"label": "crm", "scopes": ["calls:read"], "lifetime_seconds": 3600})
    await asked(world, "POST", "/users/anna/password")
    await asked(world, "PUT", "/users/anna/sign-in", {"password": "a few words of her own"})
    await asked(world, "POST", "/webhooks", {"url": "https://crm.example.com/", "events": ["*"]})
    token = made.json()
    line = (await asked(world, "GET", "/history?kind=token&limit=1")).json()["changes"][0]
    then = (await asked(world, "GET", f"/history/token/{token['id']}")).json()["object"]
    for told in (line["after"], then):
        assert re.fullmatch(r"20[0-9-]{8}T[0-9:]{8}\.[0-9]{3}Z", told["made_at"]) and told["hash"] == "set"
        assert datetime.fromisoformat(told["expires_at"]).timestamp() == pytest.approx(
            datetime.fromisoformat(token["expires_at"]).timestamp(), abs=0.01
        )
    everything = (await asked(world, "GET", "/history?limit=500")).json()["changes"]
    kinds = {change["kind"] for change in everything}
    assert {"token", "device", "password", "webhook"} <= kinds
    for change in everything:
        for row in (change["before"], change["after"]):
            for name, value in (row or {}).items():
                assert name not in SECRETS or value in ("set", None), (change["kind"], name)
                assert not name.endswith("_at") or value is None or isinstance(value, str), (change["kind"], name)


async def test_what_an_earlier_release_wrote_of_a_secret_is_not_told(world: World) -> None:
    own = world.lumen.profile.id
    row = {"hash": "a" * 64, "ha1_md5": "b" * 32, "made_at": 1.5, "label": "x"}
    with world.database.engine.begin() as connection:
        line = {"organization_id": own, "revision": 0, "seq": 0, "kind": "token", "object_id": "9", "who": "start", "at": 1.0}
        connection.execute(changes.insert().values(**line, before=None, after=row))
    told = (await asked(world, "GET", "/history?kind=token&id=9")).json()["changes"]
    assert told[0]["after"] == {"hash": "set", "ha1_md5": "set", "made_at": "1970-01-01T00:00:01.500Z", "label": "x"}
