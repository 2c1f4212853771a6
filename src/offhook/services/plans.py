"""Bringing an organization to what a file says: all of it in one revision, or nothing."""

from collections.abc import Mapping
from itertools import count
from typing import Any

from offhook.domain.errors import Stale
from offhook.domain.numbers import E164
from offhook.domain.organizations import Destination, OrganizationId, ToAttendant, ToUser
from offhook.domain.users import UserId
from offhook.services.blueprint import AttendantWanted, Blueprint, UserWanted, blueprint_of, numbers_of
from offhook.services.differences import Difference, differences, must_be_of
from offhook.services.ports.catalogue import CountryWords
from offhook.services.ports.store import Configured, NewUser, Store, Transaction
from offhook.services.secrets import ha1, new_password
from offhook.services.served import must_be_served, must_be_served_at


def plan(store: Store, organization: OrganizationId, wanted: Blueprint) -> tuple[list[Difference], int]:
    """What `apply` would do, and the revision it was compared with. It is done and taken back: what `apply` refuses is refused here."""
    with store.trial(organization) as transaction:
        now, found = _carried_out(transaction, wanted)
    return found, now.profile.revision


def apply(
    store: Store, organization: OrganizationId, wanted: Blueprint, who: str, *, planned_at: int | None = None
) -> tuple[list[Difference], int]:
    """Bring the organization to what the file says, in one revision; what was done, and the revision it is at now.

    New telephones get a password nobody knows: each is renewed when it is set up. Raises Invalid, Conflict, Missing, and Stale when the
    organization is not at the revision `planned_at` any more; nothing is done then.
    """
    with store.change(organization, who) as transaction:
        at = transaction.profile().revision
        if planned_at is not None and planned_at != at:
            raise Stale(f"The organization is at revision {at}, this was planned at {planned_at}; plan again.")
        _, done = _carried_out(transaction, wanted)
        transaction.mails.quiet()
        return done, transaction.profile().revision


def _carried_out(transaction: Transaction, wanted: Blueprint) -> tuple[Configured, list[Difference]]:
    """What the organization was before, and what differed from the file and does no more."""
    now = transaction.configured()
    must_be_of(now, wanted)
    found = differences(now, wanted)
    if found:
        _Change(transaction, now, wanted).carry_out()
    return now, found


def must_take_in(countries: CountryWords, now: Configured, wanted: Blueprint) -> None:
    """Whoever comes into a country, the organization itself or one of its people, is taken in there. Raises NotServed."""
    own, before = wanted.organization.country, {user.username: user.location for user in now.users}
    if own != now.profile.country:
        must_be_served(countries, own)
    for name, user in wanted.users.items():
        must_be_served_at(countries, user.location, own, before=before.get(name, ""))


