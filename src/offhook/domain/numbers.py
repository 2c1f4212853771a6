"""Telephone numbers as types: what people dial, and the E.164 number it means."""

from dataclasses import dataclass
from typing import NewType

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
