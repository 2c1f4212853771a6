"""Webhooks: where an organization's programs are told what happens, and what they are told."""

import hashlib
import hmac
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from secrets import token_hex
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from offhook.domain.calls.cdr import Cdr
from offhook.domain.errors import Forbidden, Invalid, Missing
from offhook.domain.organizations import OrganizationId
from offhook.domain.webhooks import ALL_EVENTS, CALL_ANSWERED, CALL_BEGAN, CALL_ENDED, EVENTS, PATTERNS, SEEN_WITH, TEST
from offhook.services.ports.listing import Listing
from offhook.services.ports.live import LiveCall
from offhook.services.ports.store import Change, Store, Transaction
from offhook.services.ports.webhooks import Delivery, DeliveryId, DeliveryState, NewDelivery, Webhook, WebhookId
from offhook.services.sealing import Sealing
from offhook.services.secrets import new_token
from offhook.services.tokens import Access
from offhook.services.users import must_be_current

MOST_WEBHOOKS = 20
"""Of one organization: each is told everything it asked for, one after the other."""

LONGEST_URL = 2000
_HOST = re.compile(r"[A-Za-z0-9.\-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]")


class Happened(NamedTuple):
    """Something that webhooks are told: the event's id, its name such as "call.ended", and the body that tells it."""

    event: str
    name: str
    body: str


@dataclass(frozen=True, slots=True)
class WithSecret:
    """A webhook with the secret that signs what is sent to it, shown here and never again."""

    webhook: Webhook
    secret: str


def add_webhook(store: Store, access: Access, sealing: Sealing, url: str, events: Sequence[str]) -> WithSecret:
    """A new webhook. Raises Invalid, Forbidden."""
    assert access.organization is not None
    url, wanted, secret = checked_url(url), checked_events(access, events), new_token()
    with store.change(access.organization, access.label) as transaction:
        if len(transaction.webhooks.all()) >= MOST_WEBHOOKS:
            raise Invalid(f"An organization has {MOST_WEBHOOKS} webhooks at most; remove one first.", "url")
        return WithSecret(transaction.webhooks.add(url, wanted, sealing.seal(secret)), secret)


def change_webhook(store: Store, access: Access, id: WebhookId, changes: Mapping[str, Any], *, version: int | None = None) -> Webhook:
    """Give a webhook another url, events or enabled. Raises Missing, Invalid, Forbidden, Stale."""
    assert access.organization is not None
    values = dict(changes)
    if "url" in values:
        values["url"] = checked_url(values["url"])
    if "events" in values:
        values["events"] = checked_events(access, values["events"])
    with store.change(access.organization, access.label) as transaction:
        webhook = found(transaction, id)
        must_be_current(webhook.version, version)
        if "events" not in values:
            checked_events(access, webhook.events)  # who sends elsewhere what somebody else asked for must be able to see it
        transaction.webhooks.change(id, **values)
        if values.get("enabled") is False:
            transaction.webhooks.give_up(id, "the webhook was disabled")
        return found(transaction, id)


def new_secret(store: Store, access: Access, sealing: Sealing, id: WebhookId) -> WithSecret:
    """Sign with another secret from now on, what still waits too. Raises Missing."""
    assert access.organization is not None
    secret = new_token()
    with store.change(access.organization, access.label) as transaction:
        transaction.webhooks.change(id, secret=sealing.seal(secret))
        return WithSecret(found(transaction, id), secret)


def remove_webhook(store: Store, organization: OrganizationId, id: WebhookId, *, version: int | None = None, who: str) -> None:
    """Forget a webhook with its deliveries. Raises Missing, Stale."""
    with store.change(organization, who) as transaction:
        must_be_current(found(transaction, id).version, version)
        transaction.webhooks.remove(id)


def try_out(store: Store, organization: OrganizationId, id: WebhookId, who: str) -> Delivery:
    """Deliver something that did not happen, also to a webhook that is disabled. Raises Missing."""
    with store.change(organization, who) as transaction:
        found(transaction, id)
        event = f"test-{token_hex(8)}"
        said = {"event": TEST, "at": _moment(datetime.now(UTC).timestamp()), "test": {"asked_by": who}}
        return _added(transaction, NewDelivery(id, event, TEST, body_of(transaction.profile().domain, event, said)))


def redeliver(store: Store, organization: OrganizationId, id: WebhookId, delivery: DeliveryId, who: str) -> Delivery:
    """Deliver again what was delivered or has failed, now and with all its attempts; the same event id. Raises Missing."""
    with store.change(organization, who) as transaction:
        entry = transaction.webhooks.delivery(delivery)
        if entry is None or entry.webhook != id:
            raise Missing("There is no such delivery.", "delivery")
        now = datetime.now(UTC).timestamp()
        transaction.webhooks.note(delivery, state=DeliveryState.WAITING.value, attempts=0, next_at=now)
        again = transaction.webhooks.delivery(delivery)
        assert again is not None
        return again


