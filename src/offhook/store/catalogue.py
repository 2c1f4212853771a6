"""What the provider offers: countries, products, prices."""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import ColumnElement, Connection, select

from offhook.domain.catalogue import Product, ProductKind, ProductState, Texts
from offhook.domain.countries import CountryWord, Service
from offhook.domain.errors import Conflict
from offhook.domain.prices import Period, Price, PriceId
from offhook.services.ports.catalogue import NewPrice, PricesWanted
from offhook.store.provider import ProviderScope
from offhook.store.scope import Row
from offhook.store.tables import countries, prices, products

_ALL_PRICES = PricesWanted()


class CountryWords:
    """services.ports.catalogue.CountryWords: any organization may know them."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def get(self, code: str) -> CountryWord | None:
        row = self._connection.execute(select(countries).where(countries.c.code == code)).mappings().first()
        return _word_of(row) if row else None

    def all(self) -> dict[str, CountryWord]:
        rows = self._connection.execute(select(countries).order_by(countries.c.code)).mappings()
        return {row["code"]: _word_of(row) for row in rows}


class Countries(CountryWords):
    """services.ports.catalogue.Countries."""

    def __init__(self, scope: ProviderScope) -> None:
        super().__init__(scope.connection)
        self._scope = scope

    def put(self, word: CountryWord) -> None:
        said = {service.value: word.services[service] for service in Service if service in word.services}
        values = {"served": word.served, "services": said, "currency": word.currency}
        if self.get(word.code) is None:
            self._scope.insert(countries, code=word.code, **values)
        else:
            self._scope.update(countries, countries.c.code == word.code, **values)


class Products:
    """services.ports.catalogue.Products."""

    def __init__(self, scope: ProviderScope) -> None:
        self._scope = scope

    def all(self) -> dict[str, Product]:
        return {row["sku"]: _product_of(row) for row in self._scope.rows(products)}

    def add(self, product: Product) -> None:
        if self._scope.rows(products, products.c.sku == product.sku):
            raise Conflict(f"There is a product {product.sku} already; choose another SKU.", "sku")
        self._scope.insert(products, sku=product.sku, **_values_of(product))

    def put(self, product: Product) -> None:
        self._scope.update(products, products.c.sku == product.sku, **_values_of(product))

    def remove(self, sku: str) -> None:
        self._scope.delete(prices, prices.c.sku == sku)
        self._scope.delete(products, products.c.sku == sku)


class Prices:
    """services.ports.catalogue.Prices."""

    def __init__(self, scope: ProviderScope) -> None:
        self._scope = scope

    def page(self, limit: int, after: int = 0, wanted: PricesWanted = _ALL_PRICES) -> list[Price]:
        said = {"sku": wanted.sku, "country": wanted.country, "currency": wanted.currency, "period": wanted.period}
        where = _same({name: value for name, value in said.items() if value is not None})
        found = select(prices).where(prices.c.id > after, *where).order_by(prices.c.id).limit(limit)
        return [_price_of(row) for row in self._scope.connection.execute(found).mappings()]

    def in_country(self, currency: str, country: str) -> list[Price]:
        return [_price_of(row) for row in self._scope.rows(prices, prices.c.currency == currency, prices.c.country.in_(("", country)))]

    def beside(self, new: NewPrice) -> list[Price]:
        return [_price_of(row) for row in self._scope.rows(prices, *_same(_key_of(new)))]

    def by_id(self, id: PriceId) -> Price | None:
        return next((_price_of(row) for row in self._scope.rows(prices, prices.c.id == id)), None)

    def add(self, new: NewPrice) -> Price:
        key = _key_of(new) | {"valid_from": new.valid_from}
        if self._scope.rows(prices, *_same(key)):
            raise Conflict(f"A price of {new.sku} begins at this moment already; remove it, or choose another moment.", "valid_from")
        return _price_of(self._scope.insert(prices, **key, micros=new.micros, made_up=new.made_up))

    def remove(self, id: PriceId) -> None:
        self._scope.delete(prices, prices.c.id == id)

    def remove_made_up(self) -> None:
        self._scope.delete(prices, prices.c.made_up)


def _key_of(new: NewPrice) -> dict[str, Any]:
    return {"sku": new.sku, "country": new.country or "", "currency": new.currency, "period": new.period.value}


def _same(key: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    return [prices.c[name] == value for name, value in key.items()]


def _word_of(row: Row) -> CountryWord:
    services = {Service(name): said for name, said in row["services"].items()}
    return CountryWord(row["code"], row["served"], services, row["currency"], row["version"])


def _product_of(row: Row) -> Product:
    return Product(
        row["sku"],
        ProductKind(row["kind"]),
        Texts(row["name_en"], row["name_fr"]),
        Texts(row["description_en"], row["description_fr"]),
        row["needs"],
        None if row["service"] is None else Service(row["service"]),
        ProductState(row["state"]),
        row["version"],
    )


def _values_of(product: Product) -> dict[str, Any]:
    return {
        "kind": product.kind.value,
        "state": product.state.value,
        "name_en": product.name.en,
        "name_fr": product.name.fr,
        "description_en": product.description.en,
        "description_fr": product.description.fr,
        "needs": product.needs,
        "service": None if product.service is None else product.service.value,
    }


def _price_of(row: Row) -> Price:
    country, period = row["country"] or None, Period(row["period"])
    return Price(
        PriceId(row["id"]), row["sku"], country, row["currency"], period, row["micros"], row["valid_from"], row["made_up"], row["version"]
    )
