"""The whole system in the foreground: prepare the folder, decide the plan, start every process, keep them alive, take them down."""

import asyncio
import json
import logging
import os
import sys
from collections.abc import Awaitable, Callable
from dataclasses import replace
from hashlib import sha256
from logging.handlers import RotatingFileHandler
from typing import Any

from offhook import intercom
from offhook.domain.errors import Refusal
from offhook.domain.organizations import Purpose
from offhook.engines.kamailio import render
from offhook.engines.kamailio.client import Edge, EdgeRefused
from offhook.engines.kamailio.settings import EdgeMisconfigured
from offhook.engines.rtpengine.client import NgClient
from offhook.engines.rtpengine.daemon import arguments as media_arguments
from offhook.engines.rtpengine.memory import arguments as memory_arguments
from offhook.engines.rtpengine.memory import write_configuration as write_memory_configuration
from offhook.logs import write_logs
from offhook.plan import SystemPlan
from offhook.services.edge_facts import load_edge_facts
from offhook.services.invitations import invite
from offhook.services.organizations import list_organizations
from offhook.services.ports.media import MediaAbsent
from offhook.services.ports.registrar import RegistrarAbsent
from offhook.services.sandbox import SandboxOrganization, SandboxSummary, sandbox_json, seed, seed_probe
from offhook.services.tokens import provider_token
from offhook.settings import WITH_PASSWORDS, Settings, SettingsWrong, database_of, read
from offhook.store.engine import open_engine
from offhook.store.migrate import migrate
from offhook.store.transaction import Database
from offhook.supervisor.children import Child
from offhook.supervisor.datafolder import DataFolder, prepare, write_json_atomically
from offhook.supervisor.logfile import LIMIT_BYTES
from offhook.supervisor.ports import RtpBlock, check_free, claim_rtp_block, free_port
from offhook.supervisor.refusals import CannotStart
from offhook.supervisor.supervisor import Supervisor
from offhook.wiring.certificates import Certificates
from offhook.wiring.engines import LOOPBACK, edge_settings, media_memory, media_settings, write_edge_directory
from offhook.wiring.summary import summary_lines

log = logging.getLogger(__name__)

SANDBOX_HOST = "127.0.2.1"
"""The sandbox's public network has an address of its own, as a real carrier has; all of 127.0.0.0/8 is this machine's."""
SOUND_TURN_SECONDS = 0.0001
"""The turn of a CPU that rtpengine asks for: a packet takes it a fiftieth of a millisecond."""


def run() -> int:
    """Run the system until it is stopped; the exit code."""
    os.umask(0o077)  # whatever we or our children write is nobody else's to read
    try:
        settings = read(os.environ)
        for variable in WITH_PASSWORDS:
            os.environ.pop(variable, None)
        asyncio.run(_run(settings))
    except SettingsWrong as wrong:
        print(f"Settings that cannot be used:\n{wrong}", file=sys.stderr)
        return 2
    except (CannotStart, EdgeMisconfigured, Refusal) as why:
        print(f"Offhook cannot start. {why}", file=sys.stderr)
        return 1
    return 0


async def _run(settings: Settings) -> None:
    folder = prepare(settings.data_dir)
    kept = RotatingFileHandler(folder.logs / "supervisor.log", maxBytes=LIMIT_BYTES, backupCount=1)
    close_logs = write_logs("supervisor", settings.log_level, settings.log_format, kept)
    try:
        check_free(settings.address, settings.sip_port, ("udp", "tcp"), "OFFHOOK_SIP_PORT")
        check_free(settings.address, settings.sips_port, ("tcp",), "OFFHOOK_SIPS_PORT")
        check_free(settings.address, settings.http_port, ("tcp",), "OFFHOOK_HTTP_PORT")
        if settings.address6 is not None:
            check_free(settings.address6, settings.sip_port, ("udp", "tcp"), "OFFHOOK_SIP_PORT", "OFFHOOK_ADDRESS6")
            check_free(settings.address6, settings.sips_port, ("tcp",), "OFFHOOK_SIPS_PORT", "OFFHOOK_ADDRESS6")
        block = claim_rtp_block(settings.rtp_ports, avoid=(settings.sip_port,))
        try:
            await _run_in(settings, folder, block)
        finally:
            block.release()
    finally:
        close_logs()
        kept.close()
        folder.release()


