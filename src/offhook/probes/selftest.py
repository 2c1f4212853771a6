"""Plays the scenarios one after the other and tells how each went."""

import asyncio
import time
from collections.abc import AsyncIterator
from typing import Any

from offhook.probes.scenarios import SCENARIOS, Scenario
from offhook.probes.stage import Stage

LONGEST_SECONDS = 90.0
"""No scenario may take longer; it has failed then."""


async def play_all(stage: Stage) -> AsyncIterator[dict[str, Any]]:
    """One row a scenario (see services.ports.live.SelfTest), as each is over. A failure stops only its own scenario."""
    for name, scenario in SCENARIOS.items():
        if scenario.needs_carrier and stage.call_in is None:
            yield _row(name, scenario, 0.0, skipped="there is no sandbox carrier, and real ones are not called for a test")
            continue
        began = time.monotonic()
        try:
            async with asyncio.timeout(LONGEST_SECONDS):
                detail = await scenario.play(stage)
        except Exception as wrong:
            first = str(wrong).partition("\n")[0]
            yield _row(name, scenario, time.monotonic() - began, failed=f"{type(wrong).__name__}: {first}")
        else:
            yield _row(name, scenario, time.monotonic() - began, detail)


def _row(name: str, scenario: Scenario, seconds: float, detail: str = "", *, failed: str = "", skipped: str = "") -> dict[str, Any]:
    return {
        "name": name,
        "words": scenario.words,
        "passed": not failed and not skipped,
        "skipped": bool(skipped),
        "seconds": round(seconds, 2),
        "detail": failed or skipped or detail,
    }
