"""What happened is told to the webhooks that asked for it: at least once, in the order it happened while nothing has to be repeated.

Changes and finished calls are read from what is kept of them. That a call began or was answered is taken from what the switch tells, to be
worth something while it goes on; whatever was missed there is made up for from the call's record, and nothing is told twice, as an event
that a webhook has already is not added again.
"""

import asyncio
import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Iterable
from contextlib import aclosing, suppress
from functools import partial
from itertools import chain, groupby
from typing import NamedTuple

from offhook.domain.errors import Refusal
from offhook.domain.organizations import OrganizationId
from offhook.domain.webhooks import CALL_ANSWERED, CALL_BEGAN, CALL_ENDED, TEST
from offhook.services.live_calls import NOW, happenings
from offhook.services.ports.live import LiveCall, LiveSwitch
from offhook.services.ports.posting import Outcome, Post
from offhook.services.ports.store import Store, Transaction
from offhook.services.ports.webhooks import Delivery, DeliveryState, NewDelivery, Webhook
from offhook.services.reading import each_by_itself
from offhook.services.sealing import SealBroken, Sealing
from offhook.services.webhooks import Happened, of_answer, of_beginning, of_change, of_record, signature, wants

LOOK_SECONDS = 1.0
GATHER_SECONDS = 0.1
"""How long what happens now waits for more, so that a busy system writes many at once."""

MOST_HAPPENED = 10_000
"""Beginnings and answers that wait while the database is away; the oldest of more are told when their calls are over."""

LONGEST_REST_SECONDS = 300.0
"""A webhook that failed is left alone for 1, 2, 4 ... seconds, whatever waits for it, so that those that answer need not wait."""

RETRY_AFTER_SECONDS = (10, 30, 60, 300, 900, 1800, 3600, 7200, 14400, 28800, 28800)
"""Between one attempt and the next: twelve attempts in a day, less one minute and a half."""

DISABLED_AFTER_SECONDS = 3 * 86400.0
"""A webhook that took nothing for so long, of what it was told, is disabled."""

KEPT_SECONDS = 7 * 86400.0
MOST_AT_ONCE = 32
"""So many webhooks are posted to at a time; to each one event after the other."""

MOST_TAKEN_UP = 500
MOST_DUE = 200
AGAIN_SECONDS, AGAIN_EVERY_SECONDS = 30.0, 10.0
"""A record may be written a moment after one that was made later: those of the last half minute are looked at again."""

FORGET_EVERY_SECONDS = 3600.0
WHO = "webhooks"
log = logging.getLogger(__name__)


class _Live(NamedTuple):
    """A call that began or was answered just now."""

    name: str
    call: LiveCall

    def happened(self, domain: str) -> Happened:
        return of_beginning(domain, self.call) if self.name == CALL_BEGAN else of_answer(domain, self.call)


