"""The switch process."""

import asyncio
import logging
import secrets
import time

from offhook.domain.calls.ids import call_id
from offhook.engines.kamailio.client import Edge
from offhook.engines.rtpengine.client import NgClient
from offhook.engines.rtpengine.digits import DigitLine
from offhook.engines.rtpengine.relay import RtpEngine
from offhook.engines.signalling.line import EdgeLine
from offhook.engines.speech.prompts import Prompts
from offhook.plan import SystemPlan
from offhook.services.ports.store import Store
from offhook.services.snapshot import Snapshot, load
from offhook.sip.addresses import Address
from offhook.store.engine import open_engine
from offhook.store.records import RecordsWriter
from offhook.store.transaction import Database
from offhook.switch.desk import open_desk
from offhook.switch.exchange import Exchange
from offhook.switch.executor import Executor
from offhook.wiring.engines import LOOPBACK, edge_settings, write_edge_directory
from offhook.wiring.process import asked_to_stop, run_process

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 2.0
"""How often the switch looks for changes nobody told it of (the web process tells; this is for the day it could not)."""


class _Held:
    """The configuration the switch acts on, and how it is replaced."""

    def __init__(self, plan: SystemPlan, store: Store, edge: Edge) -> None:
        self._plan, self._store, self._edge = plan, store, edge
        self._taking_up = asyncio.Lock()
        self.snapshot = load(store, plan.off_loopback)

    async def refresh(self) -> int:
        """Take up the database's state: the switch's snapshot first, then the edge's passwords; the number of organizations."""
        async with self._taking_up:
            self.snapshot = await asyncio.to_thread(load, self._store, self._plan.off_loopback)
            await asyncio.to_thread(write_edge_directory, self._plan.edge_database, self.snapshot.edge)
            await self._edge.reload()
            return len(self.snapshot.organizations)

    async def look_again(self) -> None:
        """For ever: notice changes that nobody told of."""
        while True:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            try:
                if await asyncio.to_thread(self._changed):
                    await self.refresh()
            except Exception:
                log.exception("changes of the configuration could not be taken up; the calls go on with what is held")

    def _changed(self) -> bool:
        with self._store.provider_view() as provider:
            now = {profile.id: profile.revision for profile in provider.organizations.all()}
        return now != {organization.id: organization.revision for organization in self.snapshot.organizations.values()}


async def run_switch(plan: SystemPlan) -> None:
    """The switch process: until SIGTERM, and then until its calls are drained."""
    engine = open_engine(plan.database_url)
    edge, records = Edge(edge_settings(plan)), RecordsWriter(engine)
    held = _Held(plan, Database(engine), edge)
    ng, prompts = await NgClient.connect(LOOPBACK, plan.ng_port), Prompts(plan.folder / "prompts")
    wired: list[Executor] = []
    exchange = Exchange(lambda: wired[0], records)
    line = EdgeLine(
        local=Address(LOOPBACK, plan.switch_port),
        edge=Address(LOOPBACK, plan.edge_inner_port),
        deliver=exchange.deliver,
        observe=exchange.observe,
        new_call=lambda: call_id(time.time_ns() // 1_000_000, secrets.randbits(30)),
        tokens=lambda: secrets.token_hex(8),
    )
    wired.append(Executor(line, RtpEngine(ng), edge, prompts, prompts, lambda: held.snapshot))
    digits = DigitLine(LOOPBACK, plan.ng_tcp_port, exchange.heard)
    tasks = [asyncio.create_task(digits.listen(), name="digits"), asyncio.create_task(held.look_again(), name="changes")]
    await line.open()
    desk = await open_desk(plan.switch_desk, exchange, held.refresh)
    warmed = asyncio.create_task(_speak_ahead(prompts, held.snapshot), name="prompts")
    await asked_to_stop()
    await exchange.drain(plan.drain_seconds)
    for task in (*tasks, warmed):
        task.cancel()
    desk.close()
    line.close()
    ng.close()
    await prompts.close()
    await asyncio.to_thread(records.close)


async def _speak_ahead(prompts: Prompts, snapshot: Snapshot) -> None:
    """Make the greetings before the first caller waits for them."""
    for organization in snapshot.organizations.values():
        for attendant in organization.attendants.values():
            try:
                await prompts.say(attendant.greeting, attendant.language, "PCMU")
            except Exception as why:
                log.warning("the greeting of %s (%s) cannot be spoken: %s", attendant.name, organization.domain, why)


if __name__ == "__main__":
    run_process(run_switch)
