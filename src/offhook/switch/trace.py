"""How a call went, kept while it lives and told as plain values when somebody asks."""

import re
from collections.abc import Callable
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from typing import Any, NamedTuple

from offhook.domain.calls.call import Call
from offhook.domain.calls.commands import Command, RecordCall
from offhook.domain.calls.endings import Ending
from offhook.domain.calls.events import Event, Routed
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


@dataclass(slots=True)
class Story:
    """Everything that happened in a call, in order. Entries are kept as they are; words are made only when asked for."""

    steps: list[tuple[float, Event | Command]] = field(default_factory=list)
    messages: list[tuple[float, LegId, str, bytes]] = field(default_factory=list)
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
            "messages": [_message(*message) for message in self.messages],
            "media": [_plain(stream) for stream in figures.streams],
            "findings": list(call.findings),
            "state": call.state,
        }


class _Kind(NamedTuple):
    """What is told of one kind of event or command: read from its class once, for every call tells hundreds of steps."""

    kind: str
    name: str
    has_leg: bool
    details: tuple[str, ...]


_KINDS: dict[type, _Kind] = {}


def _kind(of: type) -> _Kind:
    known = _KINDS.get(of)
    if known is None:
        known = _KINDS[of] = _read_kind(of)
    return known


def _read_kind(of: type) -> _Kind:
    named = [entry.name for entry in fields(of)]
    # A decision and a record stand elsewhere in the story, whole.
    details = () if issubclass(of, Routed | RecordCall) else tuple(name for name in named if name not in ("at", "leg"))
    return _Kind("event" if issubclass(of, Event) else "command", of.__name__, "leg" in named, details)


def _step(wall: float, what: Event | Command) -> dict[str, Any]:
    kind, name, has_leg, details = _kind(type(what))
    leg = what.leg if has_leg else None  # type: ignore[union-attr]
    return {"at": wall, "kind": kind, "name": name, "leg": leg, "detail": {detail: _plain(getattr(what, detail)) for detail in details}}


_TELLERS: dict[type, Callable[[Any], Any]] = {}


def _plain(value: Any) -> Any:
    of = type(value)
    teller = _TELLERS.get(of)
    if teller is None:
        teller = _TELLERS[of] = _teller(of)
    return teller(value)


def _teller(of: type) -> Callable[[Any], Any]:
    """How values of a class are told as plain JSON values."""
    if issubclass(of, Description):
        return lambda value: {"codecs": list(value.codecs), "direction": value.direction.value, "address": value.address}
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
        names = tuple(entry.name for entry in fields(of))
        return lambda value: {name: _plain(getattr(value, name)) for name in names}
    return lambda value: value


def _message(wall: float, leg: LegId, direction: str, data: bytes) -> dict[str, Any]:
    lower = data.lower()
    if b"authorization" in lower or b"a=crypto" in lower:
        data = _SECRETS.sub(rb"\1 (not kept)", data)
    text = data.decode("utf-8", "replace")
    return {"at": wall, "leg": leg, "direction": direction, "summary": text.partition("\r\n")[0], "text": text}
