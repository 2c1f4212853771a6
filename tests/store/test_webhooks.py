"""Deliveries are kept once each and in order, and made of what is kept of calls and changes."""

from dataclasses import replace

import pytest

from offhook.domain.calls.cdr import Cdr
from offhook.domain.organizations import OrganizationId
from offhook.services.deliveries import take_up
from offhook.services.ports.listing import Listing
from offhook.services.ports.store import NewUser
from offhook.services.ports.webhooks import Delivery, DeliveryState, NewDelivery, WebhookId
from offhook.store.records import RecordsWriter
from offhook.store.transaction import Database
from tests.store.finished import finished

ALL = Listing(1000, (("id", False),))


def added(database: Database, organization: OrganizationId, *events: str) -> WebhookId:
    with database.change(organization, "tests") as transaction:
        return transaction.webhooks.add("https://crm.example.com/", events, "sealed").id


def taken_up(database: Database, organization: OrganizationId, again_seconds: float = 0.0) -> None:
    with database.change(organization, "webhooks") as transaction:
        take_up(transaction, again_seconds)


def over(database: Database, organization: OrganizationId, number: int, *, answered: bool = True) -> Cdr:
    """A call that is over, and its record is kept."""
    cdr, trace = finished(number, organization)
    if not answered:
        cdr = replace(cdr, answered_at=None)
    writer = RecordsWriter(database.engine)
    writer.keep(cdr, trace)
    assert writer.close() == 0
    return cdr


def listed(database: Database, organization: OrganizationId, webhook: WebhookId) -> list[Delivery]:
    with database.view(organization) as transaction:
        return transaction.webhooks.deliveries(webhook, ALL).items


def events(database: Database, organization: OrganizationId, webhook: WebhookId) -> list[str]:
    return [delivery.event for delivery in listed(database, organization, webhook)]


def test_an_event_that_a_webhook_has_is_not_added_again(database: Database, lumen: OrganizationId) -> None:
    first, second = added(database, lumen, "*"), added(database, lumen, "*")
    many = [NewDelivery(webhook, f"event-{number}", "call.began", "{}") for number in range(300) for webhook in (first, second)]
    with database.change(lumen, "webhooks") as transaction:
        transaction.webhooks.add_deliveries(many)
    with database.change(lumen, "webhooks") as transaction:
        (told,) = transaction.webhooks.deliveries(first, Listing(1, equal={"event": "event-7"})).items
        transaction.webhooks.note(told.id, state=DeliveryState.DELIVERED.value, attempts=1)
        transaction.webhooks.add_deliveries([*many, NewDelivery(first, "event-300", "call.began", "{}")])
    with database.view(lumen) as transaction:
        assert transaction.webhooks.delivery(told.id) == replace(told, state=DeliveryState.DELIVERED, attempts=1)
    for webhook, count in ((first, 301), (second, 300)):
        assert events(database, lumen, webhook) == [f"event-{number}" for number in range(count)], "in the order they were added"


def test_a_call_is_told_whole_from_its_record_without_what_was_told_before(database: Database, lumen: OrganizationId) -> None:
    whole, ends, other = added(database, lumen, "call.*"), added(database, lumen, "call.ended"), added(database, lumen, "user.*")
    taken_up(database, lumen)
    with database.change(lumen, "webhooks") as transaction:
        beginning = f"call-{finished(1, lumen)[0].call}-began"
        transaction.webhooks.add_deliveries([NewDelivery(whole, beginning, "call.began", "{}")])
    talked, missed = over(database, lumen, 1), over(database, lumen, 2, answered=False)
    for _ in range(3):
        taken_up(database, lumen, again_seconds=30.0)
    assert events(database, lumen, whole) == [
        f"call-{talked.call}-began", f"call-{talked.call}-answered", f"call-{talked.call}",
        f"call-{missed.call}-began", f"call-{missed.call}",
    ]  # fmt: skip
    assert events(database, lumen, ends) == [f"call-{talked.call}", f"call-{missed.call}"]
    assert events(database, lumen, other) == []


def test_what_is_taken_up_is_no_news(database: Database, lumen: OrganizationId, pine: OrganizationId) -> None:
    webhook = added(database, lumen, "*")
    over(database, lumen, 1)
    over(database, pine, 2)
    with database.change(lumen, "ada") as transaction:
        assert transaction.webhooks.has_news(0.0)
        transaction.users.add(NewUser("anna", "Anna", "en", "101"))
    taken_up(database, lumen)
    with database.view(lumen) as transaction:
        assert not transaction.webhooks.has_news(0.0) and transaction.webhooks.has_news(30.0)
    told = listed(database, lumen, webhook)
    assert [row.kind for row in told] == ["webhook.created", "user.created", "call.began", "call.answered", "call.ended"]
    assert all(row.organization == lumen and row.state is DeliveryState.WAITING for row in told)


@pytest.mark.parametrize("state", [DeliveryState.DELIVERED, DeliveryState.FAILED])
def test_what_is_due_is_what_waits(database: Database, lumen: OrganizationId, pine: OrganizationId, state: DeliveryState) -> None:
    one, other = added(database, lumen, "*"), added(database, pine, "*")
    for organization, webhook in ((lumen, one), (pine, other)):
        with database.change(organization, "webhooks") as transaction:
            transaction.webhooks.add_deliveries([NewDelivery(webhook, f"event-{number}", "call.began", "{}") for number in range(3)])
    first, second, third = listed(database, lumen, one)
    with database.change(lumen, "webhooks") as transaction:
        transaction.webhooks.note(first.id, state=state.value)
        transaction.webhooks.note(second.id, next_at=second.next_at + 1000)
    with database.provider_view() as provider:
        due = provider.webhooks.due(third.next_at + 100, 100)
        assert [row.id for row in due if row.webhook == one] == [third.id]
        assert [row.event for row in due if row.webhook == other] == ["event-0", "event-1", "event-2"]
        assert {row.webhook for row in provider.webhooks.due(third.next_at + 100, 100, without=[one])} == {other}
        assert len(provider.webhooks.due(third.next_at + 100, 2)) == 2
    with database.change(lumen, "webhooks") as transaction:
        transaction.webhooks.forget_deliveries(first.made_at + 1)
    assert [row.id for row in listed(database, lumen, one)] == [second.id, third.id], "what waits is not forgotten"
    assert len(listed(database, pine, other)) == 3
