"""An organization as the switch sees it: everything a call needs to know, immutable, at one revision."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from offhook.domain.attendants import Attendant, AttendantId
from offhook.domain.numbers import E164, DialRules
from offhook.domain.users import User, UserId

OrganizationId = NewType("OrganizationId", int)


class Purpose(StrEnum):
    """What an organization is there for."""

    CUSTOMER = "customer"
    SANDBOX = "sandbox"
    """Made at the first start to try things out; its passwords are refused once the system listens beyond loopback."""
    PROBE = "probe"
    """The hidden one in which the self-test calls; it reaches no carrier but the sandbox's."""


@dataclass(frozen=True, slots=True)
class Carrier:
    """Where calls to the public network are sent: a SIP peer at a numeric address."""

    name: str
    host: str
    port: int

    @property
    def place(self) -> str:
        """Its address and port as a URI has them (RFC 3986 section 3.2.2)."""
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class ToUser:
    """An extension or number that rings a person."""

    id: UserId


@dataclass(frozen=True, slots=True)
class ToAttendant:
    """An extension or number that an attendant answers."""

    id: AttendantId


Destination = ToUser | ToAttendant


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Organization:
    """The configuration of one organization at `revision`.

    Look-ups by what is dialled are ready-made: a call's path only reads dictionaries.
    """

    id: OrganizationId
    name: str
    domain: str
    country: str
    purpose: Purpose
    revision: int
    dial_rules: DialRules
    emergency_numbers: frozenset[str]
    main_number: E164 | None
    users: Mapping[UserId, User]
    usernames: Mapping[str, UserId]
    attendants: Mapping[AttendantId, Attendant]
    extensions: Mapping[str, Destination]
    numbers: Mapping[E164, Destination]
    carrier: Carrier | None
