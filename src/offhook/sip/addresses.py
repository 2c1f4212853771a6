"""Where a message goes to or came from."""

from typing import NamedTuple


class Address(NamedTuple):
    """A numeric host (IPv6 without brackets), a port, and "udp", "tcp" or "tls"."""

    host: str
    port: int
    transport: str = "udp"

    def __str__(self) -> str:
        return f"{self.transport}:{bracketed(self.host)}:{self.port}"


def bracketed(host: str) -> str:
    """The host as URIs and Via headers write it: an IPv6 address in brackets (RFC 3261 25.1)."""
    return f"[{host}]" if ":" in host else host
