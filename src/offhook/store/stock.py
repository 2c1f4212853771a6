"""The provider's stock of numbers, and what organizations may take of it."""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, delete, exists, func, select

from offhook.domain.errors import Conflict
from offhook.domain.numbers import E164, NumberKind, StockDeed, StockState, may, not_available, state_of
from offhook.domain.organizations import OrganizationId
from offhook.services.ports.listing import Listing, Page
from offhook.services.ports.stock import AvailableNumber, NewStockNumber, StockNumber
from offhook.store.listing import AllRows, Listed
from offhook.store.provider import KEYS_AT_ONCE, ProviderScope
from offhook.store.scope import Row, is_open
from offhook.store.tables import numbers, organizations, stock

_AFTER_DIGITS = chr(ord("9") + 1)


def _has(*where: ColumnElement[bool]) -> ColumnElement[bool]:
    """Whether an organization has the number of a row. What is left of a closed one was given back."""
    return exists(select(numbers.c.e164).where(numbers.c.e164 == stock.c.e164, is_open(numbers.c.organization_id), *where))


_STATES: dict[StockState, ColumnElement[bool]] = {
    StockState.FREE: and_(stock.c.withheld.is_(None), ~_has()),
    StockState.IN_USE: _has(),
    StockState.WITHHELD: and_(stock.c.withheld.is_not(None), ~_has()),
}


def _of_organization(_reader: Any, id: Any) -> ColumnElement[bool]:
    # By its own numbers first: the stock of all others may be a million.
    return stock.c.e164.in_(select(numbers.c.e164).where(numbers.c.organization_id == id, is_open(numbers.c.organization_id)))


def _beginning(_reader: Any, prefix: Any) -> ColumnElement[bool]:
    # As a range, which an index understands; digits sort by their octets on both databases.
    return and_(stock.c.e164 >= prefix, stock.c.e164 < f"{prefix}{_AFTER_DIGITS}")


_FIELDS = {"number": stock.c.e164, "country": stock.c.country, "kind": stock.c.kind, "locality": stock.c.locality}
STOCK = Listed(
    stock,
    "number",
    _FIELDS | {"carrier": stock.c.carrier},
    searched=("number", "locality"),
    also={"state": lambda _reader, state: _STATES[StockState(state)], "organization": _of_organization, "prefix": _beginning},
)
AVAILABLE = Listed(
    stock, "number", _FIELDS, searched=("number", "locality"), also={"prefix": _beginning, "state": lambda *_: _STATES[StockState.FREE]}
)


class Stock:
    """services.ports.stock.Stock."""

    def __init__(self, scope: ProviderScope) -> None:
        self._scope = scope

    def page(self, listing: Listing) -> Page[StockNumber]:
        rows, following = STOCK.page(AllRows(self._scope.connection), listing)
        return Page(self._with_holders(rows), following)

    def held(self, numbers: Collection[E164]) -> dict[E164, StockNumber]:
        rows = _rows(self._scope.connection, numbers, holds=self._scope.writes)
        return {each.number: each for each in self._with_holders(rows)}

    def add_all(self, new: Sequence[NewStockNumber]) -> None:
        there = _rows(self._scope.connection, [each.number for each in new])
        if there:
            raise Conflict(f"{there[0]['e164']} is in the stock already.", "number")
        rows = [
            {
                "e164": each.number,
                "carrier": each.carrier,
                "country": each.country,
                "kind": each.kind.value,
                "locality": each.locality,
                "withheld": None,
            }
            for each in new
        ]
        self._scope.insert_all(stock, rows)

    def change_all(self, numbers: Collection[E164], **values: Any) -> None:
        if "kind" in values:
            values["kind"] = NumberKind(values["kind"]).value
        for some in portions(numbers):
            self._scope.update(stock, stock.c.e164.in_(some), **values)

    def remove_all(self, numbers: Collection[E164]) -> None:
        for some in portions(numbers):
            let_go(self._scope.connection, some)
            self._scope.delete(stock, stock.c.e164.in_(some))

    def of_carrier(self, carrier: str) -> list[E164]:
        own = select(stock.c.e164).where(stock.c.carrier == carrier).order_by(stock.c.e164)
        return [E164(e164) for e164 in self._scope.connection.execute(own).scalars()]

    def count_of_carrier(self, carrier: str) -> int:
        counted = select(func.count()).select_from(stock).where(stock.c.carrier == carrier)
        return int(self._scope.connection.execute(counted).scalar_one())

    def _with_holders(self, rows: Sequence[Row]) -> list[StockNumber]:
        held = holders(self._scope.connection, [E164(row["e164"]) for row in rows])
        return [_number_of(row, held.get(E164(row["e164"]))) for row in rows]


