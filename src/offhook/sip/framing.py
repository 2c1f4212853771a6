"""Messages out of a TCP stream (RFC 3261 18.3), with the keep-alives of RFC 5626."""

LARGEST_HEAD = 16 * 1024
LARGEST_MESSAGE = 64 * 1024


class StreamBroken(Exception):
    """The stream cannot be followed any further (no length, or too long): close the connection."""


class Framer:
    """Collects what a connection brings and gives whole messages, one item each; keep-alive CRLFs come as b"\\r\\n\\r\\n"."""

    __slots__ = ("_buffer",)

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[bytes]:
        """The messages completed by these bytes. Raises StreamBroken; what came before it is lost with the connection."""
        self._buffer += data
        messages: list[bytes] = []
        while (message := self._next()) is not None:
            messages.append(message)
        return messages

    def _next(self) -> bytes | None:
        buffer = self._buffer
        if buffer.startswith(b"\r\n\r\n"):
            return self._take(4)
        if b"\r\n\r\n".startswith(buffer):
            return None
        if buffer.startswith(b"\r\n"):
            # A lone CRLF is the answer to our own keep-alive, or padding before a start line (RFC 3261 7.5).
            del buffer[:2]
        end = buffer.find(b"\r\n\r\n", 0, LARGEST_HEAD)
        if end < 0:
            if len(buffer) >= LARGEST_HEAD:
                raise StreamBroken("a message head longer than 16 kB")
            return None
        size = end + 4 + _content_length(bytes(buffer[:end]))
        if size > LARGEST_MESSAGE:
            raise StreamBroken("a message longer than 64 kB")
        return self._take(size) if len(buffer) >= size else None

    def _take(self, size: int) -> bytes:
        message = bytes(self._buffer[:size])
        del self._buffer[:size]
        return message


def _content_length(head: bytes) -> int:
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() in (b"content-length", b"l"):
            digits = value.strip()
            if not digits.isdigit() or len(digits) > 6:
                break
            return int(digits)
    raise StreamBroken("a message without a readable Content-Length")
