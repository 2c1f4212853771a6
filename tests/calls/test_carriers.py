"""A carrier that dies and comes back: who looks after the system is told, and calls to it are tried all the same."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from offhook.carriers.sandbox.carrier import SandboxCarrier
from offhook.engines.speech.prompts import Prompts
from tests.calls.stories import PATIENCE_SECONDS, registered
from tests.calls.system import System, start_system
from tests.engines.kamailio.conftest import IPV6, NEEDS_IPV6

pytestmark = pytest.mark.engines

NORTH, OUTSIDE = "127.0.3.7", "+12065550199"


@pytest.fixture(scope="module")
def asking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that asks its carriers all the time."""
    settings = {"OFFHOOK_ADDRESS6": "::1"} if IPV6 else {}
    running = start_system(tmp_path_factory.mktemp("asking") / "var", OFFHOOK_PING_CARRIERS_SECONDS="1", **settings)
    yield running
    assert running.stop() == 0, running.output.read_text()


@pytest.fixture
async def prompts(tmp_path: Path) -> AsyncIterator[Prompts]:
    """What a carrier says."""
    made = Prompts(tmp_path / "prompts")
    yield made
    await made.close()


async def carrier_at(system: System, prompts: Prompts, port: int = 0, host: str = NORTH) -> SandboxCarrier:
    edge = "::1" if ":" in host else system.plan.address
    carrier = SandboxCarrier((host, port), (edge, system.plan.edge_carrier_port), prompts, ring_seconds=0.1)
    await carrier.start()
    return carrier


def listed(system: System) -> dict[str, Any]:
    """How `offhook carriers list` tells of each."""
    done = system.offhook("carriers", "list", "--json")
    assert done.returncode == 0, done.stderr
    return {each["name"]: each for each in json.loads(done.stdout)["carriers"]}


async def becomes(system: System, state: str) -> dict[str, Any]:
    """North, once it is told so; two questions that nobody answers take twenty seconds."""
    async with asyncio.timeout(40):
        while (north := (await asyncio.to_thread(listed, system))["north"])["state"] != state:
            await asyncio.sleep(0.2)
    return dict(north)


def told(system: System) -> tuple[int, str, str]:
    """What a monitor, and whoever reads the figures, sees: the status of /healthz, its words for the carriers, and north's figure."""
    token = (system.folder / "provider.token").read_text().strip()
    with httpx.Client(base_url=system.plan.api_url, headers={"Authorization": f"Bearer {token}"}, timeout=PATIENCE_SECONDS) as client:
        health, figures = client.get("/healthz"), client.get("/metrics").text
    line = next(line for line in figures.splitlines() if line.startswith('offhook_carrier_up{carrier="north"}'))
    return health.status_code, health.json()["parts"]["carriers"]["detail"], line.split()[-1]


async def test_a_carrier_dies_and_comes_back_and_it_is_told(asking: System, prompts: Prompts) -> None:
    north = await carrier_at(asking, prompts)
    host, port = north.address
    added = await asyncio.to_thread(asking.offhook, "carriers", "add", "north", "--address", host, "--port", str(port))
    assert added.returncode == 0, added.stderr
    up = await becomes(asking, "up")
    assert up["answered"] == 200 and 0 < up["round_trip_seconds"] < 1 and up["state_at"]
    assert listed(asking)["sandbox"]["state"] == "up"
    status, words, figure = await asyncio.to_thread(told, asking)
    assert (status, words, float(figure)) == (200, "2 of 2 answered last, 0 not asked enough yet", 1)

    await north.stop()
    down = await becomes(asking, "down")
    assert down["state_at"] > up["state_at"]
    await asyncio.sleep(1.1)  # a health report is given to everybody for a second
    status, words, figure = await asyncio.to_thread(told, asking)
    assert (status, float(figure)) == (503, 0) and words.startswith("of 2 carriers 1 answered nothing twice in a row")
    doctor = await asyncio.to_thread(asking.offhook, "doctor", "--json")
    found = {each["name"]: each for each in json.loads(doctor.stdout)["findings"]}
    assert [found[name]["state"] for name in ("carriers answers", "carrier north", "carrier sandbox")] == ["failure", "failure", "ok"]
    assert found["carrier north"]["detail"].startswith("down since ") and " ms" in found["carrier sandbox"]["detail"]

    north = await carrier_at(asking, prompts, port)
    try:
        # Whatever is told of it, a call goes out by it.
        async with registered(asking.phone("anna")) as (anna,):
            call = await (await anna.dials("12065550199")).answered(PATIENCE_SECONDS)
            assert north.calls_up == 1
            await call.hangs_up()
        await becomes(asking, "up")
    finally:
        await north.stop()
        await asyncio.to_thread(asking.offhook, "carriers", "remove", "north", "--leave-none", "--yes")
    said = [line for line in asking.log("switch").splitlines() if "carrier north at" in line]
    assert [line.partition(" is ")[2].split(":")[0] for line in said] == ["up", "down", "up"]


@NEEDS_IPV6
async def test_a_carrier_over_ipv6_has_calls_both_ways_with_sound(asking: System, prompts: Prompts) -> None:
    six = await carrier_at(asking, prompts, host="::1")
    host, port = six.address
    added = await asyncio.to_thread(asking.offhook, "carriers", "add", "six", "--address", host, "--port", str(port))
    assert added.returncode == 0, added.stderr
    try:
        async with registered(asking.phone("anna")) as (anna,):
            call = await (await anna.dials("12065550199")).answered(PATIENCE_SECONDS)
            assert six.calls_up == 1
            await call.hears.speech()
            await call.hangs_up()
            coming = asyncio.create_task(six.call(OUTSIDE, "+12065550101", listen_seconds=0.2))
            await (await anna.rings(PATIENCE_SECONDS)).answers()
            assert (await coming).status == 200
    finally:
        await six.stop()
        await asyncio.to_thread(asking.offhook, "carriers", "remove", "six", "--leave-none", "--yes")
