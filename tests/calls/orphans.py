"""After whatever happened: no engine holds anything for a call that is over."""

import asyncio
from typing import Any

from offhook.engines.kamailio.client import Edge
from offhook.engines.rtpengine.client import NgClient
from offhook.services.ports.media import MediaAbsent
from offhook.services.ports.registrar import RegistrarAbsent
from offhook.switch.desk import SwitchDesk
from offhook.switch.journal import read_journal
from offhook.wiring.engines import LOOPBACK, edge_settings
from tests.calls.system import System

TIDY_SECONDS = 45.0
"""A BYE to a telephone that is gone is tried for 32 s (64 times T1, RFC 3261 section 17.1.2.2)."""


async def assert_nothing_is_left(system: System, seconds: float = TIDY_SECONDS) -> None:
    """No call in rtpengine, no open transaction in Kamailio, none in the switch, none in its journal, no record in its spool."""
    left: dict[str, Any] = {"": "never asked"}
    try:
        async with asyncio.timeout(seconds):
            while left := {name: what for name, what in (await what_is_left(system)).items() if what}:
                await asyncio.sleep(0.1)
    except TimeoutError:
        raise AssertionError(f"left after {seconds:g} s: {left}") from None


async def what_is_left(system: System) -> dict[str, Any]:
    """Of each engine what it holds for calls; empty values where there is nothing, a sentence where nobody answers."""
    plan = system.plan
    return {
        "rtpengine's calls": await _media(plan.ng_port),
        "kamailio's transactions": await _transactions(system),
        "the switch's calls": await SwitchDesk(plan.switch_desk).calls(),
        "the journal": [left.entry.call for left in await asyncio.to_thread(read_journal, plan.folder / "calls.journal")],
        "the spool": (plan.folder / "records.spool").exists(),
    }


async def _media(port: int) -> Any:
    client = await NgClient.connect(LOOPBACK, port)
    try:
        return (await client.ask("list", {"limit": 100}))["calls"]
    except MediaAbsent as absent:
        return str(absent)
    finally:
        client.close()


async def _transactions(system: System) -> Any:
    try:
        stats = await Edge(edge_settings(system.plan))._ask("tm.stats")
    except RegistrarAbsent as absent:
        return str(absent)
    # Those that wait are over, and are kept for 5 s so that a late repeat is not taken for something new.
    return int(stats["current"]) - int(stats["waiting"])
