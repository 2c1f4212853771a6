"""What we need of a store: transactions for one organization or for the provider, and the nouns inside them.

Everything here may raise domain.errors.Unavailable when the database does not answer. All calls block:
from an event loop, use a worker thread.
"""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, NewType, Protocol

from offhook.domain.attendants import Attendant
from offhook.domain.calls.cdr import Cdr
from offhook.domain.calls.ids import CallId
from offhook.domain.jobs import JobId
from offhook.domain.numbers import E164
from offhook.domain.organizations import Carrier, Destination, OrganizationId
from offhook.domain.users import Device, User, UserId
from offhook.services.ports.answers import Answers
from offhook.services.ports.calls import CallsWanted
from offhook.services.ports.catalogue import Countries, CountryWords, Prices, Products
from offhook.services.ports.changes import ALL_CHANGES, ChangesWanted, ProviderHistory
from offhook.services.ports.changes import Change as Change
from offhook.services.ports.changes import ProviderChange as ProviderChange
from offhook.services.ports.delta import Delta, SignIn
from offhook.services.ports.invitations import Invitations
from offhook.services.ports.jobs import Jobs
from offhook.services.ports.listing import Listing, Page
from offhook.services.ports.mails import AllMails, OwnMails, ProviderMails
from offhook.services.ports.organization import Attendants, Devices, Numbers, Users
from offhook.services.ports.organization import Credential as Credential
from offhook.services.ports.organization import NewUser as NewUser
from offhook.services.ports.organizations import Organizations
from offhook.services.ports.organizations import Profile as Profile
from offhook.services.ports.people import People
from offhook.services.ports.records import Trace
from offhook.services.ports.stock import Stock
from offhook.services.ports.webhooks import AllWebhooks, Webhooks


@dataclass(frozen=True, slots=True)
class CarrierEntry:
    """A carrier of the provider. At most one is the default. `version` is the provider's revision of its last change."""

    carrier: Carrier
    sandbox: bool
    default: bool
    version: int = field(default=0, compare=False)


@dataclass(frozen=True, slots=True)
class Lag:
    """How far a reader of the history is behind: in so many organizations, at most so many revisions, since so many seconds."""

    organizations: int
    revisions: int
    seconds: float


TokenId = NewType("TokenId", int)


@dataclass(frozen=True, slots=True)
class TokenEntry:
    """What is kept of an API token; without an organization it is the provider's.

    `user` is whose sign-in made it; `scopes` as in domain.access, "*" for all; `expires_at` in seconds since 1970, None: never.
    """

    id: TokenId
    hash: str
    organization: OrganizationId | None
    user: UserId | None
    label: str
    scopes: frozenset[str]
    expires_at: float | None
    made_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Configured:
    """One organization as it is configured. `credentials` are by the name that a telephone signs in with."""

    profile: Profile
    users: Sequence[User]
    attendants: Sequence[Attendant]
    numbers: Mapping[E164, Destination | None]
    devices: Sequence[Device]
    credentials: Mapping[str, Credential]


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the switch must know, of one moment: every organization, by name, without telephones, and the provider's carriers."""

    organizations: Sequence[Configured]
    carriers: Sequence[CarrierEntry]


class Tokens(Protocol):
    """The API tokens of one organization."""

    def all(self) -> list[TokenEntry]:
        """Every token, oldest first."""

    def page(self, listing: Listing) -> Page[TokenEntry]:
        """Some of them. Fields: id, label, username (whose session it is)."""

    def by_id(self, id: TokenId) -> TokenEntry | None:
        """The token with this id, None if there is none."""

    def of_user(self, user: UserId) -> list[TokenEntry]:
        """The sessions of somebody who signed in, oldest first."""

    def add(self, hash: str, label: str, scopes: frozenset[str], expires_at: float | None, user: UserId | None = None) -> TokenId:
        """Keep a token; with a user it is a session, which is no configuration and takes no revision. Raises Missing."""

    def revoke(self, id: TokenId) -> None:
        """It opens nothing from now on. Raises Missing."""


class History(Protocol):
    """What was changed in one organization."""

    def page(self, limit: int, wanted: ChangesWanted = ALL_CHANGES) -> list[Change]:
        """The newest changes that are wanted first."""

    def called(self, kind: str, field: str, name: str) -> list[str]:
        """The ids of what ever had this name in a field, the latest first."""

    def since(self, revision: int) -> list[Change]:
        """The changes after a revision, oldest first."""

    def between(self, since: int, until: int) -> list[Change]:
        """The changes after one revision up to another, oldest first."""

    def in_revision(self, revision: int, kind: str) -> list[Change]:
        """What one revision changed of a kind, in its order."""

    def touched_since(self, revision: int) -> dict[str, set[str]]:
        """The ids of what was changed after a revision, by kind."""

    def revision_at(self, moment: float) -> int:
        """The revision that was in effect then (seconds since 1970). Raises Missing before the first."""

    def as_of(self, kind: str, id: str, revision: int) -> Mapping[str, Any] | None:
        """What an object was at a revision, None if it was not there. Raises Missing when there is no such revision."""

    def cursor(self, consumer: str) -> int:
        """The revision up to which a reader of the history has come, 0 at first."""

    def fresh(self, consumer: str, most: int) -> tuple[list[Change], int]:
        """What a reader has not taken up yet, oldest first, some `most` lines in whole revisions; and up to which revision."""

    def move_cursor(self, consumer: str, revision: int) -> None:
        """The reader has come so far."""


