"""The last SIP messages of a telephone, one line each, for errors a person can act on."""

from collections import deque

_KEPT = 400


class Trace:
    """The last 400 messages: when, which way, first line, CSeq, Call-ID."""

    def __init__(self) -> None:
        self._lines: deque[tuple[float, str, str, str]] = deque(maxlen=_KEPT)

    def sent(self, data: bytes, at: float) -> None:
        self._note(data, "->", at)

    def heard(self, data: bytes, at: float) -> None:
        self._note(data, "<-", at)

    def _note(self, data: bytes, way: str, at: float) -> None:
        head = data.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").split("\r\n")
        said = {name.strip().lower(): value.strip() for name, colon, value in (line.partition(":") for line in head[1:]) if colon}
        number = "" if head[0].startswith("SIP/") is False else f" ({said.get('cseq', '?')})"
        self._lines.append((at, way, head[0] + number, said.get("call-id", said.get("i", ""))))

    def told(self, call_id: str | None = None) -> str:
        """The messages of one call (None: all), seconds since the first, a line each."""
        lines = [line for line in self._lines if call_id is None or line[3] == call_id]
        if not lines:
            return "No SIP message was seen."
        first = lines[0][0]
        return "SIP messages seen:\n" + "\n".join(f"  {at - first:7.3f} {way} {text}" for at, way, text, _ in lines)
