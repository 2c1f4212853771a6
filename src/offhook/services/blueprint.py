"""An organization as a file: YAML that people read, keep under version control and write.

Everything is called by its name (username, attendant's name, number), never by an id. Passwords are not in it. Every scalar is read as
text, so that `0101` stays an extension and `NO` a country (PyYAML's other loaders follow YAML 1.1 and make 65 and false of them).
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from offhook.domain.access import Role
from offhook.domain.attendants import MENU_KEYS
from offhook.domain.errors import Invalid
from offhook.domain.numbers import E164
from offhook.domain.organizations import Destination, ToUser
from offhook.services.ports.store import Configured
from offhook.services.users import (
    LONGEST_NAME,
    checked,
    checked_extension,
    checked_name,
    checked_number,
    checked_time_zone,
    checked_username,
)

FORMAT: Literal["1"] = "1"
MOST_OCTETS = 32 * 1024 * 1024
_DEEPEST = 8
_SIP_USERNAME = re.compile(r"[a-z0-9._-]{1,70}")


class _Wanted(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class DeviceWanted(_Wanted):
    """A telephone of a user, by the name it signs in with."""

    sip_username: str = Field(max_length=70)
    name: str = Field(max_length=LONGEST_NAME)


class UserWanted(_Wanted):
    """A user, without the username. What is left out is empty."""

    name: str
    language: str = "en"
    extension: str | None = None
    email: str | None = None
    location: str = ""
    time_zone: str = ""
    role: Role | None = None
    telephones: tuple[DeviceWanted, ...] = ()


class AttendantWanted(_Wanted):
    """An attendant, without its name. `keys` are by digit, each with a username."""

    extension: str
    greeting: Annotated[str, Field(min_length=1, max_length=5000)]
    language: str = "en"
    rounds: Annotated[int, Field(ge=1, le=10)] = 3
    patience_seconds: Annotated[int, Field(ge=1, le=60)] = 5
    keys: Mapping[str, str] = Field(default_factory=dict)


class TargetWanted(_Wanted):
    """Whom a number rings: a username or an attendant's name."""

    user: str | None = None
    attendant: str | None = None


class OrganizationWanted(_Wanted):
    """The organization's own row. `domain` says which organization it is; it cannot be changed."""

    domain: str
    name: str
    country: str
    time_zone: str = "UTC"
    main_number: str | None = None


class Blueprint(_Wanted):
    """A whole organization as somebody wants it."""

    offhook: Literal["1"]
    organization: OrganizationWanted
    users: Mapping[str, UserWanted] = Field(default_factory=dict)
    attendants: Mapping[str, AttendantWanted] = Field(default_factory=dict)
    numbers: Mapping[str, TargetWanted] = Field(default_factory=dict)


def blueprint_of(configured: Configured) -> Blueprint:
    """An organization as it is."""
    profile, names = configured.profile, {user.id: user.username for user in configured.users}
    titles = {attendant.id: attendant.name for attendant in configured.attendants}
    telephones: dict[int, list[DeviceWanted]] = {}
    for device in configured.devices:
        telephones.setdefault(device.user, []).append(DeviceWanted(sip_username=device.sip_username, name=device.name))

    def target(to: Destination | None) -> TargetWanted:
        if to is None:
            return TargetWanted()
        return TargetWanted(user=names[to.id]) if isinstance(to, ToUser) else TargetWanted(attendant=titles[to.id])

    return Blueprint(
        offhook=FORMAT,
        organization=OrganizationWanted(
            domain=profile.domain,
            name=profile.name,
            country=profile.country,
            time_zone=profile.time_zone,
            main_number=profile.main_number,
        ),
        users={
            user.username: UserWanted(
                name=user.name,
                language=user.language,
                extension=user.extension,
                email=user.email,
                location=user.location,
                time_zone=user.time_zone,
                role=user.role,
                telephones=in_order(telephones.get(user.id, ())),
            )
            for user in configured.users
        },
        attendants={
            attendant.name: AttendantWanted(
                extension=attendant.extension,
                greeting=attendant.greeting,
                language=attendant.language,
                rounds=attendant.rounds,
                patience_seconds=attendant.patience_seconds,
                keys={key: names[user] for key, user in attendant.keys.items()},
            )
            for attendant in configured.attendants
        },
        numbers={number: target(to) for number, to in configured.numbers.items()},
    )


