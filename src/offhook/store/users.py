"""Users and their SIP credentials."""

from collections.abc import Mapping

from sqlalchemy import RowMapping

from offhook.domain.errors import Conflict, Missing
from offhook.domain.numbers import E164
from offhook.domain.users import User, UserId
from offhook.services.ports.store import Credential
from offhook.store.scope import Scope
from offhook.store.tables import credentials, numbers, users


class Users:
    """The people of one organization; services.ports.store.Users."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def all(self) -> list[User]:
        assigned = _first_numbers(self._scope.rows(numbers, numbers.c.target_kind == "user", order=[numbers.c.e164]))
        return [_user_of(row, assigned) for row in self._scope.rows(users, order=[users.c.username])]

    def by_username(self, username: str) -> User | None:
        rows = self._scope.rows(users, users.c.username == username)
        if not rows:
            return None
        own = (numbers.c.target_kind == "user", numbers.c.target_id == rows[0]["id"])
        return _user_of(rows[0], _first_numbers(self._scope.rows(numbers, *own, order=[numbers.c.e164])))

    def add(self, username: str, name: str, language: str, extension: str | None) -> User:
        if self._scope.has(users, users.c.username == username):
            raise Conflict(f"There is a user {username} already; choose another name.", "username")
        if extension is not None and self._scope.extension_taken(extension):
            raise Conflict(f"Extension {extension} is taken; choose another one.", "extension")
        values = {"username": username, "name": name, "language": language, "extension": extension}
        id = UserId(self._scope.insert(users, **values))
        self._scope.changed("user", id, None, values)
        return User(id, username, name, language, extension, None)

    def credential(self, user: UserId) -> Credential | None:
        rows = self._scope.rows(credentials, credentials.c.user_id == user)
        return Credential(rows[0]["ha1_md5"], rows[0]["ha1_sha256"]) if rows else None

    def set_credential(self, user: UserId, credential: Credential) -> None:
        if not self._scope.has(users, users.c.id == user):
            raise Missing("There is no such user.", "user")
        values = {"ha1_md5": credential.ha1_md5, "ha1_sha256": credential.ha1_sha256}
        replaced = self._scope.update(credentials, credentials.c.user_id == user, **values)
        if not replaced:
            self._scope.insert(credentials, user_id=user, **values)
        # An HA1 is as good as the password for whoever can read the history, so the history only says that there is one.
        self._scope.changed("credential", user, {"set": True} if replaced else None, {"set": True})


def _first_numbers(rows: list[RowMapping]) -> dict[int, E164]:
    """The number that each user shows to others: the lowest of the user's own. Rows of `numbers` in the order of e164."""
    return {row["target_id"]: E164(row["e164"]) for row in reversed(rows)}


def _user_of(row: RowMapping, assigned: Mapping[int, E164]) -> User:
    """A row of `users` as the domain knows it."""
    return User(UserId(row["id"]), row["username"], row["name"], row["language"], row["extension"], assigned.get(row["id"]))
