"""Telephone numbers as types: what people dial, the E.164 number it means, and the states of one in the provider's stock."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import NewType

from offhook.domain.errors import Conflict

E164 = NewType("E164", str)
"""A number in E.164's international form: "+" and 2 to 15 digits (ITU-T E.164 6.2)."""

_SEPARATORS = str.maketrans("", "", " -.()/")
_LONGEST = 15


@dataclass(frozen=True, slots=True)
class DialRules:
    """How numbers are dialled in one country.

    `national_lengths` are the lengths of a national (significant) number. Prefixes are digits as dialled, e.g. "011" or "00" for
    international calls and "1" or "0" before national ones; a country without one has "".
    """

    country_code: str
    international_prefix: str
    national_prefix: str
    national_lengths: frozenset[int]


def bare(dialled: str) -> str:
    """What was dialled, without visual separators (RFC 3966 section 5.1.1)."""
    return dialled.translate(_SEPARATORS)


def as_e164(text: str) -> E164 | None:
    """The number `text` writes in international form (separators allowed), None if it is not one."""
    plain = bare(text)
    digits = plain[1:]
    if plain[:1] == "+" and digits.isascii() and digits.isdigit() and 2 <= len(digits) <= _LONGEST and digits[0] != "0":
        return E164(plain)
    return None


def dialled_number(dialled: str, rules: DialRules) -> E164 | None:
    """The E.164 number that `dialled` means to somebody in the country of `rules`; None if it can be no number there."""
    plain = bare(dialled)
    if plain.startswith("+"):
        number = as_e164(plain)
        return number if number and _possible(number, rules) else None
    if not (plain.isascii() and plain.isdigit()):
        return None
    if rules.international_prefix and plain.startswith(rules.international_prefix):
        return as_e164("+" + plain.removeprefix(rules.international_prefix))
    # The trunk prefix first: where it is a digit that numbers may begin with too, a number dialled with it has the longer length.
    if rules.national_prefix and plain.startswith(rules.national_prefix):
        national = plain.removeprefix(rules.national_prefix)
        if len(national) in rules.national_lengths:
            return as_e164(f"+{rules.country_code}{national}")
    if len(plain) in rules.national_lengths:
        return as_e164(f"+{rules.country_code}{plain}")
    return None


def _possible(number: E164, rules: DialRules) -> bool:
    # Only the own country's lengths are known here; other countries' carriers know theirs.
    national = number.removeprefix(f"+{rules.country_code}")
    return national == number or len(national) in rules.national_lengths


class NumberKind(StrEnum):
    """What sort of number it is to whoever calls it. `national` belongs to no place: shared cost, nomadic, universal access."""

    GEOGRAPHIC = "geographic"
    TOLL_FREE = "toll_free"
    MOBILE = "mobile"
    NATIONAL = "national"


class StockState(StrEnum):
    """How a number of the provider's stands: anybody may take it, one organization has it, or it is offered to nobody."""

    FREE = "free"
    IN_USE = "in_use"
    WITHHELD = "withheld"


class StockDeed(StrEnum):
    """What is done with a number of the stock; the first two by organizations, the others by the provider."""

    TAKE = "take"
    GIVE_BACK = "give_back"
    WITHHOLD = "withhold"
    RELEASE = "release"
    REMOVE = "remove"


MAY: Mapping[StockState, frozenset[StockDeed]] = MappingProxyType(
    {
        StockState.FREE: frozenset({StockDeed.TAKE, StockDeed.WITHHOLD, StockDeed.REMOVE}),
        # Withheld while it is in use, it is not offered from the moment it is given back: a quarantine, or a number that is to be ported.
        StockState.IN_USE: frozenset({StockDeed.GIVE_BACK, StockDeed.WITHHOLD, StockDeed.RELEASE}),
        StockState.WITHHELD: frozenset({StockDeed.WITHHOLD, StockDeed.RELEASE, StockDeed.REMOVE}),
    }
)
"""What may be done with a number in each state. To withhold what is withheld gives it another reason."""


class NumberNotAvailable(Conflict):
    """A number is to be taken into use that is not free in the provider's stock: it is not there, withheld, or somebody has it."""

    code = "number.not_available"


class NumberInUse(Conflict):
    """A number is to leave the provider's stock while an organization has it."""

    code = "number.in_use"


def state_of(*, held: bool, withheld: bool) -> StockState:
    """The state of a number that somebody has or has not, and that is withheld or not."""
    if held:
        return StockState.IN_USE
    return StockState.WITHHELD if withheld else StockState.FREE


def may(state: StockState, deed: StockDeed) -> bool:
    """Whether that may be done with a number in this state."""
    return deed in MAY[state]


def not_available(number: E164) -> NumberNotAvailable:
    """The refusal. It says the same of a number that nobody has in stock and of one that another organization has: nobody learns which."""
    return NumberNotAvailable(
        f"{number} is not available. Take one that is free (GET /api/v1/numbers/available, `offhook numbers available`), "
        "or ask your provider for this one.",
        "number",
    )
