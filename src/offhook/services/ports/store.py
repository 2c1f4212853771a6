"""What we need of a store: transactions for one organization or for the provider, and the nouns inside them.

Everything here may raise domain.errors.Unavailable when the database does not answer. All calls block:
from an event loop, use a worker thread.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

from offhook.domain.attendants import Attendant
from offhook.domain.calls.cdr import Cdr
from offhook.domain.calls.ids import CallId
from offhook.domain.numbers import E164
from offhook.domain.organizations import Carrier, Destination, OrganizationId, Purpose
from offhook.domain.users import User, UserId
from offhook.services.ports.records import Trace


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


@dataclass(frozen=True, slots=True)
class Credential:
    """What is kept of a SIP password: the HA1s of RFC 7616 3.4.2 in lower-case hex, by MD5 and by SHA-256."""

    ha1_md5: str
    ha1_sha256: str


@dataclass(frozen=True, slots=True)
class CarrierEntry:
    """A carrier of the provider. At most one is the default."""

    carrier: Carrier
    sandbox: bool
    default: bool


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """What is kept of an API token; without an organization it is the provider's. `expires_at` is in seconds since 1970, None: never."""

    hash: str
    organization: OrganizationId | None
    label: str
    expires_at: float | None


@dataclass(frozen=True, slots=True)
class Change:
    """One line of an organization's history. `before` is None for what was created, `after` for what was deleted. No secrets."""

    revision: int
    kind: str
    id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    who: str
    at: float


@dataclass(frozen=True, slots=True)
class Configuration:
    """Everything the switch and the edge must know, of one moment."""

    profiles: Sequence[Profile]
    users: Mapping[OrganizationId, Sequence[User]]
    attendants: Mapping[OrganizationId, Sequence[Attendant]]
    numbers: Mapping[OrganizationId, Mapping[E164, Destination]]
    credentials: Mapping[OrganizationId, Mapping[UserId, Credential]]
    carriers: Sequence[CarrierEntry]


class Users(Protocol):
    """The people of one organization."""

    def all(self) -> list[User]:
        """Everybody, by username."""

    def by_username(self, username: str) -> User | None:
        """The user who signs in so, None if nobody does."""

    def add(self, username: str, name: str, language: str, extension: str | None) -> User:
        """A new user, without a number. Raises Conflict when username or extension is taken in the organization."""

    def credential(self, user: UserId) -> Credential | None:
        """What is kept of the user's password, None if none was ever set."""

    def set_credential(self, user: UserId, credential: Credential) -> None:
        """Replace the user's password. Raises Missing when the user is not of this organization."""


class Attendants(Protocol):
    """The auto attendants of one organization."""

    def all(self) -> list[Attendant]:
        """Every attendant, by name."""

    def add(self, name: str, language: str, extension: str, greeting: str, keys: Mapping[str, UserId], rounds: int = 3) -> Attendant:
        """A new attendant. Raises Conflict when name or extension is taken, Missing when a key leads to nobody of this organization."""


class Numbers(Protocol):
    """The numbers of one organization."""

    def all(self) -> dict[E164, Destination]:
        """Every number and what it rings."""

    def assign(self, number: E164, to: Destination) -> None:
        """Take a number into use. Raises Conflict when any organization uses it, Missing when the destination is not of this one."""


class Calls(Protocol):
    """Past calls: one organization's, or all in the provider's transaction."""

    def page(self, limit: int, before: CallId | None) -> list[Cdr]:
        """The newest calls first; with `before` those older than that call."""

    def ids_like(self, prefix: str, limit: int) -> list[CallId]:
        """The ids of the calls that begin so, newest first."""

    def trace(self, call: CallId) -> Trace | None:
        """How a call went, None if it is not known here."""


class Tokens(Protocol):
    """API tokens, of everybody; the provider's table."""

    def by_hash(self, hash: str) -> TokenEntry | None:
        """The token whose hash this is, None if there is none."""

    def add(self, entry: TokenEntry) -> None:
        """Keep a token; nothing happens when it is kept already."""


class Invitations(Protocol):
    """One-time invitations to create an organization; the provider's table."""

    def add(self, hash: str, expires_at: float) -> None:
        """Keep an invitation."""

    def use(self, hash: str, now: float) -> bool:
        """Use up an invitation; False when there is none, it was used or it has expired. Throws away what expired."""


class Carriers(Protocol):
    """The provider's carriers."""

    def all(self) -> list[CarrierEntry]:
        """Every carrier, by name."""

    def put(self, entry: CarrierEntry) -> None:
        """Create the carrier of that name or bring it up to date."""

    def remove(self, name: str) -> None:
        """Forget a carrier; nothing happens when there is none of that name."""


class Organizations(Protocol):
    """The tenants, as the provider sees them."""

    def all(self) -> list[Profile]:
        """Every organization, hidden ones too, by name."""

    def by_domain(self, domain: str) -> Profile | None:
        """The organization of a SIP domain, None if it is nobody's."""

    def add(self, name: str, domain: str, country: str, purpose: Purpose) -> Profile:
        """A new organization without people. Raises Conflict when the domain is taken."""


class Transaction(Protocol):
    """One organization's reads and writes: what it has not got is not there. Changes stand in its history under one new revision."""

    @property
    def organization(self) -> OrganizationId: ...
    @property
    def users(self) -> Users: ...
    @property
    def attendants(self) -> Attendants: ...
    @property
    def numbers(self) -> Numbers: ...
    @property
    def calls(self) -> Calls: ...

    def profile(self) -> Profile:
        """The organization's own row, as this transaction sees it."""

    def set_main_number(self, number: E164) -> None:
        """The number shown by users who have none. Raises Missing when it is not one of the organization's."""

    def history(self, after_revision: int = 0) -> list[Change]:
        """The changes since a revision, oldest first."""


class ProviderTransaction(Protocol):
    """Reads and writes of the provider's tables."""

    @property
    def organizations(self) -> Organizations: ...
    @property
    def carriers(self) -> Carriers: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def invitations(self) -> Invitations: ...
    @property
    def calls(self) -> Calls: ...

    def inside(self, organization: OrganizationId) -> Transaction:
        """The same transaction, for what one organization owns. Raises Missing when there is no such organization."""

    def configuration(self) -> Configuration:
        """Everything, of one moment."""


class Store(Protocol):
    """Opens transactions. They commit when the block ends and take everything back when it raises."""

    def change(self, organization: OrganizationId, who: str) -> AbstractContextManager[Transaction]:
        """A transaction that may write. Raises Missing when there is no such organization."""

    def view(self, organization: OrganizationId) -> AbstractContextManager[Transaction]:
        """A transaction that only reads and waits for no writer. Raises Missing when there is no such organization."""

    def provider_change(self, who: str) -> AbstractContextManager[ProviderTransaction]:
        """The provider's transaction that may write."""

    def provider_view(self) -> AbstractContextManager[ProviderTransaction]:
        """The provider's transaction that only reads."""
