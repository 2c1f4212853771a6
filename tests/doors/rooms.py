"""The rooms behind the doors that a test can set: what goes on now. The database is a real one."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient

from offhook.domain.calls.cdr import Cdr
from offhook.domain.calls.endings import ENDINGS
from offhook.domain.calls.ids import CallId, call_id
from offhook.domain.errors import Unavailable
from offhook.domain.media import MediaFigures
from offhook.domain.organizations import Organization, OrganizationId
from offhook.metrics import Figures
from offhook.services.health import Check, Health, Unwell
from offhook.services.ports.edge import Banned, Registration
from offhook.services.ports.live import CarrierStanding, LiveCall
from offhook.services.ports.mailing import Letter, Outcome, Verdict
from offhook.services.ports.records import Trace
from offhook.services.sandbox import SandboxOrganization, SandboxSummary
from offhook.services.what_if import what_if
from offhook.store.records import RecordsWriter
from offhook.store.transaction import Database
from tests.services import told_calls

NOON_MS = 1_700_000_000_000


@dataclass
class LiveRoom:
    """A switch with the calls a test puts into it; it can be down."""

    living: list[LiveCall] = field(default_factory=list)
    traces: dict[str, Trace] = field(default_factory=dict)
    refreshed: int = 0
    followed: int = 0
    """How many follow it now."""
    down: bool = False
    held: dict[int, int] = field(default_factory=dict)
    """The revision of each organization that was taken up last."""
    configured: Callable[[OrganizationId], Organization] | None = None
    """The snapshot: how the switch sees an organization."""
    carriers_asked: list[CarrierStanding] = field(default_factory=list)
    """Whether they answer."""

    async def calls(self) -> list[LiveCall]:
        self._must_be_up()
        return list(self.living)

    async def follow(self) -> AsyncGenerator[list[LiveCall], None]:
        before = await self.calls()
        self.followed += 1
        try:
            yield before
            while True:
                await asyncio.sleep(0.005)
                now = await self.calls()
                if some := [call for call in now if call not in before]:
                    yield some
                before = now
        finally:
            self.followed -= 1

    async def trace(self, call: str) -> Trace | None:
        self._must_be_up()
        return self.traces.get(call)

    async def figures(self) -> list[dict[str, Any]]:
        self._must_be_up()
        return []

    async def carriers(self) -> list[CarrierStanding]:
        self._must_be_up()
        return self.carriers_asked

    async def what_if(self, organization: OrganizationId, caller: str, dialled: str) -> dict[str, Any]:
        self._must_be_up()
        assert self.configured is not None
        return asdict(what_if(self.configured(organization), caller, dialled))

    async def take_up(self, organization: int, revision: int) -> int:
        self._must_be_up()
        self.refreshed += 1
        self.held[organization] = revision
        return revision

    async def in_effect(self, organization: int) -> int:
        self._must_be_up()
        return self.held.get(organization, 0)

    async def refresh(self) -> int:
        self._must_be_up()
        self.refreshed += 1
        return 2

    def _must_be_up(self) -> None:
        if self.down:
            raise Unavailable("The switch does not answer.")

    def changes(self, call: str, **values: Any) -> None:
        """Something happens to a call."""
        self.living[:] = [replace(each, **values) if each.call == call else each for each in self.living]


@dataclass
class CarrierRoom:
    """A carrier that notes what it was asked to call."""

    asked: list[tuple[str, str, str, float]] = field(default_factory=list)
    report: dict[str, Any] = field(default_factory=lambda: {"answered": True, "energy": [-70.0, -20.0, -3.0], "tones": [440.0, 480.0]})

    async def call(self, from_number: str, to_number: str, digits: str, listen_seconds: float) -> dict[str, Any]:
        self.asked.append((from_number, to_number, digits, listen_seconds))
        return self.report


@dataclass
class ProbeRoom:
    """A self-test with the outcome a test gives it."""

    rows: list[dict[str, Any]] = field(default_factory=list)

    async def run(self) -> list[dict[str, Any]]:
        return self.rows


@dataclass
class EdgeRoom:
    """An edge with the registrations and bans a test gives it."""

    registered: list[Registration] = field(default_factory=list)
    banned: list[Banned] = field(default_factory=list)
    reloaded: int = 0

    async def registrations(self) -> list[Registration]:
        return list(self.registered)

    async def bans(self) -> list[Banned]:
        return list(self.banned)

    async def lift(self, address: str) -> bool:
        before = len(self.banned)
        self.banned = [ban for ban in self.banned if ban.address != address]
        return len(self.banned) < before

    async def counters(self) -> dict[str, int]:
        return {"registrations": len(self.registered)}

    async def certificates(self) -> list[dict[str, Any]]:
        return [{"name": "telephones", "subject": "offhook.test", "reloads": self.reloaded}]

    async def reload_certificates(self) -> list[dict[str, Any]]:
        self.reloaded += 1
        return await self.certificates()


@dataclass
class BodyRoom:
    """The parts of a system: those named in `ill` are unwell, with a sentence."""

    ill: dict[str, str] = field(default_factory=dict)
    asked: int = 0

    def health(self) -> Health:
        return Health({name: self._check(name) for name in ("switch", "kamailio", "disk")}, fresh=0.0)

    def _check(self, name: str) -> Check:
        async def ask() -> str:
            self.asked += 1
            if name in self.ill:
                raise Unwell(self.ill[name])
            return f"{name} is well at 10.1.2.3"

        return Check(ask, needed_for_calls=name != "disk")


@dataclass
class PostBox:
    """A mail server that notes what it was brought; `says` is what it answers."""

    brought: list[Letter] = field(default_factory=list)
    says: Outcome = field(default_factory=lambda: Outcome(Verdict.SENT))

    async def __call__(self, letter: Letter) -> Outcome:
        self.brought.append(letter)
        return self.says


@dataclass
class World:
    """Two organizations with a house around them, and the app that is its door."""

    database: Database
    sandbox: SandboxSummary
    switch: LiveRoom
    carrier: CarrierRoom
    probe: ProbeRoom
    edge: EdgeRoom
    body: BodyRoom
    figures: Figures
    app: FastAPI
    post_box: PostBox

    @property
    def lumen(self) -> SandboxOrganization:
        return self.sandbox.first

    @property
    def pine(self) -> SandboxOrganization:
        return self.sandbox.others[0]

    def client(self, token: str | None, **headers: str) -> AsyncClient:
        bearer = {"Authorization": f"Bearer {token}"} if token else {}
        # A mistake of ours must come out as a problem, as a real server lets it.
        transport = ASGITransport(app=self.app, raise_app_exceptions=False)
        return AsyncClient(transport=transport, base_url="http://offhook.test", headers=bearer | headers)

    @contextmanager
    def records(self) -> Iterator[RecordsWriter]:
        """A writer of finished calls; what it was given is on disk when the block ends."""
        writer = RecordsWriter(self.database.engine)
        yield writer
        assert writer.close() == 0

    def recorded(self, *minutes: int, of: SandboxOrganization | None = None, ending: str = "completed.by_callee") -> list[str]:
        """Calls that came so many minutes after noon and are over."""
        organization = (of or self.lumen).profile.id
        kept = [finished(minute, organization, ending) for minute in minutes]
        with self.records() as writer:
            for cdr, trace in kept:
                writer.keep(cdr, trace)
        return [cdr.call for cdr, _ in kept]

    def takes_part(
        self, minute: int, of: SandboxOrganization, caller: str, dialled: str, connected: str | None, direction: str, *, alive: bool
    ) -> None:
        """A call between these, that goes on or is over."""
        told: dict[str, Any] = {"caller": caller, "dialled": dialled, "connected": connected, "direction": direction}
        if alive:
            self.switch.changes(self.lives(minute, of), **told)
            return
        cdr, trace = finished(minute, of.profile.id, "completed.by_callee")
        with self.records() as writer:
            writer.keep(replace(cdr, **told), trace)

    def started(self, minute: int) -> float:
        """When a call began that came so many minutes after noon."""
        return NOON_MS / 1000 + 60 * minute

    def lives(self, minute: int, of: SandboxOrganization | None = None, *, answered: bool = True, caller: str = "101") -> str:
        """A call that came so many minutes after noon and goes on."""
        organization = (of or self.lumen).profile.id
        call, at = the_call(minute, organization), self.started(minute)
        live = LiveCall(call, organization, 7, at, at + 2, caller, "102", "Ben's phone", "inside", "talking")
        self.switch.living.append(live if answered else replace(live, answered_at=None, connected=None, state="calling"))
        self.switch.traces[call] = told_calls.held_now() | {"call": call, "organization": organization}
        return call


def the_call(minute: int, organization: int) -> CallId:
    """The id of an organization's call that came so many minutes after noon."""
    return call_id(NOON_MS + minute * 60_000, organization)


def finished(minute: int, organization: OrganizationId, ending: str) -> tuple[Cdr, Trace]:
    """What the switch leaves of a call of half a minute."""
    call, at = the_call(minute, organization), NOON_MS / 1000 + 60 * minute
    talked = told_calls.talked()
    cdr = Cdr(
        call, organization, 7, at, at + 2, at + 34.4, "101", "102", "Ben's phone", "inside",
        ENDINGS[ending], MediaFigures(), (told_calls.ONE_WAY,),
    )  # fmt: skip
    return cdr, talked | {"call": call, "organization": organization, "state": ending}
