"""Users, their telephones and what they sign in with."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, RowMapping, select

from offhook.domain.access import Role
from offhook.domain.errors import Conflict, InUse, Missing
from offhook.domain.numbers import E164
from offhook.domain.users import Device, DeviceId, User, UserId
from offhook.services.ports.listing import Listing, Page
from offhook.services.ports.organization import NewDevice
from offhook.services.ports.store import Credential, NewUser
from offhook.store.listing import Listed
from offhook.store.scope import Row, Scope
from offhook.store.tables import attendant_keys, attendants, devices, numbers, passwords, tokens, users
from offhook.store.tokens import end_sessions


def _with_number(scope: Scope, number: Any) -> ColumnElement[bool]:
    own = (numbers.c.organization_id == scope.organization, numbers.c.target_kind == "user", numbers.c.e164 == number)
    return users.c.id.in_(select(numbers.c.target_id).where(*own))


def _of_user(scope: Scope, username: Any) -> ColumnElement[bool]:
    whose = select(users.c.id).where(users.c.organization_id == scope.organization, users.c.username == username)
    return devices.c.user_id == whose.scalar_subquery()


def _with_telephone(scope: Scope, wanted: Any) -> ColumnElement[bool]:
    some = users.c.id.in_(select(devices.c.user_id).where(devices.c.organization_id == scope.organization))
    return some if wanted == "some" else ~some


USERS = Listed(
    users,
    "username",
    {name: users.c[name] for name in ("username", "name", "extension", "email", "language", "location", "role")},
    searched=("username", "name", "extension", "email"),
    also={"number": _with_number, "telephone": _with_telephone},
)
DEVICES = Listed(
    devices,
    "id",
    {name: devices.c[name] for name in ("id", "name", "sip_username")},
    searched=("name", "sip_username"),
    also={"username": _of_user},
)


class Users:
    """The people of one organization; services.ports.store.Users."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def all(self) -> list[User]:
        assigned = first_numbers(self._scope.rows(numbers, numbers.c.target_kind == "user", order=[numbers.c.e164]))
        return [user_of(row, assigned) for row in self._scope.rows(users, order=[users.c.username])]

    def page(self, listing: Listing) -> Page[User]:
        rows, following = USERS.page(self._scope, listing)
        own = (numbers.c.target_kind == "user", numbers.c.target_id.in_([row["id"] for row in rows]))
        assigned = first_numbers(in_order(self._scope.rows(numbers, *own)))
        return Page([user_of(row, assigned) for row in rows], following)

    def names(self, ids: Iterable[UserId]) -> dict[UserId, str]:
        return {UserId(row["id"]): row["username"] for row in self._scope.rows(users, users.c.id.in_(sorted(set(ids))))}

    def by_id(self, id: UserId) -> User | None:
        return self._one(self._scope.row(users, users.c.id == id))

    def by_username(self, username: str) -> User | None:
        return self._one(self._scope.row(users, users.c.username == username))

    def _one(self, row: RowMapping | None) -> User | None:
        if row is None:
            return None
        own = (numbers.c.target_kind == "user", numbers.c.target_id == row["id"])
        return user_of(row, first_numbers(in_order(self._scope.rows(numbers, *own))))

    def add(self, new: NewUser) -> User:
        self._must_be_free(new.username, new.extension, None)
        values = values_of(new)
        id = UserId(self._scope.insert(users, **values))
        return User(id, number=None, version=self._scope.revision, **values | {"role": new.role})

    def change(self, id: UserId, **values: Any) -> None:
        row = self._scope.row(users, users.c.id == id)
        if row is None:
            raise Missing("There is no such user.", "user")
        self._must_be_free(values.get("username", row["username"]), values.get("extension", row["extension"]), row)
        self._scope.update(users, users.c.id == id, **values)
        if any(row[name] != values.get(name, row[name]) for name in ("role", "username")):
            # Whoever is signed in holds what the former role may do, under the former name.
            end_sessions(self._scope, tokens.c.user_id == id)

    def remove(self, id: UserId) -> None:
        row = self._scope.row(users, users.c.id == id)
        if row is None:
            raise Missing("There is no such user.", "user")
        if key := self._scope.row(attendant_keys, attendant_keys.c.user_id == id):
            attendant = self._scope.row(attendants, attendants.c.id == key["attendant_id"])
            name = attendant["name"] if attendant else key["attendant_id"]
            raise InUse(f"Key {key['key']} of the attendant {name} leads to {row['username']}; change that first.", "username")
        self._scope.update(numbers, numbers.c.target_kind == "user", numbers.c.target_id == id, target_kind=None, target_id=None)
        end_sessions(self._scope, tokens.c.user_id == id)
        for table in (devices, passwords):
            self._scope.delete(table, table.c.user_id == id)
        self._scope.delete(users, users.c.id == id)

    def password(self, id: UserId) -> str | None:
        row = self._scope.row(passwords, passwords.c.user_id == id)
        return row["hash"] if row else None

    def set_password(self, id: UserId, hash: str) -> None:
        if not self._scope.has(users, users.c.id == id):
            raise Missing("There is no such user.", "user")
        if not self._scope.update(passwords, passwords.c.user_id == id, hash=hash):
            self._scope.insert(passwords, user_id=id, hash=hash)
        end_sessions(self._scope, tokens.c.user_id == id)

    def _must_be_free(self, username: str, extension: str | None, row: Row | None) -> None:
        own = row["id"] if row else 0
        if self._scope.has(users, users.c.username == username, users.c.id != own):
            raise Conflict(f"There is a user {username} already; choose another name.", "username")
        if self._scope.has(devices, devices.c.sip_username == username, devices.c.user_id != own):
            raise Conflict(f"A telephone signs in as {username} already; choose another name.", "username")
        if extension is not None and self._scope.extension_taken(extension, user=own):
            raise Conflict(f"Extension {extension} is taken; choose another one.", "extension")


