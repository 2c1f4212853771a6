"""How far the switch, the edge, the webhooks and mail are behind the history."""

import time

from offhook.domain.organizations import OrganizationId
from offhook.services.organizations import close_organization
from offhook.services.ports.store import Lag, Store
from offhook.services.users import add_user


def lags(store: Store) -> dict[str, Lag]:
    with store.provider_view() as provider:
        return provider.lags()


def come_so_far(store: Store, organization: OrganizationId, consumer: str) -> None:
    with store.change(organization, "tests") as transaction:
        transaction.history.move_cursor(consumer, transaction.profile().revision)


def test_readers_are_behind_by_what_they_have_not_taken_up(store: Store, lumen: OrganizationId, pine: OrganizationId) -> None:
    for organization in (lumen, pine):
        for consumer in ("switch", "edge"):
            come_so_far(store, organization, consumer)
    assert lags(store) == dict.fromkeys(("switch", "edge", "webhooks", "mail"), Lag(0, 0, 0.0))
    began = time.time()
    for number in range(3):
        add_user(store, lumen, username=f"user{number}", name="Someone", who="tests")
    add_user(store, pine, username="anna", name="Anna", who="tests")
    come_so_far(store, lumen, "edge")
    told = lags(store)
    assert (told["switch"].organizations, told["switch"].revisions) == (2, 3)
    assert (told["edge"].organizations, told["edge"].revisions) == (1, 1)
    assert 0 <= told["edge"].seconds <= told["switch"].seconds <= time.time() - began + 0.1
    close_organization(store, pine, gives_back=True, who="tests")
    assert lags(store)["edge"] == Lag(0, 0, 0.0), "nobody waits for one that is closed"


def test_webhooks_are_behind_only_where_one_would_be_told(store: Store, lumen: OrganizationId) -> None:
    with store.change(lumen, "tests") as transaction:
        webhook = transaction.webhooks.add("https://crm.example.com/", ["*"], "sealed")
    assert lags(store)["webhooks"].organizations == 1
    with store.change(lumen, "tests") as transaction:
        transaction.webhooks.change(webhook.id, enabled=False)
    assert lags(store)["webhooks"] == Lag(0, 0, 0.0)


def test_mail_is_behind_only_where_there_is_a_mail_server(store: Store, lumen: OrganizationId) -> None:
    add_user(store, lumen, username="anna", name="Anna", who="tests")
    assert lags(store)["mail"] == Lag(0, 0, 0.0)
    with store.provider_change("mail") as provider:
        provider.all_mails.begin()
    assert lags(store)["mail"] == Lag(0, 0, 0.0), "what was before is told to nobody"
    add_user(store, lumen, username="ben", name="Ben", who="tests")
    assert lags(store)["mail"].revisions == 1
    come_so_far(store, lumen, "mail")
    assert lags(store)["mail"] == Lag(0, 0, 0.0)
    add_user(store, lumen, username="zoe", name="Zoe", who="tests")
    with store.provider_change("mail") as provider:
        provider.all_mails.stop()
    assert lags(store)["mail"] == Lag(0, 0, 0.0)
