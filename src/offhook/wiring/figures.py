"""The figures of the whole system: what the switch counts, and what the web process reads of the others whenever somebody asks."""

import asyncio
import os
import shutil
import time
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Any

from offhook import intercom
from offhook.domain.carrier_life import CarrierState
from offhook.domain.errors import Unavailable
from offhook.engines.kamailio.client import Edge, EdgeRefused
from offhook.engines.rtpengine.relay import RtpEngine
from offhook.metrics import Figures, Labels
from offhook.plan import SystemPlan
from offhook.services.health import Health
from offhook.services.ports.live import CarrierStanding, LiveSwitch
from offhook.services.ports.mailing import Verdict
from offhook.services.ports.mails import Backlog
from offhook.services.ports.registrar import RegistrarAbsent
from offhook.services.ports.store import Lag, Store
from offhook.store.records import RecordsWriter
from offhook.switch.carriers import CarrierWatch
from offhook.switch.exchange import Exchange
from offhook.switch.watch import calls_up, legs_up

_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")
_EDGE = {
    "registrations": ("offhook_registrations", "Telephones that are registered."),
    "registered_users": ("offhook_registered_users", "Users with a telephone registered."),
    "bans_now": ("offhook_bans", "Sources, and users from a source, that are banned now."),
    "memory_free": ("offhook_edge_memory_free_bytes", "Free of the memory that all processes of Kamailio share."),
    "bans": ("offhook_bans_total", "Bans since Kamailio's start."),
    "blocked": ("offhook_blocked_requests_total", "Requests of banned sources, scanners and floods since Kamailio's start."),
    "wrong_passwords": ("offhook_wrong_passwords_total", "Wrong passwords, unknown users and domains since Kamailio's start."),
    "guessed_users": ("offhook_guessed_users_total", "Users for whom many wrong passwords came within minutes, since Kamailio's start."),
    "shed": ("offhook_shed_calls_total", "Calls refused for want of room since Kamailio's start."),
    "emergencies": ("offhook_edge_emergencies_total", "Emergency calls let through unchallenged since Kamailio's start."),
}


_LAG = {
    "offhook_history_behind_organizations": ("organizations", "Organizations of whose history a reader has not taken up all."),
    "offhook_history_behind_revisions": ("revisions", "By how many revisions a reader is behind, where most."),
    "offhook_history_behind_seconds": ("seconds", "For how long the oldest change waits that a reader has not taken up."),
}


def switch_gauges(figures: Figures, exchange: Exchange, records: RecordsWriter, media: RtpEngine, carriers: CarrierWatch) -> None:
    """What is read of the switch when somebody asks. Another gauge is another line here: a name, words, and who tells the number."""
    figures.gauge("offhook_calls", "Calls that go on.", lambda: calls_up(exchange.living()), "direction", "state")
    figures.gauge("offhook_legs", "Legs of calls that go on.", lambda: legs_up(exchange.living()), "state")
    ports, words = media.ports, "Ports for sound; some of those that are free are kept for emergency calls."
    figures.gauge("offhook_rtp_ports", words, lambda: {("used",): ports.used, ("free",): ports.free}, "state")
    figures.gauge("offhook_rtp_packets_total", "Packets that rtpengine relayed since its start.", lambda: media.standing.packets)
    words = "Packets that rtpengine could not relay since its start."
    figures.gauge("offhook_rtp_packet_errors_total", words, lambda: media.standing.packet_errors)
    figures.gauge("offhook_carrier_up", "Whether a carrier answers OPTIONS.", lambda: carriers_up(carriers.told()), "carrier")
    words = "How long a carrier took for its last answer to OPTIONS."
    figures.gauge("offhook_carrier_round_trip_seconds", words, lambda: round_trips(carriers.told()), "carrier")
    figures.gauge("offhook_switch_inbox_events", "Events that wait in the inboxes of calls.", exchange.waiting)
    figures.gauge("offhook_records_waiting", "Calls that are over and not yet on disk.", records.waiting)
    figures.gauge("offhook_records_lost_total", "Calls that could not be recorded since the switch's start.", lambda: records.lost)


def carriers_up(standing: Iterable[CarrierStanding]) -> dict[Labels, float]:
    """1 or 0 of each carrier of which something is known."""
    return {(each.name,): float(each.state == CarrierState.UP) for each in standing if each.state != CarrierState.UNKNOWN}


def round_trips(standing: Iterable[CarrierStanding]) -> dict[Labels, float]:
    """Seconds, of each carrier that has ever answered."""
    return {(each.name,): each.round_trip_seconds for each in standing if each.round_trip_seconds is not None}


