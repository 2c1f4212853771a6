"""What a running system consists of and holds: processes, memory, descriptors, calls and transactions, to be compared before and after."""

import asyncio
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from offhook.engines.kamailio.client import Edge
from offhook.engines.rtpengine.client import NgClient
from offhook.intercom import ask
from offhook.wiring.engines import edge_settings
from tests.calls.system import System

DRAINED_SECONDS = 120.0
"""Longer than any transaction or unacknowledged answer lives (64 times T1 each: 32 s), one after the other."""
MEMORY_SLACK_KB = 24 * 1024
"""Per process tree: what allocators keep, measured over runs of 100,000 messages; a leak of 250 bytes a message is more."""
TOUCHED_SLACK_KB = 96 * 1024
"""Of Kamailio: what the pool of shared memory has touched once it keeps. What is in use of it is counted apart."""
SHARED_SLACK_BYTES = 2 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class Vitals:
    """One look. By process: pid, restarts, memory and open descriptors; of Kamailio that of all its processes.

    Memory is what stands in no file (PSS, kB): how much of its programs a process shares changes with whatever else runs on the machine.
    """

    pids: dict[str, int]
    restarts: dict[str, int]
    resident: dict[str, int]
    descriptors: dict[str, int]
    calls: int
    media: int
    transactions: int
    shared: int
    """Bytes of Kamailio's shared memory in use."""
    connections: int


def _children() -> dict[int, list[int]]:
    found: dict[int, list[int]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            words = stat.read_text().rpartition(")")[2].split()
            found.setdefault(int(words[1]), []).append(int(stat.parent.name))
    return found


def _tree(pid: int, children: dict[int, list[int]]) -> list[int]:
    return [pid, *(each for child in children.get(pid, ()) for each in _tree(child, children))]


def _resident(pid: int) -> int:
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        return sum(int(line.split()[1]) for line in lines if line.startswith(("Pss_Anon:", "Pss_Shmem:")))
    return 0


def _descriptors(pid: int) -> int:
    with suppress(OSError):
        return len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return 0


async def asked(system: System, method: str, *parameters: str) -> Any:
    """Kamailio's answer to one question of its control interface."""
    return await Edge(edge_settings(system.plan))._ask(method, *parameters)


async def blocked(system: System) -> int:
    """How many requests Kamailio has not answered, of floods and of the banned."""
    return (await Edge(edge_settings(system.plan)).counters())["blocked"]


async def look(system: System) -> Vitals:
    """How the system fares now."""
    states = (await asyncio.to_thread(system.api, "GET", "/status")).json()["processes"]
    plan, children = system.plan, _children()
    # Kamailio is a tree of equals; the switch's child speaks, and comes with the first words.
    trees = {each["name"]: _tree(each["pid"], children) if each["name"] == "kamailio" else [each["pid"]] for each in states}
    ng = await NgClient.connect("127.0.0.1", plan.ng_port)
    try:
        listed = await ng.ask("list", {"limit": 5000})
    finally:
        ng.close()
    return Vitals(
        pids={each["name"]: each["pid"] for each in states},
        restarts={each["name"]: each["restarts"] for each in states},
        resident={name: sum(map(_resident, tree)) for name, tree in trees.items()},
        descriptors={name: sum(map(_descriptors, tree)) for name, tree in trees.items()},
        calls=len(await ask(plan.switch_desk, "calls")),
        media=len(listed["calls"]),  # type: ignore[arg-type]
        transactions=int((await asked(system, "tm.stats"))["current"]),
        shared=int((await asked(system, "core.shmmem"))["real_used"]),
        connections=int((await asked(system, "core.tcp_info"))["opened_connections"]),
    )


def grievances(before: Vitals, after: Vitals) -> list[str]:
    """What is not as it was: nothing when all is well."""
    found = []
    if after.pids != before.pids or after.restarts != before.restarts:
        found.append(f"processes died: {before.pids} {before.restarts} became {after.pids} {after.restarts}")
    for name in ("calls", "media", "transactions", "connections"):
        was, now = getattr(before, name), getattr(after, name)
        if now > was:
            found.append(f"{name}: {was} became {now}")
    if after.shared > before.shared + SHARED_SLACK_BYTES:
        found.append(f"Kamailio's shared memory: {before.shared} became {after.shared}")
    for name, was in before.resident.items():
        if after.resident.get(name, 0) > was + (TOUCHED_SLACK_KB if name == "kamailio" else MEMORY_SLACK_KB):
            found.append(f"memory of {name}: {was} kB became {after.resident.get(name)} kB")
    for name, was in before.descriptors.items():
        # Idle connections to the pages and the database come and go.
        if after.descriptors.get(name, 0) > was + 8:
            found.append(f"descriptors of {name}: {was} became {after.descriptors.get(name)}")
    return found


async def _stories(system: System) -> str:
    """How the oldest calls that go on began, for whoever must find out why they do not end."""
    calls = await ask(system.plan.switch_desk, "calls")
    told = [await ask(system.plan.switch_desk, "trace", call=call["call"]) for call in calls[:6]]
    return "\n\n".join(_summary(story) for story in told if story)


def _summary(story: dict[str, Any]) -> str:
    first = story["messages"][0]["at"]
    messages = [f"{each['at'] - first:9.2f} {each['leg'][-1]} {each['direction']:3} {each['summary']}" for each in story["messages"]]
    steps = [f"{each['at'] - first:9.2f} {each['name']} {each['leg']}" for each in story["steps"]]
    return "\n".join([story["call"], *messages[:40], "...", *messages[-40:], *steps[-40:]])


async def settled(system: System, before: Vitals, seconds: float = DRAINED_SECONDS) -> Vitals:
    """Wait until everything is back where it was, Kamailio's transactions and what it has in use of its shared memory too.

    Raises AssertionError with what is not. A transaction whose telephone rang and never said another word is kept for 300 s.
    """
    deadline = time.monotonic() + seconds
    while found := grievances(before, after := await look(system)):
        deaths = replace(before, resident={}, descriptors={}, calls=9**9, media=9**9, transactions=9**9, connections=9**9, shared=9**15)
        assert not grievances(deaths, after), found
        if time.monotonic() >= deadline:
            left = [
                f"{call['call']} {call['state']} {call['caller']} -> {call['dialled']}"
                for call in await ask(system.plan.switch_desk, "calls")
            ]
            raise AssertionError(f"after {seconds:g} s: {'; '.join(found)}; calls: {left}; {await _stories(system)}")
        await asyncio.sleep(0.5)
    return after
