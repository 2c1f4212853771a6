"""What a call needs of the edge: where a user's devices are right now."""

from dataclasses import dataclass
from typing import Protocol


class RegistrarAbsent(Exception):
    """The edge did not answer in time, twice: it is dead, starting or drowning. The text says what was asked."""


@dataclass(frozen=True)
class Contact:
    """One registered device of a user."""

    uri: str
    """The Request-URI to send to; `;alias=` in it tells the edge the address and transport the device really has."""
    device: str
    """The same for the same device when it registers again: its +sip.instance (RFC 5626), else its Call-ID."""
    user_agent: str
    transport: str
    """udp, tcp, tls, ws or wss."""
    expires_seconds: int
    """How long the registration still lasts."""


class Registrar(Protocol):
    """Who is registered."""

    async def contacts(self, username: str, domain: str) -> tuple[Contact, ...]:
        """The user's devices, the last registered first; none if nothing is registered. May raise RegistrarAbsent."""
