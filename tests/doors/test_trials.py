"""Calls made to see whether the system works, and how it stands."""

import asyncio
from typing import Any

from tests.doors.rooms import World

PASSED = {"name": "register", "passed": True, "skipped": False, "seconds": 0.2, "detail": "two telephones registered"}
FAILED = PASSED | {"name": "hold", "passed": False, "detail": "no music was heard"}
SKIPPED = PASSED | {"name": "carrier", "passed": False, "skipped": True, "detail": "there is no sandbox carrier"}


async def test_a_sandbox_call_is_made_as_asked_and_its_report_handed_on(world: World) -> None:
    body = {"from": "+1 206-555-0199", "to": "+12065550100", "digits": "1,2#", "listen_seconds": 2.5}
    async with world.client(world.lumen.token) as client:
        answer = await client.post("/api/v1/sandbox/calls", json=body)
    assert answer.json() == world.carrier.report
    assert world.carrier.asked == [("+12065550199", "+12065550100", "1,2#", 2.5)]


async def selftested(world: World, *rows: dict[str, Any]) -> bool:
    world.probe.rows = list(rows)
    async with world.client(world.lumen.token) as client:
        result = (await client.post("/api/v1/selftest")).json()
    assert result["rows"] == list(rows)
    passed: bool = result["passed"]
    return passed


async def test_a_self_test_passes_only_when_something_was_tried_and_all_of_it_worked(world: World) -> None:
    assert await selftested(world, PASSED, PASSED)
    assert await selftested(world, PASSED, SKIPPED)
    assert not await selftested(world, PASSED, FAILED)
    assert not await selftested(world, SKIPPED)
    assert not await selftested(world)


async def test_only_one_self_test_runs_at_a_time_and_the_next_one_may_follow(world: World) -> None:
    begun, goes_on = asyncio.Event(), asyncio.Event()

    async def slow() -> list[dict[str, Any]]:
        begun.set()
        await goes_on.wait()
        return [PASSED]

    world.probe.run = slow  # type: ignore[method-assign]
    async with world.client(world.lumen.token) as client:
        first = asyncio.create_task(client.post("/api/v1/selftest"))
        await begun.wait()
        second = await client.post("/api/v1/selftest")
        goes_on.set()
        assert (await first).json()["passed"]
        third = await client.post("/api/v1/selftest")
    assert (second.status_code, second.json()["code"]) == (409, "selftest.running")
    assert third.json()["passed"]


async def test_the_status_tells_processes_engines_and_ports(world: World) -> None:
    async with world.client(world.lumen.token) as client:
        status = (await client.get("/api/v1/status")).json()
    assert status["version"] == "0.1.0"
    assert [row["name"] for name in ("processes", "engines", "ports") for row in status[name]] == ["switch", "rtpengine", "telephones"]


async def test_health_needs_no_token_and_no_other_room(world: World) -> None:
    world.switch.down = True
    async with world.client(None) as client:
        assert (await client.get("/api/v1/healthz")).json() == {"status": "ok"}
