"""The extensions of SIP this room speaks, and who else speaks them (RFC 3261 8.2.2.3, 19.2)."""

from functools import lru_cache

from sipmessage import Headers

RELIABLE = "100rel"
TIMER = "timer"
_LONGEST_KEPT = 256
SPOKEN = (RELIABLE, TIMER, "replaces", "norefersub")


def options_in(headers: Headers, name: str) -> list[str]:
    """The option tags of Require, Supported or Unsupported, as written."""
    lines = headers.getlist(name)
    return [word for line in lines for part in line.split(",") if (word := part.strip())] if lines else []


def has_option(headers: Headers, name: str, option: str) -> bool:
    """Whether Require, Supported or Allow names this option, or method; in lower case."""
    lines = headers.getlist(name)
    if not lines:
        return False
    said = ",".join(lines)
    return _names(said, option) if len(said) < _LONGEST_KEPT else _reads(said, option)


def _reads(line: str, option: str) -> bool:
    return option in line.lower() and option in [word.strip().lower() for word in line.split(",")]


# Telephones say the same words in every message.
_names = lru_cache(512)(_reads)
