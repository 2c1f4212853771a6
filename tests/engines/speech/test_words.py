"""Numbers read aloud."""

import pytest

from offhook.engines.speech.words import spelled
from offhook.services.ports.speech import SpeechRefused


@pytest.mark.parametrize(
    ("number", "words"),
    [
        ("+1 206 555 0100", "two zero six, five five five, zero one zero zero"),
        ("+12065550100", "two zero six, five five five, zero one zero zero"),
        ("+442079460123", "plus four four, two zero, seven nine four six, zero one two three"),
        ("+33 1 99 00 12 34", "plus three three, one, nine nine, zero zero, one two, three four"),
        ("911", "nine one one"),
        ("102", "one zero two"),
        ("*97#", "star nine seven pound"),
    ],
)
def test_a_number_is_read_in_groups(number: str, words: str) -> None:
    assert spelled(number, "en-US") == words


@pytest.mark.parametrize("number", ["", "anonymous", "+", "12a", "1" * 33, "²"])
def test_what_is_no_number_is_refused(number: str) -> None:
    with pytest.raises(SpeechRefused, match="no telephone number"):
        spelled(number, "en")


def test_a_language_without_digits_is_refused_with_those_there_are() -> None:
    with pytest.raises(SpeechRefused) as refused:
        spelled("911", "de")
    assert refused.value.languages == ("en",)
