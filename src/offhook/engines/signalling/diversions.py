"""Who sent a call on before it came to us: Diversion (RFC 5806), or where there is none History-Info (RFC 7044).

The edge lets only a carrier's through.
"""

import re
from urllib.parse import unquote

from sipmessage import Request

from offhook.domain.calls.sides import Diversion
from offhook.engines.signalling.reading import number_in
from offhook.sip.identity import party
from offhook.sip.reading import parameter, split_name_addr, split_values

MOST_TOLD = 10
NOBODY = "anonymous"
"""Who wants to be nobody; that somebody sent the call on is told all the same."""

_OF_CAUSES = {
    "302": "unconditional",
    "408": "no-answer",
    "480": "deflection",
    "486": "user-busy",
    "487": "deflection",
    "503": "unavailable",
}
"""RFC 7544 section 5, which takes the causes from RFC 4458."""
_REASONS = {*_OF_CAUSES.values(), "time-of-day", "do-not-disturb", "follow-me", "out-of-service", "away"}
_CAUSE = re.compile(r";\s*cause=([0-9]{3})\b")


def diverted_in(request: Request) -> tuple[Diversion, ...]:
    """The first who sent it on first."""
    diversions, history = _values(request, "Diversion"), _values(request, "History-Info")
    if not diversions and not history:
        return ()
    hidden = "history" in ";".join(request.headers.getlist("Privacy")).lower()
    return _by_diversion(diversions, hidden) or _by_history(history, hidden)


def _values(request: Request, name: str) -> list[str]:
    return [value for line in request.headers.getlist(name) for value in split_values(line)][:MOST_TOLD]


def _by_diversion(values: list[str], hidden: bool) -> tuple[Diversion, ...]:
    told: list[Diversion] = []
    for value in reversed(values):  # the last who did stands first
        more = split_name_addr(value)[2]
        reason, privacy = ((parameter(more, name) or "").lower() for name in ("reason", "privacy"))
        told += _diversion(value, reason, hidden or privacy in ("full", "uri"))
    return tuple(told)


def _by_history(values: list[str], hidden: bool) -> tuple[Diversion, ...]:
    """An entry that another was mapped from (mp) has sent the call on; why stands in the other's URI, or escaped in its own."""
    entries = [(value, *split_name_addr(value)[1:]) for value in values]
    by_index = {parameter(more, "index"): (value, uri) for value, uri, more in entries}
    told: list[Diversion] = []
    for _, onward, more in entries:
        value, uri = by_index.get(parameter(more, "mp") or "none", ("", ""))
        said = unquote(uri.partition("?")[2]).lower()
        cause = _CAUSE.search(onward) or _CAUSE.search(said)
        told += _diversion(value, _OF_CAUSES.get(cause[1], "") if cause else "", hidden or "privacy=history" in said)
    return tuple(told)


def _diversion(value: str, reason: str, hidden: bool) -> list[Diversion]:
    who = party(value)
    if who is None or not who.user:
        return []
    return [Diversion(NOBODY if hidden else number_in(who), reason if reason in _REASONS else "unknown")]
