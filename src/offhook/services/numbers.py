"""The numbers of an organization, and what they ring. It takes them out of the provider's stock, and gives them back there."""

from typing import Any

from offhook.domain.errors import Conflict, InUse, Invalid, Missing
from offhook.domain.numbers import E164
from offhook.domain.organizations import Destination, OrganizationId, ToAttendant, ToUser
from offhook.services.ports.listing import Listing, Page
from offhook.services.ports.organization import NumberEntry
from offhook.services.ports.stock import AvailableNumber
from offhook.services.ports.store import Store, Transaction
from offhook.services.users import checked_number, must_be_current

Target = dict[str, Any]
"""What a number shall ring: {"username": ...} or {"attendant": its name}; None for what it shall not, both: nobody."""


def take_number(store: Store, organization: OrganizationId, number: str, to: Target, *, who: str) -> NumberEntry:
    """Take a number into use that is free in the stock.

    Raises Invalid, Conflict, NumberNotAvailable and Missing with the field they are about.
    """
    e164 = _checked(number)
    with store.change(organization, who) as transaction:
        if transaction.numbers.get(e164) is not None:
            raise Conflict(f"{e164} is the organization's already; change what it rings.", "number")
        transaction.numbers.assign(e164, _destination(transaction, to))
        return found_number(transaction, e164)


def list_available(store: Store, organization: OrganizationId, listing: Listing) -> Page[AvailableNumber]:
    """Some of the numbers that an organization can take into use. Raises Missing."""
    with store.view(organization) as transaction:
        return transaction.numbers.available(listing)


def give_number(
    store: Store, organization: OrganizationId, number: str, to: Target, *, version: int | None = None, who: str
) -> NumberEntry:
    """Have a number ring somebody else, or nobody. Raises Missing, Invalid, and Stale when it is not at `version` any more."""
    with store.change(organization, who) as transaction:
        entry = found_number(transaction, number)
        must_be_current(entry.version, version)
        if to:
            wanted = _destination(transaction, to)
            if wanted != entry.to:
                transaction.numbers.assign(entry.number, None)
                if wanted is not None:
                    transaction.numbers.assign(entry.number, wanted)
        return found_number(transaction, number)


def give_back_number(store: Store, organization: OrganizationId, number: str, *, version: int | None = None, who: str) -> None:
    """The organization has it no longer, and whom it rang is not reached by it. Raises Missing, Stale, InUse for the main number."""
    with store.change(organization, who) as transaction:
        entry = found_number(transaction, number)
        must_be_current(entry.version, version)
        if transaction.profile().main_number == entry.number:
            raise InUse(f"{entry.number} is the organization's main number; give it another one first.", "number")
        transaction.numbers.give_back(entry.number)


def found_number(transaction: Transaction, number: str) -> NumberEntry:
    """One number of the organization. Raises Missing."""
    entry = transaction.numbers.get(E164(number))
    if entry is None:
        raise Missing(f"{number} is not one of the organization's numbers.", "number")
    return entry


def _checked(number: str) -> E164:
    e164 = checked_number(number)
    assert e164 is not None
    return e164


def _destination(transaction: Transaction, to: Target) -> Destination | None:
    username, attendant = to.get("username"), to.get("attendant")
    if username is not None and attendant is not None:
        raise Invalid("A number rings a user or an attendant, not both.", "attendant")
    if username is not None:
        user = transaction.users.by_username(username)
        if user is None:
            raise Missing(f"There is no user {username}.", "username")
        return ToUser(user.id)
    if attendant is not None:
        known = transaction.attendants.by_name(attendant)
        if known is None:
            raise Missing(f"There is no attendant {attendant}.", "attendant")
        return ToAttendant(known.id)
    return None