def found(transaction: Transaction, id: WebhookId) -> Webhook:
    """The webhook with this id. Raises Missing."""
    webhook = transaction.webhooks.by_id(id)
    if webhook is None:
        raise Missing("There is no such webhook.", "webhook")
    return webhook


def checked_url(url: str) -> str:
    """Where to post. Whether its address may be connected to is looked at when it is. Raises Invalid."""
    url = url.strip()
    wrong = Invalid("Give the address of a page that takes POST: https://example.com/offhook, without name, password and #.", "url")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise wrong from None
    host = parts.netloc.rpartition(":")[0] if port is not None else parts.netloc
    if parts.scheme not in ("http", "https") or port == 0 or not _HOST.fullmatch(host) or "#" in url or len(url) > LONGEST_URL:
        raise wrong
    if not url.isascii() or not url.isprintable() or " " in url or "\\" in url:
        raise wrong
    return url


def checked_events(access: Access, events: Sequence[str]) -> list[str]:
    """What a webhook is told: events such as "user.changed", "user.*" for all of a kind, "*" for everything. Raises Invalid, Forbidden."""
    wanted = sorted(set(events))
    if not wanted or (unknown := [event for event in wanted if event not in PATTERNS]):
        named = f"{', '.join(unknown)}: no such event. " if wanted else ""
        raise Invalid(f"{named}There are {', '.join(EVENTS)}, KIND.* and *.", "events")
    needed = {scope for kind, scope in SEEN_WITH.items() if any(event.partition(".")[0] in (ALL_EVENTS, kind) for event in wanted)}
    if missing := sorted(needed - access.scopes):
        raise Forbidden(f"You have not got {', '.join(missing)} yourself, so no webhook of yours can tell of it.", "events")
    return wanted


def wants(webhook: Webhook, event: str) -> bool:
    """Whether a webhook is told of such an event."""
    return webhook.enabled and any(asked in (ALL_EVENTS, event, f"{event.partition('.')[0]}.*") for asked in webhook.events)


def of_change(domain: str, change: Change) -> Happened:
    """What happened by a change of the configuration."""
    deed = "created" if change.before is None else "deleted" if change.after is None else "changed"
    name, event = f"{change.kind}.{deed}", f"change-{change.revision}-{change.seq}"
    said = {
        "event": name,
        "at": _moment(change.at),
        "change": {
            "revision": change.revision,
            "who": change.who,
            "kind": change.kind,
            "id": change.id,
            "before": change.before,
            "after": change.after,
        },
    }
    return Happened(event, name, body_of(domain, event, said))


def of_record(domain: str, cdr: Cdr) -> Iterator[Happened]:
    """What happened by a call that is over, from its beginning: who was told so while it went on has these events already."""
    yield of_beginning(domain, cdr)
    if cdr.answered_at is not None:
        yield of_answer(domain, cdr)
    said = {
        "answered_at": None if cdr.answered_at is None else _moment(cdr.answered_at),
        "ended_at": _moment(cdr.ended_at),
        "talked_seconds": round(cdr.talked_seconds, 3),
        "connected": cdr.connected,
        "ending": cdr.ending.code,
        "findings": list(cdr.findings),
    }
    yield _of_call(domain, cdr, CALL_ENDED, f"call-{cdr.call}", cdr.ended_at, said)


def of_beginning(domain: str, call: LiveCall | Cdr) -> Happened:
    """What happened when a call began."""
    return _of_call(domain, call, CALL_BEGAN, f"call-{call.call}-began", call.started_at, {})


def of_answer(domain: str, call: LiveCall | Cdr) -> Happened:
    """What happened when a call was answered."""
    assert call.answered_at is not None
    said = {"answered_at": _moment(call.answered_at), "connected": call.connected}
    return _of_call(domain, call, CALL_ANSWERED, f"call-{call.call}-answered", call.answered_at, said)


def _of_call(domain: str, call: LiveCall | Cdr, name: str, event: str, at: float, more: Mapping[str, Any]) -> Happened:
    told = {
        "call": call.call,
        "started_at": _moment(call.started_at),
        "caller": call.caller,
        "dialled": call.dialled,
        "direction": call.direction,
        **more,
    }
    return Happened(event, name, body_of(domain, event, {"event": name, "at": _moment(at), "call": told}))


def body_of(domain: str, event: str, said: Mapping[str, Any]) -> str:
    """The JSON that is posted. Half a surrogate pair, which a stranger's words may hold, is no UTF-8: a question mark stands for it."""
    text = json.dumps({"id": event, "organization": domain, **said}, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode()


def signature(secret: str, timestamp: int, body: bytes) -> str:
    """What stands in Offhook-Signature: "v1=" and, in hex, HMAC-SHA-256 (RFC 2104) over timestamp, dot and body, keyed with the secret."""
    return "v1=" + hmac.new(secret.encode(), b"%d." % timestamp + body, hashlib.sha256).hexdigest()


def _added(transaction: Transaction, new: NewDelivery) -> Delivery:
    transaction.webhooks.add_deliveries([new])
    (delivery,) = transaction.webhooks.deliveries(new.webhook, Listing(1, equal={"event": new.event})).items
    return delivery


def _moment(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
