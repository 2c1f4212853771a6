"""Whether somebody new is taken in in a country. Who is there already is never asked, and no emergency call is."""

from offhook.domain.countries import CountryWord, country_of
from offhook.domain.errors import Conflict
from offhook.services.country_facts import facts_of
from offhook.services.ports.catalogue import CountryWords


class NotServed(Conflict):
    """The provider takes in no new organization and no new people in this country; who is there already stays."""

    code = "country.not_served"


def refusal_of(word: CountryWord | None, code: str, field: str) -> NotServed | None:
    """Why nobody new is taken in in a country; None where they are. `word` is what the provider has said of it."""
    if country_of(facts_of(code), word).served:
        return None
    return NotServed(f"{code} is not among the countries that the provider serves; `offhook countries` lists those.", field)


def must_be_served(words: CountryWords, code: str, field: str = "country") -> None:
    """Raises NotServed with the field."""
    refusal = refusal_of(words.get(code), code, field)
    if refusal is not None:
        raise refusal


def must_be_served_at(words: CountryWords, location: str, own: str, before: str = "") -> None:
    """The same of where somebody shall be; their organization's `own` country and where they were `before` are not asked about."""
    if location not in ("", own, before):
        must_be_served(words, location, "location")
