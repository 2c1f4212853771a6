"""Files for spreadsheets: what is in one that was sent, what became of its rows, and how one is written.

CSV after RFC 4180, with what spreadsheets make of it: comma, semicolon or tab; UTF-8, UTF-16 with its mark, or Windows-1252.
"""

import codecs
import csv
import io
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from typing import Self

import orjson

from offhook.domain.errors import Invalid, Refusal
from offhook.domain.jobs import RowState
from offhook.services.ports.jobs import RowResult

REMARKS = ("refused_field", "refused_because")
"""Columns of a file of refused rows; they are not read."""
MOST_ROWS = 100_000
LAST_ROW = 1_048_576
"""A spreadsheet has no more."""
FILE = "file"
"""The field of what is wrong with a file as a whole."""
LONGEST_CELL = 1000
_LONGEST_EXPLANATION = 600

# Without an own limit the module refuses a whole file for a cell of 131,072 characters; a row with one is refused by itself.
csv.field_size_limit(2**31 - 1)

_DELIMITERS = {",": "comma", ";": "semicolon", "\t": "tab"}
_MARKS = (
    (codecs.BOM_UTF8, "utf-8", "UTF-8 with BOM"),
    (codecs.BOM_UTF32_LE, "utf-32", "UTF-32"),  # begins as UTF-16 does
    (codecs.BOM_UTF16_LE, "utf-16", "UTF-16"),
    (codecs.BOM_UTF16_BE, "utf-16", "UTF-16"),
)
# What a spreadsheet would run (OWASP: CSV injection) or change: formulas, also in wide letters, numbers with a plus, leading zeros.
_RUN = r"(?:[\t\r\n]|[ ]*[=+\-@＝＋－＠]|0[0-9]+\Z)"
_TO_HIDE = re.compile(rf"'*{_RUN}")
_HIDDEN = re.compile(rf"'+{_RUN}")
_TO_QUOTE = re.compile(r'[,;\t"\r\n]|\A\s|\s\Z')


class OnExisting(StrEnum):
    """What becomes of a row about something that is there already."""

    CHANGE = "change"
    SKIP = "skip"
    REFUSE = "refuse"


class UnreadableFile(Invalid):
    """A file that cannot be read to its end, so that nothing of it is done."""

    code = "csv.unreadable"


class WrongColumns(Invalid):
    """A file whose first row does not name columns of ours."""

    code = "csv.columns"


class EmptyFile(Invalid):
    """A file without a row of data."""

    code = "csv.empty"


class TooManyRows(Invalid):
    """A file of more rows than are taken at once."""

    code = "csv.too_many_rows"


class WrongCells(Invalid):
    """A row that has more cells than there are columns, or fewer."""

    code = "row.cells"


class Twice(Invalid):
    """A row that wants what an earlier row of the same file wants."""

    code = "row.twice"


@dataclass(frozen=True, slots=True)
class Heads:
    """What the first row may name: `columns` of which those `needed` must be there; `aliases` are other names of theirs."""

    columns: tuple[str, ...]
    needed: tuple[str, ...]
    aliases: Mapping[str, str] = field(default_factory=dict)
    most_rows: int = MOST_ROWS

    def known(self) -> frozenset[str]:
        """Every name that a head may have."""
        return frozenset((*self.columns, *REMARKS, *self.aliases))


@dataclass(frozen=True, slots=True)
class Sheet:
    """What stands in a file. `columns` are in its order; `rows` have their number (the heads are row 1) and their cells.

    A row may have fewer or more cells than there are columns; rows without anything are left out.
    """

    encoding: str
    delimiter: str
    columns: tuple[str, ...]
    rows: list[tuple[int, list[str]]]

    def packed(self) -> bytes:
        """To be kept; `unpacked` reads it."""
        return zlib.compress(orjson.dumps([self.encoding, self.delimiter, self.columns, self.rows]), 1)

    @classmethod
    def unpacked(cls, octets: bytes) -> Self:
        """What was packed."""
        encoding, delimiter, columns, rows = orjson.loads(zlib.decompress(octets))
        return cls(encoding, delimiter, tuple(columns), [(number, cells) for number, cells in rows])


