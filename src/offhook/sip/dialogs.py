"""Dialogs (RFC 3261 12): who, where to and by which way, on both sides."""

from enum import StrEnum
from functools import lru_cache

from sipmessage import Headers

from offhook.sip.addresses import Address
from offhook.sip.moves import Move, Table
from offhook.sip.reading import parameter, split_name_addr, split_values, uri_in
from offhook.sip.wall import Envelope
from offhook.sip.writing import Outline

MOST_ROUTES = 32
_LONGEST_KEPT = 256


class DialogState(StrEnum):
    """Where a dialog stands (RFC 3261 12)."""

    NEW = "new"
    EARLY = "early"
    CONFIRMED = "confirmed"
    ENDED = "ended"


class DialogEvent(StrEnum):
    """What happens to a dialog; responses are those to the INVITE that makes it."""

    PROVISIONAL = "1xx with tag"
    SUCCESS = "2xx"
    FAILURE = "300-699"
    BYE = "BYE"


class NoDo(StrEnum):
    """A dialog does nothing by itself."""


DIALOG_MOVES: Table[DialogState, DialogEvent, NoDo] = {
    DialogState.NEW: {
        DialogEvent.PROVISIONAL: Move(DialogState.EARLY),
        DialogEvent.SUCCESS: Move(DialogState.CONFIRMED),
        DialogEvent.FAILURE: Move(DialogState.ENDED),
    },
    DialogState.EARLY: {
        DialogEvent.PROVISIONAL: Move(DialogState.EARLY),
        DialogEvent.SUCCESS: Move(DialogState.CONFIRMED),
        DialogEvent.FAILURE: Move(DialogState.ENDED),
        DialogEvent.BYE: Move(DialogState.ENDED),
    },
    DialogState.CONFIRMED: {
        DialogEvent.BYE: Move(DialogState.ENDED),
    },
}

DialogKey = tuple[str, str, str]


class Dialog:
    """One dialog, seen from us. local and remote are whole From/To values with their tags."""

    __slots__ = (
        "_next_hop", "call_id", "fallback", "key", "local", "local_cseq", "remote", "remote_cseq", "routes", "state", "target", "to",
    )  # fmt: skip

    def __init__(
        self,
        *,
        key: DialogKey,
        local: str,
        remote: str,
        target: str,
        routes: tuple[str, ...],
        local_cseq: int,
        remote_cseq: int,
        fallback: Address,
    ) -> None:
        self.key = key
        self.call_id = key[0]
        self.local = local
        self.remote = remote
        self.target = target
        self.routes = routes
        self.local_cseq = local_cseq
        self.remote_cseq = remote_cseq
        self.fallback = fallback
        self.state = DialogState.NEW
        # The first route: its URI, and whether it routes strictly (RFC 3261 16.12).
        self._next_hop = (uri_in(routes[0]), not _is_loose(routes[0])) if routes else None
        self.to = self._destination()

    def follow(self, event: DialogEvent) -> bool:
        """Take the table's move; False, and nothing has changed, where there is none."""
        move = DIALOG_MOVES.get(self.state, {}).get(event)
        if move is None:
            return False
        self.state = move.next
        return True

    def takes(self, cseq: int) -> bool:
        """Whether a request of the peer is a new one (RFC 3261 12.2.2); its number is remembered."""
        if cseq <= self.remote_cseq:
            return False
        self.remote_cseq = cseq
        return True

    def refresh(self, contact: str | None) -> None:
        """The peer's target has moved (RFC 3261 12.2.1.2, 12.2.2); an unreadable Contact moves nothing."""
        target = contact_uri(contact)
        if target and target != self.target:
            self.target = target
            self.to = self._destination()

    def outline(self, method: str, branch: str, cseq: int | None = None) -> Outline:
        """The next request in this dialog, routed loosely or strictly (RFC 3261 12.2.1.1); an ACK brings its INVITE's cseq."""
        if cseq is None:
            self.local_cseq += 1
            cseq = self.local_cseq
        uri, routes = self.target, self.routes
        if self._next_hop is not None and self._next_hop[1]:
            uri, routes = self._next_hop[0], (*routes[1:], f"<{self.target}>")
        return Outline(method, uri, self.local, self.remote, self.call_id, cseq, branch, routes)

    def _destination(self) -> Address:
        """The first route's address, else the target's, where they are numeric; else where the peer spoke from."""
        next_hop = self._next_hop[0] if self._next_hop is not None else self.target
        return address_of(next_hop, self.fallback.transport) or self.fallback


def as_caller(answered: Envelope, outline: Outline, local_tag: str, contact: str | None) -> Dialog:
    """The dialog a response to our INVITE makes (RFC 3261 12.1.2); without a Contact its target is what we called."""
    headers = answered.message.headers
    return Dialog(
        key=(answered.call_id, local_tag, answered.to_tag),
        local=outline.from_value,
        remote=headers["To"],
        target=contact_uri(contact) or outline.uri,
        routes=_record_routes(headers)[::-1],
        local_cseq=outline.cseq,
        remote_cseq=-1,
        fallback=answered.source,
    )


def as_callee(invited: Envelope, local_tag: str, target: str) -> Dialog:
    """The dialog an INVITE makes with our answer (RFC 3261 12.1.1)."""
    headers = invited.message.headers
    return Dialog(
        key=(invited.call_id, local_tag, invited.from_tag),
        local=f"{headers['To']};tag={local_tag}",
        remote=headers["From"],
        target=target,
        routes=_record_routes(headers),
        local_cseq=0,
        remote_cseq=invited.sequence,
        fallback=invited.source,
    )


def contact_uri(contact: str | None) -> str | None:
    """The URI of the first Contact where it can stand in a request line, else None."""
    if not contact:
        return None
    uri = uri_in(next(iter(split_values(contact)), ""))
    return uri if uri.partition(":")[0].lower() in ("sip", "sips", "tel") and " " not in uri else None


def address_of(uri: str, transport: str = "udp") -> Address | None:
    """Where a sip: URI with a numeric host leads; None for names (no DNS in this room), port 0 and what is no sip: URI."""
    scheme, _, rest = uri.partition(":")
    if scheme.lower() not in ("sip", "sips"):
        return None
    where, semicolon, parameters = rest.rpartition("@")[2].partition(";")
    said = parameter(semicolon + parameters, "transport") if parameters else None
    where, transport = where.partition("?")[0], (said or transport).lower()
    return _kept_address(where, transport) if len(where) + len(transport) < _LONGEST_KEPT else _address(where, transport)


def _address(where: str, transport: str) -> Address | None:
    if where.startswith("["):
        host, _, port = where[1:].partition("]")
        port = port.removeprefix(":")
    else:
        host, _, port = where.partition(":")
        if not _is_ipv4(host):
            return None
    number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else (0 if port else 5060)
    return Address(host, number, transport) if 0 < number < 65536 else None


# The same telephones, and the same edge, again and again.
_kept_address = lru_cache(2048)(_address)


def _is_ipv4(host: str) -> bool:
    parts = host.split(".")
    return len(parts) == 4 and all(part.isascii() and part.isdigit() and len(part) < 4 and int(part) < 256 for part in parts)


def _is_loose(route: str) -> bool:
    uri = split_name_addr(route)[1]
    return ";" in uri and parameter(uri[uri.find(";") :], "lr") is not None


def _record_routes(headers: Headers) -> tuple[str, ...]:
    lines = headers.getlist("Record-Route")
    return tuple([value for line in lines for value in split_values(line)][:MOST_ROUTES]) if lines else ()
