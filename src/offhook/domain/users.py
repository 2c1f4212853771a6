"""People with telephones, and their telephones."""

from dataclasses import dataclass
from typing import NewType

from offhook.domain.access import Role
from offhook.domain.numbers import E164

UserId = NewType("UserId", int)
DeviceId = NewType("DeviceId", int)


@dataclass(frozen=True, slots=True)
class User:
    """One person of an organization: `username`@domain, called by extension or by number.

    `location` is the country whose rules hold for them (ISO 3166-1 alpha-2), `time_zone` an IANA name; empty texts: the organization's own.
    `version` is the organization's revision in which this user was last changed.
    """

    id: UserId
    username: str
    name: str
    language: str
    extension: str | None
    number: E164 | None
    email: str | None = None
    location: str = ""
    time_zone: str = ""
    role: Role | None = None
    version: int = 0


@dataclass(frozen=True, slots=True)
class Device:
    """A telephone of a user. It registers as the user's address, and proves who it is as `sip_username`, with a password of its own."""

    id: DeviceId
    user: UserId
    name: str
    sip_username: str
    version: int = 0
