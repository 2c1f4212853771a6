"""What the history of an organization, and that of the provider, is made of."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from offhook.domain.organizations import OrganizationId


@dataclass(frozen=True, slots=True)
class Change:
    """One line of a history: a whole object of a kind, by its id.

    `before` is None for what was created, `after` for what was deleted. Secrets are told as "set". `seq` counts within the revision.
    """

    revision: int
    seq: int
    kind: str
    id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    who: str
    at: float


@dataclass(frozen=True, slots=True)
class ProviderChange(Change):
    """One line of the provider's history; `organization` is which one it was about, if one.

    Once an organization's records are erased `before` and `after` of its lines are empty.
    """

    organization: OrganizationId | None


@dataclass(frozen=True, slots=True)
class ChangesWanted:
    """Which lines of a history are wanted; all if nothing is said.

    Those older than `before` (revision, seq), of a `kind` and with one of these `ids`, by `who`, made from `since` on and before `until`
    (seconds since 1970), but for kinds that are `hidden`.
    """

    before: tuple[int, int] | None = None
    kind: str | None = None
    ids: Collection[str] | None = None
    who: str | None = None
    since: float | None = None
    until: float | None = None
    hidden: Collection[str] = ()


ALL_CHANGES = ChangesWanted()


class ProviderHistory(Protocol):
    """What was changed of what is the provider's."""

    def page(self, limit: int, wanted: ChangesWanted = ALL_CHANGES) -> list[ProviderChange]:
        """The newest changes that are wanted first."""

    def note(self, kind: str, id: str, before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> None:
        """Write down what was done to something that is not kept here, such as a ban."""
