"""The provider's catalogue, and what of it an organization is offered."""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from offhook.domain.catalogue import (
    Product,
    ProductKind,
    ProductState,
    Sale,
    Texts,
    moved,
    must_be_draft,
    must_be_fit,
    must_be_sellable,
    sold_in,
)
from offhook.domain.countries import Service, country_of
from offhook.domain.errors import InUse, Invalid, Missing
from offhook.domain.money import Currency
from offhook.domain.organizations import OrganizationId
from offhook.domain.prices import Period, Price, price_at
from offhook.services.countries import pays_with
from offhook.services.country_facts import facts_of
from offhook.services.ports.store import ProviderTransaction, Store
from offhook.services.users import checked_name, must_be_current

LONGEST_SKU, LONGEST_DESCRIPTION = 40, 500
_SKU = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,38}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Offer:
    """A product that is on sale, and what it costs, by period; nothing where no price is set."""

    product: Product
    prices: Mapping[Period, Price]


@dataclass(frozen=True, slots=True)
class Offered:
    """What an organization can buy in its country; without a currency nothing has a price."""

    country: str
    currency: Currency | None
    offers: list[Offer]


def list_products(store: Store, *, state: ProductState | None = None, kind: ProductKind | None = None) -> list[Product]:
    """Every product that is in this state and of this kind, by SKU."""
    with store.provider_view() as provider:
        return [each for each in provider.products.all().values() if state in (None, each.state) and kind in (None, each.kind)]


def get_product(store: Store, sku: str) -> Product:
    """One product. Raises Missing."""
    with store.provider_view() as provider:
        return found(provider, sku)


def add_product(store: Store, sku: str, kind: ProductKind, who: str, **values: Any) -> Product:
    """A new product, a draft; the values as of `change_product`. Raises Invalid and Conflict with the field."""
    if not _SKU.fullmatch(sku):
        words = (
            f"An SKU has 1 to {LONGEST_SKU} lower-case letters, digits, dots, hyphens and underscores; first and last a letter or digit."
        )
        raise Invalid(words, "sku")
    product = _with(Product(sku, kind, Texts("", ""), Texts("", "")), values)
    with store.provider_change(who) as provider:
        provider.products.add(product)
        must_be_fit(product, provider.products.all())
        return found(provider, sku)


def change_product(store: Store, sku: str, changes: Mapping[str, Any], *, version: int | None = None, who: str) -> Product:
    """Give it another name_en, name_fr, description_en, description_fr or service; a draft another kind and another that it needs too.

    Only what is named. Raises Missing, Stale, Invalid and NotNow with the field.
    """
    with store.provider_change(who) as provider:
        before = found(provider, sku)
        must_be_current(before.version, version)
        after = _with(before, changes)
        if after.kind is not before.kind:
            must_be_draft(before, "its kind is changed", "kind")
        if after.needs != before.needs:
            must_be_draft(before, "what it needs is changed", "needs")
        known = provider.products.all() | {sku: after}
        must_be_fit(after, known)
        for other in known.values():
            must_be_fit(other, known)
        provider.products.put(after)
        return found(provider, sku)


def move_product(store: Store, sku: str, sale: Sale, *, version: int | None = None, who: str) -> Product:
    """Put it on sale, or withdraw it. Raises Missing, Stale, NotNow."""
    with store.provider_change(who) as provider:
        product = found(provider, sku)
        must_be_current(product.version, version)
        after = moved(product, sale)
        if sale is Sale.SELL:
            must_be_sellable(product, provider.products.all())
        provider.products.put(replace(product, state=after))
        return found(provider, sku)


def remove_product(store: Store, sku: str, *, version: int | None = None, who: str) -> None:
    """Forget a draft, which nobody was ever offered, and its prices. Raises Missing, Stale, NotNow, InUse."""
    with store.provider_change(who) as provider:
        product = found(provider, sku)
        must_be_current(product.version, version)
        must_be_draft(product, "it is removed", "sku")
        for other in provider.products.all().values():
            if other.needs == sku:
                raise InUse(f"{other.sku} needs {sku}; remove that first.", "sku")
        provider.products.remove(sku)


def offered(store: Store, organization: OrganizationId) -> Offered:
    """What an organization can buy now, by SKU. Raises Missing."""
    with store.provider_view() as provider:
        code = provider.inside(organization).profile().country
        country = country_of(facts_of(code), provider.countries.get(code))
        currency, moment = pays_with(country), time.time()
        prices = [] if currency is None else provider.prices.in_country(currency.code, code)
        products = sold_in(provider.products.all(), country.services)
    return Offered(code, currency, [Offer(each, _costs(prices, each, code, currency, moment)) for each in products])


def found(provider: ProviderTransaction, sku: str) -> Product:
    """The product with this SKU. Raises Missing."""
    product = provider.products.all().get(sku)
    if product is None:
        raise Missing(f"There is no product {sku}.", "sku")
    return product


def _costs(prices: list[Price], product: Product, code: str, currency: Currency | None, moment: float) -> Mapping[Period, Price]:
    return {} if currency is None else price_at(prices, product.sku, code, currency.code, moment)


def _with(product: Product, values: Mapping[str, Any]) -> Product:
    """A product with these values in the place of its own. Raises Invalid with the field."""
    name = {language: _name(values, language, product.name) for language in ("en", "fr")}
    description = {language: _description(values, language, product.description) for language in ("en", "fr")}
    return replace(
        product,
        kind=ProductKind(values.get("kind", product.kind)),
        name=Texts(**name),
        description=Texts(**description),
        needs=values.get("needs", product.needs),
        service=None if (service := values.get("service", product.service)) is None else Service(service),
    )


def _name(values: Mapping[str, Any], language: str, before: Texts) -> str:
    field = f"name_{language}"
    return checked_name(values[field], field) if field in values else getattr(before, language)


def _description(values: Mapping[str, Any], language: str, before: Texts) -> str:
    field = f"description_{language}"
    if field not in values:
        return str(getattr(before, language))
    text = str(values[field]).strip()
    if len(text) > LONGEST_DESCRIPTION or not text.isprintable():
        raise Invalid(f"A description has at most {LONGEST_DESCRIPTION} characters, all of them printable.", field)
    return text