class Deliverer:
    """Turns changes and calls into deliveries and posts them, while `run` runs. `clock` tells seconds since 1970."""

    def __init__(self, store: Store, switch: LiveSwitch, post: Post, sealing: Sealing, clock: Callable[[], float] = time.time) -> None:
        self._store = store
        self._switch = switch
        self._post = post
        self._sealing = sealing
        self._clock = clock
        self._again_at = 0.0
        self._forget_at = 0.0
        self._at_work: dict[int, asyncio.Task[bool]] = {}
        self._resting: dict[int, tuple[int, float]] = {}
        self._followers: frozenset[OrganizationId] = frozenset()
        self._following: asyncio.Task[None] | None = None
        self._happened: deque[_Live] = deque(maxlen=MOST_HAPPENED)
        self._news = asyncio.Event()

    async def run(self) -> None:
        """For ever: look, deliver. What fails is tried again; what was being posted when this was cancelled is posted again later."""
        try:
            while True:
                until = time.monotonic() + LOOK_SECONDS
                well = await self._try(whole=True)
                self._follow_if_wanted()
                while well and await self._news_before(until):
                    well = await self._try(whole=False)
                await asyncio.sleep(max(0.0, until - time.monotonic()))
        finally:
            for task in (*self._at_work.values(), *((self._following,) if self._following else ())):
                task.cancel()

    async def _try(self, *, whole: bool) -> bool:
        try:
            await self.look(whole=whole)
        except Refusal as away:
            log.warning("Webhooks wait: %s", away)
        except Exception:
            log.exception("Webhooks could not be looked after")
        else:
            return True
        return False

    async def _news_before(self, until: float) -> bool:
        """Whether something happens to a call before then; a moment later, as more may."""
        if (left := until - time.monotonic()) <= 0:
            return False
        with suppress(TimeoutError):
            async with asyncio.timeout(left):
                await self._news.wait()
                await asyncio.sleep(GATHER_SECONDS)
        happened = self._news.is_set()
        self._news.clear()
        return happened

    def _follow_if_wanted(self) -> None:
        follows = self._following is not None and not self._following.done()
        if self._followers and not follows:
            self._following = asyncio.create_task(self.follow(), name="webhooks: calls")
        elif self._following is not None and not self._followers:
            self._following.cancel()
            self._following = None

    async def follow(self) -> None:
        """For ever: take up that calls began and were answered, those that go on at first too: it may not have been told of them."""
        async with aclosing(happenings(self._switch)) as told:
            async for name, calls in told:
                for call in calls:
                    if call.organization in self._followers:
                        self._happened.extend(_Live(each, call) for each in _happened_to(name, call))
                if self._happened:
                    self._news.set()

    async def look(self, *, whole: bool = True) -> None:
        """Take up what happened, and begin to post what is due; if not `whole`, take up what happens to calls now alone."""
        now = self._clock()
        self._resting = {webhook: until for webhook, until in self._resting.items() if until[1] > now - FORGET_EVERY_SECONDS}
        busy = frozenset(self._at_work) | {webhook for webhook, (_, until) in self._resting.items() if until > now}
        room = MOST_AT_ONCE - len(self._at_work)
        happened, self._happened = self._happened, deque(maxlen=MOST_HAPPENED)
        try:
            due = await asyncio.to_thread(self._due, busy, happened, whole)
        except BaseException:
            self._happened = deque(chain(happened, self._happened), MOST_HAPPENED)
            raise
        for delivery, *rest in due[:room]:
            task = asyncio.create_task(self._deliver([delivery, *rest]), name=f"webhook {delivery.webhook}")
            self._at_work[delivery.webhook] = task
            task.add_done_callback(partial(self._done, delivery.webhook))

    def _done(self, webhook: int, task: asyncio.Task[bool]) -> None:
        del self._at_work[webhook]
        if task.cancelled():
            return
        if (failure := task.exception()) is not None:
            log.error("A webhook could not be looked after", exc_info=failure)
        elif task.result():
            self._news.set()  # something may have come for it meanwhile

    async def settled(self) -> None:
        """Return when nothing is being posted."""
        while self._at_work:
            await asyncio.gather(*self._at_work.values(), return_exceptions=True)

    def _due(self, without: frozenset[int], happened: Iterable[_Live], whole: bool) -> list[list[Delivery]]:
        """What to post now, by webhook."""
        self._take_up_live(happened)
        if whole:
            self._take_up_kept()
        with self._store.provider_view() as provider:
            due = provider.webhooks.due(self._clock(), MOST_DUE, without)
        by_webhook = groupby(sorted(due, key=lambda each: (each.webhook, each.id)), key=lambda each: each.webhook)
        return [list(each) for _, each in by_webhook]

    def _take_up_live(self, happened: Iterable[_Live]) -> None:
        by_organization: dict[int, list[_Live]] = defaultdict(list)
        for each in happened:
            by_organization[each.call.organization or 0].append(each)
        for id, those in by_organization.items():
            organization = OrganizationId(id)
            # What cannot be told now will be when the calls are over.
            each_by_itself(organization, "What happens to calls", partial(self._tell_now, organization, those))

    def _tell_now(self, organization: OrganizationId, those: Iterable[_Live]) -> None:
        with self._store.change(organization, WHO) as transaction:
            webhooks, domain = transaction.webhooks.all(), transaction.profile().domain
            transaction.webhooks.add_deliveries(list(_told(webhooks, (each.happened(domain) for each in those))))

    def _take_up_kept(self) -> None:
        with self._store.provider_view() as provider:
            organizations = provider.webhooks.organizations()
        now, again, forget = self._clock(), 0.0, False
        if now >= self._again_at:
            again, self._again_at = AGAIN_SECONDS, now + AGAIN_EVERY_SECONDS
        if now >= self._forget_at:
            forget, self._forget_at = True, now + FORGET_EVERY_SECONDS
        followers = set()
        for organization in organizations:
            if self._take_up(organization, again, forget):
                followers.add(organization)
        self._followers = frozenset(followers)

    def _take_up(self, organization: OrganizationId, again: float, forget: bool) -> bool:
        """Take up what is kept of an organization; whether one of its webhooks wants to know of calls while they go on."""
        webhooks: list[Webhook] = []

        def read() -> None:
            with self._store.view(organization) as view:
                fresh, found = view.webhooks.has_news(again), view.webhooks.all()
            if fresh or forget:
                with self._store.change(organization, WHO) as transaction:
                    take_up(transaction, again)
                    if forget:
                        transaction.webhooks.forget_deliveries(self._clock() - KEPT_SECONDS)
            webhooks.extend(found)

        each_by_itself(organization, "What happened", read)
        return any(wants(webhook, name) for webhook in webhooks for name in (CALL_BEGAN, CALL_ANSWERED))

    async def _deliver(self, waiting: list[Delivery]) -> bool:
        """Post to one webhook what is due, oldest first, until one has to wait; whether none had to."""
        for delivery in waiting:
            found = await asyncio.to_thread(self._webhook_of, delivery)
            if found is None:
                continue
            outcome = await self._attempt(*found, delivery)
            try:
                await asyncio.to_thread(self._note, delivery, outcome)
            except Refusal as away:
                log.warning("What came of a delivery could not be noted, so it is repeated: %s", away)
                return False
            if outcome.error is not None:
                failures = self._resting.get(delivery.webhook, (0, 0.0))[0] + 1
                self._resting[delivery.webhook] = failures, self._clock() + min(LONGEST_REST_SECONDS, 2.0 ** min(failures - 1, 20))
                return False
            self._resting.pop(delivery.webhook, None)
        return True

    def _webhook_of(self, delivery: Delivery) -> tuple[Webhook, str] | None:
        """The webhook and whose it is; None when this delivery is no longer wanted."""
        with self._store.view(delivery.organization) as transaction:
            webhook, now = transaction.webhooks.by_id(delivery.webhook), transaction.webhooks.delivery(delivery.id)
            if webhook is None or now is None or now.state is not DeliveryState.WAITING:
                return None
            return webhook, transaction.profile().domain

    async def _attempt(self, webhook: Webhook, domain: str, delivery: Delivery) -> Outcome:
        try:
            secret = self._sealing.open(webhook.secret)
        except SealBroken:
            return Outcome(None, "its secret was sealed by another installation; give the webhook a new one")
        body, now = delivery.body.encode(), int(self._clock())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "Offhook",
            "Offhook-Event": delivery.kind,
            "Offhook-Event-Id": delivery.event,
            "Offhook-Attempt": str(delivery.attempts + 1),
            "Offhook-Timestamp": str(now),
            "Offhook-Signature": signature(secret, now, body),
        }
        outcome = await self._post(webhook.url, headers, body)
        if outcome.error is not None:
            log.info("Webhook %s of %s did not take %s: %s", webhook.id, domain, delivery.event, outcome.error)
        return outcome

    def _note(self, delivery: Delivery, outcome: Outcome) -> None:
        now, attempts = self._clock(), delivery.attempts + 1
        values = {"attempts": attempts, "last_status": outcome.status, "last_error": outcome.error}
        with self._store.change(delivery.organization, WHO) as transaction:
            if outcome.error is None:
                transaction.webhooks.note(delivery.id, state=DeliveryState.DELIVERED.value, **values)
            elif delivery.kind != TEST and attempts <= len(RETRY_AFTER_SECONDS):
                transaction.webhooks.note(delivery.id, next_at=now + RETRY_AFTER_SECONDS[attempts - 1], **values)
            else:
                # A test is tried once: who asked for it waits for the answer.
                transaction.webhooks.note(delivery.id, state=DeliveryState.FAILED.value, **values)
        if outcome.error is not None and delivery.kind != TEST:
            self._disable_if_dead(delivery, now)

    def _disable_if_dead(self, delivery: Delivery, now: float) -> None:
        with self._store.view(delivery.organization) as view:
            taken = view.webhooks.last_delivered(delivery.webhook) or 0.0
            failed = view.webhooks.first_failed(delivery.webhook, taken)
        if failed is None or now - failed < DISABLED_AFTER_SECONDS:
            return
        days = round(DISABLED_AFTER_SECONDS / 86400)
        with self._store.change(delivery.organization, f"webhooks (it took nothing for {days} days)") as transaction:
            webhook = transaction.webhooks.by_id(delivery.webhook)
            if webhook is not None and webhook.enabled:
                transaction.webhooks.change(delivery.webhook, enabled=False)
                transaction.webhooks.give_up(delivery.webhook, f"the webhook was disabled: it took nothing for {days} days")
                log.warning(
                    "Webhook %s of organization %s took nothing for %d days and was disabled", webhook.id, delivery.organization, days
                )


