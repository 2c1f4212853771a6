"""What the numbering plans of the world say of a number, by the phonenumbers library's metadata; asked when a number enters the stock."""

import phonenumbers
from phonenumbers import PhoneNumberType

from offhook.domain.errors import Invalid
from offhook.domain.numbers import E164, NumberKind
from offhook.services.dial_rules import dial_rules

_KINDS = {
    PhoneNumberType.FIXED_LINE: NumberKind.GEOGRAPHIC,
    # Where they look the same, as in North America, a number that a provider has in stock is seldom a mobile telephone's.
    PhoneNumberType.FIXED_LINE_OR_MOBILE: NumberKind.GEOGRAPHIC,
    PhoneNumberType.MOBILE: NumberKind.MOBILE,
    PhoneNumberType.TOLL_FREE: NumberKind.TOLL_FREE,
    PhoneNumberType.UNKNOWN: None,
}
_NO_COUNTRY = "001"


def country_of(number: E164) -> str | None:
    """The country whose plan a number is of (ISO 3166 alpha-2); None when no plan knows it, or it is of no country, as +800."""
    region = phonenumbers.region_code_for_number(phonenumbers.parse(number)) if _is_known(number) else None
    return None if region == _NO_COUNTRY else region


def kind_of(number: E164) -> NumberKind | None:
    """What sort of number it is; None when no plan knows it. What is neither of a place, mobile nor toll-free is national."""
    if not _is_known(number):
        return None
    return _KINDS.get(phonenumbers.number_type(phonenumbers.parse(number)), NumberKind.NATIONAL)


def checked_country(country: str, number: E164) -> str:
    """A country whose numbers begin as this one does; of numbers of no country any. Raises Invalid."""
    country = country.strip().upper()
    rules = dial_rules(country)
    code = str(phonenumbers.parse(number).country_code) if _is_known(number) else ""
    if code and code != rules.country_code and phonenumbers.region_code_for_country_code(int(code)) != _NO_COUNTRY:
        raise Invalid(f"Numbers of {country} begin with +{rules.country_code}; {number} is of another country.", "country")
    return country


def _is_known(number: E164) -> bool:
    try:
        phonenumbers.parse(number)
    except phonenumbers.NumberParseException:
        return False
    return True
