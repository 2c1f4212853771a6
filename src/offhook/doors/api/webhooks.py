"""Webhooks: where programs are told what happens."""

from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal

from fastapi import APIRouter, Depends, Path, Query, Response
from fastapi.concurrency import run_in_threadpool
from pydantic import BaseModel, Field

from offhook.doors.api.access import Inside, Own, needs
from offhook.doors.api.paging import LARGEST_ID, PRINTABLE, PageAsked, cursor, listing
from offhook.doors.api.people import saved
from offhook.doors.api.resources import Expected, Looked
from offhook.doors.api.shapes import Asked, Saved, named
from offhook.services import webhooks as service
from offhook.services.ports.webhooks import Delivery, DeliveryId, Webhook, WebhookId
from offhook.services.tokens import Access

router = APIRouter(tags=["webhooks"])

READS, WRITES = "webhooks:read", "webhooks:write"
Writer = Annotated[Access, needs(WRITES)]
WebhookPath = Annotated[int, Path(ge=1, le=LARGEST_ID)]
DeliveryPath = Annotated[int, Path(ge=1, le=LARGEST_ID)]
Events = list[Annotated[str, Field(max_length=60)]]
_EVENTS = Field(
    max_length=60,
    description="`call.began`, `call.answered`, `call.ended`, `user.changed` ...; `user.*` for all of a kind, `*` for everything.",
)


class WebhooksAsked(PageAsked):
    """Which webhooks to list."""

    sorts: ClassVar[tuple[str, ...]] = ("id", "url")


class WebhookAsked(Asked):
    """A new webhook."""

    url: str = Field(max_length=service.LONGEST_URL, examples=["https://crm.example.com/offhook"])
    events: Annotated[Events, _EVENTS] = Field(examples=[["call.began", "call.ended", "user.*"]])


class WebhookChanges(Asked):
    """What shall be otherwise. One that is disabled is told nothing, and hears nothing later of what was meanwhile."""

    url: str = named(max_length=service.LONGEST_URL)
    events: Annotated[Events, _EVENTS] = named()
    enabled: bool = named()


class WebhookShown(BaseModel):
    """A webhook, without its secret. It is disabled by itself when it took nothing for three days; the history says so."""

    id: int
    url: str
    events: list[str]
    enabled: bool


class WebhooksShown(BaseModel):
    """A page of webhooks."""

    webhooks: list[WebhookShown]
    next: str | None


class WebhookSaved(BaseModel):
    """A webhook after a change."""

    webhook: WebhookShown
    revision: int | None
    in_effect: bool


class WebhookMade(WebhookSaved):
    """A webhook with the secret that signs what is sent to it, shown here only."""

    secret: str | None


class DeliveriesAsked(PageAsked):
    """Which deliveries to list."""

    sorts: ClassVar[tuple[str, ...]] = ("id",)

    state: Literal["waiting", "delivered", "failed"] | None = None
    kind: str | None = Field(None, max_length=40, pattern=PRINTABLE, description="What happened: `call.began`, `user.changed`.")
    event: str | None = Field(None, max_length=64, pattern=PRINTABLE, description="The id of the event.")


class DeliveryShown(BaseModel):
    """One event on its way. `body` is what is posted; `last_status` and `last_error` are of the last attempt."""

    id: int
    event: str
    kind: str
    state: str
    attempts: int
    made_at: datetime
    next_at: datetime | None
    last_status: int | None
    last_error: str | None
    body: str


class DeliveriesShown(BaseModel):
    """A page of deliveries; `sort=-id` has the newest first."""

    deliveries: list[DeliveryShown]
    next: str | None


@router.get("/webhooks", dependencies=[needs(READS)])
def webhooks(house: Inside, own: Own, asked: Annotated[WebhooksAsked, Query()]) -> WebhooksShown:
    """Where programs are told what happens."""
    with house.store.view(own) as transaction:
        page = transaction.webhooks.page(listing(asked))
    return WebhooksShown(webhooks=[_shown(webhook) for webhook in page.items], next=cursor(asked, page.next))


@router.post("/webhooks", status_code=201)
async def new_webhook(house: Inside, _own: Own, visitor: Writer, response: Response, asked: WebhookAsked) -> WebhookMade:
    """Have a program told what happens from now on. How it knows that it is us: docs/operate/webhooks.md."""
    made = await run_in_threadpool(service.add_webhook, house.store, visitor, house.sealing, asked.url, asked.events)
    response.headers["Location"] = f"/api/v1/webhooks/{made.webhook.id}"
    return WebhookMade(webhook=_shown(made.webhook), secret=made.secret, **await saved(house))


