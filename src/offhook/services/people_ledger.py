"""Who has which name, extension and number while many rows are carried out one after the other."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from offhook.domain.access import Role
from offhook.domain.countries import CountryWord
from offhook.domain.errors import Conflict, Forbidden, Refusal
from offhook.domain.jobs import RowState
from offhook.domain.numbers import E164, not_available
from offhook.domain.users import User, UserId
from offhook.services.ports.jobs import RowResult
from offhook.services.ports.organization import NewUser
from offhook.services.ports.people import Deeds, Facts
from offhook.services.roles import LastAdministrator
from offhook.services.served import refusal_of
from offhook.services.sheets import OnExisting, refused

Holder = UserId | str | None
"""Who has something: a user, by name while the user is new; a text without letters for anybody else; None when it is free."""
_SOMEBODY_ELSE = ""
_DEFAULTS: Mapping[str, Any] = {"language": "en", "extension": None, "email": None, "location": "", "time_zone": "", "role": None}


@dataclass(frozen=True, slots=True)
class Wanted:
    """A row of a file, each value checked. `values` has the columns that are there; `numbers` is None where there is no such column."""

    row: int
    username: str
    values: Mapping[str, Any]
    numbers: tuple[E164, ...] | None


class Ledger:
    """Judges rows in their order: what an earlier one takes is taken, what it lets go is free.

    `may_change` says whether a role may be given and taken; with `keeps_an_administrator` the last global one stays. `country` is the
    organization's own.
    """

    def __init__(
        self, on_existing: OnExisting, may_change: Callable[[Role | None], bool], country: str, *, keeps_an_administrator: bool
    ) -> None:
        self._country = country
        self._words: Mapping[str, CountryWord] = {}
        self._on_existing = on_existing
        self._may_change = may_change
        self._keeps_an_administrator = keeps_an_administrator
        self._users: dict[str, User] = {}
        self._numbers_of: dict[UserId, frozenset[E164]] = {}
        self._extensions: dict[str, Holder] = {}
        self._numbers: dict[E164, Holder] = {}
        self._not_available: set[E164] = set()
        self._sign_ins: dict[str, UserId] = {}
        self._administrators: int | None = None

    def learn(self, facts: Facts, words: Mapping[str, CountryWord]) -> None:
        """What the store says, what an earlier row did counts more; and what the provider says of countries."""
        self._words = words
        self._users = {**facts.users, **self._users}
        self._numbers_of = {**facts.numbers_of, **self._numbers_of}
        self._sign_ins |= facts.sign_ins
        for extension, whose in facts.extensions.items():
            self._extensions.setdefault(extension, _SOMEBODY_ELSE if whose is None else whose)
        for number, whose in facts.numbers.items():
            self._numbers.setdefault(number, _SOMEBODY_ELSE if whose is None else whose)
        self._not_available |= facts.not_available
        if self._administrators is None:
            self._administrators = facts.administrators

    def judge(self, row: Wanted, deeds: Deeds) -> RowResult:
        """What becomes of a row; what must be done for it is added to `deeds`."""
        known = self._users.get(row.username)
        if known is not None and self._on_existing is OnExisting.SKIP:
            return RowResult(row.row, RowState.SKIPPED, row.username)
        refusals: list[Refusal] = []
        if known is not None and self._on_existing is OnExisting.REFUSE:
            refusals.append(Conflict(f"There is a user {row.username} already.", "username"))
        elif known is None and row.username in self._sign_ins:
            refusals.append(Conflict(f"A telephone signs in as {row.username} already; choose another name.", "username"))
        else:
            refusals += self._objections(row, known)
        if refusals:
            return refused(row.row, row.username, refusals)
        return RowResult(row.row, self._change(row, known, deeds) if known else self._add(row, deeds), row.username)

    def _objections(self, row: Wanted, known: User | None) -> list[Refusal]:
        own: Holder = known.id if known else row.username
        found: list[Refusal] = []
        extension = row.values.get("extension")
        if extension is not None and self._extensions.get(extension) not in (None, own):
            found.append(Conflict(f"Extension {extension} is taken; choose another one.", "extension"))
        for number in row.numbers or ():
            if number in self._not_available:
                found.append(not_available(number))
            elif self._numbers.get(number) not in (None, own):
                found.append(Conflict(f"{number} is in use already.", "number"))
        location, was = row.values.get("location", ""), known.location if known else ""
        if location not in ("", self._country, was) and (elsewhere := refusal_of(self._words.get(location), location, "location")):
            found.append(elsewhere)
        before = known.role if known else None
        after = row.values.get("role", before)
        if before is not after:
            if not (self._may_change(before) and self._may_change(after)):
                words = f"The role {after or before} is given and taken only by those who may do all that it may."
                found.append(Forbidden(words, "role"))
            elif before is Role.GLOBAL and self._keeps_an_administrator and self._administrators == 1:
                found.append(LastAdministrator("This is the last global administrator; make somebody else one first.", "role"))
        elif known and row.values.get("email", known.email) != known.email and not self._may_change(before):
            words = f"The email of somebody with the role {before} is changed only by those who may do all that it may."
            found.append(Forbidden(words, "email"))
        return found

    def _add(self, row: Wanted, deeds: Deeds) -> RowState:
        values = {**_DEFAULTS, **row.values}
        self._take(values["extension"], row.username)
        self._count_administrators(None, values["role"])
        for number in row.numbers or ():
            self._numbers[number] = row.username
            deeds.given_to_new.append((number, len(deeds.new)))
        deeds.new.append(NewUser(username=row.username, **values))
        return RowState.CREATED

    def _change(self, row: Wanted, known: User, deeds: Deeds) -> RowState:
        changes = {name: value for name, value in row.values.items() if getattr(known, name) != value}
        had = self._numbers_of.get(known.id, frozenset())
        wanted = had if row.numbers is None else frozenset(row.numbers)
        if not changes and wanted == had:
            return RowState.UNCHANGED
        if "extension" in changes:
            self._take(None, known.id, known.extension)
            self._take(changes["extension"], known.id)
        if "role" in changes:
            self._count_administrators(known.role, changes["role"])
            changes["role"] = changes["role"] and changes["role"].value
        if changes:
            deeds.changed.append((known.id, changes))
        for number in sorted(had - wanted):
            self._numbers[number] = None
            deeds.released.append(number)
        for number in sorted(wanted - had):
            self._numbers[number] = known.id
            deeds.given.append((number, known.id))
        return RowState.CHANGED

    def _take(self, extension: str | None, holder: Holder, leaves: str | None = None) -> None:
        if leaves is not None:
            self._extensions[leaves] = None
        if extension is not None:
            self._extensions[extension] = holder

    def _count_administrators(self, before: Role | None, after: Role | None) -> None:
        assert self._administrators is not None
        self._administrators += (after is Role.GLOBAL) - (before is Role.GLOBAL)
