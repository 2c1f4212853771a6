"""The provider's stock of numbers, out of which organizations take theirs. Errors as in services.ports.store."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from offhook.domain.numbers import E164, NumberKind, StockState, state_of
from offhook.domain.organizations import OrganizationId
from offhook.services.ports.listing import Listing, Page


@dataclass(frozen=True, slots=True)
class NewStockNumber:
    """A number that enters the stock. `carrier` is by whom it comes, None: unknown; `locality` may be empty."""

    number: E164
    carrier: str | None
    country: str
    kind: NumberKind
    locality: str


@dataclass(frozen=True, slots=True)
class StockNumber:
    """A number of the stock, as the provider sees it.

    `withheld` says why it is not offered, None: it is. `organization` has it, whose domain stands beside it; None: nobody. `version` is the
    provider's revision of its last change.
    """

    number: E164
    carrier: str | None
    country: str
    kind: NumberKind
    locality: str
    withheld: str | None
    organization: OrganizationId | None
    domain: str | None
    version: int

    @property
    def state(self) -> StockState:
        """How it stands."""
        return state_of(held=self.organization is not None, withheld=self.withheld is not None)


@dataclass(frozen=True, slots=True)
class AvailableNumber:
    """A number that an organization may take, as the organization sees it."""

    number: E164
    country: str
    kind: NumberKind
    locality: str


class Stock(Protocol):
    """The provider's numbers."""

    def page(self, listing: Listing) -> Page[StockNumber]:
        """Some of them. Fields: number, carrier, country, kind, locality, state, organization (its number), prefix.

        `text` is sought in number and locality.
        """

    def held(self, numbers: Collection[E164]) -> dict[E164, StockNumber]:
        """Those of these that are there. Where the transaction writes, nobody takes, changes or removes them until it ends."""

    def add_all(self, new: Sequence[NewStockNumber]) -> None:
        """They enter it, in few statements. Raises Conflict when one is there already."""

    def change_all(self, numbers: Collection[E164], **values: Any) -> None:
        """Give these other values: carrier, country, kind, locality, withheld. What is not there stays so."""

    def remove_all(self, numbers: Collection[E164]) -> None:
        """These leave it. Raises Conflict when an organization has one."""

    def of_carrier(self, carrier: str) -> list[E164]:
        """The numbers that come by this carrier, lowest first."""

    def count_of_carrier(self, carrier: str) -> int:
        """How many come by it."""
