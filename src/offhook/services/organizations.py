"""Organizations: how they come to be."""

import re
import time
from collections.abc import Mapping
from typing import Any

from offhook.domain.emergency import emergency_numbers
from offhook.domain.errors import Conflict, Invalid, Missing
from offhook.domain.organizations import OrganizationId, Purpose
from offhook.services.dial_rules import dial_rules
from offhook.services.ports.listing import Listing
from offhook.services.ports.store import Profile, Store, Transaction
from offhook.services.secrets import new_token, token_hash
from offhook.services.tokens import ALL
from offhook.services.users import checked_name, checked_number, checked_time_zone, must_be_current

INVITATION_SECONDS = 7 * 24 * 3600.0
_LABEL = r"(?!-)[a-z0-9-]{1,63}(?<!-)"
_DOMAIN = re.compile(rf"(?=.{{1,253}}$){_LABEL}(?:\.{_LABEL})*\.(?![0-9]+$){_LABEL}")


def list_organizations(store: Store) -> list[Profile]:
    """Every organization but the self-test's, by name."""
    with store.provider_view() as provider:
        return [profile for profile in provider.organizations.all() if profile.purpose is not Purpose.PROBE]


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
    """A country whose emergency numbers are nobody's extension: they could not be dialled. Raises Invalid, Conflict."""
    country = country.strip().upper()
    dial_rules(country)
    for number in sorted(emergency_numbers(country)):
        wanted = Listing(1, equal={"extension": number})
        if transaction.users.page(wanted).items or transaction.attendants.page(wanted).items:
            raise Conflict(f"Extension {number} is an emergency number in {country}; give whoever has it another one first.", "country")
    return country


def invite(store: Store, who: str = "start") -> str:
    """A token that creates one organization, once, within a week (INVITATION_SECONDS); it is shown here and never again."""
    token = new_token()
    with store.provider_change(who) as provider:
        provider.invitations.add(token_hash(token), time.time() + INVITATION_SECONDS)
    return token


def accept(store: Store, token: str, name: str, domain: str, country: str) -> tuple[Profile, str]:
    """The organization that an invitation was used for, and its first administrator's API token.

    Raises Invalid or Conflict with the field they are about (the invitation stays good then), Missing when there is no such invitation.
    """
    name, domain, country = checked_name(name), domain.strip().lower(), country.strip().upper()
    if not _DOMAIN.fullmatch(domain):
        raise Invalid(f"{domain!r} is no domain name with at least one dot, such as phones.example.com.", "domain")
    dial_rules(country)
    api_token = new_token()
    with store.provider_change("invitation") as provider:
        if not provider.invitations.use(token_hash(token), time.time()):
            raise Missing("This invitation was used already, has expired or never was; ask for a new one.", "token")
        profile = provider.organizations.add(name, domain, country, Purpose.CUSTOMER)
        inside = provider.inside(profile.id)
        inside.tokens.add(token_hash(api_token), "first administrator", frozenset({ALL}), None)
        return inside.profile(), api_token
