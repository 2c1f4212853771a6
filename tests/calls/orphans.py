"""After whatever happened: no engine holds anything for a call that is over."""

import asyncio
from typing import Any

from offhook.engines.kamailio.client import Edge
from offhook.engines.rtpengine.client import NgClient
from offhook.engines.rtpengine.figures import standing_of
from offhook.engines.rtpengine.memory import Memory, keys_held
from offhook.services.ports.media import MediaAbsent
from offhook.services.ports.registrar import RegistrarAbsent
from offhook.switch.desk import SwitchDesk
from offhook.switch.journal import read_journal
from offhook.wiring.engines import LOOPBACK, edge_settings, media_memory
from tests.calls.system import System

TIDY_SECONDS = 45.0
"""A BYE to a telephone that is gone is tried for 32 s (64 times T1, RFC 3261 section 17.1.2.2)."""


async def assert_nothing_is_left(system: System, seconds: float = TIDY_SECONDS) -> None:
    """No call and no port in rtpengine, nothing in its memory, no open transaction in Kamailio, no call in the switch and its journal, no
    record in its spool."""
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
        "rtpengine's memory": await _remembered(media_memory(plan)),
        "kamailio's transactions": await _transactions(system),
        "the switch's calls": await SwitchDesk(plan.switch_desk).calls(),
        "the journal": [left.entry.call for left in await asyncio.to_thread(read_journal, plan.folder / "calls.journal")],
        "the spool": (plan.folder / "records.spool").exists(),
    }


async def _media(port: int) -> Any:
    client = await NgClient.connect(LOOPBACK, port)
    try:
        calls = (await client.ask("list", {"limit": 100}))["calls"]
        ports = standing_of(await client.ask("statistics", {})).ports_used
        return calls or (f"{ports} ports" if ports else "")
    except MediaAbsent as absent:
        return str(absent)
    finally:
        client.close()


async def _remembered(memory: Memory | None) -> Any:
    try:
        return await keys_held(memory) if memory else 0
    except (OSError, ValueError) as absent:
        return repr(absent)


async def _transactions(system: System) -> Any:
    try:
        stats = await Edge(edge_settings(system.plan))._ask("tm.stats")
    except RegistrarAbsent as absent:
        return str(absent)
    # Those that wait are over, and are kept for 5 s so that a late repeat is not taken for something new.
    return int(stats["current"]) - int(stats["waiting"])
