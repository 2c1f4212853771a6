"""Everything the switch and the edge must know, read at once for all organizations."""

from collections import defaultdict

from sqlalchemy import Connection, select

from offhook.domain.attendants import Attendant
from offhook.domain.numbers import E164
from offhook.domain.organizations import Destination, OrganizationId, ToUser
from offhook.domain.users import User, UserId
from offhook.services.ports.store import Configuration, Credential
from offhook.store.attendants import attendant_of, keys_of
from offhook.store.carriers import Carriers
from offhook.store.numbers import destination
from offhook.store.organizations import profiles
from offhook.store.tables import attendant_keys, attendants, credentials, numbers, users


def read_configuration(connection: Connection) -> Configuration:
    """One statement a table: with one a table and organization, a thousand tenants would cost thousands."""
    assigned = _numbers(connection)
    shown: dict[UserId, E164] = {}
    for own in assigned.values():
        for number, to in own.items():
            if isinstance(to, ToUser):
                shown.setdefault(to.id, number)
    return Configuration(
        profiles(connection),
        _users(connection, shown),
        _attendants(connection),
        assigned,
        _credentials(connection),
        Carriers(connection).all(),
    )


def _numbers(connection: Connection) -> dict[OrganizationId, dict[E164, Destination]]:
    found: dict[OrganizationId, dict[E164, Destination]] = defaultdict(dict)
    columns = (numbers.c.organization_id, numbers.c.e164, numbers.c.target_kind, numbers.c.target_id)
    for organization, e164, kind, id in connection.execute(select(*columns).order_by(numbers.c.e164)):
        found[organization][e164] = destination(kind, id)
    return found


def _users(connection: Connection, shown: dict[UserId, E164]) -> dict[OrganizationId, list[User]]:
    found: dict[OrganizationId, list[User]] = defaultdict(list)
    columns = (users.c.organization_id, users.c.id, users.c.username, users.c.name, users.c.language, users.c.extension)
    for organization, id, username, name, language, extension in connection.execute(select(*columns).order_by(users.c.username)):
        found[organization].append(User(id, username, name, language, extension, shown.get(id)))
    return found


def _attendants(connection: Connection) -> dict[OrganizationId, list[Attendant]]:
    keys = keys_of(connection.execute(select(attendant_keys).order_by(attendant_keys.c.key)).mappings())
    found: dict[OrganizationId, list[Attendant]] = defaultdict(list)
    for row in connection.execute(select(attendants).order_by(attendants.c.name)).mappings():
        found[row["organization_id"]].append(attendant_of(row, keys))
    return found


def _credentials(connection: Connection) -> dict[OrganizationId, dict[UserId, Credential]]:
    found: dict[OrganizationId, dict[UserId, Credential]] = defaultdict(dict)
    columns = (credentials.c.organization_id, credentials.c.user_id, credentials.c.ha1_md5, credentials.c.ha1_sha256)
    for organization, user, ha1_md5, ha1_sha256 in connection.execute(select(*columns)):
        found[organization][user] = Credential(ha1_md5, ha1_sha256)
    return found
