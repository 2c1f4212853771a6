"""The provider's products, and what of them an organization is offered."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from offhook.domain.catalogue import Product, ProductKind, ProductState, Sale
from offhook.domain.countries import Service
from offhook.domain.prices import Period
from offhook.doors.api.access import Inside, Own, Provider, needs
from offhook.doors.api.countries import ProviderDone, revision_of
from offhook.doors.api.paging import PRINTABLE, Paged, cursor, is_text, place_of
from offhook.doors.api.prices import amount_of, moment_of
from offhook.doors.api.resources import Expected, Looked, made
from offhook.doors.api.shapes import Asked, examples, named, pattern
from offhook.services import catalogue as service

router = APIRouter(tags=["catalogue"])

SkuPath = Annotated[str, Path(min_length=1, max_length=40, pattern=PRINTABLE, examples=["phone-system"])]
_SKU = pattern("^[a-z0-9]([a-z0-9._-]{0,38}[a-z0-9])?$")
_TEXTS = {"name_en": "Night line", "name_fr": "Ligne de nuit", "description_en": "Calls after hours.", "description_fr": "Appels de nuit."}
_LINE: dict[str, Any] = {"sku": "night-line", "kind": "add_on", **_TEXTS, "needs": "phone-system", "service": "phone_system"}


class ProductTold(BaseModel):
    """What is told of a product to whoever may know of it.

    `needs` is the SKU of what must be there first; `service`: it is sold only in countries where this is.
    """

    sku: str
    kind: ProductKind
    name_en: str
    name_fr: str
    description_en: str
    description_fr: str
    needs: str | None
    service: Service | None


class ProductShown(ProductTold):
    """A product as the provider has it. `version` is the provider's revision of its last change."""

    model_config = ConfigDict(json_schema_extra=examples(_LINE | {"state": "draft", "version": 12}))

    state: ProductState
    version: int


class ProductsShown(BaseModel):
    """A page of products, by SKU."""

    products: list[ProductShown]
    next: str | None


class ProductSaved(ProviderDone):
    """A product after a change."""

    product: ProductShown


class ProductRemoved(ProviderDone):
    """It is gone."""

    sku: str


class ProductsAsked(Paged):
    """Which products to list, by SKU."""

    state: ProductState | None = None
    kind: ProductKind | None = None


class ProductAsked(Asked):
    """A new product, which is a draft."""

    model_config = ConfigDict(json_schema_extra=examples(_LINE))

    sku: str = Field(max_length=40, pattern=PRINTABLE, json_schema_extra=_SKU, description="What it is called by; it stays.")
    kind: ProductKind
    name_en: str = Field(max_length=200, pattern=PRINTABLE)
    name_fr: str = Field(max_length=200, pattern=PRINTABLE)
    description_en: str = Field("", max_length=500, pattern=PRINTABLE)
    description_fr: str = Field("", max_length=500, pattern=PRINTABLE)
    needs: str | None = Field(None, max_length=40, pattern=PRINTABLE, description="The SKU of a licence or an add-on that must be there.")
    service: Service | None = Field(None, description="Sold only in countries where this is; null: everywhere.")


class ProductChanges(Asked):
    """What shall be otherwise of a product. `kind` and `needs` only of a draft."""

    model_config = ConfigDict(json_schema_extra=examples({"name_fr": "Ligne nocturne"}, {"service": None}))

    kind: ProductKind = named()
    name_en: str = named(max_length=200, pattern=PRINTABLE)
    name_fr: str = named(max_length=200, pattern=PRINTABLE)
    description_en: str = named(max_length=500, pattern=PRINTABLE)
    description_fr: str = named(max_length=500, pattern=PRINTABLE)
    needs: str | None = named(max_length=40, pattern=PRINTABLE)
    service: Service | None = named()


class PriceOffered(BaseModel):
    """What something costs at this moment. `made_up`: the sandbox's, to look at; nobody pays it."""

    period: Period
    amount: str
    valid_from: datetime
    made_up: bool


class ProductOffered(ProductTold):
    """A product on sale. Without prices it cannot be bought yet."""

    prices: list[PriceOffered]


class Catalogue(BaseModel):
    """What is on sale in the organization's country, by SKU, with the prices of this moment in what is paid with there."""

    model_config = ConfigDict(
        json_schema_extra=examples(
            {
                "country": "FR",
                "currency": "EUR",
                "products": [
                    _LINE | {"prices": [{"period": "month", "amount": "2.50", "valid_from": "2026-11-24T09:30:00Z", "made_up": False}]}
                ],
            }
        )
    )

    country: str
    currency: str | None
    products: list[ProductOffered]


