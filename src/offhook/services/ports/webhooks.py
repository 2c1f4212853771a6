"""Webhooks of organizations, and what was or is to be delivered to them. Errors as in services.ports.store."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, NewType, Protocol

from offhook.domain.calls.cdr import Cdr
from offhook.domain.organizations import OrganizationId
from offhook.services.ports.changes import Change
from offhook.services.ports.listing import Listing, Page

WebhookId = NewType("WebhookId", int)
DeliveryId = NewType("DeliveryId", int)


class DeliveryState(StrEnum):
    """How far a delivery is."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    FAILED = "failed"
    """Tried for a day, or the webhook was disabled; it can be asked for again."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """Where an organization wants to be told what happens. `secret` is sealed (services.sealing); `events` as in services.webhooks."""

    id: WebhookId
    url: str
    events: tuple[str, ...]
    secret: str
    enabled: bool
    version: int


@dataclass(frozen=True, slots=True)
class NewDelivery:
    """Something to be told to a webhook. `event` is the id of what happened, `kind` what sort of thing it was, `body` the JSON."""

    webhook: WebhookId
    event: str
    kind: str
    body: str


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one webhook. Times are seconds since 1970; `last_status` is the HTTP status that came last, None when none came."""

    id: DeliveryId
    organization: OrganizationId
    webhook: WebhookId
    event: str
    kind: str
    body: str
    state: DeliveryState
    attempts: int
    next_at: float
    made_at: float
    last_status: int | None
    last_error: str | None


class Webhooks(Protocol):
    """The webhooks of one organization."""

    def all(self) -> list[Webhook]:
        """Every webhook, oldest first."""

    def page(self, listing: Listing) -> Page[Webhook]:
        """Some of them. Fields: id, url."""

    def by_id(self, id: WebhookId) -> Webhook | None:
        """The webhook with this id, None if there is none."""

    def add(self, url: str, events: Sequence[str], secret: str) -> Webhook:
        """A new webhook; it is told what happens from now on."""

    def change(self, id: WebhookId, **values: Any) -> None:
        """Give it another url, events, secret or enabled. One that is enabled again hears nothing of what was meanwhile. Raises Missing."""

    def remove(self, id: WebhookId) -> None:
        """Forget it and its deliveries. Raises Missing."""

    def has_news(self, again_seconds: float) -> bool:
        """Whether there are changes or calls to be taken up, or calls that were written down in the seconds before those taken up."""

    def fresh_changes(self, most: int) -> tuple[list[Change], int]:
        """Changes that were not taken up yet, oldest first, some `most` of them in whole revisions; and up to which revision."""

    def changes_taken_up(self, revision: int) -> None:
        """The changes up to a revision were turned into deliveries."""

    def fresh_calls(self, most: int, again_seconds: float) -> tuple[list[Cdr], float]:
        """Calls that were written down since those taken up, and in the seconds before; and the moment that they go up to."""

    def calls_taken_up(self, moment: float) -> None:
        """The calls written down up to a moment were turned into deliveries."""

    def add_deliveries(self, deliveries: Sequence[NewDelivery]) -> None:
        """Deliver these as soon as possible; an event that a webhook has already is not added again."""

    def deliveries(self, webhook: WebhookId, listing: Listing) -> Page[Delivery]:
        """Some of a webhook's. Fields: id, event, kind, state."""

    def delivery(self, id: DeliveryId) -> Delivery | None:
        """One delivery, None if there is none."""

    def note(self, id: DeliveryId, **values: Any) -> None:
        """What came of an attempt: state, attempts, next_at, last_status, last_error. Nothing happens when it is gone."""

    def last_delivered(self, webhook: WebhookId) -> float | None:
        """When the last event that was delivered had happened; None if none was."""

    def first_failed(self, webhook: WebhookId, after: float) -> float | None:
        """When the first event after a moment that failed had happened; None if none did."""

    def give_up(self, webhook: WebhookId, why: str) -> None:
        """What waits for this webhook has failed."""

    def forget_deliveries(self, before: float) -> None:
        """Throw away what was delivered or failed and is older than a moment."""


class AllWebhooks(Protocol):
    """The webhooks of everybody, for whoever delivers."""

    def organizations(self) -> list[OrganizationId]:
        """Who has webhooks."""

    def due(self, now: float, limit: int, without: Collection[int] = ()) -> list[Delivery]:
        """What is to be tried now, oldest first; at most `limit`, and nothing for the webhooks in `without`."""
