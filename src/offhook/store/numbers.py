"""Telephone numbers and what they ring."""

from sqlalchemy import select

from offhook.domain.attendants import AttendantId
from offhook.domain.errors import Conflict, Missing
from offhook.domain.numbers import E164
from offhook.domain.organizations import Destination, ToAttendant, ToUser
from offhook.domain.users import UserId
from offhook.store.scope import Scope
from offhook.store.tables import attendants, numbers, users

_TARGETS = {"user": (ToUser, users), "attendant": (ToAttendant, attendants)}


class Numbers:
    """The numbers of one organization; services.ports.store.Numbers."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def all(self) -> dict[E164, Destination]:
        return {
            E164(row["e164"]): destination(row["target_kind"], row["target_id"])
            for row in self._scope.rows(numbers, order=[numbers.c.e164])
        }

    def assign(self, number: E164, to: Destination) -> None:
        # The one look beyond the organization: a number is in use once in the whole system. The refusal does not say by whom.
        if self._scope.connection.execute(select(numbers.c.e164).where(numbers.c.e164 == number)).first() is not None:
            raise Conflict(f"{number} is in use already.", "number")
        kind = next(kind for kind, (shape, _) in _TARGETS.items() if isinstance(to, shape))
        table = _TARGETS[kind][1]
        if not self._scope.has(table, table.c.id == to.id):
            raise Missing(f"There is no such {kind}.", "number")
        self._scope.insert(numbers, e164=number, target_kind=kind, target_id=to.id)
        self._scope.changed("number", number, None, {"target_kind": kind, "target_id": to.id})


def destination(kind: str, id: int) -> Destination:
    """What a row of `numbers` with this target rings."""
    return ToUser(UserId(id)) if kind == "user" else ToAttendant(AttendantId(id))
