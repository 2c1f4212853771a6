"""Calls through the API: lists of now and of the past, and how one went."""

from datetime import UTC, datetime
from typing import Any

import pytest

from offhook.services.tokens import provider_token
from tests.doors.conftest import KEY
from tests.doors.rooms import World, the_call
from tests.services import told_calls


async def listed(world: World, query: str = "", token: str | None = None) -> dict[str, Any]:
    async with world.client(token or world.lumen.token) as client:
        answer = await client.get(f"/api/v1/calls{query}")
    assert answer.status_code == 200, answer.text
    page: dict[str, Any] = answer.json()
    return page


def ids(page: dict[str, Any]) -> list[str]:
    return [call["call"] for call in page["calls"]]


async def test_calls_of_now_and_of_the_past_are_listed_together_newest_first(world: World) -> None:
    first, third = world.recorded(1, 3)
    second, fourth = world.lives(2), world.lives(4)
    page = await listed(world)
    assert ids(page) == [fourth, third, second, first]
    assert [call["live"] for call in page["calls"]] == [True, False, True, False]
    assert page["next"] is None


async def test_a_past_call_is_listed_with_times_length_ending_and_findings(world: World) -> None:
    (call,) = world.recorded(1)
    assert (await listed(world))["calls"] == [
        {
            "call": call,
            "revision": 7,
            "live": False,
            "state": "completed.by_callee",
            "started_at": "2023-11-14T22:14:20Z",
            "answered_at": "2023-11-14T22:14:22Z",
            "ended_at": "2023-11-14T22:14:54.400000Z",
            "caller": "101",
            "dialled": "102",
            "connected": "Ben's phone",
            "direction": "inside",
            "talked_seconds": pytest.approx(32.4),
            "findings": [told_calls.ONE_WAY],
        }
    ]


async def test_pages_follow_each_other_without_a_gap_or_a_call_twice(world: World) -> None:
    calls = [*world.recorded(1, 3, 5, 6), world.lives(2), world.lives(4)]
    seen: list[str] = []
    cursor = ""
    for _ in range(len(calls)):
        page = await listed(world, f"?limit=2{cursor}")
        seen += ids(page)
        if page["next"] is None:
            break
        cursor = f"&cursor={page['next']}"
    assert seen == sorted(calls, reverse=True)


async def test_a_call_that_ends_while_the_list_is_made_is_listed_once_as_over(world: World) -> None:
    (over,) = world.recorded(1)
    assert world.lives(1) == over
    page = await listed(world)
    assert [(call["call"], call["live"]) for call in page["calls"]] == [(over, False)]


async def test_calls_can_be_chosen_by_state_and_by_ending(world: World) -> None:
    talked, busy, alive = *world.recorded(1), *world.recorded(2, ending="callee.busy"), world.lives(3)
    assert ids(await listed(world, "?state=live")) == [alive]
    assert ids(await listed(world, "?state=over")) == [busy, talked]
    assert ids(await listed(world, "?ending=callee.busy")) == [busy]


CHOSEN: list[tuple[dict[str, Any], list[int]]] = [
    ({"caller": "anna"}, [1, 5]),
    ({"caller": "anna@lumen.test"}, [1, 5]),
    ({"caller": "ann"}, []),
    ({"caller": "ANNA"}, []),
    ({"caller": "+1 206 555 0199"}, [2]),
    ({"dialled": "102"}, [1, 4]),
    ({"number": "+12065550199"}, [2, 3]),
    ({"number": "102"}, [1, 4]),
    ({"number": "+12065550101"}, [2]),
    ({"direction": "in"}, [2]),
    ({"direction": "out"}, [3]),
    ({"username": "ben"}, [1, 3, 4, 5]),
    ({"username": "anna"}, [1, 2, 5]),
    ({"username": "ben", "direction": "inside", "caller": "anna"}, [1, 5]),
    ({"username": "nobody"}, []),
    ({"since": 3}, [3, 4, 5]),
    ({"until": 3}, [1, 2]),
    ({"since": 2, "until": 4, "direction": "out"}, [3]),
    ({"since": -(10**6)}, [1, 2, 3, 4, 5]),
    ({"until": -20 * 10**6}, []),
]


