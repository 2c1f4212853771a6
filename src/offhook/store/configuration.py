"""What the switch must know of all organizations at once, and everything of one, now or as it was at a revision."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from sys import intern

from sqlalchemy import Connection, Table, select

from offhook.domain.access import Role
from offhook.domain.attendants import Attendant
from offhook.domain.numbers import E164
from offhook.domain.organizations import Destination, ToAttendant, ToUser
from offhook.domain.users import User
from offhook.services.ports.store import Configuration, Configured
from offhook.store.attendants import attendant_of, keys_of
from offhook.store.carriers import all_carriers
from offhook.store.history import History
from offhook.store.numbers import destination_of
from offhook.store.organizations import profile_of, profiles
from offhook.store.scope import Row, Scope
from offhook.store.tables import attendant_keys, attendants, devices, numbers, organizations, users
from offhook.store.users import credentials_of, device_of, first_numbers, user_of

ROWS_AT_ONCE = 5_000
"""So many rows are asked of the database at a time, so that a million are never there twice."""


@dataclass(slots=True)
class _Rows:
    """One organization's rows of each table."""

    users: Sequence[Row] = field(default_factory=list)
    devices: Sequence[Row] = field(default_factory=list)
    attendants: Sequence[Row] = field(default_factory=list)
    keys: Sequence[Row] = field(default_factory=list)
    numbers: Sequence[Row] = field(default_factory=list)


_TABLES: Mapping[str, Table] = {
    "users": users,
    "devices": devices,
    "attendants": attendants,
    "keys": attendant_keys,
    "numbers": numbers,
}


def read_configuration(connection: Connection) -> Configuration:
    """What the switch must know. One statement a table: with one a table and organization, a thousand tenants would cost thousands."""
    numbers_of, lowest = _numbers(connection)
    users_of = _users(connection, lowest)
    keys = keys_of(connection.execute(select(attendant_keys).order_by(attendant_keys.c.key)).mappings())
    attendants_of: dict[int, list[Attendant]] = defaultdict(list)
    for row in connection.execute(select(attendants).order_by(attendants.c.name)).mappings():
        attendants_of[row["organization_id"]].append(attendant_of(row, keys))
    own = profiles(connection)
    found = [Configured(each, users_of.pop(each.id, []), attendants_of[each.id], numbers_of.pop(each.id, {}), [], {}) for each in own]
    return Configuration(found, all_carriers(connection))


def _numbers(connection: Connection) -> tuple[dict[int, dict[E164, Destination | None]], dict[int, E164]]:
    """Every organization's numbers, and the lowest of each user. A million rows: plain tuples, and one object for what several ring."""
    found: dict[int, dict[E164, Destination | None]] = defaultdict(dict)
    lowest: dict[int, E164] = {}
    users_known: dict[int, ToUser] = {}
    columns = (numbers.c.e164, numbers.c.organization_id, numbers.c.target_kind, numbers.c.target_id)
    for number, organization, kind, id in connection.execute(select(*columns).execution_options(yield_per=ROWS_AT_ONCE)):
        if kind != "user":
            found[organization][number] = None if kind is None else ToAttendant(id)
            continue
        found[organization][number] = users_known.get(id) or users_known.setdefault(id, ToUser(id))
        if id not in lowest or number < lowest[id]:
            lowest[id] = number
    return found, lowest


def _users(connection: Connection, lowest: Mapping[int, E164]) -> dict[int, list[User]]:
    found: dict[int, list[User]] = defaultdict(list)
    c = users.c
    columns = (c.organization_id, c.id, c.username, c.name, c.language, c.extension, c.email, c.location, c.time_zone, c.role, c.version)
    rows = connection.execute(select(*columns).order_by(c.organization_id, c.username).execution_options(yield_per=ROWS_AT_ONCE))
    for organization, id, username, name, language, extension, email, location, zone, role, version in rows:
        # The same text in a hundred thousand rows is kept once.
        place = intern(language), intern(location), intern(zone)
        user = User(
            id, username, name, place[0], extension, lowest.get(id), email, place[1], place[2], Role(role) if role else None, version
        )
        found[organization].append(user)
    return found


def read_configured(scope: Scope) -> Configured:
    """One organization's configuration of now."""
    own = scope.row(organizations)
    assert own is not None
    return _configured(own, own["revision"], _Rows(**{name: scope.rows(table) for name, table in _TABLES.items()}))


def read_configured_as_of(scope: Scope, revision: int) -> Configured:
    """One organization's configuration as it was at a revision; passwords are not in the history, so nobody can sign in with it."""
    history = History(scope)
    (own,) = history.rows_as_of(organizations, revision)
    rows = _Rows(**{name: history.rows_as_of(table, revision) for name, table in _TABLES.items()})
    return _configured(own | {"id": scope.organization}, revision, rows)


def _configured(own: Row, revision: int, rows: _Rows) -> Configured:
    in_order = sorted(rows.numbers, key=lambda row: str(row["e164"]))
    shown, keys = first_numbers(in_order), keys_of(sorted(rows.keys, key=lambda row: str(row["key"])))
    return Configured(
        profile=profile_of(own, revision),
        users=[user_of(row, shown) for row in sorted(rows.users, key=lambda row: str(row["username"]))],
        attendants=[attendant_of(row, keys) for row in sorted(rows.attendants, key=lambda row: str(row["name"]))],
        numbers={E164(row["e164"]): destination_of(row) for row in in_order},
        devices=[device_of(row) for row in sorted(rows.devices, key=lambda row: int(row["id"]))],
        credentials=credentials_of(rows.devices),
    )
