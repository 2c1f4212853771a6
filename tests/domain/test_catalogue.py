"""A product goes through its states by the table alone, and needs what can be had."""

from dataclasses import replace

import pytest

from offhook.domain.catalogue import (
    SALES,
    NotNow,
    Product,
    ProductKind,
    ProductState,
    Sale,
    Texts,
    moved,
    must_be_draft,
    must_be_fit,
    must_be_sellable,
    sold_in,
)
from offhook.domain.countries import Service
from offhook.domain.errors import Invalid

TEXT = Texts("x", "x")
SYSTEM = Product("system", ProductKind.LICENCE, TEXT, TEXT)
PLAN = Product("plan", ProductKind.CALLING_PLAN, TEXT, TEXT, needs="system", service=Service.CALLING_PLANS)
FAX = Product("fax", ProductKind.ADD_ON, TEXT, TEXT, needs="system")
KNOWN = {each.sku: each for each in (SYSTEM, PLAN, FAX)}


def test_a_product_is_drafted_sold_withdrawn_and_perhaps_sold_again() -> None:
    there = {(state, sale): after for state, row in SALES.items() for sale, after in row.items()}
    for state in ProductState:
        for sale in Sale:
            product = replace(SYSTEM, state=state)
            if (state, sale) in there:
                assert moved(product, sale) is there[state, sale]
            else:
                with pytest.raises(NotNow, match="system is"):
                    moved(product, sale)
    assert ProductState.DRAFT not in there.values(), "what was seen once is no draft again"


@pytest.mark.parametrize("state", [ProductState.ON_SALE, ProductState.WITHDRAWN])
def test_what_was_sold_is_not_made_into_something_else(state: ProductState) -> None:
    must_be_draft(SYSTEM, "its kind is changed", "kind")
    with pytest.raises(NotNow) as refused:
        must_be_draft(replace(SYSTEM, state=state), "its kind is changed", "kind")
    assert refused.value.field == "kind"


@pytest.mark.parametrize(
    ("product", "words"),
    [
        (replace(FAX, needs="nothing"), "no product nothing"),
        (replace(FAX, needs="fax"), "itself"),
        (replace(SYSTEM, needs="fax"), "itself"),
        (replace(FAX, needs="plan"), "no licence"),
    ],
)
def test_what_is_needed_must_be_something_that_one_can_have(product: Product, words: str) -> None:
    with pytest.raises(Invalid, match=words) as refused:
        must_be_fit(product, KNOWN | {product.sku: product})
    assert refused.value.field == "needs"


def test_what_fits_is_let_be() -> None:
    for product in KNOWN.values():
        must_be_fit(product, KNOWN)


def test_nothing_is_sold_that_needs_a_draft() -> None:
    with pytest.raises(NotNow, match="put that on sale first"):
        must_be_sellable(PLAN, KNOWN)
    for state in (ProductState.ON_SALE, ProductState.WITHDRAWN):
        must_be_sellable(PLAN, KNOWN | {"system": replace(SYSTEM, state=state)})
    must_be_sellable(SYSTEM, KNOWN)


def test_a_country_is_offered_what_is_on_sale_and_can_be_had_there() -> None:
    known = {sku: replace(each, state=ProductState.ON_SALE) for sku, each in KNOWN.items()}
    assert [each.sku for each in sold_in(known, frozenset(Service))] == ["fax", "plan", "system"]
    assert [each.sku for each in sold_in(known, frozenset({Service.CREDITS}))] == ["fax", "system"]
    assert sold_in(KNOWN, frozenset(Service)) == []
