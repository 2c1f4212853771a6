"""Organizations: how they come to be, and how they leave."""

import logging
import re
import time
from collections.abc import Mapping
from typing import Any

from offhook.domain.emergency import emergency_numbers
from offhook.domain.errors import Conflict, InUse, Invalid, Missing
from offhook.domain.organizations import OrganizationId, Purpose
from offhook.services.dial_rules import dial_rules
from offhook.services.ports.changes import ChangesWanted
from offhook.services.ports.listing import Listing
from offhook.services.ports.organizations import NOBODYS_DOMAINS, Erased, Holdings, Tenant
from offhook.services.ports.store import Change, Profile, ProviderTransaction, Store, Transaction
from offhook.services.served import must_be_served
from offhook.services.users import checked_name, checked_number, checked_time_zone, must_be_current

ERASING_SECONDS = 5.0
_LEAST_PAUSE_SECONDS = 0.02
_ERASED_AT_ONCE = 500
"""Calls, and lines of the history, that one transaction erases: some ten megabytes."""

log = logging.getLogger(__name__)
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_DOMAIN = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*\.(?![0-9]+$){_LABEL}")


class StillHasNumbers(InUse):
    """An organization is to be closed that has numbers, which somebody else may take as soon as they are given back."""

    code = "organization.has_numbers"


class StillInCalls(InUse):
    """The records of an organization are to be erased while a call of it goes on, which will leave one more."""

    code = "organization.in_calls"


class AlreadyClosed(Conflict):
    """An organization is closed already, so it is not closed again, and nobody is invited into it."""

    code = "organization.closed"


class NotClosed(Conflict):
    """The records of an organization are to be erased that is not closed."""

    code = "organization.not_closed"


def list_organizations(store: Store) -> list[Profile]:
    """Every organization that is open but the self-test's, by name."""
    with store.provider_view() as provider:
        return [profile for profile in provider.organizations.all() if profile.purpose is not Purpose.PROBE]


def list_tenants(
    store: Store, limit: int, after: int, *, closed: bool | None = None, domain: str | None = None
) -> tuple[list[Tenant], int | None]:
    """Some of the organizations but the self-test's, oldest first from behind `after` on; and what to go on after, None at the end."""
    with store.provider_view() as provider:
        found = provider.organizations.page(limit + 1, after, closed=closed, domain=domain)
    page = found[:limit]
    return page, page[-1].profile.id if len(found) > limit else None


def get_tenant(store: Store, id: OrganizationId) -> tuple[Tenant, Holdings]:
    """One of them, open or closed, and what it has. Raises Missing."""
    with store.provider_view() as provider:
        return tenant_of(provider, id), provider.organizations.holdings(id)


def close_organization(store: Store, id: OrganizationId, *, gives_back: bool, version: int | None = None, who: str) -> int:
    """It is no tenant any more: nobody of it comes in, nothing rings, its numbers and its domain are free; the revision of that.

    What stays are its history and its call records. Calls that go on are left to finish. Raises Missing, AlreadyClosed, Stale, and
    StillHasNumbers unless it `gives_back` its numbers.
    """
    with store.provider_change(who) as provider:
        tenant = tenant_of(provider, id)
        must_be_open(tenant)
        provider.inside(id)  # from here on nobody gives it another number
        tenant, has = tenant_of(provider, id), provider.organizations.holdings(id)
        must_be_current(tenant.profile.version, version)
        if has.numbers and not gives_back:
            raise StillHasNumbers(
                f"{tenant.profile.name} has {has.numbers} numbers, which anybody may take once they are given back. "
                "Have those ported that it keeps; then say numbers=give_back.",
                "numbers",
            )
        revision = provider.organizations.close(id)
    log.warning("%s (%s, organization %d) was closed by %s", tenant.profile.name, tenant.profile.domain, id, who)
    return revision


