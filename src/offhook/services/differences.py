"""What differs between an organization as it is and as somebody wants it: in words for people, and as what it would then be."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from itertools import count

from offhook.domain.access import may_give, scopes_of
from offhook.domain.attendants import Attendant, AttendantId
from offhook.domain.errors import Invalid
from offhook.domain.numbers import E164
from offhook.domain.organizations import Destination, ToAttendant, ToUser
from offhook.domain.users import Device, DeviceId, User, UserId
from offhook.services.blueprint import AttendantWanted, Blueprint, TargetWanted, UserWanted, blueprint_of, numbers_of
from offhook.services.ports.store import Configured


class Sort(StrEnum):
    """What happens to the object."""

    ADDED = "added"
    CHANGED = "changed"
    REMOVED = "removed"


@dataclass(frozen=True, slots=True)
class Difference:
    """One object that would be added, changed or removed. `words` is for people.

    `hurts` says that something would be lost: the object, a value that becomes none, what a number or a key leads to, rights of a role.
    """

    sort: Sort
    kind: str
    name: str
    words: str
    hurts: bool = False


def differences(now: Configured, wanted: Blueprint) -> list[Difference]:
    """Everything that differs, in the order of the file; nothing when both are the same."""
    is_now = blueprint_of(now)
    return [
        *_of_organization(is_now, wanted),
        *_of_users(is_now.users, wanted.users),
        *_of_attendants(is_now.attendants, wanted.attendants),
        *_of_numbers(numbers_of(is_now), numbers_of(wanted)),
    ]


_OWN_WORDS = {
    "name": "the organization's name {before} becomes {after}",
    "country": "the organization's country {before} becomes {after}: dialling rules and emergency numbers change",
    "time_zone": "the organization's time zone {before} becomes {after}",
    "main_number": "the organization's main number {before} becomes {after}",
}
_USER_WORDS = {
    "name": "{whose} name {before} becomes {after}",
    "language": "{whose} language {before} becomes {after}",
    "extension": "{whose} extension {before} becomes {after}",
    "email": "{whose} mail address {before} becomes {after}",
    "location": "{whose} location {before} becomes {after}",
    "time_zone": "{whose} time zone {before} becomes {after}",
    "role": "{whose} role {before} becomes {after}",
}
_ATTENDANT_WORDS = {
    "extension": "{whose} extension {before} becomes {after}",
    "greeting": "{whose} greeting is another one",
    "language": "{whose} language {before} becomes {after}",
    "rounds": "{whose} greeting is heard {after} times instead of {before}",
    "patience_seconds": "{whose} patience of {before} s becomes {after} s",
}


_NONE = (None, "")


def _changed(words: Mapping[str, str], before: object, after: object, whose: str = "") -> tuple[list[str], bool]:
    """What is another value, in words, and whether one became none."""
    pairs = ((text, getattr(before, name), getattr(after, name)) for name, text in words.items())
    differing = [(text, old, new) for text, old, new in pairs if old != new]
    said = [text.format(whose=whose, before=_said(old), after=_said(new)) for text, old, new in differing]
    return said, any(new in _NONE for _, _, new in differing)


def _said(value: object) -> str:
    return "none" if value in _NONE else str(value)


def _of_organization(now: Blueprint, wanted: Blueprint) -> Iterator[Difference]:
    said, loses = _changed(_OWN_WORDS, now.organization, wanted.organization)
    if said:
        yield Difference(Sort.CHANGED, "organization", wanted.organization.domain, "; ".join(said), loses)


def _of_users(now: Mapping[str, UserWanted], wanted: Mapping[str, UserWanted]) -> Iterator[Difference]:
    for name, user in wanted.items():
        if name not in now:
            extension = f" with extension {user.extension}" if user.extension else ""
            role = f", {user.role.value} administrator" if user.role else ""
            telephones = f"; {_telephones(len(user.telephones))} to be given a password" if user.telephones else ""
            yield Difference(Sort.ADDED, "user", name, f"{name} ({user.name}) is added{extension}{role}{telephones}")
            continue
        said, loses = _changed(_USER_WORDS, now[name], user, f"{name}'s")
        telephones_said, loses_telephones = _telephones_changed(now[name], user)
        loses_rights = not may_give(scopes_of(user.role), now[name].role)
        if said or telephones_said:
            hurts = loses or loses_telephones or loses_rights
            yield Difference(Sort.CHANGED, "user", name, "; ".join([*said, *telephones_said]), hurts)
    for name, user in now.items():
        if name not in wanted:
            lost = f"; {_loses(len(user.telephones))}" if user.telephones else ""
            yield Difference(Sort.REMOVED, "user", name, f"{name} ({user.name}) is removed{lost}", hurts=True)


def _telephones_changed(before: UserWanted, after: UserWanted) -> tuple[list[str], bool]:
    had, has = ({telephone.sip_username: telephone.name for telephone in user.telephones} for user in (before, after))
    said = [f"the telephone {had[name]} is called {has[name]}" for name in had.keys() & has.keys() if had[name] != has[name]]
    said += [f"the telephone {has[name]} ({name}) is added, to be given a password" for name in has if name not in had]
    lost = [name for name in had if name not in has]
    if lost:
        said.append(f"the telephone {', '.join(had[name] for name in lost)} is removed; {_loses(len(lost))}")
    return sorted(said), bool(lost)


def _telephones(many: int) -> str:
    return f"{many} telephone{'s' if many != 1 else ''}"


def _loses(many: int) -> str:
    return f"{_telephones(many)} {'loses its' if many == 1 else 'lose their'} registration"


def _of_attendants(now: Mapping[str, AttendantWanted], wanted: Mapping[str, AttendantWanted]) -> Iterator[Difference]:
    for name, attendant in wanted.items():
        if name not in now:
            yield Difference(Sort.ADDED, "attendant", name, f"the attendant {name} is added with extension {attendant.extension}")
            continue
        said, loses = _changed(_ATTENDANT_WORDS, now[name], attendant, f"{name}'s")
        before, after = now[name].keys, attendant.keys
        loses = loses or any(after.get(key) != user for key, user in before.items())
        for key in sorted(before.keys() | after.keys()):
            old, new = before.get(key), after.get(key)
            if old != new:
                said.append(f"{name}'s key {key} leads to {_said(new)} instead of {_said(old)}")
        if said:
            yield Difference(Sort.CHANGED, "attendant", name, "; ".join(said), loses)
    for name in now:
        if name not in wanted:
            yield Difference(Sort.REMOVED, "attendant", name, f"the attendant {name} is removed", hurts=True)


def _of_numbers(now: Mapping[E164, TargetWanted], wanted: Mapping[E164, TargetWanted]) -> Iterator[Difference]:
    for number, target in wanted.items():
        if number not in now:
            yield Difference(Sort.ADDED, "number", number, f"{number} is taken into use and rings {_rings(target)}")
        elif now[number] != target:
            words = f"{number} rings {_rings(target)} instead of {_rings(now[number])}"
            yield Difference(Sort.CHANGED, "number", number, words, hurts=now[number] != TargetWanted())
    for number, target in now.items():
        if number not in wanted:
            yield Difference(Sort.REMOVED, "number", number, f"{number}, which rings {_rings(target)}, is given back", hurts=True)


def _rings(target: TargetWanted) -> str:
    return target.user or target.attendant or "nobody"


def must_be_of(now: Configured, wanted: Blueprint) -> None:
    """Raises Invalid when the file is another organization's."""
    if wanted.organization.domain != now.profile.domain:
        raise Invalid(f"This file is of {wanted.organization.domain}, the organization is {now.profile.domain}.", "organization.domain")


