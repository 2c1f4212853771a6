"""What the provider offers: countries, products, prices. Errors as in services.ports.store."""

from dataclasses import dataclass
from typing import Protocol

from offhook.domain.catalogue import Product
from offhook.domain.countries import CountryWord
from offhook.domain.prices import Period, Price, PriceId


@dataclass(frozen=True, slots=True)
class PricesWanted:
    """Which prices are wanted; all if nothing is said. `country`: of a country, "" for those of all countries alone."""

    sku: str | None = None
    country: str | None = None
    currency: str | None = None
    period: Period | None = None


@dataclass(frozen=True, slots=True)
class NewPrice:
    """A price to be added; its values as in domain.prices."""

    sku: str
    country: str | None
    currency: str
    period: Period
    micros: int | None
    valid_from: float
    made_up: bool = False


class CountryWords(Protocol):
    """What the provider has said of countries, for whoever must know."""

    def get(self, code: str) -> CountryWord | None:
        """Of one, None if nothing."""

    def all(self) -> dict[str, CountryWord]:
        """Of each of which it has said something, by code."""


class Countries(CountryWords, Protocol):
    """What the provider says of countries."""

    def put(self, word: CountryWord) -> None:
        """Its word of one from now on."""


class Products(Protocol):
    """All that the provider sells, has sold or thinks of selling."""

    def all(self) -> dict[str, Product]:
        """Every product, by SKU, in the order of that."""

    def add(self, product: Product) -> None:
        """A new one. Raises Conflict."""

    def put(self, product: Product) -> None:
        """Bring the one of this SKU up to date."""

    def remove(self, sku: str) -> None:
        """Forget one, and its prices."""


class Prices(Protocol):
    """What everything costs, did cost and will cost."""

    def page(self, limit: int, after: int = 0, wanted: PricesWanted = ...) -> list[Price]:
        """Some of those that are wanted, the one that was made first before the others, from behind `after` on."""

    def in_country(self, currency: str, country: str) -> list[Price]:
        """All that can count in a country, in one currency."""

    def beside(self, new: NewPrice) -> list[Price]:
        """Those of the same product, country, currency and period."""

    def by_id(self, id: PriceId) -> Price | None:
        """One of them, None if there is none."""

    def add(self, new: NewPrice) -> Price:
        """A price that begins at a moment. Raises Conflict when one of the same begins at that moment."""

    def remove(self, id: PriceId) -> None:
        """Forget one."""

    def remove_made_up(self) -> None:
        """Forget all that the sandbox made up."""
