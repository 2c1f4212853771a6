"""What people who look after the system ask the edge: who is registered, who is banned, which certificate it shows."""

from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Registration:
    """One telephone that is registered. `expires_at` is seconds since 1970; `address` is where its packets came from."""

    user: str
    domain: str
    address: str
    transport: str
    user_agent: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Banned:
    """An address, or one user from an address, that is refused now. `user` is user@domain; None: nothing at all is answered."""

    address: str
    user: str | None
    reason: str


class EdgeOffice(Protocol):
    """The edge, asked from another process. Every method raises domain.errors.Unavailable when it does not answer."""

    async def registrations(self) -> list[Registration]:
        """Every telephone that is registered, by domain and user; what happened in the last second or two may be missing."""

    async def bans(self) -> list[Banned]:
        """Who is banned now."""

    async def lift(self, address: str) -> bool:
        """Lift every ban of an address, with its count of wrong passwords; whether there was a ban."""

    async def counters(self) -> dict[str, int]:
        """Counts since the edge's start, and the registrations of now."""

    async def certificates(self) -> list[dict[str, Any]]:
        """The certificates in use, as plain values; empty where there are none."""

    async def reload_certificates(self) -> list[dict[str, Any]]:
        """Take the certificates' files up again, without dropping a call; what is in use then."""