async def _run_in(settings: Settings, folder: DataFolder, block: RtpBlock) -> None:
    plan = _plan(settings, folder, block)
    migrate(plan.database_url)
    store = Database(open_engine(plan.database_url))
    seeded: SandboxSummary | None = None
    if plan.sandbox:
        seeded = seed(store, folder.secret, plan.carrier_host, plan.carrier_port)
        probe = seeded.probe
    else:
        probe = seed_probe(store, folder.secret)
    plan.probe.update(_probe(probe))
    # For whoever can read this folder: the token that sees every organization's calls, and those that are nobody's.
    (folder.path / "provider.token").write_text(provider_token(store, folder.secret) + "\n")
    write_json_atomically(plan.file, plan.values())
    write_edge_directory(plan.edge_database, load_edge_facts(store, plan.off_loopback))
    certificates = Certificates(settings, plan, store, _note)
    await certificates.bring_up_to_date()
    render.write_configuration(edge_settings(plan))
    if memory := media_memory(plan):
        write_memory_configuration(memory)
    supervisor = Supervisor(_children(plan, folder), _note, hold=(folder.lock, *block.descriptors))

    async def states() -> list[Any]:
        return list(supervisor.states())

    async def ready() -> None:
        customers = [each for each in list_organizations(store) if each.purpose is Purpose.CUSTOMER]
        link = None if plan.sandbox or customers else f"{plan.api_url}/welcome/{invite(store)}"
        if seeded is not None:
            write_json_atomically(folder.sandbox_file, _sandbox_file(plan, seeded))
        for line in summary_lines(plan, seeded, link):
            _tell(line)
        for line in certificates.lines():
            _tell(line)

    async def reload_certificates() -> list[Any]:
        try:
            return await certificates.reload()
        except (CannotStart, EdgeRefused, RegistrarAbsent) as why:
            raise intercom.Refused(str(why)) from why

    questions = {"states": states, "certificates": certificates.told, "reload_certificates": reload_certificates}
    desk = await intercom.answer_at(plan.supervisor_desk, questions)
    renewals = asyncio.create_task(certificates.renew(), name="certificates")
    try:
        await supervisor.run(ready)
    finally:
        renewals.cancel()
        desk.close()


def _former_ports(folder: DataFolder) -> dict[str, int]:
    """The ports of the last start, by their names in the plan.

    Taken again where they are free: a BYE to what a killed system left goes by the ways that its calls were set up by.
    """
    try:
        former = json.loads((folder.run / "plan.json").read_text())
        return {name: port for name, port in former.items() if name.endswith("_port") and isinstance(port, int)}
    except (OSError, ValueError, AttributeError):
        return {}


def _plan(settings: Settings, folder: DataFolder, block: RtpBlock) -> SystemPlan:
    taken = {settings.sip_port, settings.sips_port, settings.http_port, *range(block.first, block.last + 1)}
    former = _former_ports(folder)

    def free(name: str, host: str, *kinds: Any) -> int:
        port = free_port(host, kinds, avoid=taken, preferred=former.get(name, 0))
        taken.add(port)
        return port

    return SystemPlan(
        data_dir=str(settings.data_dir),
        database_url=database_of(settings),
        address=settings.address,
        address6=settings.address6,
        off_loopback=not settings.is_on_loopback,
        sip_port=settings.sip_port,
        sips_port=settings.sips_port,
        http_port=settings.http_port,
        edge_carrier_port=free("edge_carrier_port", settings.address, "udp"),
        edge_inner_port=free("edge_inner_port", LOOPBACK, "udp"),
        edge_secret=sha256(b"edge" + folder.secret).hexdigest(),
        switch_port=free("switch_port", LOOPBACK, "udp"),
        ng_port=free("ng_port", LOOPBACK, "udp"),
        ng_tcp_port=free("ng_tcp_port", LOOPBACK, "tcp"),
        media_memory_port=free("media_memory_port", LOOPBACK, "tcp") if settings.media_memory else 0,
        media_memory_secret=sha256(b"media memory" + folder.secret).hexdigest(),
        rtp_first=block.first,
        rtp_last=block.last,
        carrier_host=SANDBOX_HOST,
        carrier_port=free("carrier_port", SANDBOX_HOST, "udp"),
        sandbox=settings.sandbox,
        drain_seconds=settings.drain_seconds,
        trusted=settings.trusted,
        ping_phones=settings.ping_phones,
        ping_carriers_seconds=settings.ping_carriers_seconds,
        new_calls_per_second=settings.new_calls_per_second,
        most_calls=settings.most_calls,
        most_calls_a_user=settings.most_calls_a_user,
        session_seconds=settings.session_seconds,
        follows_redirects=settings.redirects == "follow",
        offers_srtp=settings.srtp == "offered",
        log_level=settings.log_level,
        log_format=settings.log_format,
        metrics_from=settings.metrics_from,
        webhooks_to_private=settings.webhooks_to_private,
        mail_server=settings.mail_server,
        mail_from=settings.mail_from,
        public_url=settings.public_url,
        probe={},
    )


