"""The messages of rtpengine's ng protocol: a cookie, a space, a dictionary in bencode or, from rtpengine 10 on, in JSON.

rtpengine answers in the way it was asked. Large replies are asked for in JSON, which orjson reads fifteen times faster than
bencode can be read in Python; all else goes in bencode, which rtpengine itself reads fastest and in which text may be any bytes.

Pure: bytes in, values out. Bytes that cannot be read raise WireWrong, whatever they are; those that merely end too early WireShort, so
that a stream can wait for the rest. Source: rtpengine's documentation, "The NG Control Protocol".
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import orjson

MAX_DEPTH = 32
MAX_BYTES = 1 << 20
MAX_COOKIE = 256

Value = int | str | Sequence["Value"] | Mapping[str, "Value"]
Body = Mapping[str, Value]

_COOKIE = re.compile(rb"[\x21-\x7e]+")
_LONGEST_NUMBER = 20  # 64 bits have 19 digits and a sign
_LONGEST_LENGTH = 8
_DIGITS = frozenset(b"0123456789")
_I, _L, _D, _E = b"ilde"
_LARGELY_ANSWERED = frozenset({"delete", "list", "query", "statistics"})


class WireWrong(Exception):
    """These bytes are no message of the ng protocol, nor will they become one."""


class WireShort(WireWrong):
    """These bytes end before the message does."""


@dataclass(frozen=True, slots=True)
class Message:
    """One request, reply or notification."""

    cookie: str
    body: Body


@dataclass(frozen=True, slots=True)
class Raw:
    """Pairs of a dictionary that were put into bencode before."""

    octets: bytes


def raw(pairs: Body) -> Raw:
    """These pairs, to go into many messages."""
    return Raw(encode(pairs)[1:-1])


def encode(value: Value) -> bytes:
    """The value in bencode. Text goes as UTF-8; keys keep the order they have (rtpengine does not ask for sorted ones)."""
    parts: list[bytes] = []
    _put(value, parts.append)
    return b"".join(parts)


def _put(value: Value, put: Callable[[bytes], None]) -> None:
    if isinstance(value, str):
        text = value.encode("utf-8", "surrogateescape")
        put(b"%d:%b" % (len(text), text))
    elif isinstance(value, int):
        put(b"i%de" % value)
    elif isinstance(value, Mapping):
        put(b"d")
        for key, item in value.items():
            _put(key, put)
            _put(item, put)
        put(b"e")
    else:
        put(b"l")
        for item in value:
            _put(item, put)
        put(b"e")


def decode(data: bytes, start: int = 0) -> tuple[Value, int]:
    """The value that begins at `start`, and where it ends. Bytes that are not UTF-8 become lone surrogates. Raises WireWrong, WireShort."""
    return _decode(data, start, MAX_DEPTH)


def _decode(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    if at >= len(data):
        raise WireShort(f"ends at byte {at}")
    kind = data[at]
    if kind == _D:
        return _dictionary(data, at + 1, depth - 1)
    if kind == _I:
        return _number(data, at + 1)
    if kind == _L:
        return _list(data, at + 1, depth - 1)
    return _text(data, at)


def _dictionary(data: bytes, at: int, depth: int) -> tuple[dict[str, Value], int]:
    """The hot part: a reply is dictionaries of text and numbers, hundreds of them."""
    if depth < 0:
        raise WireWrong(f"deeper than {MAX_DEPTH} at byte {at}")
    pairs: dict[str, Value] = {}
    size = len(data)
    while at < size:
        if data[at] == _E:
            return pairs, at + 1
        if data[at] not in _DIGITS:
            raise WireWrong(f"a key that is no text at byte {at}")
        key, at = _text(data, at)
        if at < size and data[at] == _E:
            raise WireWrong(f"a key without a value at byte {at}")
        pairs[key], at = _decode(data, at, depth)
    raise WireShort(f"ends at byte {at}")


def _list(data: bytes, at: int, depth: int) -> tuple[list[Value], int]:
    if depth < 0:
        raise WireWrong(f"deeper than {MAX_DEPTH} at byte {at}")
    items: list[Value] = []
    while at < len(data):
        if data[at] == _E:
            return items, at + 1
        item, at = _decode(data, at, depth)
        items.append(item)
    raise WireShort(f"ends at byte {at}")


def _number(data: bytes, at: int) -> tuple[int, int]:
    end = data.find(b"e", at, at + _LONGEST_NUMBER + 1)
    digits = data[at:end] if end >= 0 else data[at : at + _LONGEST_NUMBER + 1]
    if not (digits.removeprefix(b"-").isdigit() or (end < 0 and digits in (b"", b"-"))):
        raise WireWrong(f"no number at byte {at}")
    if end < 0:
        raise _unfinished(data, at, len(digits), _LONGEST_NUMBER)
    return int(digits), end + 1


def _text(data: bytes, at: int) -> tuple[str, int]:
    colon = data.find(b":", at, at + _LONGEST_LENGTH + 1)
    digits = data[at:colon] if colon >= 0 else data[at : at + _LONGEST_LENGTH + 1]
    if not digits.isdigit():
        raise WireWrong(f"no number at byte {at}")
    if colon < 0:
        raise _unfinished(data, at, len(digits), _LONGEST_LENGTH)
    start = colon + 1
    end = start + int(digits)
    if end > len(data):
        if end - start > MAX_BYTES:
            raise WireWrong(f"text of {end - start} bytes at byte {at}: more than {MAX_BYTES}")
        raise WireShort(f"text at byte {at} ends at {end}, the bytes at {len(data)}")
    return data[start:end].decode("utf-8", "surrogateescape"), end


def _unfinished(data: bytes, at: int, digits: int, most: int) -> WireWrong:
    """Digits without their end: more may come, unless there are too many, or something else follows."""
    if digits > most or at + digits < len(data):
        return WireWrong(f"no number at byte {at}")
    return WireShort(f"ends at byte {len(data)}, within a number")


def write(message: Message) -> bytes:
    """The message as it is sent."""
    return message.cookie.encode("ascii") + b" " + encode(message.body)


def write_request(cookie: str, command: str, body: Body, extra: Raw | None = None) -> bytes:
    """A request as it is sent, `extra` at its end; in JSON where the reply is large."""
    if command in _LARGELY_ANSWERED and extra is None:
        return b"%b %b" % (cookie.encode("ascii"), orjson.dumps({"command": command, **body}))
    whole = encode({"command": command, **body})
    if extra is not None:
        whole = b"%b%be" % (whole[:-1], extra.octets)
    return b"%b %b" % (cookie.encode("ascii"), whole)


def read(data: bytes) -> Message:
    """The one message that a datagram holds, in bencode or JSON. Raises WireWrong."""
    cookie, _, body = data.partition(b" ")
    if body[:1] == b"{" and len(cookie) <= MAX_COOKIE and _COOKIE.fullmatch(cookie):
        return Message(cookie.decode("ascii"), _json(body))
    message, end = _read(data)
    if end != len(data):
        raise WireWrong(f"{len(data) - end} bytes too many")
    return message


def _json(data: bytes) -> Body:
    try:
        body = orjson.loads(data)
    except orjson.JSONDecodeError as wrong:
        raise WireWrong(f"no JSON: {type(wrong).__name__}") from wrong
    assert isinstance(body, dict)  # it begins with a brace
    return body


def _read(data: bytes) -> tuple[Message, int]:
    cookie, space, _ = data[: MAX_COOKIE + 1].partition(b" ")
    if not (_COOKIE.fullmatch(cookie) or (not cookie and not space)):
        raise WireWrong("no cookie")
    if not space:
        raise WireShort("ends within the cookie") if len(data) <= MAX_COOKIE else WireWrong("a cookie without an end")
    body, end = decode(data, len(cookie) + 1)
    if not isinstance(body, Mapping):
        raise WireWrong("a message that is no dictionary")
    return Message(cookie.decode("ascii"), body), end


class Stream:
    """Messages out of a TCP connection, where one read brings half of one or several."""

    def __init__(self) -> None:
        self._rest = b""

    def feed(self, data: bytes) -> list[Message]:
        """The messages that are whole now. Raises WireWrong when the stream can no longer be followed: close it."""
        self._rest = (self._rest + data).lstrip(b"\r\n")
        messages = []
        while self._rest:
            try:
                message, end = _read(self._rest)
            except WireShort:
                if len(self._rest) > MAX_BYTES:
                    raise WireWrong(f"a message of more than {MAX_BYTES} bytes") from None
                break
            messages.append(message)
            self._rest = self._rest[end:].lstrip(b"\r\n")
        return messages
