"""The table of countries is whole, and fits what else is known of countries."""

import pytest

from offhook.domain.countries import DialOut, Service
from offhook.domain.emergency import EMERGENCY_NUMBERS
from offhook.domain.errors import Invalid, Missing
from offhook.domain.money import Currency
from offhook.services.country_facts import (
    CODES,
    checked_country,
    checked_currency,
    currency_of,
    facts_of,
    known_facts,
    languages_of,
    name_of,
)
from offhook.services.dial_rules import dial_rules

FACTS = known_facts().values()


def test_every_country_of_the_table_has_telephone_numbers_a_currency_and_a_language() -> None:
    assert len(known_facts()) == 86
    for code in known_facts():
        assert code in CODES and dial_rules(code).country_code
        assert currency_of(code) and languages_of(code) and name_of(code, "fr") != code


def test_minutes_and_calling_plans_go_together_and_so_do_cities_and_toll_numbers() -> None:
    for facts in FACTS:
        has_plans = Service.CALLING_PLANS in facts.services
        assert (facts.domestic_minutes in (1200, 3000) and facts.international_minutes == 600) == has_plans, facts.code
        assert not (has_plans and facts.calling_plans_by_partner)
        if facts.toll_cities:
            assert Service.TOLL_NUMBERS in facts.services, facts.code
        assert all(city.strip() == city and city for city in (*facts.toll_cities, *(facts.assigned_cities or ())))
    with_plans = {facts.code for facts in FACTS if Service.CALLING_PLANS in facts.services or facts.calling_plans_by_partner}
    assert with_plans == EMERGENCY_NUMBERS.keys(), "who sells calling plans somewhere knows its emergency numbers"


def test_minutes_are_more_in_north_america_and_conferences_call_there_free() -> None:
    assert {facts.code for facts in FACTS if facts.domestic_minutes == 3000} == {"US", "PR", "CA"}
    assert sum(facts.dial_out is DialOut.INCLUDED for facts in FACTS) == 45


def test_a_country_without_facts_can_do_nothing_and_what_is_no_country_is_missing() -> None:
    assert facts_of("IS").services == frozenset() and facts_of("IS").assigned_cities is None
    with pytest.raises(Missing):
        facts_of("XX")
    with pytest.raises(Invalid) as refused:
        checked_country("XX", "place")
    assert refused.value.field == "place" and checked_country(" fr ") == "FR"


def test_currencies_are_those_of_today_with_their_digits() -> None:
    assert [checked_currency(code) for code in ("EUR", "JPY", "BHD")] == [Currency("EUR", 2), Currency("JPY", 0), Currency("BHD", 3)]
    for code in ("DEM", "XTS", "eur", "", "EURO"):
        with pytest.raises(Invalid) as refused:
            checked_currency(code)
        assert refused.value.field == "currency"
    assert currency_of("PA") == Currency("PAB", 2) and languages_of("CA") == ("en", "fr")
