"""Which parts of the system are asked whether they work, and how."""

import asyncio
import os
import shutil
from collections.abc import Awaitable, Callable
from typing import Any

from offhook import intercom
from offhook.domain.carrier_life import CarrierState
from offhook.domain.errors import Unavailable
from offhook.engines.kamailio.client import Edge, EdgeRefused
from offhook.engines.rtpengine.client import NgClient
from offhook.engines.rtpengine.memory import Memory, keys_held
from offhook.plan import SystemPlan
from offhook.services.health import Check, Health, Unwell
from offhook.services.ports.media import MediaAbsent
from offhook.services.ports.registrar import RegistrarAbsent
from offhook.store.transaction import Database
from offhook.wiring.engines import media_memory

LEAST_FREE_BYTES = 200_000_000
"""Below this the disk counts as full: logs (up to 20 MB a process), prompts and the database need room to go on."""

_READY = "ready"


def system_health(plan: SystemPlan, edge: Edge, ng: NgClient, store: Database) -> Health:
    """The health of a running system, as the web process sees it."""
    checks = {
        "processes": Check(lambda: _processes(plan)),
        "switch": Check(lambda: _switch(plan), needed_for_calls=True),
        "kamailio": Check(lambda: _kamailio(edge), needed_for_calls=True),
        "rtpengine": Check(lambda: _rtpengine(ng), needed_for_calls=True),
        "database": Check(lambda: asyncio.to_thread(_database, store)),
        "disk": Check(lambda: asyncio.to_thread(_disk, plan)),
    }
    if memory := media_memory(plan):
        checks["redis"] = Check(lambda: _memory(memory))
    if plan.ping_carriers_seconds:
        checks["carriers"] = Check(lambda: _carriers(plan))
    if plan.sandbox:
        checks["carrier"] = Check(_answering(plan.carrier_desk, "ready"))
    return Health(checks)


async def _processes(plan: SystemPlan) -> str:
    try:
        states = await intercom.ask(plan.supervisor_desk, "states")
    except (intercom.Silent, intercom.Refused) as silent:
        raise Unwell(f"the supervisor does not answer ({silent}); processes that die are not started again") from silent
    away = [f"{each['name']} is {each['state']}" for each in states if each["state"] != _READY]
    if away:
        raise Unwell(f"{', '.join(away)}; see the log of that process")
    return f"{len(states)} processes are ready"


async def _switch(plan: SystemPlan) -> str:
    try:
        standing: dict[str, Any] = await intercom.ask(plan.switch_desk, "standing")
    except (intercom.Silent, intercom.Refused) as silent:
        raise Unwell(f"the switch does not answer ({silent}); no call can be made") from silent
    if standing["drains"]:
        raise Unwell("the switch is being stopped and takes emergency calls only")
    if standing["lost"]:
        raise Unwell(f"{standing['lost']} calls could not be recorded since the switch's start; switch.log has each of them")
    return f"{standing['calls']} calls, {standing['waiting']} events wait"


async def _carriers(plan: SystemPlan) -> str:
    """Without names: an organization's token sees the words, and carriers are the provider's."""
    try:
        states = [each["state"] for each in await intercom.ask(plan.switch_desk, "carriers")]
    except (intercom.Silent, intercom.Refused) as silent:
        raise Unwell(f"the switch, which asks them, does not answer ({silent})") from silent
    if down := states.count(CarrierState.DOWN):
        raise Unwell(f"of {len(states)} carriers {down} answered nothing twice in a row; offhook carriers list says which")
    return f"{states.count(CarrierState.UP)} of {len(states)} answered last, {states.count(CarrierState.UNKNOWN)} not asked enough yet"


async def _kamailio(edge: Edge) -> str:
    try:
        counters = await edge.counters()
    except (RegistrarAbsent, EdgeRefused) as absent:
        raise Unwell(str(absent)) from absent
    return f"{counters['registrations']} registrations"


async def _rtpengine(ng: NgClient) -> str:
    try:
        answer = (await ng.ask("ping", {})).get("result")
    except MediaAbsent as absent:
        raise Unwell(str(absent)) from absent
    if answer != "pong":
        raise Unwell(f"rtpengine answered a ping with {answer!r}")
    return "answers"


async def _memory(memory: Memory) -> str:
    try:
        return f"{await keys_held(memory)} entries"
    except (OSError, ValueError) as absent:
        raise Unwell(f"redis does not answer ({absent}); calls do not outlive a death of rtpengine now") from absent


def _database(store: Database) -> str:
    """Takes the lock that every change needs, and lets go of it: a file that can only be read is found out."""
    try:
        with store.provider_change("health") as provider:
            organizations = len(provider.organizations.revisions())
    except Unavailable as away:
        raise Unwell(away.explanation) from away
    return f"can be written, {organizations} organizations"


def _disk(plan: SystemPlan) -> str:
    free = shutil.disk_usage(plan.folder).free
    if not os.access(plan.folder, os.W_OK):
        raise Unwell(f"{plan.folder} cannot be written")
    if free < LEAST_FREE_BYTES:
        raise Unwell(f"{free // 1_000_000} MB are free where {plan.folder} is, less than {LEAST_FREE_BYTES // 1_000_000}; make room")
    return f"{free // 1_000_000} MB free"


def _answering(desk: Any, question: str) -> Callable[[], Awaitable[str]]:
    async def ask() -> str:
        try:
            await intercom.ask(desk, question)
        except (intercom.Silent, intercom.Refused) as silent:
            raise Unwell(str(silent)) from silent
        return "answers"

    return ask