class _Change:
    """One application. Its order is such that at no moment two have the same extension or something leads to nobody."""

    def __init__(self, transaction: Transaction, now: Configured, wanted: Blueprint) -> None:
        self._transaction, self._now, self._wanted = transaction, now, wanted
        self._before = blueprint_of(now)
        self._users = {user.username: user.id for user in now.users}
        self._attendants = {attendant.name: attendant.id for attendant in now.attendants}

    def carry_out(self) -> None:
        must_take_in(self._transaction.countries, self._now, self._wanted)
        self._let_numbers_go()
        self._remove()
        self._vacate_extensions()
        self._put_users()
        self._put_attendants()
        self._put_numbers()
        self._put_profile()

    def _let_numbers_go(self) -> None:
        before, after = numbers_of(self._before), numbers_of(self._wanted)
        main_number = self._now.profile.main_number
        if main_number is not None and main_number not in after:
            self._transaction.change_profile(main_number=None)
        for number, target in before.items():
            if number not in after:
                self._transaction.numbers.give_back(number)
            elif target != after[number] and (target.user or target.attendant):
                self._transaction.numbers.assign(number, None)

    def _remove(self) -> None:
        for name in self._before.attendants.keys() - self._wanted.attendants.keys():
            self._transaction.attendants.remove(self._attendants.pop(name))
        gone = self._before.users.keys() - self._wanted.users.keys()
        for name, attendant in self._before.attendants.items():
            if name in self._attendants and gone & set(attendant.keys.values()):
                left = {key: self._users[user] for key, user in attendant.keys.items() if user not in gone}
                self._transaction.attendants.change(self._attendants[name], keys=left)
        for name in gone:
            self._transaction.users.remove(self._users.pop(name))
        for name, id in self._users.items():
            kept = {telephone.sip_username for telephone in self._wanted.users[name].telephones}
            if any(telephone.sip_username not in kept for telephone in self._before.users[name].telephones):
                for device in self._transaction.devices.all(id):
                    if device.sip_username not in kept:
                        self._transaction.devices.remove(device.id)

    def _vacate_extensions(self) -> None:
        """Who must give an extension to somebody else lets it go first: two may change places."""
        wanted = _extensions(self._wanted)
        free = (str(extension) for extension in count(100000) if str(extension) not in wanted | _extensions(self._before))
        for name, id in self._users.items():
            old, new = self._before.users[name].extension, self._wanted.users[name].extension
            if old != new and old in wanted:
                self._transaction.users.change(id, extension=None)
        for title, attendant in self._attendants.items():
            held, next_one = self._before.attendants[title].extension, self._wanted.attendants[title].extension
            if held != next_one and held in wanted:
                self._transaction.attendants.change(attendant, extension=next(free))

    def _put_users(self) -> None:
        for name, user in self._wanted.users.items():
            values = _values(user)
            if name not in self._users:
                self._users[name] = self._transaction.users.add(NewUser(username=name, **values)).id
            elif self._before.users[name] != user:
                self._transaction.users.change(self._users[name], **values | {"role": user.role and user.role.value})
            self._put_telephones(self._users[name], self._before.users.get(name), user)

    def _put_telephones(self, user: UserId, before: UserWanted | None, after: UserWanted) -> None:
        had = {each.sip_username: each for each in before.telephones} if before else {}
        for telephone in after.telephones:
            name = telephone.sip_username
            if name not in had:
                nobody_knows = ha1(name, self._now.profile.domain, new_password())
                self._transaction.devices.add(user, telephone.name, name, nobody_knows)
            elif had[name] != telephone:
                (device,) = (device for device in self._transaction.devices.all(user) if device.sip_username == name)
                self._transaction.devices.rename(device.id, telephone.name)

    def _put_attendants(self) -> None:
        for name, attendant in self._wanted.attendants.items():
            if name in self._before.attendants and self._before.attendants[name] == attendant:
                continue
            if name not in self._attendants:
                added = self._transaction.attendants.add(
                    name, attendant.language, attendant.extension, attendant.greeting, self._keys(attendant), attendant.rounds
                )
                self._attendants[name] = added.id
            self._transaction.attendants.change(
                self._attendants[name],
                keys=self._keys(attendant),
                language=attendant.language,
                extension=attendant.extension,
                greeting=attendant.greeting,
                rounds=attendant.rounds,
                patience_seconds=attendant.patience_seconds,
            )

    def _keys(self, attendant: AttendantWanted) -> Mapping[str, UserId]:
        return {key: self._users[username] for key, username in attendant.keys.items()}

    def _put_numbers(self) -> None:
        before = numbers_of(self._before)
        for number, target in sorted(numbers_of(self._wanted).items()):  # in the order in which everybody holds them
            if before.get(number) != target:
                to: Destination | None = None
                if target.user is not None:
                    to = ToUser(self._users[target.user])
                elif target.attendant is not None:
                    to = ToAttendant(self._attendants[target.attendant])
                self._transaction.numbers.assign(number, to)

    def _put_profile(self) -> None:
        own = self._wanted.organization
        main_number = E164(own.main_number) if own.main_number else None
        self._transaction.change_profile(name=own.name, country=own.country, time_zone=own.time_zone, main_number=main_number)


def _extensions(wanted: Blueprint) -> set[str]:
    of_users = {user.extension for user in wanted.users.values() if user.extension is not None}
    return of_users | {attendant.extension for attendant in wanted.attendants.values()}


def _values(user: UserWanted) -> dict[str, Any]:
    names = ("name", "language", "extension", "email", "location", "time_zone", "role")
    return {name: getattr(user, name) for name in names}
