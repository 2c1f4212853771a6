"""The table of emergency numbers against the metadata of the phonenumbers library."""

from itertools import product

import phonenumbers
import pytest

from offhook.domain.emergency import EMERGENCY_NUMBERS, emergency_numbers

SHORT_CODES = ["".join(digits) for length in (2, 3, 4) for digits in product("0123456789", repeat=length)]

# Where the two differ, and why the table stands.
OURS_ALONE = {
    # Health (061), Guardia Civil (062), fire (080) and the police forces (091 national, 092 local) still answer in Spain as emergency
    # services of their own beside 112; the library has only 112, 085 and 088.
    "ES": {"061", "062", "080", "091", "092"},
    # The French list of emergency numbers (CPCE article D98-8) is longer than the library's: 114 for the deaf, 115 and 119 for people
    # and children in distress, 191 and 196 for rescue in the air and at sea, 197 for attacks.
    "FR": {"114", "115", "119", "191", "196", "197"},
}
THEIRS_ALONE = {
    # Mobile telephones turn 112 or 911 into the local number by themselves (3GPP TS 22.101 10.1); no authority assigned them in these
    # countries' fixed networks, where 112 may be somebody's extension.
    "CA": {"112"},
    "NL": {"911"},
    "US": {"112"},
}


def known_to_the_library(country: str) -> set[str]:
    return {digits for digits in SHORT_CODES if phonenumbers.is_emergency_number(digits, country)}


@pytest.mark.parametrize("country", sorted(EMERGENCY_NUMBERS))
def test_the_table_differs_from_the_library_only_where_we_say_why(country: str) -> None:
    ours, theirs = set(emergency_numbers(country)), known_to_the_library(country)
    assert ours - theirs == OURS_ALONE.get(country, set())
    assert theirs - ours == THEIRS_ALONE.get(country, set())


@pytest.mark.parametrize("dialled", ["9110", "0911", "91", "+911", "1911", "112"])
def test_only_the_very_digits_are_an_emergency(dialled: str) -> None:
    assert dialled not in emergency_numbers("US")


def test_a_country_that_is_not_in_the_table_gets_what_most_networks_take() -> None:
    assert "SE" not in EMERGENCY_NUMBERS
    assert emergency_numbers("SE") == {"112", "911"}