@router.get("/catalogue", dependencies=[needs("organization:read")])
def catalogue(house: Inside, own: Own) -> Catalogue:
    """What is on sale in the organization's country, and what it costs there now."""
    offered = service.offered(house.store, own)
    products = [ProductOffered(**_told(each.product), prices=_costs(each)) for each in offered.offers]
    currency = None if offered.currency is None else offered.currency.code
    return Catalogue(country=offered.country, currency=currency, products=products)


@router.get("/provider/products")
def products(house: Inside, _provider: Provider, asked: Annotated[ProductsAsked, Query()]) -> ProductsShown:
    """Every product: drafts, those on sale, those withdrawn."""
    before = place_of(asked, lambda place: len(place) == 1 and is_text(place[0]))
    found = service.list_products(house.store, state=asked.state, kind=asked.kind)
    left = [each for each in found if before is None or each.sku > str(before[0])]
    page = left[: asked.limit]
    following = cursor(asked, (page[-1].sku,)) if len(left) > len(page) else None
    return ProductsShown(products=[_shown(each) for each in page], next=following)


@router.post("/provider/products", status_code=201)
def new_product(house: Inside, provider: Provider, response: Response, asked: ProductAsked) -> ProductSaved:
    """Add a product: a draft, which nobody is offered until it is put on sale."""
    product = service.add_product(house.store, who=provider.label, **asked.model_dump())
    response.headers["Location"] = f"/api/v1/provider/products/{product.sku}"
    return ProductSaved(product=made(response, _shown(product), product.version), revision=revision_of(house))


@router.get("/provider/products/{sku}")
def product(house: Inside, _provider: Provider, sku: SkuPath, looked: Annotated[Looked, Depends()]) -> ProductShown:
    """One product."""
    found = service.get_product(house.store, sku)
    return looked.at(_shown(found), found.version)


@router.patch("/provider/products/{sku}")
async def change_product(
    house: Inside, provider: Provider, sku: SkuPath, asked: ProductChanges, expected: Annotated[Expected, Depends()]
) -> ProductSaved:
    """Give a product other texts, or another service; a draft another kind, or something else that it needs."""
    changes, version = asked.model_dump(exclude_unset=True), expected.version
    found = await run_in_threadpool(lambda: service.change_product(house.store, sku, changes, version=version, who=provider.label))
    return ProductSaved(product=expected.now(_shown(found), found.version), revision=revision_of(house))


@router.post("/provider/products/{sku}/sell")
def sell(house: Inside, provider: Provider, sku: SkuPath, expected: Annotated[Expected, Depends()]) -> ProductSaved:
    """Put a product on sale: every organization in whose country it is sold sees it, at the prices that are set."""
    found = service.move_product(house.store, sku, Sale.SELL, version=expected.version, who=provider.label)
    return ProductSaved(product=expected.now(_shown(found), found.version), revision=revision_of(house))


@router.post("/provider/products/{sku}/withdraw")
def withdraw(house: Inside, provider: Provider, sku: SkuPath, expected: Annotated[Expected, Depends()]) -> ProductSaved:
    """Offer a product to nobody any more; who has it keeps it. It can be put on sale again."""
    found = service.move_product(house.store, sku, Sale.WITHDRAW, version=expected.version, who=provider.label)
    return ProductSaved(product=expected.now(_shown(found), found.version), revision=revision_of(house))


@router.delete("/provider/products/{sku}")
async def remove_product(house: Inside, provider: Provider, sku: SkuPath, expected: Annotated[Expected, Depends()]) -> ProductRemoved:
    """Remove a draft and its prices; what was ever on sale is withdrawn instead (409)."""
    version = expected.version
    await run_in_threadpool(lambda: service.remove_product(house.store, sku, version=version, who=provider.label))
    return ProductRemoved(sku=sku, revision=revision_of(house))


def _costs(offer: service.Offer) -> list[PriceOffered]:
    shown = []
    for period, price in offer.prices.items():
        amount = amount_of(price)
        assert amount is not None  # price_at leaves out what costs nothing any more
        shown.append(PriceOffered(period=period, amount=amount, valid_from=moment_of(price.valid_from), made_up=price.made_up))
    return shown


def _shown(product: Product) -> ProductShown:
    return ProductShown(**_told(product), state=product.state, version=product.version)


def _told(product: Product) -> dict[str, Any]:
    return {
        "sku": product.sku,
        "kind": product.kind,
        "name_en": product.name.en,
        "name_fr": product.name.fr,
        "description_en": product.description.en,
        "description_fr": product.description.fr,
        "needs": product.needs,
        "service": product.service,
    }
