"""Messages of ours, written as text at once: half the cost of filling header objects first."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from offhook.sip.addresses import Address, bracketed
from offhook.sip.reasons import REASONS

ALLOWED = ("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "UPDATE", "PRACK", "REFER", "NOTIFY")
ALLOW = ("Allow", ", ".join(ALLOWED))
MAX_FORWARDS = 70
SDP = "application/sdp"

Headers = Sequence[tuple[str, str]]


class Outline(NamedTuple):
    """What the ACK to a refusal and the CANCEL of a request repeat of it (RFC 3261 9.1, 17.1.1.3)."""

    method: str
    uri: str
    from_value: str
    to_value: str
    call_id: str
    cseq: int
    branch: str
    routes: tuple[str, ...] = ()


class Echo(NamedTuple):
    """What every response to a request repeats of it (RFC 3261 8.2.6.2), ready to be written."""

    lines: str
    to_value: str
    record_routes: str
    to: Address


class Pen:
    """Writes the requests and responses of one agent."""

    __slots__ = ("_agent", "_contact", "_server", "_supported", "_via", "contact", "sent_by", "supported")

    def __init__(self, local: Address, user_agent: str, *, reliable: bool, contact_user: str, supported: Sequence[str] = ()) -> None:
        where = f"{bracketed(local.host)}:{local.port}"
        self.sent_by = where.lower()
        user = f"{contact_user}@" if contact_user else ""
        transport = local.transport if reliable and local.transport != "udp" else "tcp" if reliable else "udp"
        self.contact = f"<sip:{user}{where}{f';transport={transport}' if reliable else ''}>"
        self._via = f"Via: SIP/2.0/{transport.upper()} {where};rport;branch="
        self._contact = f"Contact: {self.contact}\r\nAllow: {ALLOW[1]}\r\n"
        self.supported = tuple(supported)
        self._supported = f"Supported: {', '.join(supported)}\r\n" if supported else ""
        self._agent = f"User-Agent: {one_line(user_agent)}\r\n"
        self._server = f"Server: {one_line(user_agent)}\r\n"

    def supported_without(self, option: str) -> str:
        """A Supported value with everything but this."""
        return ", ".join(each for each in self.supported if each != option)

    def request(self, outline: Outline, *, headers: Headers = (), contact: bool = False, kind: str = "", body: bytes = b"") -> bytes:
        """A request; kind is its Content-Type. A Max-Forwards, Contact or Supported among the headers takes the place of ours."""
        method, uri, from_value, to_value, call_id, cseq, branch, routes = outline
        extra, ours = _extra(headers)
        forwards = "" if "max-forwards" in ours else f"Max-Forwards: {MAX_FORWARDS}\r\n"
        text = (
            f"{method} {uri} SIP/2.0\r\n{self._via}{branch}\r\n{forwards}{_lines('Route', routes)}"
            f"From: {from_value}\r\nTo: {to_value}\r\nCall-ID: {call_id}\r\nCSeq: {cseq} {method}\r\n"
            f"{self._ours(ours) if contact else ''}{extra}{self._agent}{_content(kind, body)}"
        )
        return text.encode("utf-8", "replace") + body

    def response(
        self,
        echo: Echo,
        status: int,
        reason: str = "",
        *,
        headers: Headers = (),
        contact: bool = False,
        dialog: bool = False,
        kind: str = "",
        body: bytes = b"",
    ) -> bytes:
        """A response; one that makes a dialog repeats the Record-Routes (RFC 3261 12.1.1)."""
        extra, ours = _extra(headers)
        text = (
            f"SIP/2.0 {status} {one_line(reason) or REASONS.get(status, 'Unknown')}\r\n{echo.lines}To: {echo.to_value}\r\n"
            f"{echo.record_routes if dialog else ''}{self._ours(ours) if contact else ''}"
            f"{extra}{self._server}{_content(kind, body)}"
        )
        return text.encode("utf-8", "replace") + body

    def _ours(self, theirs: frozenset[str]) -> str:
        """Contact, Allow and Supported, where the headers given with the order say nothing else."""
        return f"{'' if 'contact' in theirs else self._contact}{'' if 'supported' in theirs else self._supported}"


def one_line(text: str) -> str:
    """The text without line ends: nobody's name or reason may add a header of its own."""
    return " ".join(text.split()) if "\r" in text or "\n" in text else text


def _lines(name: str, values: Iterable[str]) -> str:
    return "".join([f"{name}: {one_line(value)}\r\n" for value in values])


def _extra(headers: Headers) -> tuple[str, frozenset[str]]:
    if not headers:
        return "", frozenset()
    text = "".join([f"{name}: {value}\r\n" for name, value in headers])
    if text.count("\n") != len(headers) or text.count("\r") != len(headers):
        text = "".join([f"{one_line(name)}: {one_line(value)}\r\n" for name, value in headers])
    return text, frozenset([name.lower() for name, _ in headers])


def _content(kind: str, body: bytes) -> str:
    return f"Content-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n" if kind and body else f"Content-Length: {len(body)}\r\n\r\n"