def read_sheet(octets: bytes, named: Heads) -> Sheet:
    """What stands in a file. Raises EmptyFile, UnreadableFile, WrongColumns, TooManyRows."""
    text, encoding = _decoded(octets)
    delimiter = _delimiter(text, named.known())
    records = _records(text, delimiter)
    heads = next(records, None)
    if heads is None:
        raise EmptyFile(f"The file is empty. Its first row names the columns: {', '.join(named.needed)} and others.", FILE)
    columns = _columns(heads[1], named)
    kept = [place for place, name in enumerate(columns) if name not in REMARKS]
    rows: list[tuple[int, list[str]]] = []
    for number, cells in records:
        if len(rows) == named.most_rows:
            raise TooManyRows(f"The file has more than {named.most_rows} rows; send it in parts.", FILE)
        # What a spreadsheet adds behind the last column is nothing.
        while len(cells) > len(columns) and not cells[-1].strip():
            cells.pop()
        rows.append((number, [cells[place] for place in kept if place < len(cells)] + cells[len(columns) :]))
    if not rows:
        raise EmptyFile("The file has no row below its heads.", FILE)
    return Sheet(encoding, _DELIMITERS[delimiter], tuple(columns[place] for place in kept), rows)


def refused(row: int, object_id: str | None, refusals: Sequence[Refusal]) -> RowResult:
    """The result of a row that was refused: all reasons in words, the first with its code and field."""
    words = " ".join(refusal.explanation for refusal in refusals)
    return RowResult(row, RowState.REFUSED, object_id, refusals[0].code, refusals[0].field, words)


def short(result: RowResult) -> RowResult:
    """A result with no more words than are kept of one."""
    text = result.explanation or ""
    return result if len(text) <= _LONGEST_EXPLANATION else replace(result, explanation=f"{text[:_LONGEST_EXPLANATION]} ...")


def must_be_text(name: str, text: str) -> None:
    """Raises Invalid for a cell that is too long, or holds what cannot be read."""
    if len(text) > LONGEST_CELL:
        raise Invalid(f"The cell has {len(text)} characters, more than {LONGEST_CELL}.", name)
    if strange := next((letter for letter in text if not letter.isprintable()), None):
        what = "a line break" if strange in "\r\n" else f"the character U+{ord(strange):04X}"
        raise Invalid(f"The {name.replace('_', ' ')} holds {what}.", name)