def planned(now: Configured, wanted: Blueprint) -> Configured:
    """The organization as it would be: who is there keeps the id, who is new has one below 0. Raises Invalid (`must_be_of`)."""
    must_be_of(now, wanted)
    new = count(-1, -1)
    users_now, titles_now = {user.username: user for user in now.users}, {attendant.name: attendant for attendant in now.attendants}
    ids = {name: users_now[name].id if name in users_now else UserId(next(new)) for name in wanted.users}
    titles = {name: titles_now[name].id if name in titles_now else AttendantId(next(new)) for name in wanted.attendants}
    numbers = {number: _destination(target, ids, titles) for number, target in numbers_of(wanted).items()}
    shown: dict[UserId, E164] = {}
    for number in sorted(numbers):
        if isinstance(to := numbers[number], ToUser):
            shown.setdefault(to.id, number)
    own = wanted.organization
    main_number = E164(own.main_number) if own.main_number else None
    return Configured(
        profile=replace(now.profile, name=own.name, country=own.country, time_zone=own.time_zone, main_number=main_number),
        users=[_user(name, user, ids[name], shown.get(ids[name])) for name, user in sorted(wanted.users.items())],
        attendants=[_attendant(name, attendant, titles[name], ids) for name, attendant in sorted(wanted.attendants.items())],
        numbers=numbers,
        devices=_devices(now, wanted, ids, new),
        credentials=now.credentials,
    )


def _destination(target: TargetWanted, users: Mapping[str, UserId], attendants: Mapping[str, AttendantId]) -> Destination | None:
    if target.user is not None:
        return ToUser(users[target.user])
    return ToAttendant(attendants[target.attendant]) if target.attendant is not None else None


def _user(username: str, user: UserWanted, id: UserId, number: E164 | None) -> User:
    return User(id, username, user.name, user.language, user.extension, number, user.email, user.location, user.time_zone, user.role)


def _attendant(name: str, attendant: AttendantWanted, id: AttendantId, users: Mapping[str, UserId]) -> Attendant:
    keys = {key: users[username] for key, username in attendant.keys.items()}
    return Attendant(
        id, name, attendant.language, attendant.extension, attendant.greeting, keys, attendant.rounds, attendant.patience_seconds
    )


def _devices(now: Configured, wanted: Blueprint, ids: Mapping[str, UserId], new: Iterator[int]) -> list[Device]:
    known = {device.sip_username: device.id for device in now.devices}
    return [
        Device(known.get(each.sip_username) or DeviceId(next(new)), ids[username], each.name, each.sip_username)
        for username, user in wanted.users.items()
        for each in user.telephones
    ]