def available(connection: Connection, listing: Listing) -> Page[AvailableNumber]:
    """What an organization may take."""
    free = Listing(listing.limit, listing.sort, {**listing.equal, "state": StockState.FREE.value}, listing.text, listing.after)
    rows, following = AVAILABLE.page(AllRows(connection), free)
    found = [AvailableNumber(E164(row["e164"]), row["country"], NumberKind(row["kind"]), row["locality"]) for row in rows]
    return Page(found, following)


def not_to_be_taken(connection: Connection, wanted: Collection[E164]) -> set[E164]:
    """Those of these numbers that are not free in the stock."""
    return _shut(connection, _rows(connection, wanted), wanted)


def take(connection: Connection, wanted: Collection[E164]) -> None:
    """Hold these numbers for who is about to take them into use: nobody else does until the transaction ends.

    Raises NumberNotAvailable for the lowest that is not free.
    """
    # In their order, so that of two who take several none waits for the other crosswise. What is read afterwards is what others committed.
    held = _rows(connection, wanted, holds=True)
    let_go(connection, [E164(row["e164"]) for row in held])
    if shut := _shut(connection, held, wanted):
        raise not_available(min(shut))


def let_go(connection: Connection, wanted: Collection[E164]) -> None:
    """Have these numbers free where only an organization has them that is closed: they were given back, and go with the rest of it."""
    for some in portions(wanted):
        connection.execute(delete(numbers).where(numbers.c.e164.in_(some), ~is_open(numbers.c.organization_id)))


def holders(connection: Connection, wanted: Collection[E164]) -> dict[E164, tuple[OrganizationId, str]]:
    """Which organization has each of these that one has, and its domain."""
    own, found = organizations.c, {}
    for some in portions(wanted):
        who = select(numbers.c.e164, own.id, own.domain).join(organizations, own.id == numbers.c.organization_id)
        for e164, id, domain in connection.execute(who.where(numbers.c.e164.in_(some), own.closed_at.is_(None))):
            found[E164(e164)] = (OrganizationId(id), str(domain))
    return found


def _shut(connection: Connection, rows: Iterable[Row], wanted: Collection[E164]) -> set[E164]:
    held = holders(connection, wanted)
    states = {E164(row["e164"]): state_of(held=row["e164"] in held, withheld=row["withheld"] is not None) for row in rows}
    return {number for number in wanted if number not in states or not may(states[number], StockDeed.TAKE)}


def _rows(connection: Connection, wanted: Collection[E164], *, holds: bool = False) -> list[Row]:
    """Those of these that are in the stock, in their order; with `holds` nobody else holds, changes or removes them meanwhile."""
    found: list[Row] = []
    for some in portions(wanted):
        rows = select(stock).where(stock.c.e164.in_(some)).order_by(stock.c.e164)
        # On SQLite who writes has the whole file. A row that only points here waits for nobody.
        found += connection.execute(rows.with_for_update(key_share=True) if holds else rows).mappings()
    return found


def portions(wanted: Collection[E164]) -> Iterable[list[E164]]:
    """Numbers in their order, as many at a time as one statement names."""
    ordered = sorted(wanted)
    return (ordered[begin : begin + KEYS_AT_ONCE] for begin in range(0, len(ordered), KEYS_AT_ONCE))


def _number_of(row: Row, holder: tuple[OrganizationId, str] | None) -> StockNumber:
    id, domain = holder or (None, None)
    return StockNumber(
        E164(row["e164"]),
        row["carrier"],
        row["country"],
        NumberKind(row["kind"]),
        row["locality"],
        row["withheld"],
        id,
        domain,
        row["version"],
    )