def in_order(telephones: Iterable[DeviceWanted]) -> tuple[DeviceWanted, ...]:
    """A user's telephones as they stand in a blueprint: by the name they sign in with, for their order means nothing."""
    return tuple(sorted(telephones, key=lambda telephone: telephone.sip_username))


def written(configured: Configured) -> str:
    """An organization as YAML; what is empty or as always is left out. Reading it gives `blueprint_of` of the same."""
    wanted = blueprint_of(configured).model_dump(mode="json", exclude_defaults=True)
    lead = f"# {configured.profile.domain} as of revision {configured.profile.revision}. Passwords are not in this file.\n"
    return lead + yaml.dump(wanted, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)


class _Dumper(yaml.SafeDumper):
    """Long texts as blocks, and no anchors: who reads it should not need to know YAML well."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


@dataclass(slots=True)
class _Reading:
    """Where each value of a file stands, by its path."""

    lines: dict[tuple[str, ...], int] = field(default_factory=dict)

    def plain(self, node: yaml.Node, path: tuple[str, ...] = ()) -> Any:
        """A node as dictionaries, lists and texts. Raises Invalid for what no blueprint has."""
        self.lines[path] = node.start_mark.line + 1
        if len(path) > _DEEPEST:
            raise self.wrong(path, "nested too deep")
        if isinstance(node, yaml.ScalarNode):
            empty = not node.style and node.value in ("", "~", "null")
            return None if empty else node.value
        if isinstance(node, yaml.SequenceNode):
            return [self.plain(each, (*path, str(place))) for place, each in enumerate(node.value)]
        assert isinstance(node, yaml.MappingNode)
        found: dict[str, Any] = {}
        for key, value in node.value:
            name = key.value
            if not isinstance(name, str):
                raise self.wrong(path, "a name must be a plain text")
            if name in found:
                raise Invalid(f"Line {key.start_mark.line + 1}: {'.'.join((*path, name))} stands there twice.", ".".join((*path, name)))
            found[name] = self.plain(value, (*path, name))
        return found

    def wrong(self, path: tuple[str, ...], words: str) -> Invalid:
        """The refusal of what stands at a path."""
        known = next(path[:length] for length in range(len(path), -1, -1) if path[:length] in self.lines)
        name = ".".join(path) or "file"
        return Invalid(f"Line {self.lines[known]}: {name}: {words}", name)


def read(text: str) -> Blueprint:
    """A file of the form that `written` writes. Raises Invalid with line, path and what is wrong; every reference is looked up."""
    if len(text.encode(errors="surrogatepass")) > MOST_OCTETS:
        raise Invalid(f"A file has at most {MOST_OCTETS // 1024 // 1024} MB.", "file")
    try:
        # Aliases let a hundred bytes stand for a billion values, and no file of ours has any.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=_Loader)):
            raise Invalid("Anchors and aliases (& and *) are not understood; write values out.", "file")
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as broken:
        line = broken.problem_mark.line + 1 if broken.problem_mark else 1
        raise Invalid(f"Line {line}: this is no YAML: {broken.problem}.", "file") from None
    except (yaml.YAMLError, RecursionError, ValueError) as broken:
        raise Invalid(f"This is no YAML: {broken}.", "file") from None
    if not isinstance(node, yaml.MappingNode):
        raise Invalid("The file must begin with `offhook: 1` and `organization:`.", "file")
    reading = _Reading()
    try:
        plain = reading.plain(node)
        wanted = Blueprint.model_validate(_without_nothing(plain))
    except RecursionError:
        raise Invalid("The file is nested too deep.", "file") from None
    except ValidationError as faults:
        fault = faults.errors()[0]
        words = _WORDS.get(fault["type"], str(fault["msg"]).removeprefix("Value error, "))
        raise reading.wrong(tuple(str(part) for part in fault["loc"] if part != "[key]"), words) from None
    return _checked(wanted, reading)


_WORDS = {"extra_forbidden": "nothing is called so here; is it misspelt?", "missing": "this must be there"}
"""What is wrong, in the place of the library's words."""

_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def _without_nothing(plain: Any) -> Any:
    """What was written without a value is left out, so that it is what it is by default; a number rings nobody then."""
    if not isinstance(plain, dict):
        return plain
    numbers = plain.get("numbers")
    if isinstance(numbers, dict):
        plain["numbers"] = {number: {} if target is None else target for number, target in numbers.items()}
    return _pruned(plain)


