"""Everything a call needs to know, held in memory: loaded whole, never changed, replaced by a newer one."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from offhook.domain.emergency import emergency_numbers
from offhook.domain.numbers import E164
from offhook.domain.organizations import Carrier, Destination, Organization, OrganizationId, Purpose, ToAttendant, ToUser
from offhook.services.dial_rules import dial_rules
from offhook.services.ports.store import CarrierEntry, Configuration, Configured, Store


@dataclass(frozen=True, slots=True)
class EdgeFacts:
    """What the edge must know to challenge, to let emergency calls pass and to accept carriers.

    `credentials` maps (username, domain) to the MD5 HA1, `emergency` a domain to its country's emergency numbers;
    `carriers` are (host, port).
    """

    credentials: Mapping[tuple[str, str], str]
    emergency: Mapping[str, frozenset[str]]
    carriers: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All organizations at one moment, hidden ones too, with the index of all numbers."""

    organizations: Mapping[OrganizationId, Organization]
    by_domain: Mapping[str, Organization]
    numbers: Mapping[E164, tuple[OrganizationId, Destination]]
    carriers: tuple[Carrier, ...]
    edge: EdgeFacts


def load(store: Store, off_loopback: bool) -> Snapshot:
    """The configuration of now. With `off_loopback` nobody of a sandbox organization can sign in. Raises Unavailable."""
    with store.provider_view() as provider:
        configuration = provider.configuration()
    organizations = {each.profile.id: organization_of(each, configuration.carriers) for each in configuration.organizations}
    by_domain = {organization.domain: organization for organization in organizations.values()}
    carriers = tuple(entry.carrier for entry in configuration.carriers)
    return Snapshot(
        organizations=MappingProxyType(organizations),
        by_domain=MappingProxyType(by_domain),
        numbers=MappingProxyType(
            {number: (organization.id, to) for organization in organizations.values() for number, to in organization.numbers.items()}
        ),
        carriers=carriers,
        edge=EdgeFacts(
            credentials=MappingProxyType(_credentials(configuration, off_loopback)),
            emergency=MappingProxyType({domain: organization.emergency_numbers for domain, organization in by_domain.items()}),
            carriers=tuple((carrier.host, carrier.port) for carrier in carriers),
        ),
    )


def organization_of(configured: Configured, carriers: Sequence[CarrierEntry]) -> Organization:
    """An organization as the switch sees it, from how it is configured."""
    profile = configured.profile
    users = {user.id: user for user in configured.users}
    attendants = {attendant.id: replace(attendant, keys=MappingProxyType(dict(attendant.keys))) for attendant in configured.attendants}
    extensions: dict[str, Destination] = {user.extension: ToUser(user.id) for user in users.values() if user.extension}
    extensions |= {attendant.extension: ToAttendant(attendant.id) for attendant in attendants.values()}
    return Organization(
        id=profile.id,
        name=profile.name,
        domain=profile.domain,
        country=profile.country,
        purpose=profile.purpose,
        revision=profile.revision,
        dial_rules=dial_rules(profile.country),
        emergency_numbers=emergency_numbers(profile.country),
        main_number=profile.main_number,
        users=MappingProxyType(users),
        usernames=MappingProxyType({user.username: user.id for user in users.values()}),
        attendants=MappingProxyType(attendants),
        extensions=MappingProxyType(extensions),
        numbers=MappingProxyType({number: to for number, to in configured.numbers.items() if to is not None}),
        carrier=carrier_for(profile.purpose, carriers),
    )


def carrier_for(purpose: Purpose, carriers: Sequence[CarrierEntry]) -> Carrier | None:
    """Who takes an organization's calls to the public network.

    The self-test must never reach real telephones: it gets the sandbox's or none. Everybody else gets the default one, else the sandbox's.
    """
    sandbox = next((entry.carrier for entry in carriers if entry.sandbox), None)
    if purpose is Purpose.PROBE:
        return sandbox
    return next((entry.carrier for entry in carriers if entry.default), sandbox)


def _credentials(configuration: Configuration, off_loopback: bool) -> dict[tuple[str, str], str]:
    return {
        (sip_username, each.profile.domain): credential.ha1_md5
        for each in configuration.organizations
        if not (off_loopback and each.profile.purpose is Purpose.SANDBOX)
        for sip_username, credential in each.credentials.items()
    }
