"""What something costs now, what it did cost and will cost; whatever is added later changes nothing of the past."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as some

from offhook.domain.prices import Period, Price, PriceId, price_at

PLAN = Price(PriceId(1), "plan", None, "EUR", Period.MONTH, 12_000_000, 100.0)


def listed(*prices: Price) -> list[Price]:
    return [replace(price, id=PriceId(place)) for place, price in enumerate(prices, 1)]


some_prices = some.lists(
    some.builds(
        Price,
        some.just(PriceId(0)),
        some.sampled_from(["plan", "credits"]),
        some.sampled_from([None, "FR", "BE"]),
        some.sampled_from(["EUR", "USD"]),
        some.sampled_from(Period),
        some.none() | some.integers(0, 10**9),
        some.integers(0, 20).map(float),
    ),
    max_size=30,
).map(lambda prices: listed(*prices))
asked = some.tuples(some.sampled_from(["plan", "credits"]), some.sampled_from(["FR", "BE", "DE"]), some.sampled_from(["EUR", "USD"]))
moments = some.integers(-1, 21).map(float)


def test_a_price_counts_from_its_moment_until_the_next_one() -> None:
    prices = listed(PLAN, replace(PLAN, micros=15_000_000, valid_from=200.0))
    costs = {moment: price_at(prices, "plan", "FR", "EUR", moment) for moment in (99.9, 100.0, 199.9, 200.0, 1e9)}
    assert [found[Period.MONTH].micros if found else None for found in costs.values()] == [
        None,
        12_000_000,
        12_000_000,
        15_000_000,
        15_000_000,
    ]


def test_a_countrys_own_price_goes_before_that_of_all_until_it_ends() -> None:
    own = replace(PLAN, country="FR", micros=9_000_000, valid_from=50.0)
    prices = listed(PLAN, own, replace(own, micros=None, valid_from=300.0))
    assert price_at(prices, "plan", "FR", "EUR", 60.0)[Period.MONTH].micros == 9_000_000
    assert price_at(prices, "plan", "FR", "EUR", 299.0)[Period.MONTH].micros == 9_000_000
    assert price_at(prices, "plan", "FR", "EUR", 300.0)[Period.MONTH].micros == 12_000_000
    assert price_at(prices, "plan", "BE", "EUR", 60.0) == {}


def test_one_product_has_a_price_for_each_period() -> None:
    prices = listed(replace(PLAN, period=Period.YEAR, micros=120_000_000), PLAN, replace(PLAN, currency="USD", period=Period.ONCE))
    assert [*price_at(prices, "plan", "FR", "EUR", 100.0)] == [Period.MONTH, Period.YEAR]


@given(some_prices, asked, moments)
def test_what_it_costs_is_what_a_slow_reading_of_the_rule_says(prices: list[Price], wanted: tuple[str, str, str], moment: float) -> None:
    sku, country, currency = wanted
    slow = {}
    for period in Period:
        for place in (country, None):
            own = [each for each in prices if (each.sku, each.country, each.currency, each.period) == (sku, place, currency, period)]
            begun = sorted((each for each in own if each.valid_from <= moment), key=lambda each: (each.valid_from, each.id))
            if begun and begun[-1].micros is not None:
                slow[period] = begun[-1]
                break
    assert price_at(prices, sku, country, currency, moment) == slow


@given(some_prices, some_prices, asked, moments, some.randoms())
def test_prices_that_begin_later_change_nothing_of_the_past(
    prices: list[Price], later: list[Price], wanted: tuple[str, str, str], moment: float, order: object
) -> None:
    more = [replace(each, id=PriceId(1000 + each.id), valid_from=moment + 1 + each.valid_from) for each in later]
    mixed = [*prices, *more]
    order.shuffle(mixed)  # type: ignore[attr-defined]
    assert price_at(mixed, *wanted, moment) == price_at(prices, *wanted, moment)
