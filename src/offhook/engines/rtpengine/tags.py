"""The tags by which rtpengine knows the ends of a call: leg ids, and one more for the system itself where it speaks with a leg."""

import re

from offhook.domain.calls.ids import CallId, LegId

_ALONE = ".alone"
_OF_A_LEG = re.compile(r"\.\d+")


def alone(leg: LegId) -> LegId:
    """The tag of the system's own end, where `leg` speaks with nobody else."""
    return LegId(leg + _ALONE)


def is_leg(call: CallId, tag: str) -> bool:
    """Whether `tag` is a leg of `call`, neither the system's own end nor another program's tag."""
    return tag.startswith(call) and _OF_A_LEG.fullmatch(tag, len(call)) is not None


def in_order(tag: str) -> tuple[int, str]:
    """Sorts the legs of one call by their numbers."""
    return len(tag), tag
