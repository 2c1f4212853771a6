"""Names of calls and legs.

A call id sorts by time, so a list of calls in id order is a list in order of arrival, and is short enough to read aloud.
"""

from typing import NewType

CallId = NewType("CallId", str)
LegId = NewType("LegId", str)

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: no i, l, o, u to be misread
_RANDOM_BITS = 30
_DIGITS = 15
_LAST = (1 << 5 * _DIGITS - _RANDOM_BITS) - 1
"""From 2004 to 3084 an id has so many digits."""


def call_id(milliseconds: int, randomness: int) -> CallId:
    """The id of a call that arrived at `milliseconds` since 1970; `randomness` tells calls of one millisecond apart (30 bits are used)."""
    number = (milliseconds << _RANDOM_BITS) | (randomness & ((1 << _RANDOM_BITS) - 1))
    digits = []
    while number:
        number, digit = divmod(number, 32)
        digits.append(_ALPHABET[digit])
    return CallId("".join(reversed(digits)))


def first_call_id(milliseconds: int) -> CallId:
    """The first that a call can have which arrived then or later: ids of calls that came before sort before it, whenever that is."""
    return CallId(call_id(min(max(milliseconds, 0), _LAST), 0).rjust(_DIGITS, _ALPHABET[0]))


def leg_id(call: CallId, number: int) -> LegId:
    """The id of leg `number` of a call; leg 0 is the caller's."""
    return LegId(f"{call}.{number}")


def call_of(leg: LegId) -> CallId:
    """The call that a leg belongs to."""
    return CallId(leg.rsplit(".", 1)[0])
