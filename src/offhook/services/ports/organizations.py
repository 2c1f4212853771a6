"""The tenants, as the provider sees them in the store. Errors as in services.ports.store."""

from dataclasses import dataclass
from typing import Protocol

from offhook.domain.numbers import E164
from offhook.domain.organizations import OrganizationId, Purpose
from offhook.services.ports.changes import ALL_CHANGES, Change, ChangesWanted

NOBODYS_DOMAINS = ".invalid"
"""What the domains end with that no customer can have (RFC 6761 6.4): of those that are closed, and of what is hidden."""


@dataclass(frozen=True, slots=True)
class Profile:
    """An organization's own row, without its people and numbers."""

    id: OrganizationId
    name: str
    domain: str
    country: str
    purpose: Purpose
    main_number: E164 | None
    revision: int
    time_zone: str = "UTC"
    version: int = 0
    """The revision in which this row itself was last changed."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """An organization, and since when it is closed (seconds since 1970), None while it is open."""

    profile: Profile
    closed_at: float | None


@dataclass(frozen=True, slots=True)
class Holdings:
    """How many of each an organization has."""

    users: int
    devices: int
    attendants: int
    numbers: int


@dataclass(frozen=True, slots=True)
class Erased:
    """So many call records and lines of the history are gone; `complete` when none is left."""

    calls: int
    changes: int
    complete: bool


class Organizations(Protocol):
    """The tenants, as the provider sees them. Those that are closed are nowhere but in `page`, `tenant`, `history` and `erase_some`."""

    def all(self) -> list[Profile]:
        """Every organization, hidden ones too, by name."""

    def by_domain(self, domain: str) -> Profile | None:
        """The organization of a SIP domain, None if it is nobody's."""

    def add(self, name: str, domain: str, country: str, purpose: Purpose, time_zone: str = "UTC") -> Profile:
        """A new organization without people. Raises Conflict when the domain is taken."""

    def revisions(self) -> dict[OrganizationId, int]:
        """The last revision of every organization."""

    def page(self, limit: int, after: int, *, closed: bool | None = None, domain: str | None = None) -> list[Tenant]:
        """Some of those that are not hidden, by number, from behind `after` on."""

    def tenant(self, id: OrganizationId) -> Tenant | None:
        """One of them, None when there is none, it is hidden, or its records are erased."""

    def holdings(self, id: OrganizationId) -> Holdings:
        """What an organization has."""

    def history(self, id: OrganizationId, limit: int, wanted: ChangesWanted = ALL_CHANGES) -> list[Change]:
        """The newest changes that are wanted in one of them first, open or closed."""

    def close(self, id: OrganizationId) -> int:
        """It is nobody's any more; the revision of that. Its numbers and its domain are free then, its rows go by `empty_some`.

        What it had is told by the history up to the revision before: the rows that go are not written down one by one. Raises Missing.
        """

    def to_empty(self) -> list[OrganizationId]:
        """Those that are closed and have something left besides history and call records."""

    def empty_some(self, id: OrganizationId, most: int) -> bool:
        """Remove so many rows of one that is closed; True when nothing was left."""

    def erase_some(self, id: OrganizationId, most: int) -> Erased:
        """Erase some of the records of one that is closed: of calls `most`, of the history that many lines. Raises Missing."""
