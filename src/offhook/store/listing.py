"""A page of a tenant's table, found by the database: filtered, sorted, and begun where the page before ended.

Pages begin after a place (the sorted fields' values in the last row), not after a count, so that rows that are added or removed meanwhile
neither repeat nor hide another one, and the hundredth page costs what the first does.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy import ColumnElement, RowMapping, Table, and_, false, or_

from offhook.services.ports.listing import Listing, Place
from offhook.store.scope import Scope

Condition = Callable[[Scope, Any], ColumnElement[bool]]


class Rows(Protocol):
    """A way to the rows of one owner: an organization (scope.Scope) or the provider (provider.ProviderScope)."""

    def rows(
        self, table: Table, *where: ColumnElement[bool], order: Sequence[ColumnElement[Any]] = (), limit: int | None = None
    ) -> list[RowMapping]: ...


@dataclass(frozen=True, slots=True)
class Listed:
    """How a table is listed. `fields` can be sorted by and filtered; `also` can only be filtered, by a condition of their own.

    `key` is the field that no two rows of an organization share; it is sorted by last.
    """

    table: Table
    key: str
    fields: Mapping[str, ColumnElement[Any]]
    searched: Sequence[str] = ()
    also: Mapping[str, Condition] | None = None

    def page(self, scope: Rows, listing: Listing) -> tuple[list[RowMapping], Place | None]:
        """The rows that fit, at most `limit`, and the place where the next ones begin. Unknown fields are a programming mistake."""
        order = self.order(listing.sort)
        where = [self._condition(scope, name, value) for name, value in listing.equal.items()]
        if listing.text:
            where.append(or_(*(self.fields[name].icontains(listing.text, autoescape=True) for name in self.searched)))
        if listing.after is not None:
            where.append(self._after(order, listing.after))
        by = [self.fields[name].desc().nulls_last() if falls else self.fields[name].asc().nulls_first() for name, falls in order]
        rows = scope.rows(self.table, *where, order=by, limit=listing.limit + 1)
        if len(rows) <= listing.limit:
            return rows, None
        rows = rows[: listing.limit]
        return rows, tuple(rows[-1][self.fields[name].name] for name, _ in order)

    def order(self, sort: Sequence[tuple[str, bool]]) -> list[tuple[str, bool]]:
        """What the list is sorted by in the end: the key always decides between equals; what comes after it decides nothing."""
        order: list[tuple[str, bool]] = []
        for name, falls in sort:
            order.append((name, falls))
            if name == self.key:
                return order
        return [*order, (self.key, order[-1][1] if order else False)]

    def _condition(self, scope: Rows, name: str, value: str | int) -> ColumnElement[bool]:
        if self.also and name in self.also:
            assert isinstance(scope, Scope)  # a condition of its own looks into other tables of the organization
            return self.also[name](scope, value)
        return self.fields[name] == value

    def _after(self, order: Sequence[tuple[str, bool]], place: Place) -> ColumnElement[bool]:
        """What comes after a place: a later value of the first field, or the same and a later one of the second, and so on."""
        later: list[ColumnElement[bool]] = []
        same: list[ColumnElement[bool]] = []
        for (name, falls), value in zip(order, place, strict=True):
            column = self.fields[name]
            later.append(and_(*same, _beyond(column, value, falls=falls)))
            same.append(column.is_(None) if value is None else column == value)
        # The same said of the first field alone, which an index understands where it does not understand the whole.
        name, falls = order[0]
        return and_(_not_before(self.fields[name], place[0], falls=falls), or_(*later))


def _beyond(column: ColumnElement[Any], value: str | int | None, *, falls: bool) -> ColumnElement[bool]:
    if value is None:
        return false() if falls else column.is_not(None)
    return or_(column < value, column.is_(None)) if falls else column > value


def _not_before(column: ColumnElement[Any], value: str | int | None, *, falls: bool) -> ColumnElement[bool]:
    if value is None:
        return column.is_(None) if falls else or_(column.is_(None), column.is_not(None))
    return or_(column <= value, column.is_(None)) if falls else column >= value
