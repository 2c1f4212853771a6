"""The edge as people who look after the system ask it: Kamailio's answers in the words of services.ports.edge."""

import asyncio
import sqlite3
import time
from collections.abc import Awaitable, Callable
from typing import Any

from offhook import intercom
from offhook.domain.errors import Conflict, Unavailable
from offhook.engines.kamailio.client import Edge, EdgeRefused
from offhook.engines.kamailio.registrations import read_registrations
from offhook.plan import SystemPlan
from offhook.services.ports.edge import Banned, Registration
from offhook.services.ports.registrar import RegistrarAbsent


class CertificateRefused(Conflict):
    """The certificate's files cannot be used; what was in use stays in use."""

    code = "certificate.refused"


class KamailioOffice:
    """Implements services.ports.edge.EdgeOffice."""

    def __init__(self, plan: SystemPlan, edge: Edge) -> None:
        self._plan, self._edge = plan, edge

    async def registrations(self) -> list[Registration]:
        """See the port."""
        try:
            found = await asyncio.to_thread(read_registrations, self._plan.edge_database, time.time())
        except sqlite3.Error as error:
            raise Unavailable(f"The edge's list of registrations cannot be read ({error}); try again in a moment.") from error
        return [Registration(each.user, each.domain, each.address, each.transport, each.user_agent, each.expires_at) for each in found]

    async def bans(self) -> list[Banned]:
        """See the port."""
        return [Banned(ban.source, ban.user, ban.reason) for ban in await self._asked(self._edge.bans)]

    async def lift(self, address: str) -> bool:
        """See the port."""
        lifted: bool = await self._asked(lambda: self._edge.unban(address))
        return lifted

    async def counters(self) -> dict[str, int]:
        """See the port."""
        counters: dict[str, int] = await self._asked(self._edge.counters)
        return counters

    async def certificates(self) -> list[dict[str, Any]]:
        """See the port."""
        return await self._supervisor("certificates")

    async def reload_certificates(self) -> list[dict[str, Any]]:
        """See the port."""
        return await self._supervisor("reload_certificates")

    async def _supervisor(self, question: str) -> list[dict[str, Any]]:
        try:
            return list(await intercom.ask(self._plan.supervisor_desk, question))
        except intercom.Refused as refused:
            raise CertificateRefused(str(refused)) from refused
        except intercom.Silent as silent:
            raise Unavailable(f"The supervisor, which looks after certificates, does not answer ({silent}).") from silent

    async def _asked(self, ask: Callable[[], Awaitable[Any]]) -> Any:
        try:
            return await ask()
        except (RegistrarAbsent, EdgeRefused) as absent:
            raise Unavailable(f"The edge does not answer ({absent}).") from absent
