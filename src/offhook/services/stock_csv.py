"""Numbers from a file into the stock: each row is looked at by itself, and one that is refused stops no other."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from offhook.domain.errors import Invalid, Missing, Refusal
from offhook.domain.jobs import RowState
from offhook.domain.numbers import E164, NumberKind
from offhook.services.numbering_plan import checked_country
from offhook.services.ports.jobs import RowResult
from offhook.services.ports.store import ProviderTransaction, Store
from offhook.services.sheets import Heads, OnExisting, Twice, WrongCells, must_be_text, read_sheet, refused, short
from offhook.services.stock import MOST_AT_ONCE, Entering, checked_locality, checked_stock_number

COLUMNS = ("number", "carrier", "country", "kind", "locality")
ROWS_AT_ONCE = 500
"""So many rows are one transaction and one revision, so that nobody waits long for the database."""
_HEADS = Heads(COLUMNS, needed=("number",), aliases={"e164": "number"}, most_rows=MOST_AT_ONCE)


@dataclass(frozen=True, slots=True)
class Imported:
    """What became of a file: how it was read, and of each row; `revision` is the last that it made, None: it changed nothing."""

    encoding: str
    delimiter: str
    rows: Sequence[RowResult]
    revision: int | None

    @property
    def results(self) -> Mapping[RowState, int]:
        """How many rows had each result."""
        return Counter(row.state for row in self.rows)


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A row whose cells can be read. `said` has the columns that are there and say something."""

    row: int
    number: E164
    said: Mapping[str, Any]


def import_stock(store: Store, octets: bytes, on_existing: OnExisting, *, dry_run: bool, who: str) -> Imported:
    """Have the numbers of a CSV file in the stock; of a number that is there already, the columns that are there are changed.

    An empty cell takes away carrier and locality, and has country and kind told by the numbering plan. A dry run finds out the same and
    changes nothing. Raises EmptyFile, UnreadableFile, WrongColumns, TooManyRows.
    """
    sheet = read_sheet(octets, _HEADS)
    rows = _without_twins([_read(sheet.columns, number, cells) for number, cells in sheet.rows])
    results: list[RowResult] = []
    revision = None
    for begin in range(0, len(rows), ROWS_AT_ONCE):
        some = rows[begin : begin + ROWS_AT_ONCE]
        with store.provider_view() if dry_run else store.provider_change(who) as provider:
            results += _settled(provider, some, on_existing, keeps=not dry_run)
            revision = provider.revision or revision
    return Imported(sheet.encoding, sheet.delimiter, [short(result) for result in results], revision)


def _settled(
    provider: ProviderTransaction, rows: Sequence[_Wanted | RowResult], on_existing: OnExisting, *, keeps: bool
) -> list[RowResult]:
    entering = Entering(provider, [row.number for row in rows if isinstance(row, _Wanted)], on_existing)
    carriers = {each.carrier.name for each in provider.carriers.all()}
    results = [_put(entering, row, carriers) if isinstance(row, _Wanted) else row for row in rows]
    if keeps:
        entering.carry_out()
    return results


def _put(entering: Entering, row: _Wanted, carriers: set[str]) -> RowResult:
    carrier = row.said.get("carrier")
    try:
        if carrier is not None and carrier not in carriers:
            raise Missing(f"There is no carrier {carrier}.", "carrier")
        return RowResult(row.row, entering.put(row.number, row.said), row.number)
    except Refusal as refusal:
        return refused(row.row, row.number, [refusal])


def _read(columns: Sequence[str], row: int, cells: Sequence[str]) -> _Wanted | RowResult:
    """What a row wants, or why that cannot be."""
    said = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
    called = said.get("number", "")[:40]
    if len(cells) != len(columns):
        words = f"This row has {len(cells)} cells, the heads name {len(columns)} columns."
        return refused(row, called or None, [WrongCells(words, columns[min(len(cells), len(columns) - 1)])])
    refusals: list[Refusal] = []
    values: dict[str, Any] = {}
    for name in sorted(said, key=COLUMNS.index):  # the number first: a country is compared with it
        try:
            must_be_text(name, said[name])
            values |= _value(name, said[name], values.get("number"))
        except Invalid as wrong:
            refusals.append(wrong)
    if refusals:
        return refused(row, called if called.isprintable() and called else None, refusals)
    return _Wanted(row, values.pop("number"), values)


def _value(name: str, text: str, number: E164 | None) -> dict[str, Any]:
    """What a cell says; nothing where it is empty and the numbering plan tells."""
    match name:
        case "number":
            return {name: checked_stock_number(text, name)}
        case "carrier":
            return {name: text or None}
        case "locality":
            return {name: checked_locality(text)}
        case "country":
            return {name: checked_country(text, number)} if text and number else {}
        case _:
            return {name: _kind(text)} if text else {}


def _kind(text: str) -> NumberKind:
    try:
        return NumberKind(text.lower().replace(" ", "_").replace("-", "_"))
    except ValueError:
        raise Invalid(f"{text!r} is no kind of number; kinds are {', '.join(NumberKind)}.", "kind") from None


def _without_twins(read: Sequence[_Wanted | RowResult]) -> list[_Wanted | RowResult]:
    """The rows, those refused whose number stands in an earlier one."""
    first: dict[E164, int] = {}
    rows: list[_Wanted | RowResult] = []
    for row in read:
        if isinstance(row, _Wanted) and first.setdefault(row.number, row.row) != row.row:
            rows.append(refused(row.row, row.number, [Twice(f"Row {first[row.number]} of this file has {row.number} too.", "number")]))
        else:
            rows.append(row)
    return rows
