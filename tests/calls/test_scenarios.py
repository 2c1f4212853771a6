"""The self-test's own scenarios, played against a system of the tests."""

import pytest

from offhook.probes.scenarios import SCENARIOS
from offhook.wiring.probe import stage_of
from tests.calls.system import System

pytestmark = pytest.mark.engines


@pytest.mark.parametrize("name", SCENARIOS)
async def test_scenario(system: System, name: str) -> None:
    assert await SCENARIOS[name].play(stage_of(system.plan))