def _children(plan: SystemPlan, folder: DataFolder) -> list[Child]:
    edge = Edge(edge_settings(plan))

    async def edge_ready() -> bool:
        try:
            return bool(await edge.counters())
        except RegistrarAbsent:
            return False

    async def media_ready() -> bool:
        client = await NgClient.connect(LOOPBACK, plan.ng_port)
        try:
            return (await client.ask("ping", {})).get("result") == "pong"
        except MediaAbsent:
            return False
        finally:
            client.close()

    def ours(name: str, ready: Callable[[], Awaitable[bool]], stop_seconds: float) -> Child:
        command = (sys.executable, "-P", "-m", f"offhook.wiring.{name}", str(plan.file))
        return Child(
            name=name, arguments=command, log=folder.logs / f"{name}.log", ready=ready, ready_seconds=30, stop_seconds=stop_seconds
        )

    def engine(name: str, command: list[str], ready: Callable[[], Awaitable[bool]], package: str) -> Child:
        return Child(name=name, arguments=tuple(command), log=folder.logs / f"{name}.log", ready=ready, package=package, ready_seconds=15)

    def listens(host: str, port: int) -> Callable[[], Awaitable[bool]]:
        async def ready() -> bool:
            _, writer = await asyncio.open_connection(host, port)
            writer.close()
            return True

        return ready

    memory = media_memory(plan)

    # Stopped in reverse order: the switch drains its calls first, while the engines still carry them and the pages still tell of them.
    return [
        *([engine("redis", memory_arguments(memory), listens(LOOPBACK, memory.port), "redis-server")] if memory else []),
        replace(
            engine("rtpengine", media_arguments(media_settings(plan)), media_ready, "rtpengine-daemon"),
            turn_seconds=SOUND_TURN_SECONDS,
        ),
        engine("kamailio", render.arguments(edge_settings(plan)), edge_ready, "kamailio"),
        *([ours("carrier", _answers_at(plan.carrier_desk, "ready"), 3.0)] if plan.sandbox else []),
        ours("web", listens(plan.address, plan.http_port), 5.0),
        ours("switch", _answers_at(plan.switch_desk, "calls"), plan.drain_seconds + 5.0),
    ]


def _answers_at(desk: Any, question: str) -> Callable[[], Awaitable[bool]]:
    async def ready() -> bool:
        try:
            await intercom.ask(desk, question, timeout_seconds=1.0)
        except (intercom.Silent, intercom.Refused):
            return False
        return True

    return ready


def _probe(probe: SandboxOrganization) -> dict[str, Any]:
    users = [
        {"username": each.user.username, "password": each.password, "extension": each.user.extension, "number": each.user.number}
        for each in probe.users
    ]
    attendant = probe.attendant
    return {
        "domain": probe.profile.domain,
        "users": users,
        "attendant": {"extension": attendant.extension if attendant else None, "number": probe.attendant_number},
    }


def _sandbox_file(plan: SystemPlan, seeded: SandboxSummary) -> dict[str, Any]:
    return sandbox_json(
        seeded,
        sip_host=plan.address,
        sip_port=plan.sip_port,
        edge_host=plan.address,
        edge_port=plan.edge_carrier_port,
        api_url=plan.api_url,
    )


def _note(line: str) -> None:
    """Tell it, and keep it. What `ready` tells is not kept: links and passwords are among it."""
    log.info(line)
    _tell(line)


def _tell(line: str) -> None:
    print(line, flush=True)