def erase_records(store: Store, id: OrganizationId, who: str, seconds: float = ERASING_SECONDS) -> Erased:
    """Erase the call records and the history of an organization that is closed; when none is left, nothing tells that it was there.

    Some at a time, so that others can write, for so many seconds: if it is not `complete` then, say it again. Raises Missing, NotClosed.
    """
    until, calls, changes = time.monotonic() + seconds, 0, 0
    while True:
        began = time.monotonic()
        with store.provider_change(who) as provider:
            tenant = tenant_of(provider, id)
            if tenant.closed_at is None:
                raise NotClosed(f"{tenant.profile.name} is not closed; its records are erased only then.", "organization")
            gone = provider.organizations.erase_some(id, _ERASED_AT_ONCE)
        calls, changes = calls + gone.calls, changes + gone.changes
        if gone.complete:
            log.warning("The records of organization %d were erased by %s", id, who)
        if gone.complete or time.monotonic() >= until:
            return Erased(calls, changes, gone.complete)
        time.sleep(pause_after(time.monotonic() - began))


def pause_after(seconds: float) -> float:
    """For how long whoever removes a few rows after the other leaves the lock to others, when the last ones took so long."""
    return max(_LEAST_PAUSE_SECONDS, seconds)


def tenant_of(provider: ProviderTransaction, id: OrganizationId) -> Tenant:
    """One of the organizations, open or closed. Raises Missing."""
    tenant = provider.organizations.tenant(id)
    if tenant is None:
        raise Missing("There is no such organization.", "organization")
    return tenant


def must_be_open(tenant: Tenant) -> None:
    """Raises AlreadyClosed."""
    if tenant.closed_at is not None:
        raise AlreadyClosed(f"{tenant.profile.name} is closed already.", "organization")


def founded(provider: ProviderTransaction, name: str, domain: str, country: str, time_zone: str) -> Profile:
    """A new organization of a customer, empty. Raises Invalid or Conflict with the field they are about."""
    name, domain, country = checked_name(name), domain.strip().lower(), country.strip().upper()
    if not _DOMAIN.fullmatch(domain):
        raise Invalid(f"{domain!r} is no domain name with at least one dot, such as phones.example.com.", "domain")
    if domain.endswith(NOBODYS_DOMAINS):
        raise Invalid(f"{domain} is nobody's: names under {NOBODYS_DOMAINS} lead nowhere (RFC 6761 6.4). Choose another one.", "domain")
    dial_rules(country)
    must_be_served(provider.countries, country)
    return provider.organizations.add(name, domain, country, Purpose.CUSTOMER, checked_time_zone(time_zone) or "UTC")


def read_history(store: Store, id: OrganizationId, limit: int, wanted: ChangesWanted) -> list[Change]:
    """What was changed in an organization, open or closed, newest first, as its provider sees it. Raises Missing."""
    with store.provider_view() as provider:
        tenant_of(provider, id)
        return provider.organizations.history(id, limit, wanted)


def get_organization(store: Store, organization: OrganizationId) -> Profile:
    """One organization's own row. Raises Missing."""
    with store.view(organization) as transaction:
        return transaction.profile()


def change_organization(
    store: Store, organization: OrganizationId, changes: Mapping[str, Any], *, version: int | None = None, who: str
) -> Profile:
    """Give it another name, country, time_zone or main_number (None: none); only what is named.

    Raises Invalid, Missing and Conflict with the field they are about, and Stale when its row is not at `version` any more.
    """
    values = dict(changes)
    if "name" in values:
        values["name"] = checked_name(values["name"])
    if "time_zone" in values:
        values["time_zone"] = checked_time_zone(values["time_zone"]) or "UTC"
    if "main_number" in values:
        values["main_number"] = checked_number(values["main_number"], "main_number")
    with store.change(organization, who) as transaction:
        must_be_current(transaction.profile().version, version)
        if "country" in values:
            values["country"] = _checked_country(transaction, values["country"])
        transaction.change_profile(**values)
        return transaction.profile()


def _checked_country(transaction: Transaction, country: str) -> str:
    """A country that is served, and whose emergency numbers are nobody's extension: they could not be dialled. Raises Invalid, Conflict."""
    country = country.strip().upper()
    dial_rules(country)
    if country != transaction.profile().country:
        must_be_served(transaction.countries, country)
    for number in sorted(emergency_numbers(country)):
        wanted = Listing(1, equal={"extension": number})
        if transaction.users.page(wanted).items or transaction.attendants.page(wanted).items:
            raise Conflict(f"Extension {number} is an emergency number in {country}; give whoever has it another one first.", "country")
    return country
