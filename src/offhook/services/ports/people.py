"""Many people at once: what must be known before they are changed, and the changes."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from offhook.domain.numbers import E164
from offhook.domain.users import User, UserId
from offhook.services.ports.organization import NewUser


@dataclass(frozen=True, slots=True)
class Facts:
    """Who has what, of the names, extensions and numbers that were asked for. What is free is not in it.

    `extensions` and `numbers` lead to None where it is an attendant of the organization; a number that the organization has and gave to
    nobody is free. `not_available` are numbers that it has not got and cannot take. `sign_ins` are the names that telephones sign in with;
    `administrators` is how many global ones the organization has.
    """

    users: Mapping[str, User]
    numbers_of: Mapping[UserId, frozenset[E164]]
    extensions: Mapping[str, UserId | None]
    sign_ins: Mapping[str, UserId]
    numbers: Mapping[E164, UserId | None]
    not_available: frozenset[E164]
    administrators: int


@dataclass(slots=True)
class Deeds:
    """Changes of many people. They are done in this order, `changed` one after the other; who is new names numbers by place in `new`."""

    released: list[E164] = field(default_factory=list)
    changed: list[tuple[UserId, Mapping[str, Any]]] = field(default_factory=list)
    new: list[NewUser] = field(default_factory=list)
    given: list[tuple[E164, UserId]] = field(default_factory=list)
    given_to_new: list[tuple[E164, int]] = field(default_factory=list)


class People(Protocol):
    """The people of one organization, many at a time."""

    def facts(self, usernames: Sequence[str], extensions: Sequence[str], numbers: Collection[E164]) -> Facts:
        """Who has what, as it is now. At most some thousand names at a time."""

    def carry_out(self, deeds: Deeds) -> None:
        """Do all of it. Raises Conflict when something is taken after all."""

    def everybody(self) -> list[tuple[User, list[E164]]]:
        """Everybody with all their numbers, lowest first; by username."""
