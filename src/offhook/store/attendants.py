"""Auto attendants and their keys."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from offhook.domain.attendants import Attendant, AttendantId
from offhook.domain.errors import Conflict, Missing
from offhook.domain.users import UserId
from offhook.services.ports.listing import Listing, Page
from offhook.store.listing import Listed
from offhook.store.scope import Row, Scope
from offhook.store.tables import attendant_keys, attendants, numbers, users

ATTENDANTS = Listed(
    attendants, "id", {name: attendants.c[name] for name in ("id", "name", "extension", "language")}, searched=("name", "extension")
)


class Attendants:
    """The attendants of one organization; services.ports.store.Attendants."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def all(self) -> list[Attendant]:
        keys = keys_of(self._scope.rows(attendant_keys, order=[attendant_keys.c.key]))
        return [attendant_of(row, keys) for row in self._scope.rows(attendants, order=[attendants.c.name])]

    def page(self, listing: Listing) -> Page[Attendant]:
        rows, following = ATTENDANTS.page(self._scope, listing)
        return Page(self._with_keys(rows), following)

    def names(self, ids: Iterable[AttendantId]) -> dict[AttendantId, str]:
        return {AttendantId(row["id"]): row["name"] for row in self._scope.rows(attendants, attendants.c.id.in_(sorted(set(ids))))}

    def by_name(self, name: str) -> Attendant | None:
        return next(iter(self._with_keys(self._scope.rows(attendants, attendants.c.name == name))), None)

    def by_id(self, id: AttendantId) -> Attendant | None:
        return next(iter(self._with_keys(self._scope.rows(attendants, attendants.c.id == id))), None)

    def _with_keys(self, rows: Sequence[Row]) -> list[Attendant]:
        own = attendant_keys.c.attendant_id.in_([row["id"] for row in rows])
        keys = keys_of(self._scope.rows(attendant_keys, own, order=[attendant_keys.c.key]))
        return [attendant_of(row, keys) for row in rows]

    def versions(self) -> dict[AttendantId, int]:
        found = {AttendantId(row["id"]): int(row["version"]) for row in self._scope.rows(attendants)}
        for row in self._scope.rows(attendant_keys):
            id = AttendantId(row["attendant_id"])
            found[id] = max(found[id], row["version"])
        return found

    def add(
        self,
        name: str,
        language: str,
        extension: str,
        greeting: str,
        keys: Mapping[str, UserId],
        rounds: int = 3,
        patience_seconds: int = 5,
    ) -> Attendant:
        self._must_be_free(name, extension, 0)
        self._must_lead_somewhere(keys)
        attendant = Attendant(AttendantId(0), name, language, extension, greeting, dict(keys), rounds, patience_seconds)
        values = {
            "name": name,
            "language": language,
            "extension": extension,
            "greeting": greeting,
            "rounds": attendant.rounds,
            "patience_seconds": attendant.patience_seconds,
        }
        id = AttendantId(self._scope.insert(attendants, **values))
        self._scope.insert_all(attendant_keys, [{"attendant_id": id, "key": key, "user_id": user} for key, user in keys.items()])
        return replace(attendant, id=id, version=self._scope.revision)

    def change(self, id: AttendantId, *, keys: Mapping[str, UserId] | None = None, **values: Any) -> None:
        row = self._scope.row(attendants, attendants.c.id == id)
        if row is None:
            raise Missing("There is no such attendant.", "attendant")
        self._must_be_free(values.get("name", row["name"]), values.get("extension", row["extension"]), id)
        self._scope.update(attendants, attendants.c.id == id, **values)
        if keys is not None:
            self._must_lead_somewhere(keys)
            own = attendant_keys.c.attendant_id == id
            had = {row["key"]: row["user_id"] for row in self._scope.rows(attendant_keys, own)}
            for key in had.keys() - keys.keys():
                self._scope.delete(attendant_keys, own, attendant_keys.c.key == key)
            for key in had.keys() & keys.keys():
                self._scope.update(attendant_keys, own, attendant_keys.c.key == key, user_id=keys[key])
            added = [key for key in keys if key not in had]
            self._scope.insert_all(attendant_keys, [{"attendant_id": id, "key": key, "user_id": keys[key]} for key in added])
            if dict(had) != dict(keys):
                self._scope.touch(attendants, attendants.c.id == id)

    def remove(self, id: AttendantId) -> None:
        self._scope.update(numbers, numbers.c.target_kind == "attendant", numbers.c.target_id == id, target_kind=None, target_id=None)
        self._scope.delete(attendant_keys, attendant_keys.c.attendant_id == id)
        if not self._scope.delete(attendants, attendants.c.id == id):
            raise Missing("There is no such attendant.", "attendant")

    def _must_be_free(self, name: str, extension: str, own: int) -> None:
        if self._scope.has(attendants, attendants.c.name == name, attendants.c.id != own):
            raise Conflict(f"There is an attendant {name} already; choose another name.", "name")
        if self._scope.extension_taken(extension, attendant=own):
            raise Conflict(f"Extension {extension} is taken; choose another one.", "extension")

    def _must_lead_somewhere(self, keys: Mapping[str, UserId]) -> None:
        for key, user in keys.items():
            if not self._scope.has(users, users.c.id == user):
                raise Missing(f"Key {key} leads to a user who is not there.", "keys")


def keys_of(rows: Iterable[Row]) -> dict[int, dict[str, UserId]]:
    """The keys of each attendant."""
    keys: dict[int, dict[str, UserId]] = {}
    for row in rows:
        keys.setdefault(row["attendant_id"], {})[row["key"]] = UserId(row["user_id"])
    return keys


def attendant_of(row: Row, keys: Mapping[int, Mapping[str, UserId]]) -> Attendant:
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
        row["version"],
    )
