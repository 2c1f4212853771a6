"""One user calls somebody with ten telephones, again and again, until no ports for sound are left: nobody else's call suffers."""

from contextlib import AsyncExitStack
from pathlib import Path

import httpx
import pytest

from offhook.engines.rtpengine.ports import FEWEST_RESERVED
from offhook.phones.calls import CallState
from tests.calls.orphans import assert_nothing_is_left
from tests.calls.stories import PATIENCE_SECONDS, connected, eventually, hear_each_other, registered, told
from tests.calls.system import System, start_system

pytestmark = pytest.mark.engines

FIRST, BLOCK = 39000, 100
TELEPHONES = 10
FITTING = 4
"""Calls to all of them, 22 ports each, of what the standing call leaves of 76; the last rings two."""
MOST = 6


def ports_used(system: System) -> int:
    """As the figures tell."""
    told = httpx.get(system.sandbox["api"]["url"] + "/metrics", timeout=20, trust_env=False).text
    return int(float(told.partition('offhook_rtp_ports{state="used"} ')[2].split()[0]))


async def test_a_flood_of_forks_leaves_standing_calls_and_emergency_calls_alone(tmp_path: Path) -> None:
    block = {"OFFHOOK_RTP_PORTS": f"{FIRST}-{FIRST + BLOCK - 1}", "OFFHOOK_MOST_CALLS_A_USER": str(MOST)}
    system = start_system(tmp_path / "var", **block)
    try:
        async with AsyncExitStack() as stack:
            bens = await stack.enter_async_context(registered(*(system.phone("ben") for _ in range(TELEPHONES))))
            phones = registered(system.phone("anna"), system.phone("chloe"), system.phone("paul", "pine.test"))
            anna, chloe, paul = await stack.enter_async_context(phones)
            standing = await connected(bens[0], chloe, "103")
            await hear_each_other(*standing)

            ringing = [await (await anna.dials("102")).ringing(PATIENCE_SECONDS) for _ in range(FITTING)]
            for _ in range(MOST):
                refused = await anna.dials("102")
                assert (await refused.ended(PATIENCE_SECONDS)).status == 503
            answer = await told(system, refused, "system.full")
            assert "Retry-After: 5" in "".join(message["text"] for message in answer["explanation"]["messages"])
            assert ports_used(system) == BLOCK - FEWEST_RESERVED
            rung = sorted(sum(call.invite is not None for call in ben.calls) for ben in bens)
            assert rung.count(FITTING) == 2 and rung.count(FITTING - 1) == TELEPHONES - 2, rung

            desk = await (await paul.dials("911")).answered(PATIENCE_SECONDS)
            await desk.hears.speech(PATIENCE_SECONDS)
            assert ports_used(system) == BLOCK - FEWEST_RESERVED + 4, "the call for help goes through the relay"
            await hear_each_other(*standing)
            assert all(call.state is not CallState.ENDED for call in (*ringing, *standing))
            for call in (*ringing, desk, standing[0]):
                await call.hangs_up(PATIENCE_SECONDS)
            await assert_nothing_is_left(system)
            await eventually(lambda: not ports_used(system), "every port is free again")
    finally:
        assert system.stop() == 0, system.output.read_text()


async def test_a_user_who_makes_too_many_calls_is_told_so(tmp_path: Path) -> None:
    system = start_system(tmp_path / "var", OFFHOOK_MOST_CALLS_A_USER="1")
    try:
        async with registered(system.phone("anna"), system.phone("ben"), system.phone("chloe")) as (anna, ben, chloe):
            call, _ = await connected(anna, ben, "102")
            refused = await anna.dials("103")
            assert (await refused.ended(PATIENCE_SECONDS)).status == 403
            await told(system, refused, "caller.too_many_calls")
            assert not chloe.calls
            desk = await (await anna.dials("911")).answered(PATIENCE_SECONDS)
            await desk.hears.speech(PATIENCE_SECONDS)
            await connected(chloe, ben, "102")
            await call.hangs_up()
            await connected(anna, chloe, "103")
    finally:
        assert system.stop() == 0, system.output.read_text()
