"""Everything the switch and the edge must know: of all organizations at once, or of one as it was at a revision."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from sqlalchemy import Connection, Table, select

from offhook.domain.numbers import E164
from offhook.services.ports.store import Configuration, Configured
from offhook.store.attendants import attendant_of, keys_of
from offhook.store.carriers import Carriers
from offhook.store.history import History
from offhook.store.numbers import destination_of
from offhook.store.organizations import profile_of
from offhook.store.scope import Row, Scope
from offhook.store.tables import attendant_keys, attendants, devices, numbers, organizations, users
from offhook.store.users import credentials_of, device_of, first_numbers, user_of


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
    """One statement a table: with one a table and organization, a thousand tenants would cost thousands."""
    found: dict[int, _Rows] = defaultdict(_Rows)
    for name, table in _TABLES.items():
        sorted_out: dict[int, list[Row]] = defaultdict(list)
        for row in connection.execute(select(table)).mappings():
            sorted_out[row["organization_id"]].append(row)
        for organization, rows in sorted_out.items():
            setattr(found[organization], name, rows)
    own = connection.execute(select(organizations).order_by(organizations.c.name)).mappings()
    return Configuration([_configured(row, row["revision"], found[row["id"]]) for row in own], Carriers(connection).all())


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
