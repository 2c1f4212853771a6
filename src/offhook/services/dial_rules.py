"""How numbers are dialled in a country, by the phonenumbers library's metadata; asked when a snapshot is loaded, never in a call's path."""

import re
from functools import cache
from itertools import product

import phonenumbers

from offhook.domain.errors import Invalid
from offhook.domain.numbers import DialRules

_KINDS = ("fixed_line", "mobile", "toll_free")
_LONGEST_PREFIX = 5


@cache
def dial_rules(country: str) -> DialRules:
    """The rules of a country (ISO 3166 alpha-2, upper case); lengths are those of fixed, mobile and toll-free numbers. Raises Invalid."""
    metadata = phonenumbers.PhoneMetadata.metadata_for_region(country)
    if metadata is None:
        raise Invalid(f"{country} is no country with telephone numbers; give its two letters, such as US or DE.", "country")
    lengths = {length for kind in _KINDS if (described := getattr(metadata, kind)) for length in described.possible_length}
    return DialRules(
        country_code=str(metadata.country_code),
        international_prefix=_plain(metadata.preferred_international_prefix) or _first_digits(metadata.international_prefix),
        national_prefix=metadata.national_prefix or "",
        # The metadata says -1 for a kind of number that a country has not got.
        national_lengths=frozenset(length for length in lengths if length > 0),
    )


def _plain(prefix: str | None) -> str:
    # "8~10" means: wait for a tone after the 8.
    return (prefix or "").replace("~", "")


def _first_digits(pattern: str | None) -> str:
    """The shortest and lowest digits that a metadata pattern such as "00(?:1[245]|2)" matches, "" for no pattern."""
    if not pattern:
        return ""
    tries = ("".join(digits) for length in range(1, _LONGEST_PREFIX + 1) for digits in product("0123456789", repeat=length))
    first = pattern.split("|", 1)[0]
    return first if first.isdigit() else next((digits for digits in tries if re.fullmatch(pattern, digits)), "")