def take_up(transaction: Transaction, again_seconds: float = 0.0) -> None:
    """Turn what happened since the last time into deliveries, for the webhooks that asked for it."""
    webhooks, domain = transaction.webhooks.all(), transaction.profile().domain
    changes, revision = transaction.webhooks.fresh_changes(MOST_TAKEN_UP)
    calls, moment = transaction.webhooks.fresh_calls(MOST_TAKEN_UP, again_seconds)
    transaction.webhooks.add_deliveries(list(_told(webhooks, (of_change(domain, change) for change in changes))))
    if any(wants(webhook, name) for webhook in webhooks for name in (CALL_BEGAN, CALL_ANSWERED, CALL_ENDED)):
        happened = chain.from_iterable(of_record(domain, call) for call in calls)
        transaction.webhooks.add_deliveries(list(_told(webhooks, happened)))
    transaction.webhooks.changes_taken_up(revision)
    transaction.webhooks.calls_taken_up(moment)


def _happened_to(name: str, call: LiveCall) -> Iterable[str]:
    """What a happening says that a webhook is told: of what goes on when we come, all that lies before, which it may not have heard of."""
    if name in (NOW, CALL_BEGAN):
        yield CALL_BEGAN
    if name == CALL_ANSWERED or (name == NOW and call.answered_at is not None):
        yield CALL_ANSWERED


def _told(webhooks: Iterable[Webhook], happened: Iterable[Happened]) -> Iterable[NewDelivery]:
    for event, name, body in happened:
        for webhook in webhooks:
            if wants(webhook, name):
                yield NewDelivery(webhook.id, event, name, body)
