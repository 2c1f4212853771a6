"""The provider makes an organization and adds a carrier, and calls go out and come in by it at once."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from offhook.carriers.sandbox.carrier import SandboxCarrier
from offhook.engines.speech.prompts import Prompts
from offhook.phones.phone import Phone
from offhook.phones.registration import Account
from tests.calls.stories import PATIENCE_SECONDS, registered
from tests.calls.system import System

pytestmark = pytest.mark.engines

NORTH, OUTSIDE = "127.0.3.1", "+12065550199"
MARIA = {"username": "maria", "name": "Maria Lopez", "password": "a few words of her own", "again": "a few words of her own"}


@pytest.fixture
async def north(system: System, tmp_path: Path) -> AsyncIterator[SandboxCarrier]:
    """A second public network, on an address of its own, which nobody has told the system of."""
    prompts = Prompts(tmp_path / "prompts")
    carrier = SandboxCarrier((NORTH, 0), (system.plan.address, system.plan.edge_carrier_port), prompts, ring_seconds=0.1)
    await carrier.start()
    yield carrier
    await carrier.stop()
    await prompts.close()


async def does(system: System, *words: str) -> dict[str, Any]:
    """What a command prints for programs."""
    done = await asyncio.to_thread(system.offhook, *words, "--json")
    assert done.returncode == 0, done.stderr
    return dict(json.loads(done.stdout))


async def administered(system: System) -> Phone:
    """The telephone of the administrator of an organization that the provider makes."""
    made = await does(system, "organizations", "add", "Maple", "--domain", "maple.test", "--country", "US", "--username", "maria")
    assert made["in_effect"]
    joined = await asyncio.to_thread(httpx.post, made["invitation"]["link"], data=MARIA, timeout=PATIENCE_SECONDS)
    token = re.search(r'<pre class="token">([^<]+)</pre>', joined.text)
    assert joined.status_code == 200 and token, joined.text
    api = httpx.Client(base_url=f"{system.plan.api_url}/api/v1", headers={"Authorization": f"Bearer {token[1]}"}, timeout=PATIENCE_SECONDS)
    with api:
        numbered = await asyncio.to_thread(api.patch, "/users/maria", json={"extension": "201", "number": "+12065550177"})
        device = await asyncio.to_thread(api.post, "/users/maria/devices", json={"name": "Desk"})
    assert numbered.is_success and device.is_success, numbered.text + device.text
    return Phone("maria", account=Account("maria", "maple.test", system.edge, device.json()["password"], "", device.json()["sip_username"]))


async def test_a_carrier_that_was_added_has_calls_both_ways_and_none_once_it_is_removed(system: System, north: SandboxCarrier) -> None:
    assert (await north.call(OUTSIDE, "+12065550101", listen_seconds=0.1)).status == 403
    host, port = north.address
    added = await does(system, "carriers", "add", "north", "--address", host, "--port", str(port))
    try:
        assert added["in_effect"] and added["carrier"]["default"]
        async with registered(await administered(system), system.phone("anna")) as (maria, anna):
            coming = asyncio.create_task(north.call(OUTSIDE, "+12065550101", listen_seconds=0.2))
            await (await anna.rings(PATIENCE_SECONDS)).answers()
            assert (await coming).status == 200
            for dialled in ("12065550199", "911"):
                call = await (await maria.dials(dialled)).answered(PATIENCE_SECONDS)
                assert north.calls_up == 1, f"{dialled} goes out by the default carrier"
                await call.hears.speech()
                await call.hangs_up()
    finally:
        await does(system, "carriers", "remove", "north", "--leave-none", "--yes")
        await does(system, "organizations", "close", "maple.test", "--give-back-numbers", "--name", "Maple")
    assert (await north.call(OUTSIDE, "+12065550101", listen_seconds=0.1)).status == 403
