"""People from a file: each row is looked at by itself, and one that is refused stops no other."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from offhook.domain.access import Role, may_give
from offhook.domain.errors import Invalid, Refusal
from offhook.domain.numbers import E164
from offhook.domain.organizations import OrganizationId
from offhook.services.people_csv import COLUMNS
from offhook.services.people_ledger import Ledger, Wanted
from offhook.services.ports.jobs import Job, RowResult
from offhook.services.ports.people import Deeds
from offhook.services.ports.store import Profile, Store, Transaction
from offhook.services.sheets import REMARKS, OnExisting, Sheet, Twice, WrongCells, must_be_text, refused, short, written
from offhook.services.users import CHECKS, checked_extension, checked_number

IMPORT = "import-users"
"""The kind of these jobs."""
_WHEN_EMPTY: Mapping[str, Any] = {"email": None, "extension": None, "language": "en", "location": "", "time_zone": "", "role": None}
"""What an empty cell stands for: what a user has of whom nothing was said."""


def export_users(store: Store, organization: OrganizationId) -> bytes:
    """Everybody, as a file that imports unchanged. Raises Missing."""
    with store.view(organization) as transaction:
        everybody = transaction.people.everybody()
    rows = []
    for user, numbers in everybody:
        told = {name: getattr(user, name) or "" for name in COLUMNS if name != "number"} | {"number": " ".join(numbers)}
        rows.append([str(told[name]) for name in COLUMNS])
    return written(COLUMNS, rows)


class Import:
    """One import that goes on. It is given the rows in their order, some at a time, each time in a transaction of its own.

    A dry run finds out the same and changes nothing: what its earlier rows would have changed is kept in mind.
    """

    def __init__(self, job: Job, wanted: bytes, profile: Profile) -> None:
        options = job.options
        self._dry_run = bool(options["dry_run"])
        self._welcome = bool(options.get("welcome"))
        self._on_existing = OnExisting(options["on_existing"])
        self._gives = frozenset(options["scopes"])
        self._sovereign = bool(options["sovereign"])
        sheet = Sheet.unpacked(wanted)
        read = [_read(sheet.columns, number, cells, profile.country) for number, cells in sheet.rows]
        self._rows = _without_twins(read)
        self._judged = 0
        self._country = profile.country
        self._ledger = self._new_ledger()

    def carry_out(self, transaction: Transaction, start: int, count: int) -> list[RowResult]:
        """Do so many rows from the one at `start` on (counted from 0); what became of each. Raises Conflict, Unavailable."""
        if not self._dry_run:
            self._ledger = self._new_ledger()
        # A dry run that goes on after a restart has nothing in mind of its first rows yet.
        while self._dry_run and self._judged < start:
            self._judge(transaction, self._judged, min(count, start - self._judged))
        results, deeds = self._judge(transaction, start, count)
        if not self._dry_run:
            transaction.people.carry_out(deeds)
            if not self._welcome:
                transaction.mails.quiet()
        return results

    def _new_ledger(self) -> Ledger:
        def may_change(role: Role | None) -> bool:
            return self._sovereign or may_give(self._gives, role)

        return Ledger(self._on_existing, may_change, self._country, keeps_an_administrator=not self._sovereign)

    def _judge(self, transaction: Transaction, start: int, count: int) -> tuple[list[RowResult], Deeds]:
        rows = self._rows[start : start + count]
        good = [row for row in rows if isinstance(row, Wanted)]
        extensions = {row.values["extension"] for row in good if row.values.get("extension")}
        numbers = {number for row in good for number in row.numbers or ()}
        facts = transaction.people.facts([row.username for row in good], sorted(extensions), sorted(numbers))
        self._ledger.learn(facts, transaction.countries.all())
        deeds = Deeds()
        results = [self._ledger.judge(row, deeds) if isinstance(row, Wanted) else row for row in rows]
        self._judged = start + len(rows)
        return [short(result) for result in results], deeds


def refused_rows(sheet: Sheet, results: Sequence[RowResult]) -> bytes:
    """The rows of a file that were refused, and why, as a file that imports once it is mended."""
    cells = dict(sheet.rows)
    rows = [[result.field or "", result.explanation or "", *cells[result.row]] for result in results]
    return written([*REMARKS, *sheet.columns], rows)


def _read(columns: Sequence[str], number: int, cells: Sequence[str], country: str) -> Wanted | RowResult:
    """What a row wants, or why that cannot be."""
    said = dict(zip(columns, (cell.strip() for cell in cells), strict=False))
    called = said.get("username", "")
    username = called[:64] if called and called.isprintable() else None
    if len(cells) != len(columns):
        words = f"This row has {len(cells)} cells, the heads name {len(columns)} columns."
        return refused(number, username, [WrongCells(words, columns[min(len(cells), len(columns) - 1)])])
    values: dict[str, Any] = {}
    numbers: tuple[E164, ...] | None = None
    refusals: list[Refusal] = []
    for name, text in said.items():
        try:
            must_be_text(name, text)
            if name == "number":
                numbers = _numbers(text)
            else:
                values[name] = _value(name, text, country)
        except Invalid as wrong:
            refusals.append(wrong)
    if refusals:
        return refused(number, username, refusals)
    return Wanted(number, values.pop("username"), values, numbers)


def _value(name: str, text: str, country: str) -> Any:
    if not text and name in _WHEN_EMPTY:
        return _WHEN_EMPTY[name]
    if name == "extension":
        return checked_extension(text, country)
    if name == "role":
        return _role(text)
    if name in ("language", "location", "time_zone"):
        verdict = _verdict(name, text)
        if isinstance(verdict, Invalid):
            raise verdict
        return verdict
    return CHECKS[name](text)


@lru_cache(maxsize=4096)
def _verdict(name: str, text: str) -> Any:
    """What a check says of a text that many rows share, the refusal too: a look for a time zone costs milliseconds."""
    try:
        return CHECKS[name](text)
    except Invalid as wrong:
        return wrong


def _role(text: str) -> Role:
    try:
        return Role(text.lower().replace(" ", "_").replace("-", "_"))
    except ValueError:
        raise Invalid(f"{text!r} is no role; roles are {', '.join(Role)}.", "role") from None


def _numbers(text: str) -> tuple[E164, ...]:
    """The numbers of a cell, each of which begins with a plus."""
    before, *rest = text.split("+")
    if before.strip():
        checked_number(text)
        raise Invalid(f"{text!r} is no telephone number in international form, such as +12065550101.", "number")
    found = [checked_number(f"+{each}") for each in rest]
    return tuple(sorted({number for number in found if number is not None}))


def _without_twins(read: Sequence[Wanted | RowResult]) -> list[Wanted | RowResult]:
    """The rows, those refused that want a name, an extension or a number that an earlier one wants."""
    first: dict[tuple[str, str], int] = {}
    rows: list[Wanted | RowResult] = []
    for row in read:
        if isinstance(row, Wanted):
            wants = _wants(row)
            twice = [Twice(f"Row {first[want]} of this file has the {want[0]} {want[1]} too.", want[0]) for want in wants if want in first]
            if twice:
                rows.append(refused(row.row, row.username, twice))
                continue
            first |= dict.fromkeys(wants, row.row)
        rows.append(row)
    return rows


def _wants(row: Wanted) -> list[tuple[str, str]]:
    extension = row.values.get("extension")
    wants = [("username", row.username), *([("extension", extension)] if extension else [])]
    return wants + [("number", number) for number in row.numbers or ()]
