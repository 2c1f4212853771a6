"""Which countries the provider serves, and with what."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from offhook.domain.countries import Country, CountryWord, Service, country_of
from offhook.domain.money import Currency
from offhook.services.country_facts import CODES, checked_currency, currency_named, currency_of, facts_of
from offhook.services.ports.store import Store
from offhook.services.users import must_be_current


def list_countries(store: Store, *, served: bool | None = None, service: Service | None = None) -> list[Country]:
    """Every country by its code; only those that are served or not, only those that have a service."""
    with store.provider_view() as provider:
        words = provider.countries.all()
    found = [country_of(facts_of(code), words.get(code)) for code in CODES]
    return [each for each in found if served in (None, each.served) and (service is None or service in each.services)]


def get_country(store: Store, code: str) -> Country:
    """One country. Raises Missing."""
    facts = facts_of(code)
    with store.provider_view() as provider:
        return country_of(facts, provider.countries.get(code))


def change_country(store: Store, code: str, changes: Mapping[str, Any], *, version: int | None = None, who: str) -> Country:
    """Say whether it is `served`, which services are sold there, in which `currency`; None: as the facts have it. Only what is named.

    Raises Missing, Stale, Invalid with the field.
    """
    facts = facts_of(code)
    if changes.get("currency") is not None:
        checked_currency(changes["currency"])
    with store.provider_change(who) as provider:
        word = provider.countries.get(code) or CountryWord(code)
        must_be_current(word.version, version)
        services = {**word.services, **{service: changes[service.value] for service in Service if service.value in changes}}
        word = replace(
            word,
            served=changes.get("served", word.served),
            currency=changes.get("currency", word.currency),
            services={service: said for service, said in services.items() if said is not None},
        )
        if word != (provider.countries.get(code) or CountryWord(code)):
            provider.countries.put(word)
        return country_of(facts, provider.countries.get(code))


def pays_with(country: Country) -> Currency | None:
    """What is asked for in a country: what the provider said, else the country's own; None where nobody knows one."""
    said = country.word.currency
    return currency_of(country.facts.code) if said is None else currency_named(said)
