"""The catalogue: what the provider sells, and the few states that a product goes through."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from offhook.domain.countries import Service
from offhook.domain.errors import Conflict, Invalid


class ProductKind(StrEnum):
    """What sort of thing is sold."""

    LICENCE = "licence"
    """For a person, on its own."""
    ADD_ON = "add_on"
    """For whoever has a licence already."""
    CALLING_PLAN = "calling_plan"
    CREDITS = "credits"
    NUMBER = "number"


class ProductState(StrEnum):
    """How a product stands."""

    DRAFT = "draft"
    """Nobody but the provider sees it."""
    ON_SALE = "on_sale"
    WITHDRAWN = "withdrawn"
    """Nobody can buy it any more; who has it keeps it."""


class Sale(StrEnum):
    """What happens to a product."""

    SELL = "sell"
    WITHDRAW = "withdraw"


SALES: Mapping[ProductState, Mapping[Sale, ProductState]] = MappingProxyType(
    {
        ProductState.DRAFT: {Sale.SELL: ProductState.ON_SALE},
        ProductState.ON_SALE: {Sale.WITHDRAW: ProductState.WITHDRAWN},
        ProductState.WITHDRAWN: {Sale.SELL: ProductState.ON_SALE},
    }
)


class NotNow(Conflict):
    """A product is not in a state in which this can be done with it."""

    code = "product.not_now"


@dataclass(frozen=True, slots=True)
class Texts:
    """Something that people read, in each language that the catalogue speaks."""

    en: str
    fr: str


@dataclass(frozen=True, slots=True)
class Product:
    """Something that is sold, by its SKU. `needs` is the SKU of what must be there before it can be bought.

    It is sold in the countries that have its `service`, in all without one. `version` is the provider's revision of its last change.
    """

    sku: str
    kind: ProductKind
    name: Texts
    description: Texts
    needs: str | None = None
    service: Service | None = None
    state: ProductState = ProductState.DRAFT
    version: int = field(default=0, compare=False)


def moved(product: Product, sale: Sale) -> ProductState:
    """The state of a product after this. Raises NotNow when the table has none."""
    after = SALES[product.state].get(sale)
    if after is None:
        raise NotNow(f"{product.sku} is {_words(product.state)}; you cannot {sale} it.", "sku")
    return after


def must_be_draft(product: Product, doing: str, field: str) -> None:
    """What others may have bought is not made into something else. Raises NotNow with the field; `doing` says what was tried."""
    if product.state is not ProductState.DRAFT:
        raise NotNow(f"{product.sku} is {_words(product.state)}; {doing} only while it is a draft. Withdraw it and add another.", field)


def must_be_fit(product: Product, known: Mapping[str, Product]) -> None:
    """What a product needs is there, is something that a person or an organization can have, and does not need the product itself.

    Raises Invalid with the field.
    """
    seen, needs = {product.sku}, product.needs
    while needs is not None:
        other = known.get(needs)
        if other is None:
            raise Invalid(f"There is no product {needs}.", "needs")
        if needs in seen:
            raise Invalid(f"{needs} needs {product.sku} itself, so that neither could ever be bought.", "needs")
        seen.add(needs)
        needs = other.needs
    if product.needs is not None and known[product.needs].kind not in (ProductKind.LICENCE, ProductKind.ADD_ON):
        raise Invalid(f"{product.needs} is no licence and no add-on; only these can be needed.", "needs")


def must_be_sellable(product: Product, known: Mapping[str, Product]) -> None:
    """What a product needs was on sale at some time: else nobody could have it. Raises NotNow."""
    if product.needs is not None and known[product.needs].state is ProductState.DRAFT:
        raise NotNow(f"{product.sku} needs {product.needs}, which is a draft; put that on sale first.", "needs")


def sold_in(products: Mapping[str, Product], services: frozenset[Service]) -> list[Product]:
    """What is on sale in a country with these services, by SKU."""
    found = [
        each for each in products.values() if each.state is ProductState.ON_SALE and (each.service is None or each.service in services)
    ]
    return sorted(found, key=lambda each: each.sku)


def _words(state: ProductState) -> str:
    return {ProductState.DRAFT: "a draft", ProductState.ON_SALE: "on sale", ProductState.WITHDRAWN: "withdrawn"}[state]
