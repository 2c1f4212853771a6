"""What the engines are told, from the plan of the system."""

from pathlib import Path
from typing import cast

from offhook.engines.kamailio import directory as edge_directory
from offhook.engines.kamailio.settings import EdgeSettings, Ping
from offhook.engines.rtpengine.daemon import RtpEngineSettings
from offhook.engines.rtpengine.memory import Memory
from offhook.plan import SystemPlan
from offhook.services.edge_facts import EdgeFacts

LOOPBACK = "127.0.0.1"


def edge_settings(plan: SystemPlan) -> EdgeSettings:
    """What Kamailio is told."""
    return EdgeSettings(
        address=plan.address,
        sip_port=plan.sip_port,
        carrier_port=plan.edge_carrier_port,
        inner_port=plan.edge_inner_port,
        switch_port=plan.switch_port,
        run_folder=plan.run_folder,
        database=plan.edge_database,
        secret=plan.edge_secret,
        trusted=plan.trusted,
        certificate=plan.tls_folder / "server.pem",
        sips_port=plan.sips_port,
        address6=plan.address6,
        ping=cast(Ping, plan.ping_phones),
        new_calls_per_second=plan.new_calls_per_second,
    )


def media_settings(plan: SystemPlan) -> RtpEngineSettings:
    """What rtpengine is told."""
    memory = media_memory(plan)
    return RtpEngineSettings(
        plan.address,
        plan.ng_port,
        plan.ng_tcp_port,
        plan.rtp_first,
        plan.rtp_last,
        address6=plan.address6,
        configuration=memory.engine_file if memory else None,
    )


def media_memory(plan: SystemPlan) -> Memory | None:
    """What keeps rtpengine's calls when it dies, None where it is switched off."""
    return Memory(plan.run_folder, plan.media_memory_port, plan.media_memory_secret) if plan.media_memory_port else None


def write_edge_directory(path: Path, facts: EdgeFacts) -> None:
    """Put what the edge must know into its own file; it takes it up at its start and at each reload."""
    edge_directory.write(
        path, edge_directory.Directory(facts.sign_ins, facts.emergency, facts.carriers, {int(id): at for id, at in facts.revisions.items()})
    )
