"""What the edge lets in, kept as the database says: its file first, then what Kamailio has in memory."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence

from offhook.domain.emergency import emergency_numbers
from offhook.domain.organizations import OrganizationId
from offhook.engines.kamailio import directory
from offhook.engines.kamailio.client import Edge
from offhook.engines.kamailio.registrations import registered_users
from offhook.plan import SystemPlan
from offhook.services.edge_facts import addresses, may_sign_in
from offhook.services.ports.delta import SignIn
from offhook.services.ports.store import CarrierEntry, Profile


class EdgeDirectory:
    """What Kamailio has taken up. Every method raises RegistrarAbsent or EdgeRefused when it did not; then `at` stays as it was.

    The file is written first, so that a Kamailio that starts meanwhile knows of it; the revision that it stands for last, so that whoever
    died between does it again.
    """

    def __init__(self, plan: SystemPlan, edge: Edge) -> None:
        self._file, self._off_loopback, self._edge = plan.edge_database, plan.off_loopback, edge
        self._at = {OrganizationId(id): revision for id, revision in directory.revisions(self._file).items()}
        self._carriers: dict[str, str] | None = None

    def at(self, organization: OrganizationId) -> int:
        """The revision of an organization that the edge acts on, 0 when it knows nothing of it."""
        return self._at.get(organization, 0)

    def known(self) -> set[OrganizationId]:
        """The organizations that it has."""
        return set(self._at)

    async def take_up(self, profile: Profile, sign_ins: Mapping[str, SignIn | None]) -> None:
        """These telephones of an organization sign in so, None: no more; the others as before."""
        lines: dict[str, Mapping[str, str | None]] = {"credentials": self._credentials(profile, sign_ins)}
        if profile.version > self.at(profile.id):
            lines |= await asyncio.to_thread(self._differing, profile.domain, self._own(profile))
        await self._edit(lines)
        await self._note(profile.id, profile.revision)

    async def take_in(self, profile: Profile, sign_ins: Mapping[str, SignIn]) -> None:
        """These and no other telephones of an organization sign in."""
        if not self.at(profile.id):
            # It may have the domain of one that left, and would ring the telephones that came there in the moment before.
            await self._forget(lambda domain: domain == profile.domain)
        credentials = {key: value for key, value in self._credentials(profile, sign_ins).items() if value is not None}
        await self._edit(await asyncio.to_thread(self._differing, profile.domain, self._own(profile) | {"credentials": credentials}))
        await self._note(profile.id, profile.revision)

    async def give_up(self, organization: OrganizationId, domains: Collection[str]) -> None:
        """Nobody of an organization that is gone is let in: what has a domain that is not one of these goes, and who is registered there.

        Its own domain may be known to nobody any more: the edge may have been away when it left.
        """
        await asyncio.to_thread(self._without_others, frozenset(domains))
        await self._edge.reload()
        await self._forget(lambda domain: domain not in domains)
        await self._note(organization, None)

    async def carriers(self, carriers: Sequence[CarrierEntry]) -> None:
        """Calls are let in from these carriers, and from no others."""
        wanted = directory.Directory({}, {}, addresses(carriers)).rows()["carriers"]
        if wanted == self._carriers:
            return
        held = await asyncio.to_thread(directory.lines_like, self._file, "carriers", "*")
        await asyncio.to_thread(directory.edit, self._file, {"carriers": directory.differing(held, wanted)})
        # Whole, also where the file says so already: whoever wrote that may have died, or the edge been away, before it was heard.
        await self._edge.reload("carriers")
        self._carriers = wanted

    def _without_others(self, domains: frozenset[str]) -> None:
        """Have only these domains in the file."""
        for domain in directory.lines_like(self._file, "domains", "*").keys() - domains:
            directory.give_up(self._file, domain)

    async def _forget(self, goes: Callable[[str], bool]) -> None:
        """Have no telephone registered in these domains, as far as Kamailio has written them down: each costs a question, in which all
        changes wait, and to ask for everybody who had a password took 8 s for 100,000."""
        for user, domain in await asyncio.to_thread(registered_users, self._file):
            if goes(domain):
                await self._edge.forget(user, domain)

    def _differing(self, domain: str, wanted: Mapping[str, Mapping[str, str]]) -> dict[str, Mapping[str, str | None]]:
        patterns = {"credentials": f"*@{domain}", "domains": domain, "emergency": f"{domain}:*"}
        return {name: directory.differing(directory.lines_like(self._file, name, patterns[name]), lines) for name, lines in wanted.items()}

    def _own(self, profile: Profile) -> dict[str, dict[str, str]]:
        emergency = {f"{profile.domain}:{number}": "yes" for number in emergency_numbers(profile.country)}
        return {"domains": {profile.domain: "yes"}, "emergency": emergency}

    def _credentials(self, profile: Profile, sign_ins: Mapping[str, SignIn | None]) -> dict[str, str | None]:
        may = may_sign_in(profile, self._off_loopback)
        return {
            directory.credential_key(name, profile.domain): directory.credential(*proof) if proof and may else None
            for name, proof in sign_ins.items()
        }

    async def _edit(self, lines: directory.Lines) -> None:
        await asyncio.to_thread(directory.edit, self._file, lines)
        await self._edge.take_up(lines)

    async def _note(self, organization: OrganizationId, revision: int | None) -> None:
        await asyncio.to_thread(directory.note_revisions, self._file, {organization: revision})
        if revision is None:
            self._at.pop(organization, None)
        else:
            self._at[organization] = revision
