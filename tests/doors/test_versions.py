"""What can be done with every object; what is unchanged is not sent again, what was changed meanwhile is not overwritten."""

from typing import Any

import pytest
from httpx import Response

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


@pytest.mark.parametrize(("path", "body"), CHANGES, ids=str)
async def test_only_what_is_named_changes_and_the_version_with_it(world: World, path: str, body: dict[str, Any]) -> None:
    before = await asked(world, "GET", path)
    etag = before.headers["etag"]
    assert (await asked(world, "GET", path, If_None_Match=etag)).status_code == 304
    answer = await asked(world, "PATCH", path, body, If_Match=etag)
    assert answer.status_code == 200, answer.text
    told = answer.json()
    (noun,) = told.keys() - {"revision", "in_effect"}
    other = {"revision", "version"} | ({"attendant", "username"} if noun == "number" else set())
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
    assert (await asked(world, "DELETE", path)).status_code == 204
    assert problem(await asked(world, "GET", path))["code"] == "thing.missing"


async def test_an_attendant_comes_and_goes_and_its_number_stays(world: World) -> None:
    body = {"name": "Night", "extension": "250", "greeting": "We are closed.\nGoodbye.", "keys": {"0": "ben", "#": "anna"}}
    made = await asked(world, "POST", "/attendants", body)
    attendant = made.json()["attendant"]
    assert (made.status_code, attendant) == (201, attendant | body | {"rounds": 3, "patience_seconds": 5, "language": "en"})
    await asked(world, "POST", "/numbers", {"number": "+1 206 555 0177", "attendant": "Night"})
    assert (await asked(world, "DELETE", f"/attendants/{attendant['id']}")).status_code == 204
    left = (await asked(world, "GET", "/numbers/+12065550177")).json()
    assert (left["attendant"], left["username"]) == (None, None)


async def test_a_user_goes_with_telephones_and_the_number_stays(world: World) -> None:
    await asked(world, "PATCH", "/attendants/1", {"keys": {}})
    assert (await asked(world, "DELETE", "/users/anna")).status_code == 204
    assert problem(await asked(world, "GET", "/users/anna"))["code"] == "thing.missing"
    assert (await asked(world, "GET", "/devices", None)).json()["devices"][0]["username"] != "anna"
    assert (await asked(world, "GET", "/numbers/+12065550101")).json()["username"] is None
    assert (await asked(world, "DELETE", "/numbers/+12065550101")).status_code == 204


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
