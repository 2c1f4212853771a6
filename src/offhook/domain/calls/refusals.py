"""What the answers of the called telephones mean together (RFC 3261 section 16.7 item 6 chooses the best response; this is its table for
people).
"""

from collections.abc import Mapping
from types import MappingProxyType

from offhook.domain.calls.endings import (
    CALLEE_BUSY,
    CALLEE_DECLINED,
    CALLEE_FAILED,
    CALLEE_NO_ANSWER,
    CALLEE_UNREACHABLE,
    CARRIER_NUMBER_UNKNOWN,
    CARRIER_REFUSED,
    CARRIER_UNREACHABLE,
    MEDIA_ABSENT,
    MEDIA_REFUSED,
    NO_COMMON_CODEC,
    SYSTEM_FULL,
    Ending,
)
from offhook.domain.calls.events import Trouble

_OF_TELEPHONES: Mapping[int, Ending] = MappingProxyType(
    {
        603: CALLEE_DECLINED,
        600: CALLEE_BUSY,
        486: CALLEE_BUSY,
        480: CALLEE_NO_ANSWER,
        487: CALLEE_NO_ANSWER,
        488: NO_COMMON_CODEC,
        606: NO_COMMON_CODEC,
        415: NO_COMMON_CODEC,
        408: CALLEE_UNREACHABLE,
        503: CALLEE_UNREACHABLE,
    }
)
_OF_CARRIERS: Mapping[int, Ending] = MappingProxyType(
    {
        603: CALLEE_DECLINED,
        600: CALLEE_BUSY,
        486: CALLEE_BUSY,
        480: CALLEE_NO_ANSWER,
        487: CALLEE_NO_ANSWER,
        488: NO_COMMON_CODEC,
        606: NO_COMMON_CODEC,
        415: NO_COMMON_CODEC,
        404: CARRIER_NUMBER_UNKNOWN,
        410: CARRIER_NUMBER_UNKNOWN,
        484: CARRIER_NUMBER_UNKNOWN,
        604: CARRIER_NUMBER_UNKNOWN,
        408: CARRIER_UNREACHABLE,
    }
)
_TELLING = (603, 600, 486, 480, 487, 488, 606, 415, 404, 410, 604, 484)
"""Which answer says most, when several telephones gave different ones: what a person did, then what the telephone is, then errors."""


def ends_every_leg(status: int) -> bool:
    """Whether one telephone's answer speaks for the person (RFC 3261 section 21.6: a 6xx is global)."""
    return status >= 600


def ending_of(statuses: list[int], *, outside: bool) -> Ending:
    """How a call ends when everybody who was called refused, with these SIP statuses. `outside`: they were a carrier's.

    Nobody could be called where none refused: there was no room for anybody's sound.
    """
    if not statuses:
        return SYSTEM_FULL
    telling = min(statuses, key=lambda status: _TELLING.index(status) if status in _TELLING else len(_TELLING))
    if outside:
        return _OF_CARRIERS.get(telling, CARRIER_REFUSED)
    return _OF_TELEPHONES.get(telling, CALLEE_FAILED)


def without_sound(trouble: Trouble) -> Ending:
    """How a call ends for which the media engine did not do what it had to."""
    return {Trouble.ABSENT: MEDIA_ABSENT, Trouble.FULL: SYSTEM_FULL}.get(trouble, MEDIA_REFUSED)
