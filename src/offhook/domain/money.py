"""Sums of money: whole micro-units of a currency, a millionth of what its people count in, never floats.

A call's minute costs fractions of a cent, and a thousand of them must cost a thousand times that, so sums are kept finer than any coin.
"""

import re
from dataclasses import dataclass

from offhook.domain.errors import Invalid

DECIMALS = 6
"""How fine a sum is kept: ISO 4217 knows no currency with more than four digits."""
MICROS = 10**DECIMALS
MOST_UNITS = 10**9
"""The largest sum; in micro-units it is still a number that every program which reads JSON takes whole."""

_WRITTEN = re.compile(r"(0|[1-9][0-9]*)(?:\.([0-9]+))?")


@dataclass(frozen=True, slots=True)
class Currency:
    """A currency by its three letters (ISO 4217), and how many digits stand behind the point in the sums that people pay in it."""

    code: str
    digits: int


@dataclass(frozen=True, slots=True)
class Money:
    """So many millionths of a currency."""

    micros: int
    currency: Currency

    def __post_init__(self) -> None:
        if not 0 <= self.micros <= MOST_UNITS * MICROS:
            raise ValueError(f"{self.micros} millionths are no sum of money")

    def __str__(self) -> str:
        """The sum alone, with the digits of its currency and more where it is finer: "12.50", "0.0125", "1200" yen."""
        units, rest = divmod(self.micros, MICROS)
        decimals = f"{rest:0{DECIMALS}}"
        needed = max(self.currency.digits, len(decimals.rstrip("0")))
        return f"{units}.{decimals[:needed]}" if needed else str(units)


def parse_money(text: str, currency: Currency, *, finer: bool = False, field: str = "amount") -> Money:
    """A sum as it is written, exactly: "12.50", "12.5" or "12"; no sign, no separators, no exponent, no spaces.

    With `finer` it may have six digits behind the point (a minute's price), else as many as its currency has. Raises Invalid with the
    field.
    """
    most = DECIMALS if finer else currency.digits
    written = _WRITTEN.fullmatch(text)
    if written is None:
        raise Invalid(f"{text[:40]!r} is no sum: write digits, and a point before those behind it, such as 12.50.", field)
    units, decimals = written[1], written[2] or ""
    if len(decimals) > most:
        raise Invalid(f"{text[:40]} has {len(decimals)} digits behind the point; a sum in {currency.code} has at most {most} here.", field)
    if len(units) > len(str(MOST_UNITS)) or int(units) * MICROS + int(decimals.ljust(DECIMALS, "0")) > MOST_UNITS * MICROS:
        raise Invalid(f"A sum is at most {MOST_UNITS}.", field)
    return Money(int(units) * MICROS + int(decimals.ljust(DECIMALS, "0")), currency)
