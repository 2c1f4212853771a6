"""Organizations: how they come to be."""

import re
import time

from offhook.domain.errors import Invalid, Missing
from offhook.domain.organizations import OrganizationId, Purpose
from offhook.services.dial_rules import dial_rules
from offhook.services.ports.store import Profile, Store
from offhook.services.secrets import new_token, token_hash
from offhook.services.tokens import ALL
from offhook.services.users import checked_name

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
