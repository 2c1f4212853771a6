"""Lists, a page at a time: sorted, filtered, stable while others write."""

import base64
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from offhook.services.ports.edge import Banned, Registration
from offhook.services.ports.store import NewUser
from offhook.services.tokens import provider_token
from offhook.services.users import change_user
from tests.doors.conftest import KEY
from tests.doors.rooms import World
from tests.doors.test_refusals import problem

PEOPLE = [(f"user{n:03}", ("Ada", "Bo", "Cy")[n % 3], f"{3000 + n}" if n % 4 else None) for n in range(40)]


@pytest.fixture
def crowd(world: World) -> World:
    with world.database.change(world.lumen.profile.id, "tests") as transaction:
        for username, name, extension in PEOPLE:
            transaction.users.add(NewUser(username, name, "en", extension))
    return world


async def pages(world: World, path: str, many: str, **asked: Any) -> list[list[dict[str, Any]]]:
    found, cursor = [], None
    async with world.client(world.lumen.token) as client:
        while True:
            sent = asked | ({"cursor": cursor} if cursor else {})
            answer = await client.get(f"/api/v1{path}", params=sent)
            assert answer.is_success, answer.text
            found.append(answer.json()[many])
            cursor = answer.json()["next"]
            if cursor is None:
                return found
            assert len(found) < 60


def everybody(world: World) -> list[Any]:
    with world.database.view(world.lumen.profile.id) as transaction:
        return transaction.users.all()


@pytest.mark.parametrize("limit", [1, 7, 43, 44, 500])
@pytest.mark.parametrize(
    "sort", ["", "username", "-username", "name", "-name,username", "name,-username", "extension", "-extension", "extension,-name", "email"]
)
async def test_every_order_lists_everybody_once_in_that_order(crowd: World, sort: str, limit: int) -> None:
    if limit == 1 and sort not in ("extension", "-name,username"):
        pytest.skip("one at a time is asked of the difficult orders")
    found = [user for page in await pages(crowd, "/users", "users", limit=limit, **({"sort": sort} if sort else {})) for user in page]
    wanted = everybody(crowd)
    for part in reversed((sort or "username").split(",")):
        name = part.removeprefix("-")
        wanted.sort(key=lambda user, n=name: ((value := getattr(user, n)) is not None, value or ""), reverse=part.startswith("-"))  # type: ignore[misc]
    by = [part.removeprefix("-") for part in (sort or "username").split(",")]
    assert [[user[name] for name in by] for user in found] == [[getattr(user, name) for name in by] for user in wanted]
    assert sorted(user["username"] for user in found) == [user.username for user in everybody(crowd)]


async def test_who_comes_and_goes_meanwhile_neither_repeats_nor_hides_another(crowd: World) -> None:
    async with crowd.client(crowd.lumen.token) as client:
        first = (await client.get("/api/v1/users", params={"limit": 10, "sort": "name"})).json()
        seen = [user["username"] for user in first["users"]]
        with crowd.database.change(crowd.lumen.profile.id, "tests") as transaction:
            transaction.users.add(NewUser("aaa", "Aaron", "en"))
            transaction.users.add(NewUser("zzz", "Zoe", "en"))
            gone = transaction.users.by_username(seen[-1])
            assert gone is not None
            transaction.users.remove(gone.id)
        rest = await pages(crowd, "/users", "users", limit=10, sort="name", cursor=first["next"])
    seen += [user["username"] for page in rest for user in page]
    assert len(seen) == len(set(seen))
    assert set(seen) == {user.username for user in everybody(crowd)} - {"aaa"} | {gone.username}


@pytest.mark.parametrize(
    ("asked", "wanted"),
    [
        ({"username": "anna"}, ["anna"]),
        ({"name": "Bo", "limit": 5}, [name for name, called, _ in PEOPLE if called == "Bo"]),
        ({"extension": "3001"}, ["user001"]),
        ({"number": "+12065550101"}, ["anna"]),
        ({"q": "USER03"}, [f"user03{n}" for n in range(10)]),
        ({"q": "%"}, []),
        ({"q": "_ser001"}, []),
        ({"role": "global"}, []),
        ({"name": "Bo", "q": "user001"}, ["user001"]),
        ({"username": "nobody"}, []),
    ],
)
async def test_filters_leave_what_fits(crowd: World, asked: dict[str, Any], wanted: list[str]) -> None:
    found = [user["username"] for page in await pages(crowd, "/users", "users", **asked) for user in page]
    assert found == wanted


