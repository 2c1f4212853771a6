"""What one organization owns in the store: its people, telephones, attendants and numbers. Errors as in services.ports.store."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from offhook.domain.access import Role
from offhook.domain.attendants import Attendant, AttendantId
from offhook.domain.numbers import E164
from offhook.domain.organizations import Destination
from offhook.domain.users import Device, DeviceId, User, UserId
from offhook.services.ports.listing import Listing, Page
from offhook.services.ports.stock import AvailableNumber


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user who is to be added; values as in domain.users.User."""

    username: str
    name: str
    language: str
    extension: str | None = None
    email: str | None = None
    location: str = ""
    time_zone: str = ""
    role: Role | None = None


@dataclass(frozen=True, slots=True)
class Credential:
    """What is kept of a SIP password: the HA1s of RFC 7616 3.4.2 in lower-case hex, by MD5 and by SHA-256."""

    ha1_md5: str
    ha1_sha256: str


@dataclass(frozen=True, slots=True)
class NewDevice:
    """A telephone that is to be added."""

    user: UserId
    name: str
    sip_username: str
    credential: Credential


@dataclass(frozen=True, slots=True)
class NumberEntry:
    """A number that an organization has, and what it rings; None while that is nobody. `version`: the revision of its last change."""

    number: E164
    to: Destination | None
    version: int


class Users(Protocol):
    """The people of one organization."""

    def all(self) -> list[User]:
        """Everybody, by username."""

    def page(self, listing: Listing) -> Page[User]:
        """Some of them. Fields: username, name, extension, email, language, location, role, number, telephone ("some" or "none").

        `text` is sought in the first four.
        """

    def names(self, ids: Iterable[UserId]) -> dict[UserId, str]:
        """The usernames of these."""

    def by_id(self, id: UserId) -> User | None:
        """The user with this id, None if there is none."""

    def by_username(self, username: str) -> User | None:
        """The user who is called so, None if nobody is."""

    def add(self, new: NewUser) -> User:
        """A new user, without a number. Raises Conflict when username or extension is taken in the organization."""

    def change(self, id: UserId, **values: Any) -> None:
        """Give a user other values (the fields of NewUser). Raises Missing, Conflict."""

    def remove(self, id: UserId) -> None:
        """Remove a user with telephones, password and tokens; numbers stay the organization's.

        Raises Missing, and InUse while a key of an attendant leads there.
        """

    def password(self, id: UserId) -> str | None:
        """The hash of what the user signs in with at the pages, None if nothing was set."""

    def set_password(self, id: UserId, hash: str) -> None:
        """Replace that hash. Raises Missing."""


class Devices(Protocol):
    """The telephones of one organization."""

    def all(self, user: UserId | None = None) -> list[Device]:
        """Every telephone, or a user's, oldest first."""

    def page(self, listing: Listing) -> Page[Device]:
        """Some of them. Fields: id, name, sip_username, username (whose it is)."""

    def by_id(self, id: DeviceId) -> Device | None:
        """The telephone with this id, None if there is none."""

    def add(self, user: UserId, name: str, sip_username: str, credential: Credential) -> Device:
        """A new telephone. Raises Missing when the user is not there, Conflict when somebody signs in by that name."""

    def taken(self, sip_usernames: Collection[str], user: UserId) -> set[str]:
        """Those of these names that a telephone signs in by, or that somebody else than this user is called."""

    def first(self, users: Collection[UserId]) -> dict[UserId, Device]:
        """The oldest telephone of each of these who has one."""

    def add_all(self, new: Sequence[NewDevice]) -> list[DeviceId]:
        """New telephones of people who have none, in few statements. Raises Conflict when somebody signs in by such a name."""

    def set_credentials(self, credentials: Mapping[DeviceId, Credential]) -> None:
        """Replace the passwords of these telephones, in few statements."""

    def rename(self, id: DeviceId, name: str) -> None:
        """Call it otherwise. Raises Missing."""

    def credential(self, id: DeviceId) -> Credential | None:
        """What is kept of its password, None when it is not there."""

    def set_credential(self, id: DeviceId, credential: Credential) -> None:
        """Replace its password. Raises Missing."""

    def remove(self, id: DeviceId) -> None:
        """Forget it: it can register no more. Raises Missing."""


class Attendants(Protocol):
    """The auto attendants of one organization."""

    def all(self) -> list[Attendant]:
        """Every attendant, by name."""

    def page(self, listing: Listing) -> Page[Attendant]:
        """Some of them. Fields: id, name, extension, language."""

    def names(self, ids: Iterable[AttendantId]) -> dict[AttendantId, str]:
        """The names of these."""

    def by_name(self, name: str) -> Attendant | None:
        """The attendant that is called so, None if there is none."""

    def by_id(self, id: AttendantId) -> Attendant | None:
        """The attendant with this id, None if there is none."""

    def versions(self) -> dict[AttendantId, int]:
        """The revision in which each was last changed, its keys included."""

    def add(
        self,
        name: str,
        language: str,
        extension: str,
        greeting: str,
        keys: Mapping[str, UserId],
        rounds: int = 3,
        patience_seconds: int = 5,
    ) -> Attendant:
        """A new attendant. Raises Conflict when name or extension is taken, Missing when a key leads to nobody of this organization."""

    def change(self, id: AttendantId, *, keys: Mapping[str, UserId] | None = None, **values: Any) -> None:
        """Give an attendant other values. Raises Missing, Conflict."""

    def remove(self, id: AttendantId) -> None:
        """Remove an attendant; its numbers stay the organization's. Raises Missing."""


class Numbers(Protocol):
    """The numbers of one organization."""

    def all(self) -> dict[E164, Destination | None]:
        """Every number and what it rings, None while that is nobody."""

    def page(self, listing: Listing) -> Page[NumberEntry]:
        """Some of them. Fields: number, username, attendant (its name), given ("yes" or "no")."""

    def available(self, listing: Listing) -> Page[AvailableNumber]:
        """Some of those that the organization may take. Fields: number, country, kind, locality, prefix.

        `text` is sought in number and locality.
        """

    def not_available(self, wanted: Collection[E164]) -> frozenset[E164]:
        """Those of these that the organization has not got and cannot take now."""

    def versions(self) -> dict[E164, int]:
        """The revision in which each was last changed."""

    def get(self, number: E164) -> NumberEntry | None:
        """One number, None when the organization has not got it."""

    def of(self, to: Destination) -> list[E164]:
        """The numbers that ring somebody, lowest first."""

    def assign(self, number: E164, to: Destination | None) -> None:
        """Give a number to somebody, or with None take it from whom it rings; one that is free in the stock is taken into use.

        Raises Conflict when it rings somebody already, NumberNotAvailable when it is not free there, Missing when the destination is not of
        this organization.
        """

    def give_back(self, number: E164) -> None:
        """The organization has the number no longer. Raises Missing."""
