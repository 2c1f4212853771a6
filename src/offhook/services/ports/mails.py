"""Mail that is on its way, and which changes have been told by it. Errors as in services.ports.store."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NewType, Protocol

from offhook.domain.mails import MailState
from offhook.domain.organizations import OrganizationId
from offhook.services.ports.listing import Listing, Page

MailId = NewType("MailId", int)


@dataclass(frozen=True, slots=True)
class NewMail:
    """A mail to be sent. `event` is the id of what it tells, `sealed` what it says (services.sealing), `expires_at` seconds since 1970."""

    kind: str
    event: str
    recipient: str
    language: str
    sealed: str
    expires_at: float


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail of an organization, or of the provider (`of_provider`; then `organization` is whom it is about, if anybody).

    Moments are seconds since 1970; `sealed` is None once there is nothing left to be sent; `last_error` says why it was not sent yet.
    """

    id: MailId
    organization: OrganizationId | None
    of_provider: bool
    kind: str
    event: str
    recipient: str
    language: str
    sealed: str | None
    state: MailState
    attempts: int
    next_at: float
    made_at: float
    expires_at: float
    last_error: str | None


@dataclass(frozen=True, slots=True)
class Backlog:
    """How much mail waits, and when the oldest of it was made (0.0: none waits)."""

    waiting: int
    oldest_at: float


class Mails(Protocol):
    """The mail of one organization, or the provider's own."""

    def page(self, listing: Listing) -> Page[Mail]:
        """Some of them. Fields: id, kind, state, recipient."""

    def by_id(self, id: MailId) -> Mail | None:
        """The mail with this id, None if there is none."""

    def note(self, id: MailId, **values: Any) -> None:
        """What came of it: state, attempts, next_at, last_error, sealed. Nothing happens when it is gone."""

    def give_up(self, event: str, why: str) -> None:
        """What tells of this event and was not sent has failed, and nothing of what it said is kept."""


class OwnMails(Mails, Protocol):
    """The mail of one organization, which reads its history."""

    def add(self, mails: Sequence[NewMail]) -> None:
        """Send these as soon as possible. What tells of the same event to the same reader is not added again."""

    def quiet(self) -> None:
        """Nobody is greeted because of what this transaction changes: it is of many at once."""

    def quiet_since(self, revision: int) -> frozenset[int]:
        """The revisions after one that greet nobody."""

    def forget_quiet(self, revision: int) -> None:
        """The revisions up to one were read."""


class ProviderMails(Mails, Protocol):
    """The provider's own mail."""

    def add(self, mails: Sequence[NewMail], about: OrganizationId | None = None) -> None:
        """Send these as soon as possible, as in OwnMails; about an organization, if about one."""


class AllMails(Protocol):
    """The mail of everybody, for whoever sends it."""

    def begin(self) -> None:
        """Mail is read off the history from now on, where it was not before."""

    def stop(self) -> None:
        """Mail is not read off the history any more; what happens meanwhile is told to nobody."""

    def behind(self) -> list[OrganizationId]:
        """Whose history has what was not read yet."""

    def owners_due(self, now: float) -> list[OrganizationId | None]:
        """Whose mail is to be tried now; None is the provider. In no order."""

    def due(self, owner: OrganizationId | None, now: float, most: int) -> list[Mail]:
        """What is to be tried now of one of them, oldest first."""

    def expire(self, now: float, forget_before: float) -> None:
        """What was not sent in its time has failed, and nothing of what it said is kept; what was made before a moment and waits for
        nothing is thrown away.
        """

    def backlog(self) -> Backlog:
        """How much waits."""
