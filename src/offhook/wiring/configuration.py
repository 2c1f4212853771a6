"""The configuration that the switch acts on: held in memory, replaced by newer ones, and copied beside the database."""

import asyncio
import logging

from sqlalchemy import Engine

from offhook.domain.errors import Unavailable
from offhook.engines.kamailio.client import Edge
from offhook.plan import SystemPlan
from offhook.services.snapshot import Snapshot, load
from offhook.store.copy import copy_configuration
from offhook.store.transaction import Database
from offhook.wiring.engines import write_edge_directory

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 2.0
"""How often the switch looks for changes nobody told it of (the web process tells; this is for the day it could not)."""


class Configuration:
    """What is held now is `snapshot`. A switch that starts while the database is away holds the copy of what was last in effect.

    Raises Unavailable when there is neither database nor copy.
    """

    def __init__(self, plan: SystemPlan, engine: Engine, edge: Edge) -> None:
        self._plan, self._engine, self._edge = plan, engine, edge
        self._store = Database(engine)
        self._copy = plan.folder / "configuration.sqlite"
        self._taking_up = asyncio.Lock()
        self._away = False
        self.snapshot = self._first()

    def _first(self) -> Snapshot:
        try:
            return load(self._store, self._plan.off_loopback)
        except Unavailable as away:
            copy = Database.at(f"sqlite:///{self._copy}")
            try:
                snapshot = load(copy, self._plan.off_loopback)
            except Unavailable:
                raise away from None
            finally:
                copy.close()
            log.error("%s Calls go on with the configuration that was last in effect.", away)
            self._away = True
            return snapshot

    async def refresh(self) -> int:
        """Take up the database's state: the switch's snapshot first, then the edge's passwords; the number of organizations."""
        async with self._taking_up:
            self.snapshot = await asyncio.to_thread(load, self._store, self._plan.off_loopback)
            await asyncio.to_thread(write_edge_directory, self._plan.edge_database, self.snapshot.edge)
            await self._edge.reload()
            await self._keep_copy()
            return len(self.snapshot.organizations)

    async def look_again(self) -> None:
        """For ever: notice changes that nobody told of."""
        if not self._away:
            await self._keep_copy()
        while True:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            try:
                if await asyncio.to_thread(self._changed):
                    await self.refresh()
                if self._away:
                    self._away = False
                    log.warning("the database is back")
            except Unavailable as why:
                if not self._away:
                    log.warning("changes of the configuration could not be taken up; the calls go on with what is held: %s", why)
                self._away = True
            except Exception:
                log.exception("changes of the configuration could not be taken up; the calls go on with what is held")

    def _changed(self) -> bool:
        with self._store.provider_view() as provider:
            now = {profile.id: profile.revision for profile in provider.organizations.all()}
        return now != {organization.id: organization.revision for organization in self.snapshot.organizations.values()}

    async def _keep_copy(self) -> None:
        try:
            await asyncio.to_thread(copy_configuration, self._engine, self._copy)
        except (Unavailable, OSError) as why:
            log.warning("the configuration is not copied to %s: %s", self._copy, why)
