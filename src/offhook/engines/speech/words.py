"""Telephone numbers in words, as people read them aloud."""

import phonenumbers

from offhook.services.ports.speech import SpeechRefused

_ENGLISH = {
    "0": "zero",
    "1": "one",
    "2": "two",
    "3": "three",
    "4": "four",
    "5": "five",
    "6": "six",
    "7": "seven",
    "8": "eight",
    "9": "nine",
    "*": "star",
    "#": "pound",
    "+": "plus",
}
_KEYS = {"en": _ENGLISH}
_LONGEST = 32


def spelled(number: str, language: str) -> str:
    """The number digit by digit, commas between its groups, which are pauses in speech. Raises SpeechRefused for what is no number.

    North American numbers are read without their country code, others with "plus" before theirs; extensions in one group.
    """
    words = _KEYS.get(language.partition("-")[0].lower())
    if words is None:
        raise SpeechRefused(f"Numbers cannot be spelled in {language!r}.", tuple(_KEYS))
    keys = "".join(key for key in number if key not in " -().")
    if not keys.strip("+") or len(keys) > _LONGEST or not set(keys) <= set(words):
        raise SpeechRefused(f"{number[:_LONGEST]!r} is no telephone number.")
    return ", ".join(" ".join(words[key] for key in group) for group in _groups(keys))


def _groups(keys: str) -> list[str]:
    if not keys.startswith("+"):
        return [keys]
    if keys.startswith("+1") and len(keys) == 12:
        return [keys[2:5], keys[5:8], keys[8:]]
    try:
        parsed = phonenumbers.parse(keys)
    except phonenumbers.NumberParseException:
        return [keys]
    return phonenumbers.format_number(parsed, phonenumbers.PhoneNumberFormat.INTERNATIONAL).replace("-", " ").split()
