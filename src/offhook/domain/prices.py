"""What a product costs: prices that begin at a moment and are never changed, so that it can always be said what something did cost."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

PriceId = NewType("PriceId", int)


class Period(StrEnum):
    """For how long, or how often, a price is paid."""

    MONTH = "month"
    YEAR = "year"
    ONCE = "once"
    MINUTE = "minute"
    """Of a call; in fractions of a coin."""


@dataclass(frozen=True, slots=True)
class Price:
    """What a product costs from a moment on (seconds since 1970), until the next one of the same product, country, currency and period.

    Without a `country` it is that of every country that has none of its own. Without `micros` (millionths) there is none from then on:
    of a country, that of every country counts again. `made_up`: the sandbox's, which nobody pays.
    """

    id: PriceId
    sku: str
    country: str | None
    currency: str
    period: Period
    micros: int | None
    valid_from: float
    made_up: bool = False
    version: int = 0


def price_at(prices: Iterable[Price], sku: str, country: str, currency: str, moment: float) -> dict[Period, Price]:
    """What a product costs in a country at a moment, by period, in their order; a country's own price goes before that of all.

    Of two that begin at the same moment the later one made counts.
    """
    latest: dict[tuple[Period, bool], Price] = {}
    for price in prices:
        if (price.sku, price.currency) != (sku, currency) or price.country not in (None, country) or price.valid_from > moment:
            continue
        place = (price.period, price.country is None)
        before = latest.get(place)
        if before is None or (before.valid_from, before.id) < (price.valid_from, price.id):
            latest[place] = price
    found: dict[Period, Price] = {}
    for period in Period:
        own, of_all = latest.get((period, False)), latest.get((period, True))
        best = own if own is not None and own.micros is not None else of_all
        if best is not None and best.micros is not None:
            found[period] = best
    return found
