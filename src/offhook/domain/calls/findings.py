"""What the figures of a call's sound say, in words a person can act on."""

from offhook.domain.media import StreamFigures

SILENT_SECONDS = 5.0
"""How long a party may send nothing before it is worth a word: comfort noise and packets come at least every few seconds from a telephone
that works.
"""

NEVER_HEARD, STOPPED = "sent no audio", "stopped sending audio"
_KINDS = {NEVER_HEARD: "never_heard", STOPPED: "stopped"}


def kind_of(finding: str) -> str:
    """A finding in one word, for counting: never_heard, stopped or other."""
    return next((kind for phrase, kind in _KINDS.items() if phrase in finding), "other")


def one_way(party: str, stream: StreamFigures | None) -> str | None:
    """What to tell about a party that is not heard; None if it is heard, or nothing is known."""
    if stream is None:
        return None
    if stream.packets == 0:
        said = f"its SDP said {stream.advertised}, packets never came" if stream.advertised else "and its SDP named no address"
        return f"{party} {NEVER_HEARD}: {said}"
    if stream.silent_seconds is not None and stream.silent_seconds > SILENT_SECONDS:
        when = f"the last packet came {stream.silent_seconds:.0f} s before this was noticed"
        return f"{party} {STOPPED}: {when}, from {stream.heard_from}"
    return None
