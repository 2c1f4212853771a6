"""Telephone numbers and what they ring."""

from sqlalchemy import select

from offhook.domain.attendants import AttendantId
from offhook.domain.errors import Conflict, Missing
from offhook.domain.numbers import E164
from offhook.domain.organizations import Destination, ToAttendant, ToUser
from offhook.domain.users import UserId
from offhook.store.scope import Row, Scope
from offhook.store.tables import attendants, numbers, users

_TARGETS = {"user": (ToUser, users), "attendant": (ToAttendant, attendants)}


class Numbers:
    """The numbers of one organization; services.ports.store.Numbers."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def all(self) -> dict[E164, Destination | None]:
        return {E164(row["e164"]): destination_of(row) for row in self._scope.rows(numbers, order=[numbers.c.e164])}

    def versions(self) -> dict[E164, int]:
        return {E164(row["e164"]): row["version"] for row in self._scope.rows(numbers)}

    def assign(self, number: E164, to: Destination | None) -> None:
        kind = self._kind(to)
        target = {"target_kind": kind, "target_id": to.id if to is not None else None}
        if self._scope.update(numbers, numbers.c.e164 == number, numbers.c.target_kind.is_(None), **target):
            return
        if kind is None and self._scope.update(numbers, numbers.c.e164 == number, **target):
            return
        # The one look beyond the organization: a number is in use once in the whole system. The refusal does not say by whom.
        if self._scope.connection.execute(select(numbers.c.e164).where(numbers.c.e164 == number)).first() is not None:
            raise Conflict(f"{number} is in use already.", "number")
        self._scope.insert(numbers, e164=number, **target)

    def give_back(self, number: E164) -> None:
        if not self._scope.delete(numbers, numbers.c.e164 == number):
            raise Missing(f"{number} is not one of the organization's numbers.", "number")

    def _kind(self, to: Destination | None) -> str | None:
        if to is None:
            return None
        kind = next(kind for kind, (shape, _) in _TARGETS.items() if isinstance(to, shape))
        table = _TARGETS[kind][1]
        if not self._scope.has(table, table.c.id == to.id):
            raise Missing(f"There is no such {kind}.", "number")
        return kind


def destination_of(row: Row) -> Destination | None:
    """What a row of `numbers` rings; None while it is given to nobody."""
    if row["target_kind"] is None:
        return None
    return ToUser(UserId(row["target_id"])) if row["target_kind"] == "user" else ToAttendant(AttendantId(row["target_id"]))
