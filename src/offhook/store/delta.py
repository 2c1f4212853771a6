"""What was touched in an organization since a revision, as it stands now: found in the history, read by its keys."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from sqlalchemy import Column, Connection, Row, Select, func, select

from offhook.domain.attendants import Attendant, AttendantId
from offhook.domain.numbers import E164
from offhook.domain.organizations import Destination, OrganizationId
from offhook.domain.users import User, UserId
from offhook.services.ports.delta import Delta, SignIn
from offhook.store.attendants import attendant_of, keys_of
from offhook.store.numbers import destination_of
from offhook.store.scope import Scope, is_open
from offhook.store.tables import attendant_keys, attendants, changes, devices, numbers, users
from offhook.store.users import user_of

KINDS = ("user", "device", "attendant", "attendant_key", "number")
KEYS_AT_ONCE = 1_000
"""Fewer than the parameters that a statement may have, on any database."""


@dataclass(slots=True)
class Touched:
    """Keys of rows. `showing` are users whom a number rang or rings: what they show may be another one now."""

    users: set[int] = field(default_factory=set)
    showing: set[int] = field(default_factory=set)
    devices: set[int] = field(default_factory=set)
    names: set[str] = field(default_factory=set)
    attendants: set[int] = field(default_factory=set)
    numbers: set[str] = field(default_factory=set)

    def note(self, kind: str, id: str, states: list[dict[str, Any]]) -> None:
        """One line of the history: what an object was before and after it."""
        match kind:
            case "user":
                self.users.add(int(id))
            case "device":
                self.devices.add(int(id))
                self.names.update(state["sip_username"] for state in states)
            case "attendant" | "attendant_key":
                self.attendants.add(int(id.partition(":")[0]))
            case "number":
                self.numbers.add(id)
                self.showing.update(state["target_id"] for state in states if state["target_kind"] == "user")


def read_delta(scope: Scope, since: int) -> Delta:
    """What was touched after a revision."""
    touched = touched_since(scope, since)
    return Delta(
        users=_people(scope, touched.users | touched.showing),
        attendants=_menus(scope, touched.attendants),
        numbers=_rung(scope, touched.numbers),
        sign_ins=_sign_ins(scope, touched),
    )


def touched_since(scope: Scope, since: int) -> Touched:
    """What the history tells after a revision."""
    touched = Touched()
    columns = select(changes.c.kind, changes.c.object_id, changes.c.before, changes.c.after)
    newer = (changes.c.organization_id == scope.organization, changes.c.revision > since)
    for kind, id, before, after in scope.connection.execute(columns.where(*newer, changes.c.kind.in_(KINDS))):
        touched.note(kind, id, [state for state in (before, after) if state is not None])
    return touched


def _people(scope: Scope, ids: Collection[int]) -> dict[UserId, User | None]:
    own = (numbers.c.organization_id == scope.organization, numbers.c.target_kind == "user")
    shown = select(numbers.c.target_id, func.min(numbers.c.e164).label("lowest")).where(*own).group_by(numbers.c.target_id)
    lowest = {row.target_id: E164(row.lowest) for row in _by_keys(scope.connection, shown, numbers.c.target_id, ids)}
    found: dict[UserId, User | None] = {UserId(id): None for id in ids}
    rows = _by_keys(scope.connection, select(users).where(users.c.organization_id == scope.organization), users.c.id, ids)
    return found | {UserId(row.id): user_of(row._mapping, lowest) for row in rows}


def _menus(scope: Scope, ids: Collection[int]) -> dict[AttendantId, Attendant | None]:
    own = scope.organization
    of_keys = select(attendant_keys).where(attendant_keys.c.organization_id == own).order_by(attendant_keys.c.key)
    keys = keys_of(row._mapping for row in _by_keys(scope.connection, of_keys, attendant_keys.c.attendant_id, ids))
    rows = _by_keys(scope.connection, select(attendants).where(attendants.c.organization_id == own), attendants.c.id, ids)
    found: dict[AttendantId, Attendant | None] = {AttendantId(id): None for id in ids}
    return found | {AttendantId(row.id): attendant_of(row._mapping, keys) for row in rows}


def _rung(scope: Scope, keys: Collection[str]) -> dict[E164, Destination | None]:
    rows = _by_keys(scope.connection, select(numbers).where(numbers.c.organization_id == scope.organization), numbers.c.e164, keys)
    found: dict[E164, Destination | None] = {E164(number): None for number in keys}
    return found | {E164(row.e164): destination_of(row._mapping) for row in rows}


def _sign_ins(scope: Scope, touched: Touched) -> dict[str, SignIn | None]:
    own = _SIGN_INS.where(devices.c.organization_id == scope.organization)
    # A user who is called otherwise has telephones that nobody touched; a name that one gave up another may have.
    asked: tuple[tuple[Column[Any], Collection[Any]], ...] = (
        (devices.c.id, touched.devices),
        (devices.c.user_id, touched.users),
        (devices.c.sip_username, touched.names),
    )
    found: dict[str, SignIn | None] = dict.fromkeys(touched.names)
    for column, keys in asked:
        found |= {row.sip_username: SignIn(row.ha1_md5, row.username) for row in _by_keys(scope.connection, own, column, keys)}
    return found


_SIGN_INS = select(devices.c.organization_id, devices.c.sip_username, devices.c.ha1_md5, users.c.username).join_from(
    devices, users, devices.c.user_id == users.c.id
)


def read_sign_ins(connection: Connection) -> dict[OrganizationId, dict[str, SignIn]]:
    """What proves each telephone of everybody, by organization and by the name that it signs in with."""
    found: dict[OrganizationId, dict[str, SignIn]] = {}
    for organization, name, ha1, owner in connection.execute(_SIGN_INS.where(is_open(devices.c.organization_id))):
        found.setdefault(OrganizationId(organization), {})[name] = SignIn(ha1, owner)
    return found


def _by_keys(connection: Connection, statement: Select[Any], column: Column[Any], keys: Collection[Any]) -> Iterator[Row[Any]]:
    left = iter(sorted(keys))
    while some := list(islice(left, KEYS_AT_ONCE)):
        yield from connection.execute(statement.where(column.in_(some)))