async def test_the_other_lists_are_paged_and_filtered_too(world: World) -> None:
    numbers = [each for page in await pages(world, "/numbers", "numbers", limit=1, sort="-number") for each in page]
    assert [each["number"] for each in numbers] == sorted((each["number"] for each in numbers), reverse=True) and len(numbers) > 2
    assert {each["username"] for page in await pages(world, "/numbers", "numbers", username="anna") for each in page} == {"anna"}
    reception = [each for page in await pages(world, "/numbers", "numbers", attendant="Reception") for each in page]
    assert {each["attendant"] for each in reception} == {"Reception"}
    assert (await pages(world, "/numbers", "numbers", given="no")) == [[]]
    devices = [each for page in await pages(world, "/devices", "devices", limit=1, sort="name,-id") for each in page]
    assert [each["id"] for each in devices] == sorted((each["id"] for each in devices), reverse=True) and len(devices) >= 3
    assert [each["username"] for page in await pages(world, "/devices", "devices", username="ben") for each in page] == ["ben"]
    assert await pages(world, "/users/ben/devices", "devices") == await pages(world, "/devices", "devices", username="ben")
    changes = [each for page in await pages(world, "/history", "changes", limit=3) for each in page]
    assert [each["revision"] for each in changes] == sorted((each["revision"] for each in changes), reverse=True)
    assert changes == (await pages(world, "/history", "changes", limit=500))[0]


async def test_a_list_goes_on_after_the_longest_that_it_is_sorted_by(world: World) -> None:
    urls = [f"https://{n}.example.com/{part}" for n in range(2) for part in ("x" * 1900, '"' * 1978)]
    async with world.client(world.lumen.token) as client:
        for url in urls:
            assert (await client.post("/api/v1/webhooks", json={"url": url, "events": ["call.ended"]})).status_code == 201
    found = [each["url"] for page in await pages(world, "/webhooks", "webhooks", limit=1, sort="url") for each in page]
    assert found == sorted(urls)


async def test_the_history_is_chosen_by_who_and_when(world: World) -> None:
    own = world.lumen.profile.id
    change_user(world.database, own, "anna", {"name": "Anna B."}, who="ada")
    between = datetime.now(UTC).isoformat()
    change_user(world.database, own, "ben", {"name": "Ben B."}, who="grace")
    change_user(world.database, own, "anna", {"name": "Anna"}, who="ada")

    async def found(**asked: Any) -> list[str]:
        return [each["after"]["name"] for page in await pages(world, "/history", "changes", limit=1, kind="user", **asked) for each in page]

    assert await found(who="ada") == ["Anna", "Anna B."]
    assert await found(who="grace", since=between) == ["Ben B."]
    assert await found(since=between) == ["Anna", "Ben B."]
    assert (await found(until=between))[0] == "Anna B."
    assert await found(who="ada", since=between, until=between) == [] == await found(who="Ada")
    async with world.client(world.lumen.token) as client:
        cursor = (await client.get("/api/v1/history", params={"limit": 1, "who": "ada"})).json()["next"]
        assert problem(await client.get("/api/v1/history", params={"limit": 1, "cursor": cursor}))["field"] == "cursor"


