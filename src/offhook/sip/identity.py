"""Who calls, as headers say it: From, and P-Asserted-Identity where the sender is trusted (RFC 3325)."""

from dataclasses import dataclass
from urllib.parse import unquote

from sipmessage import Request

from offhook.sip.reading import split_name_addr, split_values


@dataclass(frozen=True, slots=True)
class Party:
    """A person or number in a header: display name (may be empty), user part (unescaped, may be empty), and host ("" for tel:)."""

    name: str
    user: str
    host: str
    scheme: str = "sip"


def party(value: str) -> Party | None:
    """The party in a From, To, P-Asserted-Identity or Contact value; None where it holds no sip, sips or tel URI."""
    name, uri, _ = split_name_addr(value)
    scheme, colon, rest = uri.partition(":")
    scheme = scheme.lower()
    if not colon or scheme not in ("sip", "sips", "tel"):
        return None
    if scheme == "tel":
        return Party(name, unquote(rest.partition(";")[0]), "", scheme)
    user, at, rest = rest.rpartition("@")
    host = rest.partition(";")[0].partition("?")[0]
    host = host[: host.find("]") + 1] if host.startswith("[") else host.partition(":")[0]
    # Parameters of a telephone-subscriber user part (;phone-context=...) and a password are no part of the name dialled.
    user = user.partition(";")[0].partition(":")[0] if at else ""
    return Party(name, unquote(user), host.lower(), scheme) if host else None


def asserted(request: Request) -> Party | None:
    """The identity a trusted neighbour vouches for: the first readable P-Asserted-Identity (RFC 3325 9.1), or None."""
    for line in request.headers.getlist("P-Asserted-Identity"):
        for value in split_values(line):
            if found := party(value):
                return found
    return None


def claimed(request: Request) -> Party | None:
    """What From says; anybody may write anything there."""
    return party(request.headers.get("From") or "")


def wants_privacy(request: Request) -> bool:
    """Whether the caller asked for its identity to be withheld: by Privacy (RFC 3323 4.2, RFC 3325 7: id, user or header), or by an
    anonymous From alone (RFC 3323 4.1.1.3)."""
    sender = claimed(request)
    if sender is not None and sender.host == "anonymous.invalid":
        return True
    lines = request.headers.getlist("Privacy")
    values = ";".join(lines).lower().replace(",", ";")
    return bool(lines) and not {"id", "user", "header"}.isdisjoint(word.strip() for word in values.split(";"))
