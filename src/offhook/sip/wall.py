"""The wall: bytes from anybody become a message that can be trusted in form, or a Malformed that says what to answer, if anything.

Nothing here raises, whatever comes in. What is tolerated: folded lines, blanks before colons, Latin-1 text, a missing Max-Forwards.
"""

import re
from dataclasses import dataclass
from functools import lru_cache
from hashlib import md5

from sipmessage import URI, Request, Response

from offhook.sip.addresses import Address
from offhook.sip.headers import read_lines
from offhook.sip.reading import parameter, split_values, tag_in

LARGEST = 64 * 1024
LARGEST_HEAD = 16 * 1024
# sipmessage's expression for tel: takes time by the square of the length: 5 s for 15 kB. No number is that long.
LONGEST_URI = {"sip": 1024, "sips": 1024, "tel": 128}

_LONGEST_KEPT = 128

_TOKEN = re.compile(r"[A-Za-z0-9.!%*_+`'~-]{1,64}")
_FOLD = re.compile(rb"\r\n[ \t]+")
_BLANK_COLON = re.compile(rb"(?m)^([^\s:]+)[ \t]+:")
# All but tab and line ends: they have no place in a header, and whoever reads a log or a story on a terminal would obey them.
_CONTROLS = bytes(code for code in (*range(32), 127) if code not in b"\t\r\n")
_NO_CONTROLS = bytes(code for code in range(256) if code not in (*range(32), 127))
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
# Asked first: the search for quoted parts alone takes time by the square where a quote never closes.
_CLOSED_QUOTES = re.compile(r'[^"]*(?:"(?:[^"\\]|\\.)*"[^"]*)*')
# What nearly every From and To looks like; its parts share no letters at their borders, so it is read without looking back.
_PARTY = re.compile(r'(?:"[^"\\]*" *|[^"<>]*)<[^<>":]*:[^<>"]*>(?:;tag=([^\s;"<>]*))?')
_SINGLE = {name.lower(): name for name in ("Call-ID", "CSeq", "From", "To", "Content-Length", "Content-Type", "Max-Forwards")}
_ECHOED = {
    "v": "Via",
    "via": "Via",
    "f": "From",
    "from": "From",
    "t": "To",
    "to": "To",
    "i": "Call-ID",
    "call-id": "Call-ID",
    "cseq": "CSeq",
}


@dataclass(frozen=True, slots=True)
class Malformed:
    """What is no message. answer holds the bytes to send back, or None: nothing, as for responses, ACKs and noise.

    status 0 is no fault: a keep-alive (RFC 5626 3.5.1).
    """

    status: int
    reason: str
    answer: bytes | None = None


@dataclass(slots=True)
class Envelope:
    """A well-formed message with what every layer asks of it, read once. method is that of CSeq; sent_by in lower case."""

    message: Request | Response
    data: bytes
    source: Address
    method: str
    sequence: int
    call_id: str
    from_tag: str
    to_tag: str
    branch: str
    sent_by: str


class _Refused(Exception):
    """Inside the wall only: a status and a reason."""


def read(data: bytes, source: Address) -> Request | Response | Malformed:
    """The message in these bytes (one datagram, or one framed message of a stream), or why it is none."""
    opened = open_envelope(data, source)
    return opened if isinstance(opened, Malformed) else opened.message


def open_envelope(data: bytes, source: Address) -> Envelope | Malformed:
    """As read(), with the fields that transactions and dialogs are found by."""
    stripped = data.lstrip(b"\r\n")
    if not stripped:
        pong = b"\r\n" if source.transport != "udp" and data.startswith(b"\r\n\r\n") else None
        return Malformed(0, "keep-alive", pong)
    head, blank, body = stripped.partition(b"\r\n\r\n")
    try:
        if len(stripped) > LARGEST or len(head) > LARGEST_HEAD:
            raise _Refused(513, "Message Too Large")
        if not blank:
            raise _Refused(400, "No end of headers")
        return _opened(head, body, data, source)
    except _Refused as refused:
        status, reason = refused.args
        return Malformed(status, reason, _refusal(head[:LARGEST_HEAD], status, reason, source))


def _opened(head: bytes, body: bytes, data: bytes, source: Address) -> Envelope:
    try:
        lines = head.decode().split("\r\n")
        # All the control characters there are end lines: nothing to tidy unless it is refused, as a folded line is, or a blank colon.
        if len(head.translate(None, _NO_CONTROLS)) == 2 * (len(lines) - 1):
            return _read_as(lines, body, data, source)
    except (UnicodeDecodeError, _Refused):
        pass
    return _read_as(_tidy(head).split("\r\n"), body, data, source)


