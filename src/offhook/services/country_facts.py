"""What is possible in each country, from the table beside this file; and its currency and languages, by CLDR as Babel has it.

Countries are those that have telephone numbers (phonenumbers); of those that the table does not name nothing is known to be possible.
"""

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from types import MappingProxyType

import phonenumbers
from babel import Locale
from babel.languages import get_official_languages
from babel.numbers import get_currency_precision, get_territory_currencies

from offhook.domain.countries import CountryFacts, DialOut, Service
from offhook.domain.errors import Invalid, Missing
from offhook.domain.money import Currency
from offhook.services.dial_rules import dial_rules

_FILE = Path(__file__).with_name("countries.csv")
_ANY = "any"
"""In the table: numbers of no city in particular."""

CODES = tuple(sorted(phonenumbers.SUPPORTED_REGIONS))
"""Every country that there is here (ISO 3166-1 alpha-2, and the three beside it that have telephone numbers: AC, TA, XK)."""


@cache
def known_facts() -> Mapping[str, CountryFacts]:
    """The table, by country."""
    with _FILE.open(encoding="utf-8", newline="") as file:
        return MappingProxyType({row["country"]: _facts(row) for row in csv.DictReader(file)})


def facts_of(code: str) -> CountryFacts:
    """What is possible in a country; Missing for what is none."""
    if code not in CODES:
        raise Missing(f"There is no country {code}; give its two letters, such as US or DE.", "country")
    return known_facts().get(code) or CountryFacts(code)


def checked_country(country: str, field: str = "country") -> str:
    """A country by its two letters. Raises Invalid with the field."""
    country = country.strip().upper()
    try:
        dial_rules(country)
    except Invalid as wrong:
        raise Invalid(wrong.explanation, field) from None
    return country


def checked_currency(code: str) -> Currency:
    """A currency that some country pays with now. Raises Invalid."""
    if code not in _tenders():
        raise Invalid(f"{code[:40]!r} is no currency that any country pays with; give its three letters, such as EUR.", "currency")
    return currency_named(code)


@cache
def currency_named(code: str) -> Currency:
    """A currency that was checked when it was written down."""
    return Currency(code, get_currency_precision(code))


@cache
def currency_of(code: str) -> Currency | None:
    """What people pay with in a country, the first where there are two; None where nobody knows."""
    tenders = get_territory_currencies(code)
    return currency_named(tenders[0]) if tenders else None


@cache
def languages_of(code: str) -> tuple[str, ...]:
    """The languages that all of a country speaks officially, or in fact, by their BCP 47 tags."""
    return tuple(language.replace("_", "-") for language in get_official_languages(code, regional=False, de_facto=True))


@cache
def name_of(code: str, language: str = "en") -> str:
    """What a country is called in a language of the pages."""
    return str(Locale(language).territories.get(code, code))


@cache
def _tenders() -> frozenset[str]:
    return frozenset(currency for code in CODES for currency in get_territory_currencies(code))


def _facts(row: Mapping[str, str]) -> CountryFacts:
    assigned = row["assigned_cities"]
    return CountryFacts(
        code=row["country"],
        services=frozenset(service for service in Service if row[service.value] == "yes"),
        domestic_minutes=_minutes(row["domestic_minutes"]),
        international_minutes=_minutes(row["international_minutes"]),
        calling_plans_by_partner=row["calling_plans"] == "partner",
        dial_out=DialOut(row["dial_out"]),
        assigned_cities=None if not assigned else () if assigned == _ANY else _cities(assigned),
        toll_cities=_cities(row["toll_cities"]),
    )


def _minutes(text: str) -> int | None:
    return int(text) if text else None


def _cities(text: str) -> tuple[str, ...]:
    return tuple(text.split(";")) if text else ()