def written(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> bytes:
    """A file of rows that a spreadsheet shows as they are, runs nothing of, and that `read_sheet` reads as they were.

    UTF-8 with its mark, without which Excel takes it for Windows-1252.
    """
    lines = (",".join(_quoted(hidden(cell)) for cell in row) for row in [columns, *rows])
    return codecs.BOM_UTF8 + "".join(f"{line}\r\n" for line in lines).encode()


def hidden(cell: str) -> str:
    """A cell with an apostrophe before what a spreadsheet would run or change; `shown` takes it away again."""
    return f"'{cell}" if _TO_HIDE.match(cell) else cell


def shown(cell: str) -> str:
    """A cell without the apostrophe that `hidden` gave it, or that somebody typed to have it taken as text."""
    return cell[1:] if _HIDDEN.match(cell) else cell


def _quoted(cell: str) -> str:
    # The csv module quotes for one delimiter; a spreadsheet of another country may split at another one.
    return '"' + cell.replace('"', '""') + '"' if _TO_QUOTE.search(cell) else cell


def _decoded(octets: bytes) -> tuple[str, str]:
    for mark, codec, name in _MARKS:
        if octets.startswith(mark):
            try:
                return octets.decode("utf-8-sig" if codec == "utf-8" else codec), name
            except UnicodeDecodeError as wrong:
                row = octets[: wrong.start].decode(codec, "ignore").count("\n") + 1
                raise UnreadableFile(f"The file begins as {name}, but line {row} is none. Was it cut?", FILE) from None
    try:
        return octets.decode(), "UTF-8"
    except UnicodeDecodeError as wrong:
        before, line = octets[: wrong.start], octets.count(b"\n", 0, wrong.start) + 1
        # A letter that ends in the middle of its octets was cut; of a first octet alone, which other encodings end with too, nobody knows.
        is_cut = wrong.end == len(octets) > wrong.start + 1 and wrong.reason == "unexpected end of data"
        if not before.isascii() or is_cut:
            raise UnreadableFile(f"The file begins as UTF-8, but line {line} is none. Was it cut, or put together?", FILE) from None
    try:
        return octets.decode("cp1252"), "Windows-1252"
    except UnicodeDecodeError:
        return octets.decode("latin-1"), "Latin-1"


def _delimiter(text: str, known: frozenset[str]) -> str:
    """The one by which the first line names most columns of ours."""
    first = next((line for line in io.StringIO(text[:10_000], newline="") if line.strip()), "")

    def named(delimiter: str) -> int:
        return sum(_head(cell.strip(' "')) in known for cell in first.split(delimiter))

    return max(_DELIMITERS, key=named)


def _head(cell: str) -> str:
    return shown(cell.strip()).lower().replace(" ", "_").replace("-", "_")


def _columns(heads: Sequence[str], known: Heads) -> list[str]:
    named = [_head(cell) for cell in heads]
    while named and not named[-1]:
        named.pop()
    named = [known.aliases.get(name, name) for name in named]
    for place, name in enumerate(named):
        if name not in known.columns + REMARKS:
            said = repr(heads[place][:40]) if name else f"no name in column {place + 1}"
            words = f"Row 1 names a column that is not known: {said}. Known are {', '.join(known.columns)}."
            raise WrongColumns(words, _field(name) or FILE)
        if name in named[:place]:
            raise WrongColumns(f"Row 1 names the column {name} twice.", name)
    for name in known.needed:
        if name not in named:
            raise WrongColumns(f"Row 1 names no column {name}; each row needs one.", name)
    return named


def _field(head: str) -> str:
    return "".join(letter for letter in head[:40] if letter.isprintable())


def _records(text: str, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that have anything, as they are counted in a spreadsheet. Raises UnreadableFile."""
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    heads: list[str] | None = None
    for number in range(1, LAST_ROW + 1):
        begins = reader.line_num
        try:
            cells = next(reader)
        except StopIteration:
            return
        except csv.Error:  # of a strict reader without a limit: quotes
            raise _torn(text, begins, number, delimiter, heads) from None
        if any(cell.strip() for cell in cells):
            cells = [shown(cell) for cell in cells]
            heads = heads or cells
            yield number, cells
    raise TooManyRows(f"The file has more than {LAST_ROW} rows.", FILE)


def _torn(text: str, begins: int, number: int, delimiter: str, heads: list[str] | None) -> UnreadableFile:
    """What is wrong with the record that begins after so many lines: a quote in one of its cells."""
    record = "".join(line for place, line in enumerate(io.StringIO(text, newline="")) if place >= begins)
    whole = re.compile(rf'(?:"(?:[^"]++|"")*+"|[^"{delimiter}\r\n][^{delimiter}\r\n]*+|){re.escape(delimiter)}')
    at = cell = 0
    while match := whole.match(record, at):
        at, cell = match.end(), cell + 1
    name = _field(_head(heads[cell])) if heads and cell < len(heads) else f"column {cell + 1}"
    words = (
        f"In row {number}, {name}, a quote is opened and not closed where the cell ends, so that nobody knows where the next row begins."
    )
    return UnreadableFile(f"{words} Was the file cut? Nothing of it was done.", name)
