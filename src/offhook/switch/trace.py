"""How a call went, kept while it lives and told as plain values when somebody asks."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from typing import Any

from offhook.domain.calls.call import Call
from offhook.domain.calls.commands import Command, LegCommand, RecordCall
from offhook.domain.calls.endings import Ending
from offhook.domain.calls.events import Event, LegEvent, Routed
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


def _step(wall: float, what: Event | Command) -> dict[str, Any]:
    leg = what.leg if isinstance(what, LegEvent | LegCommand) else getattr(what, "leg", None)
    return {
        "at": wall,
        "kind": "event" if isinstance(what, Event) else "command",
        "name": type(what).__name__,
        "leg": leg,
        "detail": _detail(what),
    }


def _detail(what: Event | Command) -> dict[str, Any]:
    # A decision and a record stand elsewhere in the story, whole.
    if isinstance(what, Routed | RecordCall):
        return {}
    return {name: _plain(value) for name, value in _fields(what) if name not in ("at", "leg")}


def _fields(value: Any) -> Iterable[tuple[str, Any]]:
    return ((entry.name, getattr(value, entry.name)) for entry in fields(value))


def _plain(value: Any) -> Any:
    match value:
        case Description():
            return {"codecs": list(value.codecs), "direction": value.direction.value, "address": value.address}
        case Ending():
            return value.code
        case Enum():
            return value.value
        case type():
            return value.__name__
        case dict():
            return {str(key): _plain(entry) for key, entry in value.items()}
        case list() | tuple() | set() | frozenset():
            return [_plain(entry) for entry in value]
        case _ if is_dataclass(value):
            return {name: _plain(entry) for name, entry in _fields(value)}
        case _:
            return value


def _message(wall: float, leg: LegId, direction: str, data: bytes) -> dict[str, Any]:
    text = _SECRETS.sub(rb"\1 (not kept)", data).decode("utf-8", "replace")
    return {"at": wall, "leg": leg, "direction": direction, "summary": text.partition("\r\n")[0], "text": text}