def _tidy(head: bytes) -> str:
    """The head as text: no folding, no blanks before colons; what is not UTF-8 is Latin-1."""
    if b"\r\n " in head or b"\r\n\t" in head:
        head = _FOLD.sub(b" ", head)
    # A lone CR or LF would be the end of a line to some parser behind us: a way to smuggle headers in.
    ends = head.count(b"\r\n")
    if head.count(b"\n") != ends or head.count(b"\r") != ends or len(head.translate(None, _CONTROLS)) != len(head):
        raise _Refused(400, "Stray control character")
    if b" :" in head or b"\t:" in head:
        head = _BLANK_COLON.sub(rb"\1:", head)
    try:
        return head.decode()
    except UnicodeDecodeError:
        return head.decode("latin-1")


def _read_as(lines: list[str], body: bytes, data: bytes, source: Address) -> Envelope:
    start = lines[0].split(" ", 2)
    if len(start) < 3:
        raise _Refused(400, "Bad start line")
    message = _response(start) if start[0] == "SIP/2.0" else _request(start)
    try:
        headers = message.headers = read_lines(lines[1:])
    except ValueError:
        raise _Refused(400, "Bad header line") from None
    message.body = body
    for key in headers.repeated:
        # Two values of what must be one (RFC 3261 7.3.1) would let two readers see two different messages.
        if key in _SINGLE:
            raise _Refused(400, f"Repeated {_SINGLE[key]}")
    _check_length(message)
    return _enveloped(message, data, source)


def _response(start: list[str]) -> Response:
    code = start[1]
    if not (len(code) == 3 and code.isascii() and code.isdigit() and 100 <= int(code) <= 699):
        raise _Refused(400, "Bad status code")
    return Response(int(code), start[2])


def _request(start: list[str]) -> Request:
    method, uri, version = start
    if version != "SIP/2.0":
        raise _Refused(505, "Version Not Supported") if version.startswith("SIP/") else _Refused(400, "Bad start line")
    if not _TOKEN.fullmatch(method):
        raise _Refused(400, "Bad method")
    scheme, colon, _ = uri.partition(":")
    longest = LONGEST_URI.get(scheme.lower())
    if longest is None:
        raise _Refused(416, "Unsupported URI Scheme") if colon and scheme.isalpha() else _Refused(400, "Bad Request-URI")
    if len(uri) > longest:
        raise _Refused(414, "Request-URI Too Long")
    if "#" in uri:
        # Telephones write feature codes as they are dialled (*21#), though RFC 3261 25.1 wants them escaped.
        uri = uri.replace("#", "%23")
    try:
        return Request(method, _uri(uri))
    # TypeError: sipmessage passes URI parameters as keywords, so a ";self" collides.
    except (ValueError, TypeError):
        raise _Refused(400, "Bad Request-URI") from None


@lru_cache(2048)
def _uri(text: str) -> URI:
    """In-dialog requests come to our own Contact again and again."""
    return URI.parse(text)


def _check_length(message: Request | Response) -> None:
    """A body longer than Content-Length is cut, a shorter one refused (RFC 3261 18.3)."""
    text = message.headers.get("Content-Length")
    if text is None:
        return
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise _Refused(400, "Bad Content-Length")
    length = int(text)
    if length > len(message.body):
        raise _Refused(400, "Body shorter than Content-Length")
    if length < len(message.body):
        message.body = message.body[:length]


def _enveloped(message: Request | Response, data: bytes, source: Address) -> Envelope:
    get = message.headers.get
    call_id, cseq, from_value, to_value, via = get("Call-ID"), get("CSeq"), get("From"), get("To"), get("Via")
    if not call_id or not cseq or not from_value or not to_value or not via:
        missing = next(name for name in ("Via", "From", "To", "Call-ID", "CSeq") if not get(name))
        raise _Refused(400, f"Missing {missing} header")
    from_tag, to_tag = _party_tag(from_value), _party_tag(to_value)
    number, _, method = cseq.partition(" ")
    method = method.strip()
    if not (number.isascii() and number.isdigit() and len(number) <= 10 and int(number) < 2**31):
        raise _Refused(400, "Bad CSeq header")
    if not method or (isinstance(message, Request) and method != message.method):
        raise _Refused(400, "CSeq is of another method")
    sent_by, branch = _top_via(via)
    return Envelope(message, data, source, method, int(number), call_id, from_tag, to_tag, branch, sent_by)


def _party_tag(value: str) -> str:
    """The tag of a From or To value, "" where it has none."""
    usual = _PARTY.fullmatch(value)
    if usual is not None:
        return usual[1] or ""
    if not _is_party(value):
        raise _Refused(400, "Bad From or To header")
    return tag_in(value)


def _is_party(value: str) -> bool:
    """Whether quotes and brackets close (RFC 4475 3.1.2.8) around something like a URI; else two readers would find two tags."""
    if '"' in value:
        if not _CLOSED_QUOTES.fullmatch(value):
            return False
        value = _QUOTED.sub("", value)
    opened = value.count("<")
    return ":" in value and opened < 2 and opened == value.count(">")


