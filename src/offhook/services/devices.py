"""Telephones and their passwords: made when asked for, shown once, kept as HA1s only."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from offhook.domain.errors import Conflict, Invalid, Missing
from offhook.domain.organizations import OrganizationId
from offhook.domain.users import Device, DeviceId, User, UserId
from offhook.services.ports.organization import NewDevice
from offhook.services.ports.store import Store, Transaction
from offhook.services.secrets import ha1, new_password
from offhook.services.users import checked_name, checked_user, entered, found, must_be_current

FIRST_DEVICE = "Telephone"
MOST_AT_ONCE = 500
"""So many passwords are made in one transaction, for which others wait a moment."""
_ASKED_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class SipAccount:
    """What a telephone must be given to register; the password is in no database and cannot be shown again.

    It registers as `username`@`domain` and answers challenges as `sip_username`.
    """

    username: str
    domain: str
    password: str
    sip_username: str
    device: DeviceId


def list_devices(store: Store, organization: OrganizationId, username: str | None = None) -> list[Device]:
    """Every telephone, or those of one user. Raises Missing."""
    with store.view(organization) as transaction:
        return transaction.devices.all(found(transaction, username).id if username is not None else None)


def add_device(store: Store, organization: OrganizationId, username: str, name: str, who: str) -> SipAccount:
    """One more telephone for a user, with a new password, shown here only. Raises Missing, Invalid."""
    name = checked_name(name)
    with store.change(organization, who) as transaction:
        user = found(transaction, username)
        return _made(transaction, user, name)


def add_user_with_device(
    store: Store, organization: OrganizationId, values: Mapping[str, Any], name: str, who: str
) -> tuple[User, SipAccount]:
    """A new user (values of `users.checked_user`) and their first telephone: both or neither.

    Raises Invalid or Conflict with the field they are about (`telephone` for its name), Missing.
    """
    new, number = checked_user(**values)
    name = checked_name(name, "telephone")
    with store.change(organization, who) as transaction:
        user = entered(transaction, new, number)
        return user, _made(transaction, user, name)


def renew_device(store: Store, organization: OrganizationId, device: DeviceId, who: str) -> SipAccount:
    """A new password for a telephone, shown here only; the old one stops to count. Raises Missing."""
    with store.change(organization, who) as transaction:
        known = found_device(transaction, device)
        user = transaction.users.by_id(known.user)
        assert user is not None
        return _renewed(transaction, user, known)


def rename_device(
    store: Store, organization: OrganizationId, device: DeviceId, name: str | None, who: str, *, version: int | None = None
) -> Device:
    """Call a telephone otherwise; None: as it is called. Raises Missing, Invalid, and Stale when it is not at `version` any more."""
    name = None if name is None else checked_name(name)
    with store.change(organization, who) as transaction:
        must_be_current(found_device(transaction, device).version, version)
        if name is not None:
            transaction.devices.rename(device, name)
        return found_device(transaction, device)


def remove_device(store: Store, organization: OrganizationId, device: DeviceId, who: str, *, version: int | None = None) -> None:
    """Forget a telephone: it can register no more. Raises Missing, Stale."""
    with store.change(organization, who) as transaction:
        must_be_current(found_device(transaction, device).version, version)
        transaction.devices.remove(device)


def found_device(transaction: Transaction, device: DeviceId) -> Device:
    """The telephone with this id. Raises Missing."""
    known = transaction.devices.by_id(device)
    if known is None:
        raise Missing("There is no such telephone.", "device")
    return known


def set_password(store: Store, organization: OrganizationId, username: str, who: str) -> SipAccount:
    """A new password for a user's first telephone, which is made if there is none; shown here only. Raises Missing."""
    with store.change(organization, who) as transaction:
        user = found(transaction, username)
        known = transaction.devices.all(user.id)
        return _renewed(transaction, user, known[0]) if known else _made(transaction, user, FIRST_DEVICE)


def set_passwords(
    store: Store, organization: OrganizationId, usernames: Sequence[str], who: str, *, renews: bool = False
) -> list[tuple[User, SipAccount]]:
    """As `set_password` for each of these people, all of them or none, in their order.

    Raises Invalid when they are too many or somebody is named twice, Missing, and Conflict when somebody has a telephone, unless it
    `renews` its password; each with the place in `usernames`.
    """
    if not 1 <= len(usernames) <= MOST_AT_ONCE:
        raise Invalid(f"Name 1 to {MOST_AT_ONCE} people at once.", "usernames")
    with store.change(organization, who) as transaction:
        known = transaction.people.facts(usernames, (), ()).users
        first = transaction.devices.first([user.id for user in known.values()])
        people: dict[str, User] = {}
        for place, username in enumerate(usernames):
            field, user = f"usernames.{place}", known.get(username)
            if user is None:
                raise Missing(f"There is no user {username}.", field)
            if username in people:
                raise Invalid(f"{username} is named twice.", field)
            if user.id in first and not renews:
                raise Conflict(f"{username} has a telephone; say `renew` to give it another password, with which the old one ends.", field)
            people[username] = user
        return _with_passwords(transaction, list(people.values()), first)


def _with_passwords(transaction: Transaction, people: Sequence[User], first: Mapping[UserId, Device]) -> list[tuple[User, SipAccount]]:
    domain, passwords = transaction.profile().domain, {user.id: new_password() for user in people}
    # Nobody else's telephone signs in by a username: a name is refused to a user and to a telephone alike.
    names = {user.id: first[user.id].sip_username if user.id in first else user.username for user in people}
    kept = {id: ha1(names[id], domain, password) for id, password in passwords.items()}
    new = [NewDevice(user.id, FIRST_DEVICE, user.username, kept[user.id]) for user in people if user.id not in first]
    ids = {user: device.id for user, device in first.items()}
    ids |= dict(zip((each.user for each in new), transaction.devices.add_all(new), strict=True))
    transaction.devices.set_credentials({first[user.id].id: kept[user.id] for user in people if user.id in first})
    return [(user, SipAccount(user.username, domain, passwords[user.id], names[user.id], ids[user.id])) for user in people]


def _made(transaction: Transaction, user: User, name: str) -> SipAccount:
    password, domain = new_password(), transaction.profile().domain
    sip_username = free_sip_username(transaction, user)
    device = transaction.devices.add(user.id, name, sip_username, ha1(sip_username, domain, password))
    return SipAccount(user.username, domain, password, sip_username, device.id)


def _renewed(transaction: Transaction, user: User, device: Device) -> SipAccount:
    password, domain = new_password(), transaction.profile().domain
    transaction.devices.set_credential(device.id, ha1(device.sip_username, domain, password))
    return SipAccount(user.username, domain, password, device.sip_username, device.id)


def free_sip_username(transaction: Transaction, user: User) -> str:
    """What a user's next telephone signs in as: the username for the first, then with -2, -3 ... behind it."""
    first = 1
    while True:
        # Asked for a handful at a time, then for more: nobody has so many telephones that it is asked twice.
        names = [user.username if n == 1 else f"{user.username}-{n}" for n in range(first, first + _ASKED_AT_ONCE)]
        taken = transaction.devices.taken(names, user.id)
        if free := next((name for name in names if name not in taken), None):
            return free
        first += _ASKED_AT_ONCE
