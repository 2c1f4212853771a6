"""An organization as a file: YAML that people read, keep under version control and write.

Everything is called by its name (username, attendant's name, number), never by an id. Passwords are not in it. Every scalar is read as
text, so that `0101` stays an extension and `NO` a country (PyYAML's other loaders follow YAML 1.1 and make 65 and false of them).
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Annotated, Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from offhook.domain.access import Role
from offhook.domain.attendants import MENU_KEYS
from offhook.domain.errors import Invalid
from offhook.domain.numbers import E164
from offhook.domain.organizations import Destination, ToUser
from offhook.services.attendants import checked_greeting
from offhook.services.dial_rules import dial_rules
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
FILE = "file"
"""The field of what is wrong with a file as a whole."""
_DEEPEST = 8
_SIP_USERNAME = re.compile(r"[a-z0-9._-]{1,70}")
_Path = tuple[str, ...]
T = TypeVar("T")
W = TypeVar("W")


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
    greeting: str
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

    lines: dict[_Path, int] = field(default_factory=dict)

    def plain(self, node: yaml.Node, path: _Path = ()) -> Any:
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

    def wrong(self, path: _Path, words: str) -> Invalid:
        """The refusal of what stands at a path."""
        known = next(path[:length] for length in range(len(path), -1, -1) if path[:length] in self.lines)
        name = ".".join(path) or FILE
        return Invalid(f"Line {self.lines[known]}: {name}: {words}", name)

    def refuse(self, path: _Path, form: type[_Wanted] | None, check: Callable[[], T]) -> T:
        """What a check makes of what stands at a path; what it says of a member that this form has is told of that member."""
        try:
            return check()
        except Invalid as why:
            raise self.wrong(
                (*path, why.field) if why.field and form and why.field in form.model_fields else path, why.explanation
            ) from None


def read(text: str) -> Blueprint:
    """A file of the form that `written` writes. Raises Invalid with line, path and what is wrong; every reference is looked up."""
    if len(text.encode(errors="surrogatepass")) > MOST_OCTETS:
        raise Invalid(f"A file has at most {MOST_OCTETS // 1024 // 1024} MB.", FILE)
    try:
        # Aliases let a hundred bytes stand for a billion values, and no file of ours has any.
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text, Loader=_Loader)):
            raise Invalid("Anchors and aliases (& and *) are not understood; write values out.", FILE)
        node = yaml.compose(text, Loader=_Loader)
    except yaml.MarkedYAMLError as broken:
        line = broken.problem_mark.line + 1 if broken.problem_mark else 1
        raise Invalid(f"Line {line}: this is no YAML: {broken.problem}.", FILE) from None
    except (yaml.YAMLError, RecursionError, ValueError) as broken:
        raise Invalid(f"This is no YAML: {broken}.", FILE) from None
    if not isinstance(node, yaml.MappingNode):
        raise Invalid("The file must begin with `offhook: 1` and `organization:`.", FILE)
    reading = _Reading()
    try:
        plain = reading.plain(node)
        wanted = Blueprint.model_validate(_without_nothing(plain))
    except RecursionError:
        raise Invalid("The file is nested too deep.", FILE) from None
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
    """Every field as the services would have it and in its one form, every reference known, nothing taken twice. Raises Invalid."""
    own = reading.refuse(("organization",), OrganizationWanted, lambda: _organization(wanted.organization))
    checking = _Checking(reading, own.country)
    users = {name: checking.user(name, user) for name, user in wanted.users.items()}
    for name, user in users.items():
        for place, telephone in enumerate(user.telephones):
            checking.sign_in(("users", name, "telephones", str(place), "sip_username"), telephone.sip_username, name, users)
    attendants = checking.each_once("attendants", checked_name, wanted.attendants, lambda path, each: checking.attendant(path, each, users))
    numbers = checking.each_once(
        "numbers", checked_number, wanted.numbers, lambda path, each: checking.target(path, each, users, attendants)
    )
    if own.main_number is not None and own.main_number not in numbers:
        raise reading.wrong(("organization", "main_number"), "is not among the numbers of this file.")
    users = {name: user.model_copy(update={"telephones": in_order(user.telephones)}) for name, user in users.items()}
    return wanted.model_copy(update={"organization": own, "users": users, "attendants": attendants, "numbers": numbers})


def _organization(own: OrganizationWanted) -> OrganizationWanted:
    values = {
        "name": checked_name(own.name),
        "country": own.country.strip().upper(),
        "time_zone": checked_time_zone(own.time_zone) or "UTC",
        "main_number": checked_number(own.main_number, "main_number"),
    }
    dial_rules(values["country"] or "")
    return own.model_copy(update=values)


@dataclass(slots=True)
class _Checking:
    """One look at everything in a file, in its order; it remembers what is taken."""

    reading: _Reading
    country: str
    extensions: dict[str, str] = field(default_factory=dict)
    signs_in: dict[str, str] = field(default_factory=dict)

    def user(self, username: str, user: UserWanted) -> UserWanted:
        """A user as they would be kept."""
        path = ("users", username)

        def as_kept() -> UserWanted:
            checked_username(username)
            values = checked(**{name: getattr(user, name) for name in ("name", "language", "email", "location", "time_zone")})
            return user.model_copy(update=values)

        found = self.reading.refuse(path, UserWanted, as_kept)
        self._take(path, UserWanted, found.extension)
        telephones = tuple(self._telephone((*path, "telephones", str(place)), each) for place, each in enumerate(user.telephones))
        return found.model_copy(update={"telephones": telephones})

    def attendant(self, path: _Path, attendant: AttendantWanted, users: Mapping[str, Any]) -> AttendantWanted:
        """An attendant as it would be kept."""

        def as_kept() -> AttendantWanted:
            values = checked(language=attendant.language) | {"greeting": checked_greeting(attendant.greeting)}
            return attendant.model_copy(update=values)

        found = self.reading.refuse(path, AttendantWanted, as_kept)
        self._take(path, AttendantWanted, found.extension)
        for key, username in found.keys.items():
            if key not in MENU_KEYS:
                raise self.reading.wrong((*path, "keys", key), "a key is one of 0 to 9, * and #.")
            if username not in users:
                raise self.reading.wrong((*path, "keys", key), f"there is no user {username} in this file.")
        return found

    def target(self, path: _Path, to: TargetWanted, users: Mapping[str, Any], attendants: Mapping[str, Any]) -> TargetWanted:
        """Whom a number would ring."""
        if to.user is not None and to.attendant is not None:
            raise self.reading.wrong(path, "rings a user or an attendant, not both.")
        if to.user is not None and to.user not in users:
            raise self.reading.wrong(path, f"there is no user {to.user} in this file.")
        title = None if to.attendant is None else to.attendant.strip()
        if title is not None and title not in attendants:
            raise self.reading.wrong(path, f"there is no attendant {title} in this file.")
        return TargetWanted(user=to.user, attendant=title)

    def each_once(self, noun: str, name_of: Callable[[str], Any], wanted: Mapping[str, W], check: Callable[[_Path, W], W]) -> dict[str, W]:
        """Everything of a noun by its name in its one form: two spellings of a name are one name, which stands there twice."""
        found: dict[str, W] = {}
        for text, each in wanted.items():
            path = (noun, text)
            name = self.reading.refuse(path, None, partial(name_of, text))
            if name in found:
                raise self.reading.wrong(path, f"{name} stands there twice.")
            found[name] = check(path, each)
        return found

    def sign_in(self, path: _Path, name: str, username: str, users: Mapping[str, Any]) -> None:
        """A name that a telephone signs in with is nobody else's."""
        if name in self.signs_in or (name in users and name != username):
            raise self.reading.wrong(path, f"{self.signs_in.get(name, name)} signs in as {name} already.")
        if not _SIP_USERNAME.fullmatch(name):
            raise self.reading.wrong(path, "a telephone signs in with 1 to 70 lower-case letters, digits, dots, hyphens and underscores.")
        self.signs_in[name] = username

    def _telephone(self, path: _Path, telephone: DeviceWanted) -> DeviceWanted:
        return self.reading.refuse(path, DeviceWanted, lambda: telephone.model_copy(update={"name": checked_name(telephone.name)}))

    def _take(self, path: _Path, form: type[_Wanted], extension: str | None) -> None:
        self.reading.refuse(path, form, lambda: checked_extension(extension, self.country))
        if extension is not None and extension in self.extensions:
            raise self.reading.wrong((*path, "extension"), f"{extension} is the extension of {self.extensions[extension]} already.")
        if extension is not None:
            self.extensions[extension] = path[-1]


def numbers_of(wanted: Blueprint) -> dict[E164, TargetWanted]:
    """The numbers of a blueprint that was read."""
    return {E164(number): target for number, target in wanted.numbers.items()}
