"""Webhooks, how far they have heard, and their deliveries."""

import time
from collections.abc import Collection, Sequence
from typing import Any

from sqlalchemy import Connection, delete, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from offhook.domain.calls.cdr import Cdr
from offhook.domain.errors import Missing
from offhook.domain.organizations import OrganizationId
from offhook.services.ports.listing import Listing, Page
from offhook.services.ports.store import Change
from offhook.services.ports.webhooks import Delivery, DeliveryId, DeliveryState, NewDelivery, Webhook, WebhookId
from offhook.store.calls import cdr_of
from offhook.store.history import History
from offhook.store.listing import Listed
from offhook.store.scope import Row, Scope, is_open
from offhook.store.tables import cdrs, cursors, deliveries, organizations, webhooks

CHANGES, CALLS = "webhooks", "webhooks: calls"
"""The readers' names among the cursors. That of calls is a moment (`at`), that of changes a revision."""

WEBHOOKS = Listed(webhooks, "id", {"id": webhooks.c.id, "url": webhooks.c.url}, searched=("url",))
DELIVERIES = Listed(
    deliveries,
    "id",
    {name: deliveries.c[name] for name in ("id", "event", "kind", "state")},
    searched=("event", "kind", "state"),
    also={"webhook": lambda _scope, id: deliveries.c.webhook_id == id},
)


