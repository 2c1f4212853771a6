"""The extensions of SIP this room speaks, and who else speaks them (RFC 3261 8.2.2.3, 19.2)."""

from sipmessage import Headers

RELIABLE = "100rel"
TIMER = "timer"
SPOKEN = (RELIABLE, TIMER, "replaces", "norefersub")


def options_in(headers: Headers, name: str) -> list[str]:
    """The option tags of Require, Supported or Unsupported, as written."""
    lines = headers.getlist(name)
    return [word for line in lines for part in line.split(",") if (word := part.strip())] if lines else []


def has_option(headers: Headers, name: str, option: str) -> bool:
    """Whether Require or Supported names this option."""
    lines = headers.getlist(name)
    if not lines or not any(option in line.lower() for line in lines):
        return False
    return option in [word.lower() for word in options_in(headers, name)]
