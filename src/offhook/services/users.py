"""The people of an organization and their SIP passwords."""

import re
from dataclasses import dataclass, replace

from babel import Locale, UnknownLocaleError

from offhook.domain.emergency import emergency_numbers
from offhook.domain.errors import Invalid, Missing
from offhook.domain.numbers import E164, as_e164
from offhook.domain.organizations import OrganizationId, ToUser
from offhook.domain.users import User
from offhook.services.ports.store import Store
from offhook.services.secrets import ha1, new_password

_USERNAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,62}[a-z0-9])?")
_EXTENSION = re.compile(r"[0-9]{2,6}")
LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class SipAccount:
    """What a telephone must be given to register; the password is in no database and cannot be shown again."""

    username: str
    domain: str
    password: str


def list_users(store: Store, organization: OrganizationId) -> list[User]:
    """Everybody, by username. Raises Missing."""
    with store.view(organization) as transaction:
        return transaction.users.all()


def add_user(
    store: Store,
    organization: OrganizationId,
    *,
    username: str,
    name: str,
    extension: str | None = None,
    number: str | None = None,
    language: str = "en",
    who: str,
) -> User:
    """A new user without a password. Raises Invalid or Conflict with the field they are about, Missing."""
    name, language = checked_name(name), checked_language(language)
    if not _USERNAME.fullmatch(username):
        raise Invalid(
            "A username has 1 to 64 lower-case letters, digits, dots, hyphens and underscores; first and last a letter or digit.",
            "username",
        )
    e164 = checked_number(number)
    with store.change(organization, who) as transaction:
        checked_extension(extension, transaction.profile().country)
        user = transaction.users.add(username, name, language, extension)
        if e164 is not None:
            transaction.numbers.assign(e164, ToUser(user.id))
    return replace(user, number=e164)


def set_password(store: Store, organization: OrganizationId, username: str, who: str) -> SipAccount:
    """A new random password for a user's telephones, shown here only; the old one stops to count. Raises Missing."""
    password = new_password()
    with store.change(organization, who) as transaction:
        user = transaction.users.by_username(username)
        if user is None:
            raise Missing(f"There is no user {username}.", "username")
        domain = transaction.profile().domain
        transaction.users.set_credential(user.id, ha1(username, domain, password))
    return SipAccount(username, domain, password)


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


def checked_number(number: str | None) -> E164 | None:
    """A number in international form. Raises Invalid."""
    if number is None:
        return None
    e164 = as_e164(number)
    if e164 is None:
        raise Invalid(f"{number!r} is no telephone number in international form, such as +12065550101.", "number")
    return e164
