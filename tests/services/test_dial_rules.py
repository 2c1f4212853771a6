"""How numbers are dialled in a country, and that what people dial there reaches the number that they mean."""

import phonenumbers
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from phonenumbers import PhoneNumberFormat, PhoneNumberType

from offhook.domain.errors import Invalid
from offhook.domain.numbers import DialRules, dialled_number
from offhook.services.dial_rules import dial_rules

COUNTRIES = ["US", "CA", "GB", "FR", "DE", "IE", "ES", "BE", "NL", "PR"]
KINDS = [PhoneNumberType.FIXED_LINE, PhoneNumberType.MOBILE, PhoneNumberType.TOLL_FREE]


@pytest.mark.parametrize(
    ("country", "rules"),
    [
        ("US", DialRules("1", "011", "1", frozenset({10}))),
        ("CA", DialRules("1", "011", "1", frozenset({10}))),
        ("PR", DialRules("1", "011", "1", frozenset({10}))),
        ("GB", DialRules("44", "00", "0", frozenset({7, 9, 10}))),
        ("FR", DialRules("33", "00", "0", frozenset({9}))),
        ("DE", DialRules("49", "00", "0", frozenset(range(5, 16)))),
        ("IE", DialRules("353", "00", "0", frozenset({7, 8, 9, 10}))),
        ("ES", DialRules("34", "00", "", frozenset({9}))),
        ("BE", DialRules("32", "00", "0", frozenset({8, 9}))),
        ("NL", DialRules("31", "00", "0", frozenset({7, 8, 9, 10, 11}))),
    ],
)
def test_the_rules_of_the_countries_with_calling_plans(country: str, rules: DialRules) -> None:
    assert dial_rules(country) == rules


@pytest.mark.parametrize(
    ("country", "prefix"),
    [("AU", "0011"), ("MU", "020"), ("SC", "00"), ("RU", "810"), ("BR", "0012"), ("FI", "00"), ("JP", "010"), ("IT", "00")],
)
def test_a_country_with_several_international_prefixes_gives_one_that_can_be_dialled(country: str, prefix: str) -> None:
    assert dial_rules(country).international_prefix == prefix


@pytest.mark.parametrize("country", sorted(phonenumbers.SUPPORTED_REGIONS))
def test_every_country_has_rules(country: str) -> None:
    rules = dial_rules(country)
    assert rules.country_code == str(phonenumbers.country_code_for_region(country))
    assert rules.national_lengths and min(rules.national_lengths) > 0
    prefixes = rules.international_prefix + rules.national_prefix
    assert prefixes == "" or prefixes.isdigit()


@pytest.mark.parametrize("country", ["", "us", "XX", "001", "USA"])
def test_what_is_no_country_is_refused(country: str) -> None:
    with pytest.raises(Invalid) as refused:
        dial_rules(country)
    assert refused.value.field == "country"


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(COUNTRIES), st.sampled_from(KINDS), st.sampled_from(COUNTRIES), st.data())
def test_a_number_reaches_the_same_telephone_however_it_is_dialled(country: str, kind: int, caller: str, data: st.DataObject) -> None:
    """Real numbers, the last four digits shaken: as the library writes them for a caller of each country, so we read them."""
    example = phonenumbers.example_number_for_type(country, kind)
    if example is None:
        return
    e164 = phonenumbers.format_number(example, PhoneNumberFormat.E164)
    shaken = phonenumbers.parse(e164[:-4] + data.draw(st.text("0123456789", min_size=4, max_size=4)))
    written = phonenumbers.format_out_of_country_calling_number(shaken, caller)
    assert dialled_number(written, dial_rules(caller)) == phonenumbers.format_number(shaken, PhoneNumberFormat.E164)
    at_home = phonenumbers.format_number(shaken, PhoneNumberFormat.NATIONAL)
    assert dialled_number(at_home, dial_rules(country)) == phonenumbers.format_number(shaken, PhoneNumberFormat.E164)
