"""The provider's stock of numbers: what enters it, who has what, what is withheld, what leaves it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from offhook.domain.errors import Conflict, Invalid, Missing
from offhook.domain.jobs import RowState
from offhook.domain.numbers import E164, NumberInUse, NumberKind, StockDeed, may
from offhook.services.numbering_plan import checked_country, country_of, kind_of
from offhook.services.ports.listing import Listing, Page
from offhook.services.ports.stock import NewStockNumber, StockNumber
from offhook.services.ports.store import ProviderTransaction, Store
from offhook.services.sheets import OnExisting
from offhook.services.users import checked_number, must_be_current

MOST_AT_ONCE = 10_000
LONGEST_LOCALITY, LONGEST_REASON = 100, 200

Said = Mapping[str, Any]
"""What is said of a number: carrier (None: unknown), country, kind, locality. What is not named is derived, or stays as it is."""


@dataclass(frozen=True, slots=True)
class Entered:
    """What became of many numbers, counted."""

    first: E164
    last: E164
    results: Mapping[RowState, int]


def list_stock(store: Store, listing: Listing) -> Page[StockNumber]:
    """Some of the stock, and who has it."""
    with store.provider_view() as provider:
        return provider.stock.page(listing)


def get_stock_number(store: Store, number: str) -> StockNumber:
    """One number of it. Raises Missing."""
    with store.provider_view() as provider:
        return found_stock_number(provider, number)


def add_stock_number(store: Store, number: str, said: Said, who: str) -> StockNumber:
    """A number enters the stock. Raises Invalid, Missing and Conflict with the field they are about."""
    e164 = checked_stock_number(number, "number")
    with store.provider_change(who) as provider:
        entering = Entering(provider, [e164], OnExisting.REFUSE)
        entering.put(e164, checked(provider, said, e164))
        entering.carry_out()
        return found_stock_number(provider, e164)


def add_range(store: Store, first: str, last: str, said: Said, on_existing: OnExisting, who: str) -> Entered:
    """All numbers from one to another enter it, in one revision; what of them is there already is changed, skipped, or refuses all.

    Raises Invalid, Missing and Conflict with the field they are about.
    """
    numbers = _range(checked_stock_number(first, "first"), checked_stock_number(last, "last"))
    with store.provider_change(who) as provider:
        same = checked(provider, said, numbers[0], numbers[-1])
        entering = Entering(provider, numbers, on_existing)
        try:
            states = Counter(entering.put(number, same) for number in numbers)
        except Conflict as there:
            raise Conflict(there.explanation, "first") from None
        entering.carry_out()
    return Entered(numbers[0], numbers[-1], states)


def change_stock_number(store: Store, number: str, changes: Mapping[str, Any], *, version: int | None = None, who: str) -> StockNumber:
    """Give a number another carrier, country, kind or locality, or withhold it for a reason (None: offer it); only what is named.

    Raises Missing, Stale and Invalid with the field they are about.
    """
    with store.provider_change(who) as provider:
        entry = found_stock_number(provider, number)
        must_be_current(entry.version, version)
        values = checked(provider, {name: value for name, value in changes.items() if name != "withheld"}, entry.number)
        if "withheld" in changes:
            values["withheld"] = checked_reason(changes["withheld"])
        provider.stock.change_all([entry.number], **values)
        return found_stock_number(provider, number)


def remove_stock_number(store: Store, number: str, *, version: int | None = None, who: str) -> None:
    """It leaves the stock. Raises Missing, Stale, and NumberInUse while an organization has it."""
    with store.provider_change(who) as provider:
        entry = found_stock_number(provider, number)
        must_be_current(entry.version, version)
        if not may(entry.state, StockDeed.REMOVE):
            raise NumberInUse(f"{entry.number} is in use by {entry.domain}; it leaves the stock once it is given back.", "number")
        provider.stock.remove_all([entry.number])


def found_stock_number(provider: ProviderTransaction, number: str) -> StockNumber:
    """One number, which nobody takes meanwhile where the transaction writes. Raises Missing."""
    entry = provider.stock.held([E164(number)]).get(E164(number))
    if entry is None:
        raise Missing(f"{number} is not in the stock.", "number")
    return entry


class Entering:
    """Numbers that are to stand in the stock: each is looked at by itself, then all of them are put in by few statements."""

    def __init__(self, provider: ProviderTransaction, numbers: Sequence[E164], on_existing: OnExisting) -> None:
        self._stock = provider.stock
        self._there = provider.stock.held(numbers)
        self._on_existing = on_existing
        self._default = next((each.carrier.name for each in provider.carriers.all() if each.default), None)
        self._new: list[NewStockNumber] = []
        self._changed: dict[tuple[tuple[str, Any], ...], list[E164]] = {}

    def put(self, number: E164, said: Said) -> RowState:
        """What becomes of one, of which this is said (and `checked`).

        Raises Invalid for what no numbering plan knows and nobody said, Conflict when it is there and must not be.
        """
        known = self._there.get(number)
        if known is None:
            self._new.append(_new(number, {"carrier": self._default, "locality": ""} | dict(said)))
            return RowState.CREATED
        if self._on_existing is OnExisting.SKIP:
            return RowState.SKIPPED
        if self._on_existing is OnExisting.REFUSE:
            raise Conflict(f"{number} is in the stock already.", "number")
        differing = tuple((name, value) for name, value in said.items() if getattr(known, name) != value)
        if differing:
            self._changed.setdefault(differing, []).append(number)
        return RowState.CHANGED if differing else RowState.UNCHANGED

    def carry_out(self) -> None:
        """Do it."""
        self._stock.add_all(self._new)
        for values, numbers in self._changed.items():
            self._stock.change_all(numbers, **dict(values))


def checked(provider: ProviderTransaction, said: Said, *numbers: E164) -> dict[str, Any]:
    """What is said of a number, or of all between two, each value in its one form. Raises Invalid and Missing with the field."""
    values = dict(said)
    if values.get("carrier") is not None:
        _must_be_carrier(provider, values["carrier"])
    if "country" in values:
        (values["country"],) = {checked_country(values["country"], number) for number in numbers}
    if "kind" in values:
        values["kind"] = NumberKind(values["kind"])
    if "locality" in values:
        values["locality"] = checked_locality(values["locality"] or "")
    return values


def checked_stock_number(number: str, field: str) -> E164:
    """A number in international form. Raises Invalid with the field."""
    e164 = checked_number(number, field)
    assert e164 is not None
    return e164


def checked_locality(locality: str) -> str:
    """A place as people read it; an empty text for none. Raises Invalid."""
    if len(locality.strip()) > LONGEST_LOCALITY or not locality.isprintable():
        raise Invalid(f"A locality has at most {LONGEST_LOCALITY} characters, all of them printable.", "locality")
    return locality.strip()


def checked_reason(reason: str | None) -> str | None:
    """Why a number is withheld; None: it is not. Raises Invalid."""
    if reason is not None and not (1 <= len(reason.strip()) <= LONGEST_REASON and reason.isprintable()):
        raise Invalid(f"Say why it is withheld in 1 to {LONGEST_REASON} characters, all of them printable; null offers it.", "withheld")
    return None if reason is None else reason.strip()


def _new(number: E164, said: Said) -> NewStockNumber:
    country = said.get("country") or country_of(number)
    if country is None:
        raise Invalid(f"No numbering plan tells of which country {number} is; say it.", "country")
    kind = said.get("kind") or kind_of(number)
    if kind is None:
        raise Invalid(f"No numbering plan tells what sort of number {number} is; say it: {', '.join(NumberKind)}.", "kind")
    return NewStockNumber(number, said["carrier"], country, kind, said["locality"])


def _range(first: E164, last: E164) -> list[E164]:
    low, high = int(first[1:]), int(last[1:])
    if len(first) != len(last) or high < low:
        raise Invalid(f"The last number has as many digits as the first, and is not before it: {first} to {last}.", "last")
    if high - low >= MOST_AT_ONCE:
        raise Invalid(f"From {first} to {last} are {high - low + 1} numbers; at most {MOST_AT_ONCE} are taken at once.", "last")
    return [E164(f"+{digits}") for digits in range(low, high + 1)]


def _must_be_carrier(provider: ProviderTransaction, name: str) -> None:
    if not any(each.carrier.name == name for each in provider.carriers.all()):
        raise Missing(f"There is no carrier {name}.", "carrier")


def put_in(provider: ProviderTransaction, numbers: Sequence[E164], carrier: str | None) -> None:
    """Have these numbers in the stock, by this carrier where they are not there yet."""
    entering = Entering(provider, numbers, OnExisting.SKIP)
    for number in numbers:
        entering.put(number, {"carrier": carrier})
    entering.carry_out()
