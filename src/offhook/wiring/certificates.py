"""The edge's certificate in the running system: made before the start, renewed while it runs, taken up again when asked."""

import asyncio
import logging
from collections.abc import Callable, Iterator
from typing import Any

from offhook.engines.kamailio.client import Edge, EdgeRefused
from offhook.plan import SystemPlan
from offhook.services.organizations import list_organizations
from offhook.services.ports.registrar import RegistrarAbsent
from offhook.services.ports.store import Store
from offhook.settings import Settings
from offhook.supervisor.certificates import RENEW_BEFORE, CertificateFolder, CertificateUnusable, now_utc
from offhook.wiring.engines import edge_settings

log = logging.getLogger(__name__)

LOOK_AGAIN_SECONDS = 3600.0
"""How often an end that comes near, or a given file that changed, is looked for."""


class Certificates:
    """What the supervisor's process does about certificates."""

    def __init__(self, settings: Settings, plan: SystemPlan, store: Store, tell: Callable[[str], None]) -> None:
        self._plan, self._store, self._tell, self._turn = plan, store, tell, asyncio.Lock()
        certificate, key = settings.tls_certificate, settings.tls_key
        self._given = (certificate, key) if certificate and key else None

    async def bring_up_to_date(self) -> bool:
        """Whether the file the edge reads changed. Raises CertificateUnusable, which names the setting."""
        return await asyncio.to_thread(self._folder().bring_up_to_date, now_utc())

    async def reload(self) -> list[dict[str, Any]]:
        """Take up what the files and organizations are now; calls and connections go on. What `told` tells then.

        Raises CertificateUnusable, EdgeRefused, RegistrarAbsent; what was in use stays in use.
        """
        async with self._turn:
            await self.bring_up_to_date()
            await Edge(edge_settings(self._plan)).reload_certificates()
            return await self.told()

    async def told(self) -> list[dict[str, Any]]:
        """The certificates in use, as values fit for JSON: names, issuer, expires (ISO 8601), days_left, own, file, authority."""
        folder = self._folder()
        facts = await asyncio.to_thread(folder.facts)
        return [
            {
                "names": list(facts.names),
                "issuer": facts.issuer,
                "expires": facts.expires.isoformat(),
                "days_left": facts.days_left(now_utc()),
                "own": facts.own,
                "file": str(folder.server if self._given is None else self._given[0]),
                "authority": str(folder.authority) if facts.own else None,
            }
        ]

    async def renew(self) -> None:
        """For ever: make a new one before the old one ends, take up a given one that its owner replaced."""
        while True:
            await asyncio.sleep(LOOK_AGAIN_SECONDS)
            try:
                async with self._turn:
                    if await self.bring_up_to_date():
                        await Edge(edge_settings(self._plan)).reload_certificates()
                        self._tell("The certificate for TLS was renewed; telephones see it when they connect again.")
            except (CertificateUnusable, EdgeRefused, RegistrarAbsent, OSError) as why:
                self._tell(f"The certificate for TLS could not be renewed; the old one is still in use. {why}")
            except Exception:
                log.exception("the certificate for TLS could not be renewed; the old one is still in use")

    def lines(self) -> Iterator[str]:
        """What to print at the start."""
        folder = self._folder()
        facts = folder.facts()
        host = self._plan.address
        trust = f"; let them trust {folder.authority}" if facts.own else ""
        yield f"Telephones over TLS: {host}:{self._plan.sips_port}{trust}"
        left = facts.expires - now_utc()
        if not facts.own and left < RENEW_BEFORE:
            yield f"The certificate in OFFHOOK_TLS_CERTIFICATE ends in {left.days} days; replace it, then `./offhook certificates reload`."

    def _folder(self) -> CertificateFolder:
        plan = self._plan
        reached = [*plan.addresses, *([] if plan.off_loopback else ["localhost"])]
        domains = sorted(organization.domain for organization in list_organizations(self._store))
        return CertificateFolder(plan.tls_folder, tuple(dict.fromkeys([*reached, *domains])), self._given)
