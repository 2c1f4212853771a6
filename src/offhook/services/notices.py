"""Which changes of an organization are told to people by mail, to whom, and with what facts.

Another kind of mail is a row of KINDS and a text in each language (services/mail).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from offhook.domain.access import Role
from offhook.domain.users import User, UserId
from offhook.services.ports.listing import Listing
from offhook.services.ports.store import Change, Profile, Transaction

MOST_ADMINISTRATORS = 50
"""So many are told of a new one."""

DAY_SECONDS = 86400.0

Facts = Mapping[str, Any]


class Told(NamedTuple):
    """Somebody who is told something; `facts` beside those that all kinds have."""

    reader: User
    facts: Facts


class Notice(NamedTuple):
    """A mail that is to be written: everything its text says, and how long that is worth telling."""

    kind: str
    event: str
    reader: User
    facts: Facts
    lasts_seconds: float


@dataclass(slots=True)
class Reading:
    """Some changes of an organization, as they are read for mail. What `quiet` revisions changed greets nobody."""

    transaction: Transaction
    profile: Profile
    quiet: frozenset[int] = frozenset()
    made: set[tuple[int, str]] = field(default_factory=set)
    """Who was made, by the revision that did and the user's id."""

    def user(self, id: object) -> User | None:
        """A user as they are now, if somebody can write to them."""
        found = self.transaction.users.by_id(UserId(int(str(id))))
        return found if found is not None and found.email else None

    def called(self, who: str) -> User | None:
        """Whoever the history calls so, if it is a person of the organization."""
        username, _, domain = who.partition("@")
        found = self.transaction.users.by_username(username) if domain == self.profile.domain else None
        return found if found is not None and found.email else None

    def administrators(self) -> list[User]:
        """Global ones that somebody can write to."""
        wanted = Listing(MOST_ADMINISTRATORS, equal={"role": Role.GLOBAL.value})
        return [user for user in self.transaction.users.page(wanted).items if user.email]


def _greeted(reading: Reading, change: Change) -> Iterator[Told]:
    """Who was made, unless many were at once and nobody asked for it."""
    if change.before is None and change.after and change.after.get("email") and change.revision not in reading.quiet:
        user = reading.user(change.id)
        if user is not None:
            yield Told(user, {"extension": user.extension, "number": user.number, "role": user.role})


def _let_in(reading: Reading, change: Change) -> Iterator[Told]:
    """Whose password is another one; not who was made with it, who is greeted."""
    if change.after is not None and (change.revision, change.id) not in reading.made:
        user = reading.user(change.id)
        if user is not None:
            yield Told(user, {"first": change.before is None})


def _given_away(reading: Reading, change: Change) -> Iterator[Told]:
    """In whose name a program's token was made."""
    if change.before is None and change.after is not None:
        user = reading.called(change.who)
        if user is not None:
            scopes = ", ".join(sorted(change.after.get("scopes") or ()))
            yield Told(user, {"label": change.after.get("label"), "scopes": scopes, "expires_at": change.after.get("expires_at")})


def _promoted(reading: Reading, change: Change) -> Iterator[Told]:
    """Whose role is another one; who was made with it reads so in the greeting."""
    if change.before is not None and change.after is not None and change.before.get("role") != change.after.get("role"):
        user = reading.user(change.id)
        if user is not None:
            yield Told(user, {"former_role": change.before.get("role"), "role": change.after.get("role")})


def _joined_by(reading: Reading, change: Change) -> Iterator[Told]:
    """Global administrators, when there is another one."""
    if change.after is None or change.after.get("role") != Role.GLOBAL or (change.before or {}).get("role") == Role.GLOBAL:
        return
    other = {"other_name": change.after.get("name"), "other_username": change.after.get("username")}
    for user in reading.administrators():
        if str(user.id) != change.id:
            yield Told(user, other)


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of mail: which kind of the history it is about, whom a line of that makes it tell, and how long that is worth telling."""

    name: str
    of: str
    told: Callable[[Reading, Change], Iterator[Told]]
    lasts_seconds: float = 3 * DAY_SECONDS


KINDS = (
    Kind("welcome", "user", _greeted, 7 * DAY_SECONDS),
    Kind("password", "password", _let_in),
    Kind("token", "token", _given_away),
    Kind("role", "user", _promoted),
    Kind("administrator", "user", _joined_by),
)


def notices(reading: Reading, changes: Sequence[Change]) -> Iterator[Notice]:
    """What is to be told of these changes: whole revisions, in their order."""
    reading.made |= {(change.revision, change.id) for change in changes if change.kind == "user" and change.before is None}
    for change in changes:
        for kind in KINDS:
            if kind.of == change.kind:
                yield from _of(reading, change, kind, kind.told(reading, change))


def _of(reading: Reading, change: Change, kind: Kind, told: Iterable[Told]) -> Iterator[Notice]:
    profile = reading.profile
    for reader, facts in told:
        common = {
            "name": reader.name,
            "username": reader.username,
            "organization": profile.name,
            "domain": profile.domain,
            "who": change.who,
            "at": change.at,
            "time_zone": reader.time_zone or profile.time_zone,
        }
        yield Notice(kind.name, f"change-{change.revision}-{change.seq}", reader, common | dict(facts), kind.lasts_seconds)
