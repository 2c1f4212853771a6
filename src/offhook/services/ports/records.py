"""What the switch leaves behind of a call, and who keeps it."""

from typing import Any, Protocol

from offhook.domain.calls.cdr import Cdr

Trace = dict[str, Any]
"""How a call went, as plain JSON values.

{"call", "organization", "revision", "caller", "dialled",
 "reasons":  [{"code", "text", "outcome": "chosen" | "lost" | "noted"}],
 "steps":    [{"at": seconds since 1970, "kind": "event" | "command", "name", "leg": id | None, "detail"}],
 "legs":     [{"leg", "party": who and where, in words}],
 "messages": [{"at", "leg", "direction": "in" | "out" (as the switch sees it), "summary": first line, "text": the message without secrets}],
 "media":    [{"leg", and the fields of StreamFigures}],
 "findings": [sentences a person can act on],
 "state":    "ringing" | "talking" | ... while the call lives, else the ending's code}
"""


class Records(Protocol):
    """Keeps finished calls. Never blocks and never raises: the call loop hands over and goes on."""

    def keep(self, cdr: Cdr, trace: Trace) -> None:
        """Take a finished call; it is on disk a moment later, once."""
