"""The auto attendants of an organization."""

from collections.abc import Callable, Mapping
from typing import Any

from offhook.domain.attendants import MENU_KEYS, Attendant, AttendantId
from offhook.domain.errors import Invalid, Missing
from offhook.domain.organizations import OrganizationId
from offhook.domain.users import UserId
from offhook.services.ports.store import Store, Transaction
from offhook.services.users import checked_extension, checked_language, checked_name, must_be_current

LONGEST_GREETING, MOST_ROUNDS, MOST_PATIENCE_SECONDS = 5000, 10, 60


def list_attendants(store: Store, organization: OrganizationId) -> list[Attendant]:
    """Every attendant, by name. Raises Missing."""
    with store.view(organization) as transaction:
        return transaction.attendants.all()


def add_attendant(store: Store, organization: OrganizationId, values: Mapping[str, Any], *, who: str) -> Attendant:
    """A new attendant: name, extension, greeting, language, rounds, patience_seconds, and keys, by digit the username each connects to.

    Raises Invalid, Missing and Conflict with the field they are about.
    """
    checked = _checked(values)
    with store.change(organization, who) as transaction:
        _checked_inside(transaction, checked)
        return transaction.attendants.add(**checked)


def change_attendant(
    store: Store, organization: OrganizationId, id: AttendantId, changes: Mapping[str, Any], *, version: int | None = None, who: str
) -> Attendant:
    """Give an attendant other values: those of `add_attendant`, only what is named; `keys` become all it has.

    Raises what `add_attendant` does, and Stale when it is not at `version` any more.
    """
    checked = _checked(changes)
    with store.change(organization, who) as transaction:
        must_be_current(found_attendant(transaction, id).version, version)
        _checked_inside(transaction, checked)
        transaction.attendants.change(id, **checked)
        return found_attendant(transaction, id)


def remove_attendant(store: Store, organization: OrganizationId, id: AttendantId, *, version: int | None = None, who: str) -> None:
    """Remove an attendant; its numbers stay the organization's and ring nobody. Raises Missing, Stale."""
    with store.change(organization, who) as transaction:
        must_be_current(found_attendant(transaction, id).version, version)
        transaction.attendants.remove(id)


def found_attendant(transaction: Transaction, id: AttendantId) -> Attendant:
    """The attendant with this id. Raises Missing."""
    attendant = transaction.attendants.by_id(id)
    if attendant is None:
        raise Missing("There is no such attendant.", "attendant")
    return attendant


def checked_greeting(greeting: str) -> str:
    """What an attendant says, without blanks around it. Raises Invalid."""
    text = greeting.strip()
    if not 1 <= len(text) <= LONGEST_GREETING or not text.replace("\n", " ").isprintable():
        raise Invalid(f"A greeting has 1 to {LONGEST_GREETING} characters that can be spoken.", "greeting")
    return text


def _checked(values: Mapping[str, Any]) -> dict[str, Any]:
    checks: dict[str, Callable[[Any], Any]] = {
        "name": checked_name,
        "language": checked_language,
        "greeting": checked_greeting,
        "keys": _checked_keys,
    }
    ranges = {"rounds": MOST_ROUNDS, "patience_seconds": MOST_PATIENCE_SECONDS}
    for name, most in ranges.items():
        if name in values and not 1 <= values[name] <= most:
            raise Invalid(f"{name} is 1 to {most}.", name)
    return {name: checks[name](value) if name in checks else value for name, value in values.items()}


def _checked_inside(transaction: Transaction, values: dict[str, Any]) -> None:
    """What needs the organization: the extension, and whom the keys connect to, in the place of the usernames."""
    if "extension" in values:
        checked_extension(values["extension"], transaction.profile().country)
    if "keys" in values:
        values["keys"] = {key: _user(transaction, key, username) for key, username in values["keys"].items()}


def _user(transaction: Transaction, key: str, username: str) -> UserId:
    user = transaction.users.by_username(username)
    if user is None:
        raise Missing(f"There is no user {username}; key {key} must connect to somebody.", f"keys.{key}")
    return user.id


def _checked_keys(keys: Mapping[str, str]) -> Mapping[str, str]:
    for key in keys:
        if key not in MENU_KEYS:
            raise Invalid(f"{key[:20]!r} is no key of a telephone: 0 to 9, * and #.", "keys")
    return keys
