"""Which numbers the sandbox takes, and what they do."""

import pytest

from offhook.carriers.sandbox.numbers import Behaviour, behaviour_of, is_fictional


@pytest.mark.parametrize(
    "number", ["+12065550100", "+16045550199", "+442079460123", "+441134960000", "+447700900999", "+33199001234", "+33639981234"]
)
def test_numbers_of_fiction_are_taken(number: str) -> None:
    assert is_fictional(number)


@pytest.mark.parametrize(
    "number",
    [
        "+12065550200",  # somebody's
        "+12065551212",
        "+19995550100",  # an area code that does not exist
        "+442079461123",
        "+33140000000",
        "12065550100",
        "+1206555010",
        "+120655501000",
        "+1206555010²",
        "911",
        "",
        "+12065550100\n",
    ],
)
def test_every_other_number_is_not(number: str) -> None:
    assert not is_fictional(number)


def test_some_numbers_misbehave() -> None:
    assert behaviour_of("+12065550190") is Behaviour.BUSY
    assert behaviour_of("+13125550195") is Behaviour.EARLY
    assert behaviour_of("+12065550100") is Behaviour.ECHOES
    assert behaviour_of("+33199000190") is Behaviour.ECHOES