class Webhooks:
    """The webhooks of one organization; services.ports.webhooks.Webhooks."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._connection = scope.connection
        self._own = deliveries.c.organization_id == scope.organization

    def all(self) -> list[Webhook]:
        return [_webhook_of(row) for row in self._scope.rows(webhooks, order=[webhooks.c.id])]

    def page(self, listing: Listing) -> Page[Webhook]:
        rows, following = WEBHOOKS.page(self._scope, listing)
        return Page([_webhook_of(row) for row in rows], following)

    def by_id(self, id: WebhookId) -> Webhook | None:
        row = self._scope.row(webhooks, webhooks.c.id == id)
        return _webhook_of(row) if row else None

    def add(self, url: str, events: Sequence[str], secret: str) -> Webhook:
        first = not self._scope.has(webhooks)
        id = self._scope.insert(webhooks, url=url, events=list(events), secret=secret, enabled=True)
        if first:
            self.changes_taken_up(self._scope.revision - 1)
            self.calls_taken_up(time.time())
        return Webhook(WebhookId(id), url, tuple(events), secret, True, self._scope.revision)

    def change(self, id: WebhookId, **values: Any) -> None:
        if not self._scope.update(webhooks, webhooks.c.id == id, **values):
            raise Missing("There is no such webhook.", "webhook")

    def remove(self, id: WebhookId) -> None:
        if not self._scope.has(webhooks, webhooks.c.id == id):
            raise Missing("There is no such webhook.", "webhook")
        self._connection.execute(delete(deliveries).where(self._own, deliveries.c.webhook_id == id))
        self._scope.delete(webhooks, webhooks.c.id == id)

    def has_news(self, again_seconds: float) -> bool:
        row, cursor = self._scope.row(organizations), self._scope.row(cursors, cursors.c.consumer == CALLS)
        if row is not None and row["revision"] > History(self._scope).cursor(CHANGES):
            return True
        return bool(self._calls_after((cursor["at"] if cursor else 0.0) - again_seconds, 1))

    def fresh_changes(self, most: int) -> tuple[list[Change], int]:
        return History(self._scope).fresh(CHANGES, most)

    def changes_taken_up(self, revision: int) -> None:
        History(self._scope).move_cursor(CHANGES, revision)

    def fresh_calls(self, most: int, again_seconds: float) -> tuple[list[Cdr], float]:
        cursor = self._scope.row(cursors, cursors.c.consumer == CALLS)
        until = cursor["at"] if cursor else 0.0
        rows = self._calls_after(until, most)
        # Nearly all of these were taken up before, but none must be left out: no end but that of the time.
        again = self._calls_after(until - again_seconds, None, until) if again_seconds else []
        return [cdr_of(row) for row in [*again, *rows]], rows[-1]["kept_at"] if rows else until

    def _calls_after(self, moment: float, most: int | None, until: float | None = None) -> list[Row]:
        own = [cdrs.c.organization_id == self._scope.organization, cdrs.c.kept_at > moment]
        if until is not None:
            own.append(cdrs.c.kept_at <= until)
        return list(self._connection.execute(select(cdrs).where(*own).order_by(cdrs.c.kept_at).limit(most)).mappings())

    def calls_taken_up(self, moment: float) -> None:
        own = (cursors.c.organization_id == self._scope.organization, cursors.c.consumer == CALLS)
        if not self._connection.execute(update(cursors).where(*own).values(at=moment)).rowcount:
            row = {"organization_id": self._scope.organization, "consumer": CALLS, "revision": 0, "at": moment}
            self._connection.execute(cursors.insert().values(**row))

    def add_deliveries(self, new: Sequence[NewDelivery]) -> None:
        if not new:
            return
        now = time.time()
        common = {
            "organization_id": self._scope.organization,
            "state": DeliveryState.WAITING.value,
            "attempts": 0,
            "next_at": now,
            "made_at": now,
        }
        rows = [common | {"webhook_id": each.webhook, "event": each.event, "kind": each.kind, "body": each.body} for each in new]
        insert = postgresql.insert if self._connection.dialect.name == "postgresql" else sqlite.insert
        self._connection.execute(insert(deliveries).on_conflict_do_nothing(), rows)

    def deliveries(self, webhook: WebhookId, listing: Listing) -> Page[Delivery]:
        own = Listing(listing.limit, listing.sort, {**listing.equal, "webhook": webhook}, listing.text, listing.after)
        rows, following = DELIVERIES.page(self._scope, own)
        return Page([_delivery_of(row) for row in rows], following)

    def delivery(self, id: DeliveryId) -> Delivery | None:
        row = self._scope.row(deliveries, deliveries.c.id == id)
        return _delivery_of(row) if row else None

    def note(self, id: DeliveryId, **values: Any) -> None:
        self._connection.execute(update(deliveries).where(self._own, deliveries.c.id == id).values(**values))

    def last_delivered(self, webhook: WebhookId) -> float | None:
        return self._moment(func.max(deliveries.c.made_at), webhook, DeliveryState.DELIVERED, 0.0)

    def first_failed(self, webhook: WebhookId, after: float) -> float | None:
        return self._moment(func.min(deliveries.c.made_at), webhook, DeliveryState.FAILED, after)

    def _moment(self, which: Any, webhook: WebhookId, state: DeliveryState, after: float) -> float | None:
        of = (self._own, deliveries.c.webhook_id == webhook, deliveries.c.state == state.value, deliveries.c.made_at > after)
        found: float | None = self._connection.execute(select(which).where(*of)).scalar()
        return found

    def give_up(self, webhook: WebhookId, why: str) -> None:
        waiting = (self._own, deliveries.c.webhook_id == webhook, deliveries.c.state == DeliveryState.WAITING.value)
        self._connection.execute(update(deliveries).where(*waiting).values(state=DeliveryState.FAILED.value, last_error=why))

    def forget_deliveries(self, before: float) -> None:
        old = (self._own, deliveries.c.made_at < before, deliveries.c.state != DeliveryState.WAITING.value)
        self._connection.execute(delete(deliveries).where(*old))


class AllWebhooks:
    """services.ports.webhooks.AllWebhooks."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def organizations(self) -> list[OrganizationId]:
        own = select(webhooks.c.organization_id).where(is_open(webhooks.c.organization_id))
        found = self._connection.execute(own.distinct().order_by(webhooks.c.organization_id))
        return [OrganizationId(id) for id in found.scalars()]

    def due(self, now: float, limit: int, without: Collection[int] = ()) -> list[Delivery]:
        others = deliveries.c.webhook_id.not_in(list(without))
        waiting = (deliveries.c.state == DeliveryState.WAITING.value, deliveries.c.next_at <= now, others)
        found = (
            select(deliveries)
            .where(*waiting, is_open(deliveries.c.organization_id))
            .order_by(deliveries.c.next_at, deliveries.c.id)
            .limit(limit)
        )
        return [_delivery_of(row) for row in self._connection.execute(found).mappings()]


def _webhook_of(row: Row) -> Webhook:
    return Webhook(WebhookId(row["id"]), row["url"], tuple(row["events"]), row["secret"], bool(row["enabled"]), row["version"])


def _delivery_of(row: Row) -> Delivery:
    return Delivery(
        DeliveryId(row["id"]),
        OrganizationId(row["organization_id"]),
        WebhookId(row["webhook_id"]),
        row["event"],
        row["kind"],
        row["body"],
        DeliveryState(row["state"]),
        row["attempts"],
        row["next_at"],
        row["made_at"],
        row["last_status"],
        row["last_error"],
    )