class Calls(Protocol):
    """Past calls: one organization's, or all in the provider's transaction."""

    def page(self, limit: int, before: CallId | None, wanted: CallsWanted = ...) -> list[Cdr]:
        """The newest calls that are wanted first, of all if nothing is said; with `before` those older than that call."""

    def ids_like(self, prefix: str, limit: int) -> list[CallId]:
        """The ids of the calls that begin so, newest first."""

    def trace(self, call: CallId) -> Trace | None:
        """How a call went, None if it is not known here."""


class AllTokens(Protocol):
    """API tokens of everybody, to find out whose door one opens; and the provider's own."""

    def by_hash(self, hash: str) -> TokenEntry | None:
        """The token whose hash this is, None if there is none."""

    def of_provider(self) -> list[TokenEntry]:
        """The provider's own tokens, oldest first."""

    def add_of_provider(self, hash: str, label: str, expires_at: float | None, scopes: frozenset[str] = ...) -> TokenEntry:
        """Keep a token of the provider; it may do everything where nothing else is said."""

    def keep_of_provider(self, hash: str, label: str) -> None:
        """Have this token of the provider, which does not expire, and no other one of that label."""

    def revoke_of_provider(self, id: TokenId) -> None:
        """It opens nothing from now on. Raises Missing."""


class Carriers(Protocol):
    """The provider's carriers."""

    def all(self) -> list[CarrierEntry]:
        """Every carrier, by name. In a transaction that writes nobody else changes one from here on."""

    def put(self, entry: CarrierEntry) -> None:
        """Create the carrier of that name or bring it up to date. Raises Conflict when another one is at its address and port."""

    def remove(self, name: str) -> None:
        """Forget a carrier; nothing happens when there is none of that name."""


class Transaction(Protocol):
    """One organization's reads and writes: what it has not got is not there. Changes stand in its history under one new revision."""

    @property
    def organization(self) -> OrganizationId: ...
    @property
    def revision(self) -> int | None:
        """The revision of what was changed so far in this transaction, None while nothing was."""

    @property
    def users(self) -> Users: ...
    @property
    def devices(self) -> Devices: ...
    @property
    def attendants(self) -> Attendants: ...
    @property
    def numbers(self) -> Numbers: ...
    @property
    def tokens(self) -> Tokens: ...
    @property
    def history(self) -> History: ...
    @property
    def webhooks(self) -> Webhooks: ...
    @property
    def answers(self) -> Answers: ...
    @property
    def jobs(self) -> Jobs: ...
    @property
    def people(self) -> People: ...
    @property
    def calls(self) -> Calls: ...
    @property
    def countries(self) -> CountryWords: ...
    @property
    def mails(self) -> OwnMails: ...

    def profile(self) -> Profile:
        """The organization's own row, as this transaction sees it."""

    def change_profile(self, **values: Any) -> None:
        """Give the organization another name, country, time_zone or main_number. Raises Missing when that number is not its own."""

    def delta(self, since: int) -> Delta:
        """What was touched after a revision, as it stands now."""

    def configured(self, revision: int | None = None) -> Configured:
        """All its configuration, of now or as it was at a revision (without passwords then). Raises Missing."""


class ProviderTransaction(Protocol):
    """Reads and writes of the provider's tables. Its changes stand in its history under one new revision of its own."""

    @property
    def revision(self) -> int | None:
        """The revision of what of the provider's was changed so far in this transaction, None while nothing was."""

    @property
    def history(self) -> ProviderHistory: ...
    @property
    def answers(self) -> Answers: ...
    @property
    def organizations(self) -> Organizations: ...
    @property
    def carriers(self) -> Carriers: ...
    @property
    def stock(self) -> Stock: ...
    @property
    def countries(self) -> Countries: ...
    @property
    def products(self) -> Products: ...
    @property
    def prices(self) -> Prices: ...
    @property
    def tokens(self) -> AllTokens: ...
    @property
    def webhooks(self) -> AllWebhooks: ...
    @property
    def invitations(self) -> Invitations: ...
    @property
    def calls(self) -> Calls: ...
    @property
    def mails(self) -> ProviderMails: ...
    @property
    def all_mails(self) -> AllMails: ...

    def inside(self, organization: OrganizationId) -> Transaction:
        """The same transaction, for what one organization owns. Raises Missing when there is no such organization."""

    def configuration(self) -> Configuration:
        """What the switch must know, of one moment."""

    def unfinished_jobs(self) -> list[tuple[OrganizationId, JobId]]:
        """Of each organization that has work to be done, the job whose turn it is: the oldest."""

    def lags(self) -> dict[str, Lag]:
        """How far the switch, the edge, the webhooks and mail are behind the history, by their names."""

    def sign_ins(self) -> dict[OrganizationId, dict[str, SignIn]]:
        """Of each organization that has telephones: what proves them, by the name that they sign in with."""


class Store(Protocol):
    """Opens transactions. They commit when the block ends and take everything back when it raises."""

    def change(self, organization: OrganizationId, who: str) -> AbstractContextManager[Transaction]:
        """A transaction that may write. Raises Missing when there is no such organization."""

    def trial(self, organization: OrganizationId) -> AbstractContextManager[Transaction]:
        """A transaction that may write, and of which nothing is kept: whether something could be done. Raises Missing."""

    def view(self, organization: OrganizationId) -> AbstractContextManager[Transaction]:
        """A transaction that only reads and waits for no writer. Raises Missing when there is no such organization."""

    def provider_change(self, who: str) -> AbstractContextManager[ProviderTransaction]:
        """The provider's transaction that may write."""

    def provider_view(self) -> AbstractContextManager[ProviderTransaction]:
        """The provider's transaction that only reads."""
