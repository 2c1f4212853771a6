"""How a call went, kept while it lives and told as plain values when somebody asks."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from types import NoneType
from typing import Any, NamedTuple

from offhook.domain.calls.call import Call
from offhook.domain.calls.commands import Command, RecordCall
from offhook.domain.calls.endings import Ending
from offhook.domain.calls.events import Event, MediaClosed, Routed
from offhook.domain.calls.ids import LegId
from offhook.domain.media import Description, MediaFigures
from offhook.services.ports.records import Trace

MOST_ENTRIES = 2000
"""Beyond this a call's story is no longer written down: a peer that repeats itself for ever must not fill the memory."""

MOST_OCTETS = 4 * 1024 * 1024
"""The same for its messages, which may be 64 KB each; the whole story must pass the intercom too."""

_SECRETS = re.compile(
    # Credentials, with the blanks before the colon and the folded lines that RFC 3261 section 7.3.1 allows; keys of SRTP (RFC 4568).
    rb"^((?:Proxy-)?Authorization[ \t]*:|a=crypto:[^ \r\n]* [^ \r\n]*)[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*",
    re.IGNORECASE | re.MULTILINE,
)


_Passed = tuple[float, LegId, str, bytes]


@dataclass(slots=True)
class Story:
    """Everything that happened in a call, in order. Entries are kept as they are; words are made only when asked for."""

    steps: list[tuple[float, Event | Command]] = field(default_factory=list)
    messages: list[_Passed] = field(default_factory=list)
    octets: int = 0

    def happened(self, wall: float, what: Event | Command) -> None:
        """Note an event or an order."""
        if len(self.steps) < MOST_ENTRIES:
            self.steps.append((wall, what))

    def passed(self, leg: LegId, wall: float, direction: str, data: bytes) -> None:
        """Note a SIP message."""
        if len(self.messages) < MOST_ENTRIES and self.octets + len(data) <= MOST_OCTETS:
            self.octets += len(data)
            self.messages.append((wall, leg, direction, data))

    def told(self, call: Call, figures: MediaFigures) -> Trace:
        """The story in the form that is kept and shown (services.ports.records.Trace)."""
        decision = call.decision
        organization = decision.organization if decision else None
        return {
            "call": call.id,
            "organization": organization.id if organization else None,
            "revision": organization.revision if organization else None,
            "caller": call.shown_caller,
            "dialled": call.dialled,
            "reasons": [_plain(reason) for reason in decision.reasons] if decision else [],
            "steps": [_step(wall, what) for wall, what in self.steps],
            "legs": [{"leg": leg.id, "party": leg.party} for leg in call.legs.values()],
            "messages": [_message(*message) for message in self._without_secrets()],
            "media": [_plain(stream) for stream in figures.streams],
            "findings": list(call.findings),
            "state": call.state,
        }

    def _without_secrets(self) -> list[_Passed]:
        # Asked of all at once: few calls have any, and each question costs more than its octets.
        if not _may_hold_secrets(b"".join(data for *_, data in self.messages)):
            return self.messages
        return [(wall, leg, direction, _SECRETS.sub(rb"\1 (not kept)", data)) for wall, leg, direction, data in self.messages]


def _may_hold_secrets(data: bytes) -> bool:
    lower = data.lower()
    return b"authorization" in lower or b"a=crypto" in lower


Teller = Callable[[Any], Any]
"""From a value to plain JSON values."""

_TOLD_ELSEWHERE = Routed | RecordCall | MediaClosed
"""Their decision, record and figures stand in the story, whole."""

_NOT_DETAILS = frozenset({"at", "leg", "sdp"})
"""A step's own columns; and what was sent stands among the messages, without the keys of SRTP."""

_PLAIN_ALREADY = frozenset({str, int, float, bool, NoneType})


class _Kind(NamedTuple):
    """What is told of one kind of event or command: read from its class once, for every call tells dozens of steps."""

    kind: str
    name: str
    has_leg: bool
    details: Teller


_KINDS: dict[type, _Kind] = {}


def _kind(of: type) -> _Kind:
    known = _KINDS.get(of)
    if known is None:
        known = _KINDS[of] = _read_kind(of)
    return known


def _read_kind(of: type) -> _Kind:
    named = [entry.name for entry in fields(of)]
    details = [] if issubclass(of, _TOLD_ELSEWHERE) else [name for name in named if name not in _NOT_DETAILS]
    return _Kind("event" if issubclass(of, Event) else "command", of.__name__, "leg" in named, _teller_of_fields(details))


def _step(wall: float, what: Event | Command) -> dict[str, Any]:
    kind, name, has_leg, details = _kind(type(what))
    leg = what.leg if has_leg else None  # type: ignore[union-attr]
    return {"at": wall, "kind": kind, "name": name, "leg": leg, "detail": details(what)}


_TELLERS: dict[type, Teller] = {}


def _plain(value: Any) -> Any:
    of = type(value)
    if of in _PLAIN_ALREADY:
        return value
    teller = _TELLERS.get(of)
    if teller is None:
        teller = _TELLERS[of] = _teller(of)
    return teller(value)


def _teller(of: type) -> Teller:
    """How values of a class are told as plain JSON values."""
    if issubclass(of, Description):
        return lambda value: {"codecs": list(value.codecs), "direction": value.direction._value_, "address": value.address}
    if issubclass(of, Ending):
        return lambda value: value.code
    if issubclass(of, Enum):
        return lambda value: value.value
    if issubclass(of, type):
        return lambda value: value.__name__
    if issubclass(of, dict):
        return lambda value: {str(key): _plain(entry) for key, entry in value.items()}
    if issubclass(of, list | tuple | set | frozenset):
        return lambda value: [_plain(entry) for entry in value]
    if is_dataclass(of):
        return _teller_of_fields([entry.name for entry in fields(of)])
    return lambda value: value


def _teller_of_fields(names: Sequence[str]) -> Teller:
    # Most fields are plain already: asked here, that spares a call for each.
    return lambda of: {name: value if type(value := getattr(of, name)) in _PLAIN_ALREADY else _plain(value) for name in names}


def _message(wall: float, leg: LegId, direction: str, data: bytes) -> dict[str, Any]:
    text = data.decode("utf-8", "replace")
    return {"at": wall, "leg": leg, "direction": direction, "summary": text.partition("\r\n")[0], "text": text}