@pytest.mark.parametrize("alive", [False, True])
async def test_calls_can_be_chosen_by_time_and_by_who_took_part(world: World, *, alive: bool) -> None:
    """Those of now as those that are over; of another organization none."""
    told = {  # who called, what was dialled, who was reached
        1: ("anna@lumen.test", "102", "ben's telephone at 10.0.0.5:5060", "inside"),
        2: ("+12065550199", "+12065550101", None, "in"),
        3: ("ben@lumen.test", "912065550199", "+12065550199 through the sandbox", "out"),
        4: ("benjamin@lumen.test", "102", "benjamin's telephone at 10.0.0.5:5060", "inside"),
        5: ("anna@lumen.test", "100", "ben's telephone at 10.0.0.5:5060", "inside"),
    }
    ids_of = {minute: the_call(minute, world.lumen.profile.id) for minute in told}
    for of in (world.lumen, world.pine):
        for minute, parties in told.items():
            world.takes_part(minute, of, *parties, alive=alive)
    async with world.client(world.lumen.token) as client:
        for wanted, chosen in CHOSEN:
            moments = {
                each: datetime.fromtimestamp(world.started(wanted[each]), UTC).isoformat() for each in ("since", "until") if each in wanted
            }
            asked = wanted | moments
            answer = await client.get("/api/v1/calls", params=asked)
            assert answer.status_code == 200, answer.text
            assert ids(answer.json()) == [ids_of[minute] for minute in reversed(chosen)], wanted
            first = (await client.get("/api/v1/calls", params=asked | {"limit": 1})).json()
            assert bool(first["next"]) == (len(chosen) > 1)
            if first["next"]:
                second = (await client.get("/api/v1/calls", params=asked | {"limit": 1, "cursor": first["next"]})).json()
                assert ids(first) + ids(second) == [ids_of[minute] for minute in chosen[-1:-3:-1]]
                refused = await client.get("/api/v1/calls", params={"limit": 1, "cursor": first["next"]})
                assert (refused.status_code, refused.json()["field"]) == (422, "cursor")


async def test_the_provider_chooses_among_everybodys(world: World) -> None:
    provider = provider_token(world.database, KEY)
    for of in (world.lumen, world.pine):
        world.takes_part(1, of, f"anna@{of.profile.domain}", "102", None, "inside", alive=False)
    assert len((await listed(world, "?username=anna", provider))["calls"]) == 2
    assert len((await listed(world, "?caller=anna%40pine.test", provider))["calls"]) == 1


async def test_what_is_over_is_listed_although_the_switch_is_down(world: World) -> None:
    (over,) = world.recorded(1)
    world.switch.down = True
    page = await listed(world)
    assert (ids(page), page["live_known"]) == ([over], False)
    assert (await listed(world, "?state=over"))["live_known"] is True


async def explained(world: World, which: str) -> tuple[int, dict[str, Any]]:
    async with world.client(world.lumen.token) as client:
        answer = await client.get(f"/api/v1/calls/{which}")
    body: dict[str, Any] = answer.json()
    return answer.status_code, body


async def test_a_call_is_explained_by_its_id_by_its_beginning_and_as_the_last_one(world: World) -> None:
    (call,) = world.recorded(1)
    for which in (call, call[:6], call.upper(), "last"):
        status, body = await explained(world, which)
        assert status == 200
        assert body["record"]["call"] == body["explanation"]["call"] == call
    told = body["explanation"]
    assert told["headline"].startswith("101 called 102 and reached Ben's phone")
    assert told["ending"]["code"] == "completed.by_callee"
    assert len(told["ladder"]) == 13
    assert told["decisions"][2] == {"code": "number.extension_matched", "outcome": "chosen", "text": "102 is the extension of Ben Okafor"}


async def test_the_last_call_is_the_newest_whether_it_lives_or_not(world: World) -> None:
    alive = world.lives(2)
    world.recorded(1)
    assert (await explained(world, "last"))[1]["explanation"]["call"] == alive
    (newest,) = world.recorded(3)
    assert (await explained(world, "last"))[1]["explanation"]["call"] == newest


async def test_a_call_that_lives_is_explained_up_to_now(world: World) -> None:
    call = world.lives(1)
    status, body = await explained(world, call)
    assert status == 200
    assert body["record"]["live"] is True
    assert (body["explanation"]["ending"], body["explanation"]["state"]) == (None, "held")


async def test_a_call_that_ends_between_two_questions_is_found_among_the_past_ones(world: World) -> None:
    call = world.lives(1)
    world.recorded(1)
    del world.switch.traces[call]
    _, body = await explained(world, call)
    assert body["record"]["live"] is False


async def test_a_beginning_that_several_calls_share_is_refused_with_their_names(world: World) -> None:
    over, alive = *world.recorded(1), world.lives(2)
    status, body = await explained(world, over[:3])
    assert (status, body["code"], body["field"]) == (409, "thing.taken", "call")
    assert over in body["detail"]
    assert alive in body["detail"]


@pytest.mark.parametrize("which", ["zzzz", "last"])
async def test_a_call_that_is_not_there_is_missing(world: World, which: str) -> None:
    status, body = await explained(world, which)
    assert (status, body["code"]) == (404, "thing.missing")


@pytest.mark.parametrize("which", ["%25", "01_", "0" * 33])
async def test_what_can_be_no_calls_name_is_told_so(world: World, which: str) -> None:
    world.recorded(1)
    status, body = await explained(world, which)
    assert (status, body["code"], body["field"]) == (422, "value.invalid", "call")
