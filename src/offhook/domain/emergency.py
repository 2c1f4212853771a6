"""Emergency numbers by country, matched exactly: 9110 or +1 911 555 0100 is no emergency, 911 is, before every other rule.

Source: the national numbering authorities' short codes as listed by ITU-T E.129 and, for the European Union, 112 by Directive (EU)
2018/1972
article 109. A test holds the table against the metadata of the phonenumbers library.
"""

from collections.abc import Mapping
from types import MappingProxyType

EUROPEAN = frozenset({"112"})

EMERGENCY_NUMBERS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "AU": frozenset({"000", "112", "106"}),
        "BE": EUROPEAN | {"100", "101"},
        "CA": frozenset({"911"}),
        "DE": EUROPEAN | {"110"},
        "ES": EUROPEAN | {"061", "062", "080", "085", "088", "091", "092"},
        "FR": EUROPEAN | {"15", "17", "18", "114", "115", "119", "191", "196", "197"},
        "GB": EUROPEAN | {"999"},
        "IE": EUROPEAN | {"999"},
        "NL": EUROPEAN,
        "PR": frozenset({"911"}),
        "US": frozenset({"911"}),
    }
)
"""The countries with calling plans, and the digits that reach help there."""


def emergency_numbers(country: str) -> frozenset[str]:
    """The emergency numbers of a country (ISO 3166 alpha-2).

    A country that is not in the table gets 112 and 911, which most networks take.
    """
    return EMERGENCY_NUMBERS.get(country, frozenset({"112", "911"}))
