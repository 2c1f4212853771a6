"""Names for the calls of this folder's tests."""

import itertools
import time

from offhook.domain.calls.ids import CallId, call_id
from offhook.engines.rtpengine.sdp import formats

CODECS = ("PCMU", "PCMA", "G722", "opus")

_numbers = itertools.count()


def new_call() -> CallId:
    """A call id no test used before."""
    return call_id(time.time_ns() // 1_000_000, next(_numbers))


def spoken(sdp: str) -> list[str]:
    """The sound codecs of the audio line, in its order."""
    return [each.codec for each in formats(sdp) if not each.is_digits]
