"""The provider's prices: each begins at a moment and is never changed; another one begins after it."""

from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, ConfigDict, Field

from offhook.domain.money import Money
from offhook.domain.prices import Period, Price, PriceId
from offhook.doors.api.access import Inside, Provider
from offhook.doors.api.countries import CURRENCY, ProviderDone, revision_of
from offhook.doors.api.paging import LARGEST_ID, PRINTABLE, Paged, cursor, is_id, place_of
from offhook.doors.api.resources import Looked, made
from offhook.doors.api.shapes import Asked, Moment, examples, pattern
from offhook.services import prices as service
from offhook.services.country_facts import currency_named
from offhook.services.ports.catalogue import PricesWanted

router = APIRouter(prefix="/provider/prices", tags=["catalogue"])

MOST_AT_ONCE = 5000
PricePath = Annotated[int, Path(ge=1, le=LARGEST_ID, examples=[7])]
_AMOUNT = r"^(0|[1-9][0-9]{0,9})([.][0-9]{1,6})?$"
_PLAN: dict[str, Any] = {"sku": "calling-plan-domestic", "country": "FR", "currency": "EUR", "period": "month", "amount": "12.50"}


class PriceAsked(Asked):
    """A price that begins."""

    model_config = ConfigDict(
        json_schema_extra=examples(_PLAN, {"sku": "phone-system", "currency": "EUR", "period": "month", "amount": "8"})
    )

    sku: str = Field(max_length=40, pattern=PRINTABLE)
    country: str | None = Field(
        None, max_length=2, pattern="^[A-Z]{2}$", description="Where it holds; null: in all that have none of their own."
    )
    currency: str = Field(max_length=3, pattern=CURRENCY)
    period: Period
    amount: str | None = Field(
        max_length=20,
        pattern=PRINTABLE,
        json_schema_extra=pattern(_AMOUNT),
        description="Exactly, with as many digits behind the point as the currency has, of a minute up to six; null: none from then on.",
    )
    valid_from: Moment | None = Field(None, description="From when on it counts, at most ten years ahead; null: from now on.")


class PriceListAsked(Asked):
    """Many prices, all of which begin or none."""

    prices: list[PriceAsked] = Field(max_length=MOST_AT_ONCE)


class PriceShown(BaseModel):
    """What something costs from `valid_from` on, until the next price of the same product, country, currency and period.

    `made_up`: the sandbox's, to look at. `version` is the provider's revision that it was set in.
    """

    model_config = ConfigDict(
        json_schema_extra=examples({"id": 7} | _PLAN | {"valid_from": "2027-01-01T00:00:00Z", "made_up": False, "version": 12})
    )

    id: int
    sku: str
    country: str | None
    currency: str
    period: Period
    amount: str | None
    valid_from: datetime
    made_up: bool
    version: int


class PricesShown(BaseModel):
    """A page of prices, the one that was set first before the others."""

    prices: list[PriceShown]
    next: str | None


class PriceSaved(ProviderDone):
    """A new price."""

    price: PriceShown


class PriceRemoved(ProviderDone):
    """It will not begin."""

    id: int


class PriceListSaved(ProviderDone):
    """What became of a list: how many prices begin by it, and how many of it were so already."""

    model_config = ConfigDict(json_schema_extra=examples({"revision": 12, "added": 3, "unchanged": 20}))

    added: int
    unchanged: int


class PricesAsked(Paged):
    """Which prices to list."""

    sku: str | None = Field(None, max_length=40, pattern=PRINTABLE)
    country: str | None = Field(None, max_length=3, pattern="^([A-Z]{2}|any)$", description="`any`: those of all countries alone.")
    currency: str | None = Field(None, max_length=3, pattern=CURRENCY)
    period: Period | None = None


@router.get("")
def prices(house: Inside, _provider: Provider, asked: Annotated[PricesAsked, Query()]) -> PricesShown:
    """Every price, also those that are over and those that have not begun."""
    before = place_of(asked, lambda place: len(place) == 1 and is_id(place[0]))
    wanted = PricesWanted(asked.sku, asked.country, asked.currency, asked.period)
    page, following = service.list_prices(house.store, asked.limit, int(before[0] or 0) if before else 0, wanted)
    return PricesShown(prices=[_shown(each) for each in page], next=None if following is None else cursor(asked, (following,)))


@router.post("", status_code=201)
def new_price(house: Inside, provider: Provider, response: Response, asked: PriceAsked) -> PriceSaved:
    """Have a price begin, now or later. What something did cost is never changed."""
    price = service.set_price(house.store, _wanted(asked), provider.label)
    response.headers["Location"] = f"/api/v1/provider/prices/{price.id}"
    return PriceSaved(price=made(response, _shown(price), price.version), revision=revision_of(house))


@router.post("/import")
def import_prices(
    house: Inside,
    provider: Provider,
    asked: PriceListAsked,
    dry_run: Annotated[bool, Query(description="Only find out what would become of it.")] = False,
) -> PriceListSaved:
    """Have many prices begin at once, or none if one is refused. What is so already is left alone, so a list can be sent again."""
    done = service.set_prices(house.store, [_wanted(each) for each in asked.prices], provider.label, dry_run=dry_run)
    return PriceListSaved(added=len(done.added), unchanged=done.unchanged, revision=revision_of(house))


@router.get("/{price}")
def price(house: Inside, _provider: Provider, price: PricePath, looked: Annotated[Looked, Depends()]) -> PriceShown:
    """One price."""
    found = service.get_price(house.store, PriceId(price))
    return looked.at(_shown(found), found.version)


@router.delete("/{price}")
async def remove_price(house: Inside, provider: Provider, price: PricePath) -> PriceRemoved:
    """Take back a price that has not begun; of one that has it is refused (409)."""
    await run_in_threadpool(service.remove_price, house.store, PriceId(price), provider.label)
    return PriceRemoved(id=price, revision=revision_of(house))


def amount_of(price: Price) -> str | None:
    """What stands for a price."""
    return None if price.micros is None else str(Money(price.micros, currency_named(price.currency)))


def moment_of(seconds: float) -> datetime:
    """A moment as it is shown."""
    return datetime.fromtimestamp(seconds, UTC)


def _wanted(asked: PriceAsked) -> service.PriceWanted:
    begins = None if asked.valid_from is None else asked.valid_from.timestamp()
    return service.PriceWanted(asked.sku, asked.country, asked.currency, asked.period, asked.amount, begins)


def _shown(price: Price) -> PriceShown:
    return PriceShown(
        id=price.id,
        sku=price.sku,
        country=price.country,
        currency=price.currency,
        period=price.period,
        amount=amount_of(price),
        valid_from=moment_of(price.valid_from),
        made_up=price.made_up,
        version=price.version,
    )
