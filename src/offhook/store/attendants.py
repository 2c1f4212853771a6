"""Auto attendants and their keys."""

from collections.abc import Iterable, Mapping

from sqlalchemy import RowMapping

from offhook.domain.attendants import Attendant, AttendantId
from offhook.domain.errors import Conflict, Missing
from offhook.domain.users import UserId
from offhook.store.scope import Scope
from offhook.store.tables import attendant_keys, attendants, users


class Attendants:
    """The attendants of one organization; services.ports.store.Attendants."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def all(self) -> list[Attendant]:
        keys = keys_of(self._scope.rows(attendant_keys, order=[attendant_keys.c.key]))
        return [attendant_of(row, keys) for row in self._scope.rows(attendants, order=[attendants.c.name])]

    def add(self, name: str, language: str, extension: str, greeting: str, keys: Mapping[str, UserId], rounds: int = 3) -> Attendant:
        if self._scope.has(attendants, attendants.c.name == name):
            raise Conflict(f"There is an attendant {name} already; choose another name.", "name")
        if self._scope.extension_taken(extension):
            raise Conflict(f"Extension {extension} is taken; choose another one.", "extension")
        for key, user in keys.items():
            if not self._scope.has(users, users.c.id == user):
                raise Missing(f"Key {key} leads to a user who is not there.", "keys")
        attendant = Attendant(AttendantId(0), name, language, extension, greeting, dict(keys), rounds)
        values = {
            "name": name,
            "language": language,
            "extension": extension,
            "greeting": greeting,
            "rounds": attendant.rounds,
            "patience_seconds": attendant.patience_seconds,
        }
        id = AttendantId(self._scope.insert(attendants, **values))
        for key, user in keys.items():
            self._scope.insert(attendant_keys, attendant_id=id, key=key, user_id=user)
        self._scope.changed("attendant", id, None, values | {"keys": dict(keys)})
        return Attendant(id, name, language, extension, greeting, dict(keys), attendant.rounds, attendant.patience_seconds)


def keys_of(rows: Iterable[RowMapping]) -> dict[int, dict[str, UserId]]:
    """The keys of each attendant."""
    keys: dict[int, dict[str, UserId]] = {}
    for row in rows:
        keys.setdefault(row["attendant_id"], {})[row["key"]] = UserId(row["user_id"])
    return keys


def attendant_of(row: RowMapping, keys: Mapping[int, Mapping[str, UserId]]) -> Attendant:
    """A row of `attendants` as the domain knows it."""
    return Attendant(
        AttendantId(row["id"]),
        row["name"],
        row["language"],
        row["extension"],
        row["greeting"],
        keys.get(row["id"], {}),
        row["rounds"],
        row["patience_seconds"],
    )
