"""The provider's prices: set for now or for later, and never changed once they count."""

import time
from collections.abc import Sequence
from dataclasses import dataclass

from offhook.domain.errors import Conflict, Invalid, Missing, Refusal
from offhook.domain.money import parse_money
from offhook.domain.prices import Period, Price, PriceId
from offhook.services.catalogue import found
from offhook.services.country_facts import checked_country, checked_currency
from offhook.services.ports.catalogue import NewPrice, PricesWanted
from offhook.services.ports.store import ProviderTransaction, Store

ALL_COUNTRIES = "any"
"""What a list of prices is asked for to show those that hold for all countries."""
FARTHEST_SECONDS = 10 * 366 * 86400.0


class InThePast(Invalid):
    """A price is to begin before now: what something did cost is not changed."""

    code = "price.past"


class Begun(Conflict):
    """A price is to be removed that counts already, or did; another one can begin now."""

    code = "price.begun"


@dataclass(frozen=True, slots=True)
class PriceWanted:
    """A price as somebody writes it: `country` None for all, `amount` None for no price from then on, `valid_from` None for now."""

    sku: str
    country: str | None
    currency: str
    period: Period
    amount: str | None
    valid_from: float | None = None


@dataclass(frozen=True, slots=True)
class PricesSet:
    """What became of a list: the prices that were added, and how many of it were so already."""

    added: list[Price]
    unchanged: int


def list_prices(store: Store, limit: int, after: int, wanted: PricesWanted) -> tuple[list[Price], int | None]:
    """Some of the prices, the one that was made first before the others, from behind `after` on; and what to go on after."""
    if wanted.country == ALL_COUNTRIES:
        wanted = PricesWanted(wanted.sku, "", wanted.currency, wanted.period)
    with store.provider_view() as provider:
        page = provider.prices.page(limit + 1, after, wanted)
    return page[:limit], page[limit - 1].id if len(page) > limit else None


def get_price(store: Store, id: PriceId) -> Price:
    """One price. Raises Missing."""
    with store.provider_view() as provider:
        return _found(provider, id)


def set_price(store: Store, wanted: PriceWanted, who: str) -> Price:
    """A price that begins now or later. Raises Missing, Invalid and Conflict with the field."""
    new = _checked(wanted, now_exactly())
    with store.provider_change(who) as provider:
        found(provider, new.sku)
        return provider.prices.add(new)


def set_prices(store: Store, wanted: Sequence[PriceWanted], who: str, *, dry_run: bool) -> PricesSet:
    """Many at once, all of them or none; what a list says that is so already is left alone. With `dry_run` nothing is kept.

    Raises what `set_price` does, the field with the place in the list before it: `prices.3.amount`.
    """
    now = now_exactly()
    try:
        with store.provider_change(who) as provider:
            done = _set(provider, wanted, now)
            if dry_run:
                raise _TakenBackError(done)
    except _TakenBackError as only_tried:
        return only_tried.done
    return done


def remove_price(store: Store, id: PriceId, who: str) -> None:
    """Forget one that has not begun. Raises Missing, Begun."""
    with store.provider_change(who) as provider:
        price = _found(provider, id)
        if price.valid_from <= time.time():
            raise Begun("This price counts already, or did, and stays. Set another one, or none, from now on.", "price")
        provider.prices.remove(id)


def now_exactly() -> float:
    """This moment in whole microseconds, so that it is the same one when it was shown and is sent again."""
    return round(time.time(), 6)


class _TakenBackError(Exception):
    """Nothing of a transaction is to be kept."""

    def __init__(self, done: PricesSet) -> None:
        super().__init__(done)
        self.done = done


def _set(provider: ProviderTransaction, wanted: Sequence[PriceWanted], now: float) -> PricesSet:
    products, added, unchanged = provider.products.all(), [], 0
    for place, each in enumerate(wanted):
        try:
            if each.sku not in products:
                raise Missing(f"There is no product {each.sku}.", "sku")
            if _is_so(provider, each, now):
                unchanged += 1
            else:
                added.append(provider.prices.add(_checked(each, now)))
        except Refusal as refusal:
            raise type(refusal)(refusal.explanation, f"prices.{place}.{refusal.field}") from None
    return PricesSet(added, unchanged)


def _is_so(provider: ProviderTransaction, wanted: PriceWanted, now: float) -> bool:
    """Whether this price is there: at its moment, or without one as that which counts now."""
    new = _checked(wanted, now, past=True)
    same = provider.prices.beside(new)
    if wanted.valid_from is not None:
        return any((each.valid_from, each.micros) == (new.valid_from, new.micros) for each in same)
    begun = max((each for each in same if each.valid_from <= now), key=lambda each: (each.valid_from, each.id), default=None)
    return begun is not None and begun.micros == new.micros


def _checked(wanted: PriceWanted, now: float, *, past: bool = False) -> NewPrice:
    currency = checked_currency(wanted.currency)
    finer = wanted.period is Period.MINUTE
    amount = None if wanted.amount is None else parse_money(wanted.amount, currency, finer=finer)
    if wanted.valid_from is not None and wanted.valid_from < now and not past:
        raise InThePast("A price begins now or later; leave the moment out for now.", "valid_from")
    if wanted.valid_from is not None and wanted.valid_from > now + FARTHEST_SECONDS:
        raise Invalid("A price begins within ten years.", "valid_from")
    return NewPrice(
        wanted.sku,
        None if wanted.country is None else checked_country(wanted.country),
        currency.code,
        wanted.period,
        None if amount is None else amount.micros,
        now if wanted.valid_from is None else wanted.valid_from,
    )


def _found(provider: ProviderTransaction, id: PriceId) -> Price:
    price = provider.prices.by_id(id)
    if price is None:
        raise Missing("There is no such price.", "price")
    return price
