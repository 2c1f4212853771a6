"""Telephone numbers and what they ring."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import ColumnElement, and_, select

from offhook.domain.attendants import AttendantId
from offhook.domain.errors import Conflict, Missing
from offhook.domain.numbers import E164
from offhook.domain.organizations import Destination, ToAttendant, ToUser
from offhook.domain.users import UserId
from offhook.services.ports.listing import Listing, Page
from offhook.services.ports.organization import NumberEntry
from offhook.services.ports.stock import AvailableNumber
from offhook.store.listing import Listed
from offhook.store.scope import Row, Scope
from offhook.store.stock import available, not_to_be_taken, portions, take
from offhook.store.tables import attendants, numbers, users

_TARGETS = {"user": (ToUser, users), "attendant": (ToAttendant, attendants)}


def _of_user(scope: Scope, username: Any) -> ColumnElement[bool]:
    whose = select(users.c.id).where(users.c.organization_id == scope.organization, users.c.username == username)
    return and_(numbers.c.target_kind == "user", numbers.c.target_id == whose.scalar_subquery())


def _of_attendant(scope: Scope, name: Any) -> ColumnElement[bool]:
    which = select(attendants.c.id).where(attendants.c.organization_id == scope.organization, attendants.c.name == name)
    return and_(numbers.c.target_kind == "attendant", numbers.c.target_id == which.scalar_subquery())


def _given(_scope: Scope, whether: Any) -> ColumnElement[bool]:
    return numbers.c.target_kind.is_not(None) if whether == "yes" else numbers.c.target_kind.is_(None)


NUMBERS = Listed(
    numbers,
    "number",
    {"number": numbers.c.e164},
    searched=("number",),
    also={"username": _of_user, "attendant": _of_attendant, "given": _given},
)


class Numbers:
    """The numbers of one organization; services.ports.store.Numbers."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def all(self) -> dict[E164, Destination | None]:
        return {E164(row["e164"]): destination_of(row) for row in self._scope.rows(numbers, order=[numbers.c.e164])}

    def page(self, listing: Listing) -> Page[NumberEntry]:
        rows, following = NUMBERS.page(self._scope, listing)
        return Page([_entry_of(row) for row in rows], following)

    def available(self, listing: Listing) -> Page[AvailableNumber]:
        return available(self._scope.connection, listing)

    def not_available(self, wanted: Collection[E164]) -> frozenset[E164]:
        own = {E164(row["e164"]) for some in portions(wanted) for row in self._scope.rows(numbers, numbers.c.e164.in_(some))}
        return frozenset(not_to_be_taken(self._scope.connection, set(wanted) - own))

    def get(self, number: E164) -> NumberEntry | None:
        row = self._scope.row(numbers, numbers.c.e164 == number)
        return _entry_of(row) if row else None

    def of(self, to: Destination) -> list[E164]:
        own = (numbers.c.target_kind == _kind_of(to), numbers.c.target_id == to.id)
        # Sorted here: asked for in that order, SQLite would read all numbers along its index.
        return sorted(E164(row["e164"]) for row in self._scope.rows(numbers, *own))

    def versions(self) -> dict[E164, int]:
        return {E164(row["e164"]): row["version"] for row in self._scope.rows(numbers)}

    def assign(self, number: E164, to: Destination | None) -> None:
        kind = self._kind(to)
        target = {"target_kind": kind, "target_id": to.id if to is not None else None}
        own = self._scope.row(numbers, numbers.c.e164 == number)
        if own is not None and (kind is None or own["target_kind"] is None):
            self._scope.update(numbers, numbers.c.e164 == number, **target)
            self._rings_otherwise(destination_of(own), to)
            return
        if own is not None:
            raise Conflict(f"{number} is in use already.", "number")
        # The one look beyond the organization, in the stock: a number is in use once in the whole system.
        take(self._scope.connection, [number])
        self._scope.insert(numbers, e164=number, **target)
        self._rings_otherwise(None, to)

    def give_back(self, number: E164) -> None:
        own = self.get(number)
        if own is None:
            raise Missing(f"{number} is not one of the organization's numbers.", "number")
        self._scope.delete(numbers, numbers.c.e164 == number)
        self._rings_otherwise(own.to, None)

    def _rings_otherwise(self, before: Destination | None, after: Destination | None) -> None:
        # A user shows the number, which stands in no row of the user's own.
        for whom in (before, after):
            if isinstance(whom, ToUser) and before != after:
                self._scope.touch(users, users.c.id == whom.id)

    def _kind(self, to: Destination | None) -> str | None:
        if to is None:
            return None
        kind = _kind_of(to)
        table = _TARGETS[kind][1]
        if not self._scope.has(table, table.c.id == to.id):
            raise Missing(f"There is no such {kind}.", "number")
        return kind


def _kind_of(to: Destination) -> str:
    return next(kind for kind, (shape, _) in _TARGETS.items() if isinstance(to, shape))


def _entry_of(row: Row) -> NumberEntry:
    return NumberEntry(E164(row["e164"]), destination_of(row), row["version"])


def destination_of(row: Row) -> Destination | None:
    """What a row of `numbers` rings; None while it is given to nobody."""
    if row["target_kind"] is None:
        return None
    return ToUser(UserId(row["target_id"])) if row["target_kind"] == "user" else ToAttendant(AttendantId(row["target_id"]))