async def test_what_the_edge_holds_is_paged_and_chosen(world: World) -> None:
    world.edge.banned = [Banned(f"192.0.2.{n % 5}", f"us\x00er{n}@lumen.test" if n % 2 else None, "wrong passwords") for n in range(10)]
    at = ("udp", "a telephone", 1_700_000_000.0)
    world.edge.registered = [Registration(f"user{n}", f"{('lumen', 'pine')[n % 2]}.test", f"192.0.2.{n}:5060", *at) for n in range(6)]

    async def every(path: str, many: str, **asked: Any) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        cursor: dict[str, str] = {}
        async with world.client(provider_token(world.database, KEY)) as client:
            while True:
                answer = (await client.get(f"/api/v1{path}", params=asked | cursor)).json()
                found += answer[many]
                if answer["next"] is None:
                    return found
                cursor = {"cursor": answer["next"]}
                refused = await client.get(f"/api/v1{path}", params={"limit": 1, **cursor})
                assert not asked.keys() - {"limit"} or problem(refused)["field"] == "cursor"

    bans = await every("/bans", "bans", limit=3)
    assert len(bans) == 10 and [each["address"] for each in bans] == sorted(each["address"] for each in bans)
    assert {each["address"] for each in await every("/bans", "bans", limit=1, address="192.0.2.3")} == {"192.0.2.3"}
    registered = await every("/registrations", "registrations", limit=1, domain="pine.test")
    assert [each["user"] for each in registered] == ["user1", "user3", "user5"]


def forged(cursor: str, place: list[Any]) -> str:
    told = orjson.loads(base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)))
    return base64.urlsafe_b64encode(orjson.dumps([told[0], *place])).decode().rstrip("=")


async def test_a_cursor_is_good_for_its_own_list_alone(crowd: World) -> None:
    crowd.recorded(1, 2)
    async with crowd.client(crowd.lumen.token) as client:
        cursor = (await client.get("/api/v1/users", params={"limit": 3, "sort": "name"})).json()["next"]
        devices = (await client.get("/api/v1/devices", params={"limit": 1})).json()["next"]
        wrong = [
            {"cursor": cursor},
            {"cursor": cursor, "sort": "-name"},
            {"cursor": cursor, "sort": "name", "q": "a"},
            {"cursor": devices},
            *({"cursor": text, "sort": "name"} for text in ("", "x", "!!!!", "AAAA", "é", "x" * 2000, cursor[:-4])),
            *(
                {"cursor": forged(cursor, place), "sort": "name"}
                for place in ([], ["Bo"], [7, "x"], ["Bo", None], ["Bo", "a", "b"], ["Bo\x00", "a"], [{"$gt": ""}, "a"], ["x" * 2001, "a"])
            ),
        ]
        for asked in wrong:
            told = problem(await client.get("/api/v1/users", params=asked))
            assert (told["status"], told["code"], told["field"]) == (422, "value.invalid", "cursor"), asked
        for place in ([True], [-1], ["1"], [2**40], [None], [1.5]):
            assert problem(await client.get("/api/v1/devices", params={"cursor": forged(devices, place)}))["field"] == "cursor"
        there = {name: (await client.get(f"/api/v1/{name}", params={"limit": 1})).json()["next"] for name in ("history", "calls")}
        for name, places in {
            "history": ([], [1], [1, 2, 3], [-1, 2], [2**40, 1], ["1", 2]),
            "calls": ([], [1], [None], ["a", "b"]),
        }.items():
            for text in ("x", "1", "1-2", "", devices, *(forged(there[name], place) for place in places)):
                assert problem(await client.get(f"/api/v1/{name}", params={"cursor": text}))["field"] == "cursor", (name, text)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"), ("limit=501", "limit"), ("limit=x", "limit"), ("limit=1&limit=2", "limit"),
        ("sort=colour", "sort"), ("sort=name,name", "sort"), ("sort=name,-name", "sort"), ("sort=,", "sort"), ("sort=password", "sort"),
        ("colour=blue", "colour"), ("q=" + "x" * 101, "q"), ("q=%00", "q"), ("role=king", "role"), ("name=a%00b", "name"),
        ("username=a&username=b", "username"), ("name~=x", "name~"),
    ],
)  # fmt: skip
async def test_a_query_that_cannot_be_is_refused_by_its_name(world: World, query: str, field: str) -> None:
    async with world.client(world.lumen.token) as client:
        told = problem(await client.get(f"/api/v1/users?{query}"))
    assert (told["status"], told["code"], told["field"]) == (422, "value.invalid", field)
