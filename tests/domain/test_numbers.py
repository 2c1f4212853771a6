"""What people dial, and the number it means."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.domain.numbers import E164, MAY, DialRules, StockDeed, StockState, as_e164, dialled_number, may, not_available, state_of

US = DialRules("1", "011", "1", frozenset({10}))
DE = DialRules("49", "00", "0", frozenset(range(5, 16)))
ES = DialRules("34", "00", "", frozenset({9}))

DIGITS = "0123456789"


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("+12065550101", "+12065550101"),
        ("+1 (206) 555-0101", "+12065550101"),
        ("+49/30.1234567", "+49301234567"),
        ("+12", "+12"),
        ("+123456789012345", "+123456789012345"),
    ],
)
def test_a_number_in_international_form_is_read_with_its_separators(text: str, number: str) -> None:
    assert as_e164(text) == number


@pytest.mark.parametrize(
    "text",
    [
        "",
        "+",
        "+1",
        "+0123456",
        "+1234567890123456",
        "12065550101",
        "++12065550101",
        "+1206555010a",
        "+١٢٣٤٥٦٧",
        "+1²345678",
        "tel:+12065550101",
    ],
)
def test_what_is_no_number_is_none(text: str) -> None:
    assert as_e164(text) is None


@pytest.mark.parametrize(
    ("dialled", "rules", "number"),
    [
        ("2065550101", US, "+12065550101"),
        ("12065550101", US, "+12065550101"),
        ("+1 206 555 0101", US, "+12065550101"),
        ("011 49 30 1234567", US, "+49301234567"),
        ("+49301234567", US, "+49301234567"),
        ("030 1234567", DE, "+49301234567"),
        ("0049301234567", DE, "+49301234567"),
        ("001 206 555 0101", DE, "+12065550101"),
        ("912 345 678", ES, "+34912345678"),
        ("0012065550101", ES, "+12065550101"),
    ],
)
def test_a_number_is_dialled_as_people_dial_it_there(dialled: str, rules: DialRules, number: str) -> None:
    assert dialled_number(dialled, rules) == number


@pytest.mark.parametrize(
    ("dialled", "rules"),
    [
        ("", US),
        ("5550101", US),
        ("+1206555010", US),
        ("20655501011", US),
        ("011", US),
        ("0110123456789", US),
        ("anna", US),
        ("2065550101#", US),
        ("*21", DE),
        ("91234567", ES),
        ("0912345678", ES),
    ],
)
def test_what_can_be_no_number_there_is_none(dialled: str, rules: DialRules) -> None:
    assert dialled_number(dialled, rules) is None


@settings(deadline=None)
@given(st.text(max_size=40), st.sampled_from([US, DE, ES]))
def test_whatever_is_dialled_gives_a_number_in_international_form_or_none(dialled: str, rules: DialRules) -> None:
    number = dialled_number(dialled, rules)
    assert number is None or (number == as_e164(number) and dialled_number(number, rules) == number)


@settings(deadline=None)
@given(st.text("23456789", min_size=1, max_size=1), st.text(DIGITS, min_size=9, max_size=9), st.sampled_from(" -.()/"))
def test_separators_mean_nothing(first: str, rest: str, separator: str) -> None:
    national = first + rest
    assert dialled_number(separator.join(national), US) == dialled_number(national, US) == f"+1{national}"


def test_every_state_of_the_stock_says_what_may_be_done() -> None:
    assert MAY.keys() == set(StockState) and set().union(*MAY.values()) == set(StockDeed)


@pytest.mark.parametrize(
    ("held", "withheld", "state", "taken", "removed"),
    [
        (False, False, StockState.FREE, True, True),
        (True, False, StockState.IN_USE, False, False),
        (True, True, StockState.IN_USE, False, False),
        (False, True, StockState.WITHHELD, False, True),
    ],
)
def test_only_what_is_free_is_taken_and_nothing_in_use_is_removed(
    held: bool, withheld: bool, state: StockState, taken: bool, removed: bool
) -> None:
    assert state_of(held=held, withheld=withheld) is state
    assert (may(state, StockDeed.TAKE), may(state, StockDeed.REMOVE)) == (taken, removed)


def test_what_is_not_available_is_said_the_same_way_of_every_number() -> None:
    one, other = (not_available(E164(number)) for number in ("+12065550101", "+15035550101"))
    assert one.explanation.replace("+12065550101", "") == other.explanation.replace("+15035550101", "")
    assert (one.code, one.field) == (other.code, other.field) == ("number.not_available", "number")