@router.get("/webhooks/{webhook}", dependencies=[needs(READS)])
def webhook(house: Inside, own: Own, webhook: WebhookPath, looked: Annotated[Looked, Depends()]) -> WebhookShown:
    """One webhook."""
    with house.store.view(own) as transaction:
        found = service.found(transaction, WebhookId(webhook))
    return looked.at(_shown(found), found.version)


@router.patch("/webhooks/{webhook}")
async def change_webhook(
    house: Inside, _own: Own, visitor: Writer, webhook: WebhookPath, asked: WebhookChanges, expected: Annotated[Expected, Depends()]
) -> WebhookSaved:
    """Give a webhook another address or other events, or disable or enable it."""
    changes, version = asked.model_dump(exclude_unset=True), expected.version
    changed = await run_in_threadpool(lambda: service.change_webhook(house.store, visitor, WebhookId(webhook), changes, version=version))
    return WebhookSaved(webhook=expected.now(_shown(changed), changed.version), **await saved(house))


@router.delete("/webhooks/{webhook}")
async def delete_webhook(house: Inside, own: Own, visitor: Writer, webhook: WebhookPath, expected: Annotated[Expected, Depends()]) -> Saved:
    """Tell that program nothing more; what waits for it is dropped."""
    version = expected.version
    await run_in_threadpool(lambda: service.remove_webhook(house.store, own, WebhookId(webhook), version=version, who=visitor.label))
    return Saved(**await saved(house))


@router.post("/webhooks/{webhook}/secret")
async def new_secret(house: Inside, _own: Own, visitor: Writer, webhook: WebhookPath) -> WebhookMade:
    """Sign with another secret from now on, also what still waits."""
    made = await run_in_threadpool(service.new_secret, house.store, visitor, house.sealing, WebhookId(webhook))
    return WebhookMade(webhook=_shown(made.webhook), secret=made.secret, **await saved(house))


@router.post("/webhooks/{webhook}/test", status_code=202)
def test_webhook(house: Inside, own: Own, visitor: Writer, webhook: WebhookPath) -> DeliveryShown:
    """Post something that did not happen (`webhook.test`), once, within a second or two; look at the delivery for what came of it."""
    return _delivery_shown(service.try_out(house.store, own, WebhookId(webhook), visitor.label))


@router.get("/webhooks/{webhook}/deliveries", dependencies=[needs(READS)])
def deliveries(house: Inside, own: Own, webhook: WebhookPath, asked: Annotated[DeliveriesAsked, Query()]) -> DeliveriesShown:
    """What was told to a webhook in the last seven days, and what waits."""
    with house.store.view(own) as transaction:
        service.found(transaction, WebhookId(webhook))
        page = transaction.webhooks.deliveries(WebhookId(webhook), listing(asked))
    return DeliveriesShown(deliveries=[_delivery_shown(delivery) for delivery in page.items], next=cursor(asked, page.next))


@router.post("/webhooks/{webhook}/deliveries/{delivery}/again", status_code=202)
def deliver_again(house: Inside, own: Own, visitor: Writer, webhook: WebhookPath, delivery: DeliveryPath) -> DeliveryShown:
    """Deliver once more what was delivered or has failed, with the same event id."""
    return _delivery_shown(service.redeliver(house.store, own, WebhookId(webhook), DeliveryId(delivery), visitor.label))


def _shown(webhook: Webhook) -> WebhookShown:
    return WebhookShown(id=webhook.id, url=webhook.url, events=list(webhook.events), enabled=webhook.enabled)


def _delivery_shown(delivery: Delivery) -> DeliveryShown:
    return DeliveryShown(
        id=delivery.id,
        event=delivery.event,
        kind=delivery.kind,
        state=delivery.state.value,
        attempts=delivery.attempts,
        made_at=datetime.fromtimestamp(delivery.made_at, UTC),
        next_at=datetime.fromtimestamp(delivery.next_at, UTC) if delivery.state == "waiting" else None,
        last_status=delivery.last_status,
        last_error=delivery.last_error,
        body=delivery.body,
    )
