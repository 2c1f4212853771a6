"""Many people at once: a few statements for hundreds of them."""

from collections.abc import Collection, Sequence

from sqlalchemy import or_

from offhook.domain.access import Role
from offhook.domain.errors import Conflict
from offhook.domain.numbers import E164
from offhook.domain.users import User, UserId
from offhook.services.ports.people import Deeds, Facts
from offhook.store.numbers import Numbers
from offhook.store.scope import Row, Scope
from offhook.store.stock import take
from offhook.store.tables import attendants, devices, numbers, tokens, users
from offhook.store.tokens import end_sessions
from offhook.store.users import first_numbers, in_order, user_of, values_of


class People:
    """The people of one organization, many at a time; services.ports.people.People."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def facts(self, usernames: Sequence[str], extensions: Sequence[str], numbers: Collection[E164]) -> Facts:
        by_extension = users.c.extension.in_(extensions)
        found = self._scope.rows(users, or_(users.c.username.in_(usernames), by_extension))
        rows = self._numbers_of([row["id"] for row in found])
        first, of = first_numbers(rows), _by_user(rows)
        who = {UserId(row["id"]): user_of(row, first) for row in found}
        held: dict[str, UserId | None] = {user.extension: id for id, user in who.items() if user.extension is not None}
        held |= {row["extension"]: None for row in self._scope.rows(attendants, attendants.c.extension.in_(extensions))}
        telephones = self._scope.rows(devices, devices.c.sip_username.in_(usernames))
        return Facts(
            users={user.username: user for user in who.values()},
            numbers_of={id: frozenset(of.get(id, ())) for id in who},
            extensions=held,
            sign_ins={row["sip_username"]: UserId(row["user_id"]) for row in telephones},
            numbers=self._taken(numbers),
            not_available=Numbers(self._scope).not_available(numbers),
            administrators=len(self._scope.rows(users, users.c.role == Role.GLOBAL.value)),
        )

    def carry_out(self, deeds: Deeds) -> None:
        ringing = (numbers.c.target_kind == "user", numbers.c.e164.in_(deeds.released))
        losing = {row["target_id"] for row in self._scope.rows(numbers, *ringing)} if deeds.released else set()
        if deeds.released:
            self._scope.update(numbers, *ringing, target_kind=None, target_id=None)
        self._scope.update_each(users, [(int(id), values) for id, values in deeds.changed])
        if roles := [id for id, values in deeds.changed if "role" in values]:
            # As in users.Users.change: whoever is signed in holds what the former role may do.
            end_sessions(self._scope, tokens.c.user_id.in_(roles))
        ids = self._scope.insert_all(users, [values_of(new) for new in deeds.new])
        self._give([*deeds.given, *((number, UserId(ids[place])) for number, place in deeds.given_to_new)])
        # A user shows their number, which stands in no row of the user's own.
        if touched := losing | {int(id) for _, id in deeds.given}:
            self._scope.touch(users, users.c.id.in_(touched))

    def everybody(self) -> list[tuple[User, list[E164]]]:
        rows = self._scope.rows(numbers, numbers.c.target_kind == "user", order=[numbers.c.e164])
        first, of = first_numbers(rows), _by_user(rows)
        found = self._scope.rows(users, order=[users.c.username])
        return [(user_of(row, first), of.get(UserId(row["id"]), [])) for row in found]

    def _numbers_of(self, ids: Sequence[int]) -> Sequence[Row]:
        own = (numbers.c.target_kind == "user", numbers.c.target_id.in_(ids))
        return in_order(self._scope.rows(numbers, *own))

    def _taken(self, asked: Collection[E164]) -> dict[E164, UserId | None]:
        """Of the organization's own those that ring somebody."""
        rows = self._scope.rows(numbers, numbers.c.e164.in_(asked), numbers.c.target_kind.is_not(None))
        return {E164(row["e164"]): UserId(row["target_id"]) if row["target_kind"] == "user" else None for row in rows}

    def _give(self, given: Sequence[tuple[E164, UserId]]) -> None:
        idle = {row["e164"] for row in self._scope.rows(numbers, numbers.c.e164.in_([number for number, _ in given]))} if given else set()
        for number, id in given:
            if number in idle and not self._scope.update(
                numbers, numbers.c.e164 == number, numbers.c.target_kind.is_(None), target_kind="user", target_id=id
            ):
                raise Conflict(f"{number} is in use already.", "number")
        fresh = [{"e164": number, "target_kind": "user", "target_id": id} for number, id in given if number not in idle]
        take(self._scope.connection, [number for number, _ in given if number not in idle])
        self._scope.insert_all(numbers, fresh)


def _by_user(rows: Sequence[Row]) -> dict[UserId, list[E164]]:
    found: dict[UserId, list[E164]] = {}
    for row in rows:
        found.setdefault(UserId(row["target_id"]), []).append(E164(row["e164"]))
    return found