class SystemFigures:
    """Everybody's figures, gathered anew at each question in about two seconds at most."""

    def __init__(self, plan: SystemPlan, version: str, edge: Edge, switch: LiveSwitch, health: Health, store: Store) -> None:
        self._plan, self._edge, self._switch, self._health, self._store = plan, edge, switch, health, store
        self._figures = Figures()
        self._processes: list[dict[str, Any]] = []
        self._used: Mapping[int, tuple[float, float]] = {}
        self._counters: Mapping[str, int] = {}
        self._parts: Mapping[Labels, float] = {}
        self._ends: Mapping[Labels, float] = {}
        self._lags: Mapping[str, Lag] = {}
        self._backlog = Backlog(0, 0.0)
        gauge = self._figures.gauge
        gauge("offhook_build_info", "The version that runs.", lambda: {(version,): 1}, "version")
        gauge("offhook_part_up", "Whether a part of the system works, as /healthz says.", lambda: self._parts, "part")
        gauge("offhook_process_ready", "Whether the supervisor holds a process for ready.", lambda: self._of("state"), "process")
        gauge("offhook_process_restarts_total", "How often a process was started again.", lambda: self._of("restarts"), "process")
        gauge("offhook_process_cpu_seconds_total", "Processor time of a process and its children.", lambda: self._use(0), "process")
        gauge(
            "offhook_process_resident_bytes",
            "Memory of a process and its children; what is shared counts for each.",
            lambda: self._use(1),
            "process",
        )
        gauge("offhook_disk_free_bytes", "Free where the data folder is.", lambda: shutil.disk_usage(plan.folder).free)
        gauge("offhook_spool_bytes", "Records of calls that wait on disk for the database.", lambda: _size(plan.folder / "records.spool"))
        gauge("offhook_journal_bytes", "What ends the calls of now if the switch dies.", lambda: _size(plan.folder / "calls.journal"))
        gauge("offhook_certificate_expires_seconds", "When TLS certificates end, in seconds since 1970.", lambda: self._ends, "own")
        for name, (what, words) in _LAG.items():
            gauge(name, words, partial(self._lag, what), "consumer")
        self.mails = self._figures.counter("offhook_mail_attempts_total", "Attempts to send a mail, by what came of it.", "verdict")
        for verdict in Verdict:
            self.mails.add(verdict.value, by=0)  # from zero: a rate cannot see the first of what was not there before
        gauge("offhook_mails_waiting", "Mails that wait to be sent.", lambda: self._backlog.waiting)
        gauge("offhook_mails_waiting_seconds", "For how long the oldest mail waits.", self._mail_waits)
        for name, (metric, words) in _EDGE.items():
            gauge(metric, words, partial(self._counter, name))

    async def told(self) -> list[dict[str, Any]]:
        """Every family; those of a process that does not answer are missing, and its offhook_part_up is 0."""
        told, *_ = await asyncio.gather(self._of_switch(), self._of_edge(), self._of_supervisor(), self._of_health(), self._of_history())
        return [*await asyncio.to_thread(self.families), *told]

    def families(self) -> list[dict[str, Any]]:
        """All but the switch's, as they were gathered last."""
        return self._figures.told()

    async def _of_switch(self) -> list[dict[str, Any]]:
        try:
            return await self._switch.figures()
        except Unavailable:
            return []

    async def _of_edge(self) -> None:
        try:
            self._counters = await self._edge.counters()
        except (RegistrarAbsent, EdgeRefused):
            self._counters = {}

    async def _of_supervisor(self) -> None:
        try:
            self._processes = await intercom.ask(self._plan.supervisor_desk, "states", 2.0)
            certificates = await intercom.ask(self._plan.supervisor_desk, "certificates", 2.0)
        except (intercom.Silent, intercom.Refused):
            self._processes, certificates = [], []
        self._ends = {("yes" if each["own"] else "no",): datetime.fromisoformat(each["expires"]).timestamp() for each in certificates}
        self._used = await asyncio.to_thread(_used_by, {each["pid"] for each in self._processes if each["pid"]})

    async def _of_health(self) -> None:
        report = await self._health.report()
        self._parts = {(part.name,): float(part.ok) for part in report.parts}

    async def _of_history(self) -> None:
        try:
            self._lags, self._backlog = await asyncio.to_thread(self._read_history)
        except Unavailable:
            self._lags, self._backlog = {}, Backlog(0, 0.0)

    def _read_history(self) -> tuple[Mapping[str, Lag], Backlog]:
        with self._store.provider_view() as provider:
            return provider.lags(), provider.all_mails.backlog()

    def _mail_waits(self) -> float:
        return max(0.0, time.time() - self._backlog.oldest_at) if self._backlog.waiting else 0.0

    def _lag(self, what: str) -> dict[Labels, float]:
        return {(consumer,): float(getattr(lag, what)) for consumer, lag in self._lags.items()}

    def _counter(self, name: str) -> dict[Labels, float]:
        return {(): self._counters[name]} if name in self._counters else {}

    def _of(self, what: str) -> dict[Labels, float]:
        return {(each["name"],): float(each[what] == "ready") if what == "state" else each[what] for each in self._processes}

    def _use(self, which: int) -> dict[Labels, float]:
        return {(each["name"],): self._used[each["pid"]][which] for each in self._processes if each["pid"] in self._used}


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _used_by(groups: set[int]) -> dict[int, tuple[float, float]]:
    """Processor seconds and resident bytes of each process group, from proc(5): fields 5, 14 to 17 and 24 of stat."""
    used: dict[int, tuple[float, float]] = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
        except OSError:
            continue
        group = int(fields[2])
        if group in groups:
            seconds, resident = used.get(group, (0.0, 0.0))
            used[group] = (seconds + sum(map(int, fields[11:15])) / _TICK, resident + int(fields[21]) * _PAGE)
    return used
