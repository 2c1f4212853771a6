"""The web process: pages and API."""

import asyncio
from typing import Any

import uvicorn

from offhook import __version__, intercom
from offhook.carriers.sandbox.desk import CarrierDesk
from offhook.domain.errors import Unavailable
from offhook.doors.api.app import create_app
from offhook.doors.api.house import House
from offhook.engines.kamailio.client import Edge
from offhook.engines.post.client import Poster
from offhook.engines.rtpengine.client import NgClient
from offhook.plan import SystemPlan
from offhook.probes.errand import Errand
from offhook.services.deliveries import Deliverer
from offhook.services.events import LiveEvents
from offhook.services.jobs import Clerk
from offhook.services.leaving import empty_for_ever
from offhook.services.ports.registrar import RegistrarAbsent
from offhook.services.postman import Postman, stop_reading
from offhook.services.sealing import Sealing
from offhook.store.engine import open_engine
from offhook.store.transaction import Database
from offhook.switch.desk import SwitchDesk
from offhook.wiring.edge_office import KamailioOffice
from offhook.wiring.engines import LOOPBACK, edge_settings
from offhook.wiring.figures import SystemFigures
from offhook.wiring.health import system_health
from offhook.wiring.mail import mail_room
from offhook.wiring.process import run_process

HEALTH_BUSY_SECONDS = 0.5
"""How long the question whether the database can be written waits for somebody else's write."""


async def run_web(plan: SystemPlan) -> None:
    """Serve until SIGTERM, which uvicorn hears itself."""

    edge = Edge(edge_settings(plan))

    async def status() -> dict[str, Any]:
        try:
            processes = await intercom.ask(plan.supervisor_desk, "states")
        except intercom.Silent as silent:
            raise Unavailable("The supervisor does not answer; the system is being stopped, or was started in parts.") from silent
        return {"processes": processes, "engines": [await _edge(edge)], "ports": _ports(plan)}

    store, switch = Database(open_engine(plan.database_url)), SwitchDesk(plan.switch_desk)
    ng = await NgClient.connect(LOOPBACK, plan.ng_port)
    health = system_health(plan, edge, ng, Database(open_engine(plan.database_url, busy_seconds=HEALTH_BUSY_SECONDS)))
    figures, room = SystemFigures(plan, __version__, edge, switch, health, store), mail_room(plan)
    sealing = Sealing((plan.folder / "secret.key").read_bytes(), "webhooks")
    house = House(
        store=store,
        switch=switch,
        carrier=CarrierDesk(plan.carrier_desk),
        selftest=Errand(plan.file),
        status=status,
        edge=KamailioOffice(plan, edge),
        health=health,
        figures=figures.told,
        metrics_from=plan.metrics_from,
        version=__version__,
        sip_address=f"{plan.address}:{plan.sip_port}",
        jobs=Clerk(store, switch),
        sealing=sealing,
        live_events=LiveEvents(switch, store),
        mail_room=room,
    )
    deliverer = Deliverer(store, switch, Poster(to_private=plan.webhooks_to_private, own=plan.addresses), sealing)
    mail = stop_reading(store) if room is None else Postman(store, room, told=figures.mails).run()
    beside = {"jobs": house.jobs.run(), "webhooks": deliverer.run(), "leaving": empty_for_ever(store), "mail": mail}
    tasks = [asyncio.create_task(work, name=name) for name, work in beside.items()]
    try:
        await uvicorn.Server(_served(house, plan)).serve()
    finally:
        for task in tasks:
            task.cancel()
        # Mail that is being handed over is noted as sent, or the next start would send it again.
        await asyncio.gather(*tasks, return_exceptions=True)


def _served(house: House, plan: SystemPlan) -> uvicorn.Config:
    return uvicorn.Config(
        create_app(house),
        host=plan.address,
        port=plan.http_port,
        log_config=None,  # its lines go where ours go
        log_level="warning",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=2,
    )


async def _edge(edge: Edge) -> dict[str, Any]:
    try:
        return {"name": "kamailio", "answers": True, **await edge.counters()}
    except RegistrarAbsent:
        return {"name": "kamailio", "answers": False}


def _ports(plan: SystemPlan) -> list[dict[str, Any]]:
    return [
        {"name": "telephones (SIP, UDP and TCP)", "address": f"{plan.address}:{plan.sip_port}"},
        {"name": "carriers (SIP, UDP)", "address": f"{plan.address}:{plan.edge_carrier_port}"},
        {"name": "sound (RTP, UDP)", "address": f"{plan.address}:{plan.rtp_first}-{plan.rtp_last}"},
        {"name": "pages and API (HTTP)", "address": f"{plan.address}:{plan.http_port}"},
    ]


if __name__ == "__main__":
    run_process(run_web)
