"""Countries: which services can be had where, and which of them the provider offers there.

The facts say what is possible and are the same for everybody; the provider's word counts wherever it has said one. Help in an emergency
depends on neither: domain/emergency.py asks for nothing but the country.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType


class Service(StrEnum):
    """What can be sold to an organization in a country."""

    PHONE_SYSTEM = "phone_system"
    CALLING_PLANS = "calling_plans"
    AUDIO_CONFERENCING = "audio_conferencing"
    TOLL_NUMBERS = "toll_numbers"
    TOLL_FREE_NUMBERS = "toll_free_numbers"
    CREDITS = "credits"


class DialOut(StrEnum):
    """What it costs a conference to call somebody in a country."""

    INCLUDED = "included"
    CREDITS = "credits"


@dataclass(frozen=True, slots=True)
class CountryFacts:
    """What is possible in a country (ISO 3166-1 alpha-2), whoever provides it.

    Minutes are those of the large calling plan in a month, None where there is none. `assigned_cities` are those of which a conference is
    given a toll number by itself, None: of none, empty: of no city in particular.
    """

    code: str
    services: frozenset[Service] = frozenset()
    domestic_minutes: int | None = None
    international_minutes: int | None = None
    calling_plans_by_partner: bool = False
    dial_out: DialOut = DialOut.CREDITS
    assigned_cities: tuple[str, ...] | None = None
    toll_cities: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class CountryWord:
    """What the provider has said of a country: of each service, of the country itself and of its currency only what was said.

    `version` is the provider's revision of its last word, 0 before the first.
    """

    code: str
    served: bool | None = None
    services: Mapping[Service, bool] = field(default_factory=lambda: MappingProxyType({}))
    currency: str | None = None
    version: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Country:
    """A country as it counts: new organizations and people are taken in there only where it is `served`.

    `services` are what is sold there, also to those who are there already when it is served no more.
    """

    facts: CountryFacts
    word: CountryWord
    served: bool
    services: frozenset[Service]


def country_of(facts: CountryFacts, word: CountryWord | None) -> Country:
    """A country with the provider's word, which outweighs the facts; without one it is served where there is a phone system."""
    word = word or CountryWord(facts.code)
    services = frozenset(service for service in Service if word.services.get(service, service in facts.services))
    served = Service.PHONE_SYSTEM in facts.services if word.served is None else word.served
    return Country(facts, word, served, services)
