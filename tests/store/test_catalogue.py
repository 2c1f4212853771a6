"""Countries, products and prices as both databases keep them, each change with its line of the provider's history."""

from dataclasses import replace

import pytest

from offhook.domain.catalogue import Product, ProductKind, ProductState, Texts
from offhook.domain.countries import CountryWord, Service
from offhook.domain.errors import Conflict
from offhook.domain.money import MICROS, MOST_UNITS
from offhook.domain.organizations import OrganizationId
from offhook.domain.prices import Period
from offhook.services.ports.catalogue import NewPrice, PricesWanted
from offhook.services.ports.store import Store
from tests.store.test_provider import lines

SYSTEM = Product("system", ProductKind.LICENCE, Texts("System", "Système"), Texts("", "L’été"), service=Service.PHONE_SYSTEM)
PRICE = NewPrice("system", None, "EUR", Period.MONTH, MOST_UNITS * MICROS, 1_700_000_000.123456)


def test_what_is_said_of_a_country_is_kept_as_it_was_said_and_any_organization_may_know(store: Store, lumen: OrganizationId) -> None:
    word = CountryWord("FR", served=False, services={Service.CREDITS: False, Service.PHONE_SYSTEM: True}, currency="CHF")
    with store.provider_change("ada") as provider:
        assert provider.countries.get("FR") is None
        provider.countries.put(word)
        first = provider.revision
    with store.provider_change("ada") as provider:
        provider.countries.put(word)
        assert provider.revision is None, "what is so already is no change"
        provider.countries.put(replace(word, served=None, services={}))
        second = provider.revision
    with store.view(lumen) as transaction:
        assert transaction.countries.all() == {"FR": CountryWord("FR", currency="CHF")}
        kept = transaction.countries.get("FR")
        assert kept is not None and kept.served is None and kept.version == second
    assert [line for line in lines(store) if line[1] == "country"] == [(second, "country", "FR"), (first, "country", "FR")]


def test_a_product_is_kept_whole_and_its_sku_is_taken_once(store: Store) -> None:
    plan = Product("plan", ProductKind.CALLING_PLAN, SYSTEM.name, SYSTEM.description, needs="system", state=ProductState.ON_SALE)
    with store.provider_change("ada") as provider:
        provider.products.add(SYSTEM)
        provider.products.add(plan)
    with pytest.raises(Conflict) as refused, store.provider_change("ada") as provider:
        provider.products.add(SYSTEM)
    assert refused.value.field == "sku"
    with store.provider_change("ada") as provider:
        provider.products.put(replace(SYSTEM, state=ProductState.WITHDRAWN))
        assert provider.products.all() == {"plan": plan, "system": replace(SYSTEM, state=ProductState.WITHDRAWN)}
        assert [each.version for each in provider.products.all().values()] == [1, 2]


def test_prices_are_exact_and_found_by_what_they_are_of(store: Store) -> None:
    with store.provider_change("ada") as provider:
        provider.products.add(SYSTEM)
        first = provider.prices.add(PRICE)
        french = provider.prices.add(replace(PRICE, country="FR", micros=None, made_up=True))
        dollars = provider.prices.add(replace(PRICE, currency="USD", period=Period.MINUTE, micros=1))
    assert (first.micros, first.valid_from, first.country) == (MOST_UNITS * MICROS, 1_700_000_000.123456, None)
    with pytest.raises(Conflict) as refused, store.provider_change("ada") as provider:
        provider.prices.add(replace(PRICE, micros=5))
    assert refused.value.field == "valid_from"
    with store.provider_view() as provider:
        assert provider.prices.page(9) == [first, french, dollars] and provider.prices.page(9, after=first.id) == [french, dollars]
        assert provider.prices.page(9, wanted=PricesWanted(country="")) == [first, dollars]
        assert provider.prices.page(9, wanted=PricesWanted("system", "FR", "EUR", Period.MONTH)) == [french]
        assert provider.prices.in_country("EUR", "BE") == [first] and provider.prices.in_country("EUR", "FR") == [first, french]
        assert provider.prices.beside(PRICE) == [first] and provider.prices.by_id(dollars.id) == dollars


def test_a_product_that_goes_takes_its_prices_and_no_number_comes_twice(store: Store) -> None:
    with store.provider_change("ada") as provider:
        provider.products.add(SYSTEM)
        last = provider.prices.add(PRICE)
        provider.prices.remove(last.id)
        assert provider.prices.add(PRICE).id > last.id, "the history must not tell of two prices by one number"
        made_up = provider.prices.add(replace(PRICE, country="FR", made_up=True))
        provider.prices.remove_made_up()
        assert provider.prices.by_id(made_up.id) is None and len(provider.prices.page(9)) == 1
        provider.products.remove("system")
        assert provider.prices.page(9) == [] and provider.products.all() == {}