def _top_via(line: str) -> tuple[str, str]:
    # A line of commas alone names nobody.
    via = next(iter(split_values(line)), "") if "," in line else line
    protocol, semicolon, rest = via.partition(";")
    sent_by = _known_name(protocol) if len(protocol) < _LONGEST_KEPT else _said_by(protocol)
    if not sent_by:
        raise _Refused(400, "Bad Via header")
    return sent_by, parameter(semicolon + rest, "branch") or ""


def _said_by(protocol: str) -> str:
    """The sent-by of what stands before the parameters of a Via, in lower case; "" where this is no Via of SIP 2.0."""
    words = protocol.split()
    return words[-1].lower() if len(words) > 1 and "".join(words[:-1]).upper().startswith("SIP/2.0/") else ""


# The same few neighbours in every message.
_known_name = lru_cache(1024)(_said_by)


def via_returned(via: str, source: Address) -> str:
    """The top Via of a request as its responses carry it: with received, and rport filled in (RFC 3261 18.2.1, RFC 3581 4)."""
    parameters = via[via.find(";") :] if ";" in via else ""
    host, _ = _sent_by(via)
    rport = parameter(parameters, "rport")
    if rport is None and host == source.host:
        return via
    kept = [via.partition(";")[0].strip()]
    for part in parameters.split(";")[1:]:
        name = part.partition("=")[0].strip().lower()
        if name not in ("rport", "received"):
            kept.append(part.strip())
    kept.append(f"received={source.host}")
    if rport is not None:
        kept.append(f"rport={source.port}")
    return ";".join(kept)


def reply_address(via: str, source: Address) -> Address:
    """Where a response goes: back along a connection; over UDP to the source port with rport, else to the port of sent-by."""
    if source.transport != "udp" or (";" in via and parameter(via[via.find(";") :], "rport") is not None):
        return source
    return Address(source.host, _sent_by(via)[1] or 5060, "udp")


def _sent_by(via: str) -> tuple[str, int | None]:
    protocol = via.partition(";")[0]
    return _known_sender(protocol) if len(protocol) < _LONGEST_KEPT else _host_and_port(protocol)


def _host_and_port(protocol: str) -> tuple[str, int | None]:
    words = protocol.split()
    host, _, port = (words[-1] if words else "").rpartition(":")
    if not host or (host.startswith("[") and not host.endswith("]")):
        host, port = words[-1] if words else "", ""
    number = int(port) if port.isascii() and port.isdigit() and len(port) < 6 else 0
    return host.strip("[]").lower(), number if 0 < number < 65536 else None


_known_sender = lru_cache(1024)(_host_and_port)


def _refusal(head: bytes, status: int, reason: str, source: Address) -> bytes | None:
    """The answer to a request too broken to be parsed, from the lines that can be told; None for responses and ACKs (RFC 3261 17)."""
    lines = _FOLD.sub(b" ", head).decode("utf-8", "replace").split("\r\n")
    start = lines[0].split(" ")
    if len(start) < 2 or start[0].startswith("SIP/") or start[0] == "ACK" or not start[-1].startswith("SIP/"):
        return None
    kept: dict[str, list[str]] = {"Via": [], "From": [], "To": [], "Call-ID": [], "CSeq": []}
    for line in lines[1:]:
        name, _, value = line.partition(":")
        full = _ECHOED.get(name.strip().lower())
        # One value only of what must be single, and no stray line ends: an answer must be well-formed itself, or the edge drops it.
        value = "".join(letter for letter in value if letter.isprintable())
        if full and (full == "Via" or not kept[full]):
            kept[full] += split_values(value) if full == "Via" else [value.strip()]
    if not kept["Via"]:
        return None
    kept["Via"][0] = via_returned(kept["Via"][0], source)
    if kept["To"] and not tag_in(kept["To"][0]):
        kept["To"][0] += f";tag={stateless_tag(''.join(kept['Call-ID']), kept['Via'][0])}"
    text = "".join(f"{name}: {value}\r\n" for name, values in kept.items() for value in values)
    return f"SIP/2.0 {status} {reason}\r\n{text}Content-Length: 0\r\n\r\n".encode()


def stateless_tag(call_id: str, via: str) -> str:
    """The same tag for each repeat of a request, kept nowhere (RFC 3261 8.2.7)."""
    return md5(f"{call_id} {via}".encode("utf-8", "replace"), usedforsecurity=False).hexdigest()[:12]


def request_in(envelope: Envelope) -> Request:
    """The message, known to be a request: server transactions are opened for nothing else."""
    message = envelope.message
    assert isinstance(message, Request)
    return message


def response_in(envelope: Envelope) -> Response:
    """The message, known to be a response: transactions of ours are told of nothing else."""
    message = envelope.message
    assert isinstance(message, Response)
    return message