def _pruned(plain: Any) -> Any:
    if isinstance(plain, dict):
        return {name: _pruned(value) for name, value in plain.items() if value is not None}
    return [_pruned(each) for each in plain] if isinstance(plain, list) else plain


def _checked(wanted: Blueprint, reading: _Reading) -> Blueprint:
    """Every field as the services would have it, every reference known, nothing taken twice. Raises Invalid."""
    own = wanted.organization
    taken: dict[str, str] = {}

    def refuse(path: tuple[str, ...], work: Any) -> Any:
        try:
            return work()
        except Invalid as why:
            deeper = (*path, why.field) if why.field and why.field != path[-1] else path
            raise reading.wrong(deeper, why.explanation) from None

    def take(path: tuple[str, ...], extension: str | None) -> None:
        refuse(path, lambda: checked_extension(extension, own.country))
        if extension is not None and extension in taken:
            raise reading.wrong((*path, "extension"), f"{extension} is the extension of {taken[extension]} already.")
        if extension is not None:
            taken[extension] = path[-1]

    refuse(("organization", "name"), lambda: checked_name(own.name))
    refuse(("organization", "time_zone"), lambda: checked_time_zone(own.time_zone))
    users = {name: refuse(("users", name), lambda n=name, u=user: _user(n, u)) for name, user in wanted.users.items()}
    for name, user in users.items():
        take(("users", name), user.extension)
    _signs_in_once(wanted.users, reading)
    for name, attendant in wanted.attendants.items():
        path = ("attendants", name)
        refuse(path, lambda n=name, a=attendant: (checked_name(n), checked(language=a.language)))
        take(path, attendant.extension)
        for key, username in attendant.keys.items():
            if key not in MENU_KEYS:
                raise reading.wrong((*path, "keys", key), "a key is one of 0 to 9, * and #.")
            if username not in users:
                raise reading.wrong((*path, "keys", key), f"there is no user {username} in this file.")
    numbers = {}
    for text, target in wanted.numbers.items():
        numbers[refuse(("numbers", text), lambda t=text: checked_number(t))] = target
        _must_be_there(target, users, wanted.attendants, ("numbers", text), reading)
    if own.main_number is not None and own.main_number not in numbers:
        raise reading.wrong(("organization", "main_number"), "is not among the numbers of this file.")
    return wanted.model_copy(update={"users": users, "numbers": numbers})


def _user(username: str, user: UserWanted) -> UserWanted:
    checked_username(username)
    fields = ("name", "language", "email", "location", "time_zone")
    values = checked(**{name: getattr(user, name) for name in fields})
    return user.model_copy(update=values | {"telephones": in_order(user.telephones)})


def _signs_in_once(users: Mapping[str, UserWanted], reading: _Reading) -> None:
    owner: dict[str, str] = {}
    for username, user in users.items():
        for place, telephone in enumerate(user.telephones):
            path = ("users", username, "telephones", str(place), "sip_username")
            name = telephone.sip_username
            if name in owner or (name in users and name != username):
                raise reading.wrong(path, f"{owner.get(name, name)} signs in as {name} already.")
            if not _SIP_USERNAME.fullmatch(name):
                raise reading.wrong(path, "a telephone signs in with 1 to 70 lower-case letters, digits, dots, hyphens and underscores.")
            owner[name] = username
            try:
                checked_name(telephone.name)
            except Invalid as why:
                raise reading.wrong((*path[:-1], "name"), why.explanation) from None


def _must_be_there(
    target: TargetWanted, users: Mapping[str, Any], attendants: Mapping[str, Any], path: tuple[str, ...], reading: _Reading
) -> None:
    if target.user is not None and target.attendant is not None:
        raise reading.wrong(path, "rings a user or an attendant, not both.")
    if target.user is not None and target.user not in users:
        raise reading.wrong(path, f"there is no user {target.user} in this file.")
    if target.attendant is not None and target.attendant not in attendants:
        raise reading.wrong(path, f"there is no attendant {target.attendant} in this file.")


def numbers_of(wanted: Blueprint) -> dict[E164, TargetWanted]:
    """The numbers of a blueprint that was read."""
    return {E164(number): target for number, target in wanted.numbers.items()}
