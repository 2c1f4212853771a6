"""Sums are exact: what is written is what is kept, and what cannot be kept exactly is refused."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from offhook.domain.errors import Invalid
from offhook.domain.money import DECIMALS, MICROS, MOST_UNITS, Currency, Money, parse_money

USD, JPY, BHD = Currency("USD", 2), Currency("JPY", 0), Currency("BHD", 3)
MICRO_UNITS = some.integers(0, MOST_UNITS * MICROS)


@pytest.mark.parametrize(
    ("text", "currency", "micros", "again"),
    [
        ("12.50", USD, 12_500_000, "12.50"),
        ("12.5", USD, 12_500_000, "12.50"),
        ("12", USD, 12_000_000, "12.00"),
        ("0", USD, 0, "0.00"),
        ("0.07", USD, 70_000, "0.07"),
        ("1200", JPY, 1_200_000_000, "1200"),
        ("1.234", BHD, 1_234_000, "1.234"),
        ("1000000000", USD, MOST_UNITS * MICROS, "1000000000.00"),
    ],
)
def test_a_sum_is_what_is_written(text: str, currency: Currency, micros: int, again: str) -> None:
    sum_of_money = parse_money(text, currency)
    assert (sum_of_money.micros, str(sum_of_money)) == (micros, again)


@pytest.mark.parametrize(
    "text",
    [
        "", " ", "12.", ".5", "-1", "+1", "1,5", "1 000", "1_000", "01", "00", "1e3", "NaN", "inf", "0x10", "١٢", "12.50 ", "\n12", "12\n",
        "12.505", "1000000000.01", "1000000001", "9" * 4000, "$12",
    ],
)  # fmt: skip
def test_what_is_no_sum_of_dollars_and_cents_is_refused_with_the_field(text: str) -> None:
    with pytest.raises(Invalid) as refused:
        parse_money(text, USD, field="price")
    assert refused.value.field == "price"


def test_a_currency_without_coins_has_no_point_and_a_minute_may_be_finer() -> None:
    with pytest.raises(Invalid, match="at most 0"):
        parse_money("12.5", JPY)
    assert str(parse_money("0.0125", USD, finer=True)) == "0.0125"
    assert str(parse_money("0.5", JPY, finer=True)) == "0.5"
    with pytest.raises(Invalid, match="at most 6"):
        parse_money("0.0000001", USD, finer=True)


@given(MICRO_UNITS, some.sampled_from([USD, JPY, BHD]))
def test_what_is_shown_is_read_again_as_the_same_sum(micros: int, currency: Currency) -> None:
    shown = str(Money(micros, currency))
    assert parse_money(shown, currency, finer=True).micros == micros
    assert Decimal(shown) * MICROS == micros
    assert len(shown.partition(".")[2]) >= currency.digits


@given(some.decimals(0, MOST_UNITS, places=DECIMALS))
def test_every_sum_that_can_be_kept_is_kept_exactly(value: Decimal) -> None:
    assert parse_money(f"{value:f}", USD, finer=True).micros == value * MICROS


@pytest.mark.parametrize("micros", [-1, MOST_UNITS * MICROS + 1])
def test_no_sum_is_below_nothing_or_above_the_largest(micros: int) -> None:
    with pytest.raises(ValueError, match="millionths"):
        Money(micros, USD)
