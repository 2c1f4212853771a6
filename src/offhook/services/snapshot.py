"""Everything a call needs to know, held in memory: loaded once, never changed, replaced by one that has what was touched.

What has a place for each user or number is a Map of the package `immutables`: a hash array mapped trie, of which a changed one shares all
but a few nodes with the one before. A dictionary of a million numbers would have to be copied, and every call would wait for that.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any, TypeVar

from immutables import Map

from offhook.domain.attendants import Attendant
from offhook.domain.emergency import emergency_numbers
from offhook.domain.numbers import E164
from offhook.domain.organizations import Carrier, Destination, Organization, OrganizationId, Purpose, ToAttendant, ToUser
from offhook.domain.users import UserId
from offhook.services.dial_rules import dial_rules
from offhook.services.ports.delta import Delta
from offhook.services.ports.store import CarrierEntry, Configured, Profile, Store

Owned = tuple[OrganizationId, Destination]
K = TypeVar("K")
V = TypeVar("V")
Lines = Iterable[tuple[K, V | None]]


@dataclass(frozen=True, slots=True)
class Snapshot:
    """All organizations at one moment, hidden ones too, with the index of all numbers."""

    organizations: Mapping[OrganizationId, Organization]
    by_domain: Mapping[str, Organization]
    numbers: Mapping[E164, Owned]
    carriers: tuple[CarrierEntry, ...]


def load(store: Store) -> Snapshot:
    """The configuration of now. Raises Unavailable."""
    with store.provider_view() as provider:
        configuration = provider.configuration()
    carriers = tuple(configuration.carriers)
    organizations = [organization_of(each, carriers) for each in configuration.organizations]
    return Snapshot(
        organizations=Map({organization.id: organization for organization in organizations}),
        by_domain=Map({organization.domain: organization for organization in organizations}),
        numbers=_index(organizations),
        carriers=carriers,
    )


def taken_up(snapshot: Snapshot, profile: Profile, delta: Delta) -> Snapshot:
    """The snapshot with what was touched in one organization that it has. The work grows with what was touched, not with what there is."""
    before = snapshot.organizations[profile.id]
    after = _changed(before, profile, delta, snapshot.carriers)
    return _with(snapshot, after, ((number, (after.id, to) if to else None) for number, to in delta.numbers.items()))


def taken_in(snapshot: Snapshot, organization: Organization) -> Snapshot:
    """The snapshot with a whole organization, in the place of what it knew of it."""
    snapshot = given_up(snapshot, organization.id)
    return _with(snapshot, organization, ((number, (organization.id, to)) for number, to in organization.numbers.items()))


def given_up(snapshot: Snapshot, id: OrganizationId) -> Snapshot:
    """The snapshot without an organization; the same where there was none."""
    known = snapshot.organizations.get(id)
    if known is None:
        return snapshot
    # The domain that it gave up may be another one's by now.
    still = (holder := snapshot.by_domain.get(known.domain)) is not None and holder.id != id
    return Snapshot(
        organizations=_edited(snapshot.organizations, ((id, None),)),
        by_domain=snapshot.by_domain if still else _edited(snapshot.by_domain, ((known.domain, None),)),
        numbers=_edited(snapshot.numbers, _still(snapshot.numbers, id, ((number, None) for number in known.numbers))),
        carriers=snapshot.carriers,
    )


def with_carriers(snapshot: Snapshot, carriers: Sequence[CarrierEntry]) -> Snapshot:
    """The snapshot with other carriers."""
    served = [replace(each, carrier=carrier_for(each.purpose, carriers)) for each in snapshot.organizations.values()]
    return replace(
        snapshot,
        organizations=Map({organization.id: organization for organization in served}),
        by_domain=Map({organization.domain: organization for organization in served}),
        carriers=tuple(carriers),
    )


def organization_of(configured: Configured, carriers: Sequence[CarrierEntry]) -> Organization:
    """An organization as the switch sees it, from how it is configured."""
    users, attendants = configured.users, [_sealed(attendant) for attendant in configured.attendants]
    people: Map[str, Destination] = Map((user.extension, ToUser(user.id)) for user in users if user.extension)
    return Organization(
        **_own(configured.profile, carriers),
        users=Map((user.id, user) for user in users),
        usernames=Map((user.username, user.id) for user in users),
        attendants=Map((attendant.id, attendant) for attendant in attendants),
        extensions=people.update((attendant.extension, ToAttendant(attendant.id)) for attendant in attendants),
        numbers=Map((number, to) for number, to in configured.numbers.items() if to is not None),
    )


def carrier_for(purpose: Purpose, carriers: Sequence[CarrierEntry]) -> Carrier | None:
    """Who takes an organization's calls to the public network.

    The self-test must never reach real telephones: it gets the sandbox's or none. Everybody else gets the default one, else the sandbox's.
    """
    sandbox = next((entry.carrier for entry in carriers if entry.sandbox), None)
    if purpose is Purpose.PROBE:
        return sandbox
    return next((entry.carrier for entry in carriers if entry.default), sandbox)


def _own(profile: Profile, carriers: Sequence[CarrierEntry]) -> dict[str, Any]:
    """What an organization has from its own row."""
    return {
        "id": profile.id,
        "name": profile.name,
        "domain": profile.domain,
        "country": profile.country,
        "purpose": profile.purpose,
        "revision": profile.revision,
        "dial_rules": dial_rules(profile.country),
        "emergency_numbers": emergency_numbers(profile.country),
        "main_number": profile.main_number,
        "carrier": carrier_for(profile.purpose, carriers),
    }


def _changed(before: Organization, profile: Profile, delta: Delta, carriers: Sequence[CarrierEntry]) -> Organization:
    users = delta.users
    attendants = {id: found and _sealed(found) for id, found in delta.attendants.items()}
    left = [known for id in users if (known := before.users.get(id))]
    left_menus = [menu for id in attendants if (menu := before.attendants.get(id))]
    usernames: dict[str, UserId | None] = {user.username: None for user in left}
    usernames |= {user.username: user.id for user in users.values() if user}
    # What somebody gave up first: somebody else may have it now.
    extensions: dict[str, Destination | None] = {user.extension: None for user in left if user.extension}
    extensions |= {attendant.extension: None for attendant in left_menus}
    extensions |= {user.extension: ToUser(user.id) for user in users.values() if user and user.extension}
    extensions |= {attendant.extension: ToAttendant(attendant.id) for attendant in attendants.values() if attendant}
    return replace(
        before,
        **_own(profile, carriers),
        users=_edited(before.users, users.items()),
        usernames=_edited(before.usernames, usernames.items()),
        attendants=_edited(before.attendants, attendants.items()),
        extensions=_edited(before.extensions, extensions.items()),
        numbers=_edited(before.numbers, delta.numbers.items()),
    )


def _with(snapshot: Snapshot, organization: Organization, numbers: Lines[E164, Owned]) -> Snapshot:
    return Snapshot(
        organizations=_edited(snapshot.organizations, ((organization.id, organization),)),
        by_domain=_edited(snapshot.by_domain, ((organization.domain, organization),)),
        numbers=_edited(snapshot.numbers, _still(snapshot.numbers, organization.id, numbers)),
        carriers=snapshot.carriers,
    )


def _still(index: Mapping[E164, Owned], id: OrganizationId, numbers: Lines[E164, Owned]) -> Lines[E164, Owned]:
    """Without those that the organization gave back and another one has by now."""
    return ((number, owned) for number, owned in numbers if owned or (held := index.get(number)) is None or held[0] == id)


def _index(organizations: Iterable[Organization]) -> Map[E164, Owned]:
    """Whose every number is. What several numbers ring is told by one object: a million of them are a tenth of the memory."""
    index = Map[E164, Owned]().mutate()
    for organization in organizations:
        known: dict[int, Owned] = {}
        for number, to in organization.numbers.items():
            index[number] = known.get(id(to)) or known.setdefault(id(to), (organization.id, to))
    return index.finish()


def _edited(held: Mapping[K, V], lines: Lines[K, V]) -> Map[K, V]:
    """`held` with these lines; None takes one away. They are gone through one by one, as a million of them in a dictionary could not be."""
    edited = (held if isinstance(held, Map) else Map(held)).mutate()
    for key, value in lines:
        if value is not None:
            edited[key] = value
        else:
            edited.pop(key, None)
    return edited.finish()


def _sealed(attendant: Attendant) -> Attendant:
    return replace(attendant, keys=MappingProxyType(dict(attendant.keys)))
