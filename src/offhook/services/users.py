"""The people of an organization."""

import re
from collections.abc import Callable
from typing import Any
from zoneinfo import available_timezones

from babel import Locale, UnknownLocaleError

from offhook.domain.access import Role
from offhook.domain.emergency import emergency_numbers
from offhook.domain.errors import Invalid, Missing, Stale
from offhook.domain.numbers import E164, as_e164
from offhook.domain.organizations import OrganizationId, ToUser
from offhook.domain.users import User, UserId
from offhook.services.dial_rules import dial_rules
from offhook.services.ports.store import NewUser, Store, Transaction
from offhook.services.served import must_be_served_at

_USERNAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_EXTENSION = re.compile(r"[0-9]{2,6}")
_EMAIL = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")
LONGEST_NAME, LONGEST_EMAIL = 100, 254


def list_users(store: Store, organization: OrganizationId) -> list[User]:
    """Everybody, by username. Raises Missing."""
    with store.view(organization) as transaction:
        return transaction.users.all()


def get_user(store: Store, organization: OrganizationId, username: str) -> User:
    """One user. Raises Missing."""
    with store.view(organization) as transaction:
        return found(transaction, username)


def add_user(store: Store, organization: OrganizationId, *, who: str, **values: Any) -> User:
    """A new user without a telephone; the values of `checked_user`. Raises Invalid or Conflict with the field they are about, Missing."""
    new, number = checked_user(**values)
    with store.change(organization, who) as transaction:
        return entered(transaction, new, number)


def checked_user(
    *,
    username: str,
    name: str,
    extension: str | None = None,
    number: str | None = None,
    language: str = "en",
    email: str | None = None,
    location: str = "",
    time_zone: str = "",
    role: Role | None = None,
) -> tuple[NewUser, E164 | None]:
    """A user to add and their number, checked as far as that can be without the organization. Raises Invalid with the field."""
    values = checked(username=username, name=name, language=language, email=email, location=location, time_zone=time_zone)
    return NewUser(**values, extension=extension, role=role), checked_number(number)


def entered(transaction: Transaction, new: NewUser, number: E164 | None) -> User:
    """A new user, once they are in the organization with their number. Raises Invalid or Conflict with the field."""
    country = transaction.profile().country
    checked_extension(new.extension, country)
    must_be_served_at(transaction.countries, new.location, country)
    user = transaction.users.add(new)
    if number is not None:
        transaction.numbers.assign(number, ToUser(user.id))
    return found(transaction, new.username)


def change_user(
    store: Store, organization: OrganizationId, username: str, changes: dict[str, Any], *, version: int | None = None, who: str
) -> User:
    """Give a user other values: those of `add_user`, only what is named. With `number` None the user has no number any more.

    Raises Missing, Invalid and Conflict with the field they are about, and Stale when the user is not at `version` any more.
    """
    values = checked(**{name: value for name, value in changes.items() if name in CHECKS})
    number = checked_number(changes.get("number"))
    with store.change(organization, who) as transaction:
        user = found(transaction, username)
        must_be_current(user.version, version)
        country = transaction.profile().country
        must_be_served_at(transaction.countries, values.get("location", ""), country, before=user.location)
        if "extension" in changes:
            values["extension"] = checked_extension(changes["extension"], country)
        if "role" in changes:
            values["role"] = changes["role"] and Role(changes["role"]).value
        transaction.users.change(user.id, **values)
        if "number" in changes:
            _give_number(transaction, user.id, number)
        return found(transaction, str(values.get("username", username)))


def remove_user(store: Store, organization: OrganizationId, username: str, *, version: int | None = None, who: str) -> None:
    """Remove a user, their telephones and tokens; numbers stay the organization's. Raises Missing, Stale, Conflict."""
    with store.change(organization, who) as transaction:
        user = found(transaction, username)
        must_be_current(user.version, version)
        transaction.users.remove(user.id)


