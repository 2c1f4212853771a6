"""The configuration that the switch acts on: held in memory, brought up to date with what was touched, and copied beside the database."""

import asyncio
import gc
import logging
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine

from offhook.domain.errors import Missing, Unavailable
from offhook.domain.organizations import Organization, OrganizationId
from offhook.engines.kamailio.client import Edge, EdgeRefused
from offhook.plan import SystemPlan
from offhook.services.edge_facts import sign_ins_of
from offhook.services.letting_go import FEW, Versions, take_apart
from offhook.services.ports.delta import Delta
from offhook.services.ports.registrar import RegistrarAbsent
from offhook.services.ports.store import CarrierEntry, Configured, Profile
from offhook.services.snapshot import Snapshot, given_up, load, organization_of, taken_in, taken_up, with_carriers
from offhook.store.copy import follow
from offhook.store.transaction import Database
from offhook.wiring.edge_directory import EdgeDirectory

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 2.0
"""How often the switch looks for changes nobody told it of (the web process tells; this is for the day it could not)."""
ORGANIZATIONS_AT_ONCE = 50
"""So many cursors are moved in one transaction: others wait to write meanwhile."""


class Configuration:
    """What is held now is `snapshot`. A switch that starts while the database is away holds the copy of what was last in effect.

    Raises Unavailable when there is neither database nor copy.
    """

    def __init__(self, plan: SystemPlan, engine: Engine, edge: Edge) -> None:
        self._engine, self._store = engine, Database(engine)
        self._copy = plan.folder / "configuration.sqlite"
        self._edge = EdgeDirectory(plan, edge)
        self._turn = asyncio.Lock()
        self._away = False
        self._versions: dict[OrganizationId, Versions] = {}
        self._taking_apart: set[asyncio.Task[None]] = set()
        with loading():
            self.snapshot = self._first()
        self._note_versions(self.snapshot.organizations)
        self._unnoted: set[OrganizationId] = set(self.snapshot.organizations)
        self._to_note = asyncio.Event()

    def _first(self) -> Snapshot:
        try:
            return load(self._store)
        except Unavailable as away:
            copy = Database.at(f"sqlite:///{self._copy}")
            try:
                snapshot = load(copy)
            except Unavailable:
                raise away from None
            finally:
                copy.close()
            log.error("%s Calls go on with the configuration that was last in effect.", away)
            self._away = True
            return snapshot

    async def take_up(self, organization: int, revision: int) -> int:
        """See services.ports.live.LiveSwitch."""
        id = OrganizationId(organization)
        async with self._turn:
            # Others who waited here may have had it taken up with their own change.
            if self._in_effect(id) < revision:
                await self._follow(id)
            return self._in_effect(id)

    async def in_effect(self, organization: int) -> int:
        """See services.ports.live.LiveSwitch."""
        return self._in_effect(OrganizationId(organization))

    async def refresh(self) -> int:
        """See services.ports.live.LiveSwitch."""
        async with self._turn:
            revisions, carriers = await asyncio.to_thread(self._standing)
            if carriers != self.snapshot.carriers:
                self.snapshot = await asyncio.to_thread(with_carriers, self.snapshot, carriers)
                self._note_versions(self.snapshot.organizations)
                self._mark(())
            held = {*self.snapshot.organizations, *self._edge.known()}
            for id in held - revisions.keys():
                await self._give_up(id)
            for id, revision in revisions.items():
                if self._in_effect(id) != revision:
                    await self._follow(id)
            await self._edge.carriers(carriers)
            return len(self.snapshot.organizations)

    async def look_again(self) -> None:
        """For ever: notice changes that nobody told of, and note how far we have come."""
        noting = asyncio.create_task(self._note_for_ever(), name="cursors")
        self._to_note.set()
        try:
            while True:
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
                await self._look()
        finally:
            noting.cancel()

    async def _look(self) -> None:
        try:
            await self.refresh()
            if self._away:
                self._away = False
                self._to_note.set()
                log.warning("the database is back")
        except Unavailable as why:
            if not self._away:
                log.warning("changes of the configuration could not be taken up; the calls go on with what is held: %s", why)
            self._away = True
        except (RegistrarAbsent, EdgeRefused) as why:
            log.warning("the edge could not take up changes of the configuration; it is asked again: %s", why)
        except Exception:
            log.exception("changes of the configuration could not be taken up; the calls go on with what is held")

    def _in_effect(self, id: OrganizationId) -> int:
        known = self.snapshot.organizations.get(id)
        return min(known.revision, self._edge.at(id)) if known else 0

    async def _follow(self, id: OrganizationId) -> None:
        """Have one organization as the database has it now: the switch first, then the edge."""
        since = self._in_effect(id)
        try:
            await self._bring(id, since)
        finally:
            self._mark((id,))

    async def _bring(self, id: OrganizationId, since: int) -> None:
        try:
            if since and await self._follow_since(id, since):
                return
            configured, organization = await asyncio.to_thread(self._whole, id)
        except Missing:
            await self._give_up(id)
            return
        await self._replace(id, lambda snapshot: taken_in(snapshot, organization))
        self._note_versions((id,))
        await self._edge.take_in(configured.profile, sign_ins_of(configured))

    async def _follow_since(self, id: OrganizationId, since: int) -> bool:
        """False when the database is not where we were: somebody put an earlier one in its place."""

        def read() -> tuple[Profile, Delta | None]:
            with self._store.view(id) as transaction:
                profile = transaction.profile()
                return profile, transaction.delta(since) if profile.revision >= max(known.revision, self._edge.at(id)) else None

        known = self.snapshot.organizations[id]
        with uncollected() as made:
            profile, delta = await asyncio.to_thread(read)
            if delta is None:
                return False
            self.snapshot = await asyncio.to_thread(taken_up, self.snapshot, profile, delta)
            made.many = len(delta.users) + len(delta.numbers) > FEW
        self._note_versions((id,))
        await self._edge.take_up(profile, delta.sign_ins)
        return True

    async def _give_up(self, id: OrganizationId) -> None:
        await self._replace(id, lambda snapshot: given_up(snapshot, id))
        await self._edge.give_up(id, self.snapshot.by_domain.keys())
        self._mark((id,))

    async def _replace(self, id: OrganizationId, change: Callable[[Snapshot], Snapshot]) -> None:
        """Hold another snapshot, in which nothing is left of an organization as it was; what that had is let go of slowly."""
        versions = self._versions.pop(id, Versions())
        if maps := versions.maps():
            maps.append(self.snapshot.numbers)
        with uncollected() as made:
            self.snapshot = await asyncio.to_thread(change, self.snapshot)
            made.many = True
        if maps:
            task = asyncio.create_task(self._take_apart(versions, maps), name="letting go")
            self._taking_apart.add(task)
            task.add_done_callback(self._taking_apart.discard)

    async def let_go(self) -> None:
        """Until all that was large is taken apart."""
        while self._taking_apart:
            await asyncio.wait(self._taking_apart)

    async def _take_apart(self, versions: Versions, maps: list[Mapping[Any, Any]]) -> None:
        while versions.used:  # noqa: ASYNC110 - who uses it last tells nobody
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
        with uncollected():
            await asyncio.to_thread(take_apart, maps)

    def _note_versions(self, ids: Iterable[OrganizationId]) -> None:
        for id in ids:
            self._versions.setdefault(id, Versions()).note(self.snapshot.organizations[id])

    def _mark(self, touched: Iterable[OrganizationId]) -> None:
        """What these organizations have come to is still to be noted."""
        self._unnoted.update(touched)
        self._to_note.set()

    def _standing(self) -> tuple[dict[OrganizationId, int], tuple[CarrierEntry, ...]]:
        with self._store.provider_view() as provider:
            return provider.organizations.revisions(), tuple(provider.carriers.all())

    def _whole(self, id: OrganizationId) -> tuple[Configured, Organization]:
        with self._store.view(id) as transaction:
            configured = transaction.configured()
        return configured, organization_of(configured, self.snapshot.carriers)

    async def _note_for_ever(self) -> None:
        """Move our cursors and bring the copy up to date, after whoever waits for an answer has it."""
        while True:
            await self._to_note.wait()
            self._to_note.clear()
            noted, self._unnoted = self._unnoted, set()
            try:
                await asyncio.to_thread(self._note, noted)
            except (Unavailable, OSError) as why:
                self._unnoted |= noted
                if not self._away:
                    log.warning("how far the switch has come was not noted, or not copied to %s; it is tried again: %s", self._copy, why)
                await asyncio.sleep(LOOK_AGAIN_SECONDS)
                self._to_note.set()
            except Exception:
                log.exception("how far the switch has come could not be noted")

    def _note(self, touched: set[OrganizationId]) -> None:
        ids = sorted(touched.intersection(self.snapshot.organizations))
        for start in range(0, len(ids), ORGANIZATIONS_AT_ONCE):
            with self._store.provider_change("switch") as provider:
                there = provider.organizations.revisions()
                for id in ids[start : start + ORGANIZATIONS_AT_ONCE]:
                    if id in there:
                        history = provider.inside(id).history
                        history.move_cursor("switch", self.snapshot.organizations[id].revision)
                        history.move_cursor("edge", self._edge.at(id))
        follow(self._engine, self._copy)


class Made:
    """Whether `many` objects were made that stay."""

    def __init__(self) -> None:
        self.many = False


_uncollected = 0


@contextmanager
def uncollected() -> Iterator[Made]:
    """For what makes many objects, or lets go of them: the garbage collector would go through all of them again and again meanwhile.

    Made `many` that stay, it looks through none of them later either, as each time every call would wait for it. For one thread alone.
    """
    global _uncollected
    made = Made()
    _uncollected += 1
    gc.disable()
    try:
        yield made
    finally:
        if made.many:
            gc.freeze()
        _uncollected -= 1
        if not _uncollected:
            gc.enable()


@contextmanager
def loading() -> Iterator[None]:
    """For what makes millions of objects that stay."""
    with uncollected() as made:
        made.many = True
        yield
