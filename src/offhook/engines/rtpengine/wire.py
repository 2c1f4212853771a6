"""Bencode, and the messages of rtpengine's ng protocol in it: a cookie, a space, a dictionary.

Pure: bytes in, values out. Bytes that cannot be read raise WireWrong, whatever they are; those that merely end too early WireShort, so
that a stream can wait for the rest. Source: rtpengine's documentation, "The NG Control Protocol".
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

MAX_DEPTH = 32
MAX_BYTES = 1 << 20
MAX_COOKIE = 256

Value = int | str | Sequence["Value"] | Mapping[str, "Value"]
Body = Mapping[str, Value]

_NUMBER = re.compile(rb"-?\d{1,20}")  # 64 bits have 19 digits and a sign
_LENGTH = re.compile(rb"\d{1,8}")
_COOKIE = re.compile(rb"[\x21-\x7e]+")


class WireWrong(Exception):
    """These bytes are no message of the ng protocol, nor will they become one."""


class WireShort(WireWrong):
    """These bytes end before the message does."""


@dataclass(frozen=True, slots=True)
class Message:
    """One request, reply or notification."""

    cookie: str
    body: Body


def encode(value: Value) -> bytes:
    """The value in bencode. Text goes as UTF-8; keys keep the order they have (rtpengine does not ask for sorted ones)."""
    if isinstance(value, int):
        return b"i%de" % value
    if isinstance(value, str):
        text = value.encode("utf-8", "surrogateescape")
        return b"%d:%s" % (len(text), text)
    if isinstance(value, Mapping):
        return b"d%se" % b"".join(encode(key) + encode(item) for key, item in value.items())
    return b"l%se" % b"".join(map(encode, value))


def decode(data: bytes, start: int = 0) -> tuple[Value, int]:
    """The value that begins at `start`, and where it ends. Bytes that are not UTF-8 become lone surrogates. Raises WireWrong, WireShort."""
    return _decode(data, start, MAX_DEPTH)


def _decode(data: bytes, at: int, depth: int) -> tuple[Value, int]:
    match data[at : at + 1]:
        case b"i":
            return _number(data, at + 1)
        case b"l":
            items, end = _items(data, at + 1, depth)
            return items, end
        case b"d":
            items, end = _items(data, at + 1, depth)
            return _pairs(items, at), end
        case b"":
            raise WireShort(f"ends at byte {at}")
        case _:
            return _text(data, at)


def _number(data: bytes, at: int) -> tuple[int, int]:
    end = _closed(data, _NUMBER, at, b"e")
    return int(data[at:end]), end + 1


def _text(data: bytes, at: int) -> tuple[str, int]:
    colon = _closed(data, _LENGTH, at, b":")
    length = int(data[at:colon])
    if length > MAX_BYTES:
        raise WireWrong(f"text of {length} bytes at byte {at}: more than {MAX_BYTES}")
    end = colon + 1 + length
    if end > len(data):
        raise WireShort(f"text at byte {at} ends at {end}, the bytes at {len(data)}")
    return data[colon + 1 : end].decode("utf-8", "surrogateescape"), end


def _closed(data: bytes, pattern: re.Pattern[bytes], at: int, closing: bytes) -> int:
    """Where the digits that begin at `at` are closed."""
    found = pattern.match(data, at)
    end = found.end() if found else at
    if data[end : end + 1] == closing and found:
        return end
    if end == len(data) or (end == at and data[at:] == b"-"):
        raise WireShort(f"ends at byte {len(data)}, within a number")
    raise WireWrong(f"no number at byte {at}")


def _items(data: bytes, at: int, depth: int) -> tuple[list[Value], int]:
    if depth == 0:
        raise WireWrong(f"deeper than {MAX_DEPTH} at byte {at}")
    items = []
    while data[at : at + 1] != b"e":
        item, at = _decode(data, at, depth - 1)
        items.append(item)
    return items, at + 1


def _pairs(items: list[Value], at: int) -> dict[str, Value]:
    if len(items) % 2:
        raise WireWrong(f"a key without a value in the dictionary at byte {at}")
    pairs: dict[str, Value] = {}
    for key, item in zip(items[::2], items[1::2], strict=True):
        if not isinstance(key, str):
            raise WireWrong(f"a key that is no text in the dictionary at byte {at}")
        pairs[key] = item
    return pairs


def write(message: Message) -> bytes:
    """The message as it is sent."""
    return message.cookie.encode("ascii") + b" " + encode(message.body)


def read(data: bytes) -> Message:
    """The one message that a datagram holds. Raises WireWrong."""
    message, end = _read(data)
    if end != len(data):
        raise WireWrong(f"{len(data) - end} bytes too many")
    return message


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