def found(transaction: Transaction, username: str) -> User:
    """The user who is called so. Raises Missing."""
    user = transaction.users.by_username(username)
    if user is None:
        raise Missing(f"There is no user {username}.", "username")
    return user


def must_be_current(is_at: int, wanted: int | None) -> None:
    """Raises Stale when somebody changed it after the caller looked."""
    if wanted is not None and wanted != is_at:
        raise Stale(
            f"It was changed meanwhile: it is at revision {is_at}, you looked at {wanted}. Look again and repeat what is still right."
        )


def _give_number(transaction: Transaction, user: UserId, number: E164 | None) -> None:
    had = set(transaction.numbers.of(ToUser(user)))
    for other in had - {number}:
        transaction.numbers.assign(other, None)
    if number is not None and number not in had:
        transaction.numbers.assign(number, ToUser(user))


def checked(**values: Any) -> dict[str, Any]:
    """These fields of a user, each checked and in its one form. Raises Invalid with the field."""
    return {name: CHECKS[name](value) for name, value in values.items()}


def checked_username(username: str) -> str:
    """A name to sign in with. Raises Invalid."""
    if not _USERNAME.fullmatch(username):
        raise Invalid(
            "A username has 1 to 64 lower-case letters, digits, dots, hyphens and underscores; first and last a letter or digit.",
            "username",
        )
    return username


def checked_email(email: str | None, field: str = "email") -> str | None:
    """An address for mail (RFC 5321 4.1.2, without quoted names). Raises Invalid."""
    if email is None or not email.strip():
        return None
    if len(email.strip()) > LONGEST_EMAIL or not _EMAIL.fullmatch(email.strip()):
        raise Invalid(f"{email!r} is no mail address, such as anna@example.com.", field)
    return email.strip()


def checked_location(location: str) -> str:
    """A country that is known here; an empty text stands for the organization's own. Raises Invalid."""
    location = location.strip().upper()
    if location:
        try:
            dial_rules(location)
        except Invalid as wrong:
            raise Invalid(wrong.explanation, "location") from None
    return location


def checked_time_zone(time_zone: str) -> str:
    """A time zone by its IANA name; an empty text stands for the organization's own. Raises Invalid."""
    if time_zone and time_zone not in available_timezones():
        raise Invalid(f"{time_zone!r} is no time zone; give its IANA name, such as Europe/Paris.", "time_zone")
    return time_zone


def checked_name(name: str, field: str = "name") -> str:
    """A name that people read. Raises Invalid."""
    if not 1 <= len(name.strip()) <= LONGEST_NAME or not name.isprintable():
        raise Invalid(f"A name has 1 to {LONGEST_NAME} characters, all of them printable.", field)
    return name.strip()


def checked_language(language: str) -> str:
    """A language by its BCP 47 tag. Raises Invalid."""
    try:
        Locale.parse(language, sep="-")
    except (UnknownLocaleError, ValueError):
        raise Invalid(f"{language!r} is no language; give its tag, such as en or pt-BR.", "language") from None
    return language


def checked_extension(extension: str | None, country: str) -> str | None:
    """An extension that hides no emergency number of the country. Raises Invalid."""
    if extension is None:
        return None
    if not _EXTENSION.fullmatch(extension):
        raise Invalid("An extension has 2 to 6 digits.", "extension")
    if extension in emergency_numbers(country):
        raise Invalid(f"{extension} is an emergency number in {country}; choose another extension.", "extension")
    return extension


def checked_number(number: str | None, field: str = "number") -> E164 | None:
    """A number in international form. Raises Invalid."""
    if number is None:
        return None
    e164 = as_e164(number)
    if e164 is None:
        raise Invalid(f"{number!r} is no telephone number in international form, such as +12065550101.", field)
    return e164


CHECKS: dict[str, Callable[[Any], Any]] = {
    "username": checked_username,
    "name": checked_name,
    "language": checked_language,
    "email": checked_email,
    "location": checked_location,
    "time_zone": checked_time_zone,
}
"""How each field that a user has alone is checked; extension, number and role need the organization."""