class Devices:
    """The telephones of one organization; services.ports.store.Devices."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def all(self, user: UserId | None = None) -> list[Device]:
        own = [devices.c.user_id == user] if user is not None else []
        return [device_of(row) for row in self._scope.rows(devices, *own, order=[devices.c.id])]

    def page(self, listing: Listing) -> Page[Device]:
        rows, following = DEVICES.page(self._scope, listing)
        return Page([device_of(row) for row in rows], following)

    def by_id(self, id: DeviceId) -> Device | None:
        row = self._scope.row(devices, devices.c.id == id)
        return device_of(row) if row else None

    def add(self, user: UserId, name: str, sip_username: str, credential: Credential) -> Device:
        if not self._scope.has(users, users.c.id == user):
            raise Missing("There is no such user.", "user")
        if self._scope.has(devices, devices.c.sip_username == sip_username) or self._scope.has(
            users, users.c.username == sip_username, users.c.id != user
        ):
            raise Conflict(f"Somebody signs in as {sip_username} already.", "sip_username")
        values = {"user_id": user, "name": name, "sip_username": sip_username}
        id = self._scope.insert(devices, **values, **_kept(credential))
        return Device(DeviceId(id), user, name, sip_username, self._scope.revision)

    def first(self, users: Collection[UserId]) -> dict[UserId, Device]:
        rows = self._scope.rows(devices, devices.c.user_id.in_(users), order=[devices.c.id.desc()])
        return {UserId(row["user_id"]): device_of(row) for row in rows}

    def add_all(self, new: Sequence[NewDevice]) -> list[DeviceId]:
        rows = [{"user_id": each.user, "name": each.name, "sip_username": each.sip_username} | _kept(each.credential) for each in new]
        return [DeviceId(id) for id in self._scope.insert_all(devices, rows)]

    def set_credentials(self, credentials: Mapping[DeviceId, Credential]) -> None:
        self._scope.update_each(devices, [(id, _kept(credential)) for id, credential in credentials.items()])

    def taken(self, sip_usernames: Collection[str], user: UserId) -> set[str]:
        of_devices = self._scope.rows(devices, devices.c.sip_username.in_(sip_usernames))
        of_people = self._scope.rows(users, users.c.username.in_(sip_usernames), users.c.id != user)
        return {row["sip_username"] for row in of_devices} | {row["username"] for row in of_people}

    def rename(self, id: DeviceId, name: str) -> None:
        if not self._scope.update(devices, devices.c.id == id, name=name):
            raise Missing("There is no such telephone.", "device")

    def credential(self, id: DeviceId) -> Credential | None:
        row = self._scope.row(devices, devices.c.id == id)
        return Credential(row["ha1_md5"], row["ha1_sha256"]) if row else None

    def set_credential(self, id: DeviceId, credential: Credential) -> None:
        if not self._scope.update(devices, devices.c.id == id, **_kept(credential)):
            raise Missing("There is no such telephone.", "device")

    def remove(self, id: DeviceId) -> None:
        if not self._scope.delete(devices, devices.c.id == id):
            raise Missing("There is no such telephone.", "device")


def _kept(credential: Credential) -> dict[str, Any]:
    return {"ha1_md5": credential.ha1_md5, "ha1_sha256": credential.ha1_sha256}


def values_of(new: NewUser) -> dict[str, Any]:
    """What stands in the row of a new user."""
    return {
        "username": new.username,
        "name": new.name,
        "language": new.language,
        "extension": new.extension,
        "email": new.email,
        "location": new.location,
        "time_zone": new.time_zone,
        "role": new.role and new.role.value,
    }


def in_order(rows: Iterable[Row]) -> list[Row]:
    """Few rows of `numbers` in the order of e164. Sorted here: asked for in that order, SQLite would read all numbers along its index."""
    return sorted(rows, key=lambda row: str(row["e164"]))


def first_numbers(rows: Sequence[Row]) -> dict[int, E164]:
    """The number that each user shows to others: the lowest of the user's own. Rows of `numbers` in the order of e164."""
    return {row["target_id"]: E164(row["e164"]) for row in reversed(rows) if row["target_kind"] == "user"}


def user_of(row: Row, assigned: Mapping[int, E164]) -> User:
    """A row of `users` as the domain knows it."""
    return User(
        UserId(row["id"]),
        row["username"],
        row["name"],
        row["language"],
        row["extension"],
        assigned.get(row["id"]),
        row["email"],
        row["location"],
        row["time_zone"],
        Role(row["role"]) if row["role"] else None,
        row["version"],
    )


def device_of(row: Row) -> Device:
    """A row of `devices` as the domain knows it."""
    return Device(DeviceId(row["id"]), UserId(row["user_id"]), row["name"], row["sip_username"], row["version"])


def credentials_of(rows: Iterable[Row]) -> dict[str, Credential]:
    """What is kept of each telephone's password, by the name it signs in with."""
    return {row["sip_username"]: Credential(row["ha1_md5"], row["ha1_sha256"]) for row in rows}
