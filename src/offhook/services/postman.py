"""Mail is written of what the history tells, and brought to the mail server: at least once, each organization in its turn."""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from offhook.domain.errors import Missing, Refusal, Unavailable
from offhook.domain.mails import MailState, Move, moved
from offhook.domain.organizations import OrganizationId
from offhook.metrics import Counter
from offhook.services.letters import one_line
from offhook.services.mail_room import MailRoom
from offhook.services.notices import Reading, notices
from offhook.services.ports.mailing import Outcome, Verdict
from offhook.services.ports.mails import Mail, MailId
from offhook.services.ports.store import ProviderTransaction, Store, Transaction
from offhook.services.reading import each_by_itself
from offhook.services.sealing import SealBroken

WHO = READER = "mail"
LOOK_SECONDS = 1.0
MOST_READ = 500
"""Lines of a history that one transaction takes up."""

MOST_AT_ONCE = 4
"""Connections to the mail server; one at most for each organization."""
A_TURN = 10
"""So much mail of one organization goes out before others that wait have their turn."""
A_MINUTE = 60
"""More of one organization waits: nobody's people are to make us look like who sends what nobody wants."""

RETRY_AFTER_SECONDS = (60, 300, 900, 1800, 3600, 7200, 14400, 21600)
"""Between one attempt and the next, of a mail that is not taken now; the last again and again, until the mail's time is up."""
LONGEST_REST_SECONDS = 300.0
"""A server that takes nothing is left alone for 1, 2, 4 ... seconds."""

EXPIRE_EVERY_SECONDS = 60.0
KEPT_SECONDS = 30 * 86400.0
STOP_SECONDS = 2.0
"""What is being handed over when the system stops has so long to be noted, so that the next start does not send it again."""
_LONGEST_WHY = 300
AWAY = "The mail server takes no mail at the moment; the provider is told."
"""What an organization reads then: what the server says may be about the provider's account, which is no tenant's business."""

log = logging.getLogger(__name__)
Owner = OrganizationId | None


class Postman:
    """Reads histories and sends mail while `run` runs. `clock` tells seconds since 1970; `told` counts attempts by their verdict."""

    def __init__(self, store: Store, room: MailRoom, clock: Callable[[], float] = time.time, told: Counter | None = None) -> None:
        self._store = store
        self._room = room
        self._clock = clock
        self._told = told or Counter()
        self._begun = False
        self._expire_at = 0.0
        self._at_work: dict[Owner, asyncio.Task[None]] = {}
        self._sent: dict[Owner, deque[float]] = {}
        """When each owner's mail was tried in the last minute."""
        self._unnoted: dict[tuple[Owner, MailId], Mapping[str, Any]] = {}
        self._failures, self._rests_until = 0, 0.0

    async def run(self) -> None:
        """For ever: read, send. What fails is tried again; what is being sent when this is cancelled may finish for a moment."""
        try:
            while True:
                try:
                    await self.look()
                except Refusal as away:
                    log.warning("Mail waits: %s", away)
                except Exception:
                    log.exception("Mail could not be looked after")
                await asyncio.sleep(LOOK_SECONDS)
        finally:
            if self._at_work:
                await asyncio.wait(self._at_work.values(), timeout=STOP_SECONDS)

    async def look(self) -> None:
        """Take up what happened, and begin to send what is due. Raises Unavailable."""
        now = self._clock()
        owners = await asyncio.to_thread(self._read, now)
        if self._rests_until > now:
            return
        for owner, times in list(self._sent.items()):
            while times and times[0] <= now - 60.0:
                times.popleft()
            if not times and owner not in self._at_work:
                del self._sent[owner]
        # One alone tries a server that took nothing.
        free = (1 if self._failures else MOST_AT_ONCE) - len(self._at_work)
        ready = [owner for owner in owners if owner not in self._at_work and self._room_for(owner)]
        for owner in sorted(ready, key=lambda each: max(self._sent.get(each, (0.0,))))[: max(0, free)]:
            due = await asyncio.to_thread(self._due, owner)
            if due:
                task = asyncio.create_task(self._carry(owner, due), name=f"mail of {owner or 'the provider'}")
                self._at_work[owner] = task
                task.add_done_callback(partial(self._done, owner))

    async def settled(self) -> None:
        """Return when nothing is being sent."""
        while self._at_work:
            await asyncio.gather(*self._at_work.values(), return_exceptions=True)

    def _done(self, owner: Owner, task: asyncio.Task[None]) -> None:
        del self._at_work[owner]
        if not task.cancelled() and (failure := task.exception()) is not None:
            log.error("Mail could not be looked after", exc_info=failure)

    def _room_for(self, owner: Owner) -> int:
        return min(A_TURN, A_MINUTE - len(self._sent.get(owner, ())))

    def _read(self, now: float) -> list[Owner]:
        """Take up what histories tell, and note what could not be noted before; whose mail is due."""
        if not self._begun:
            with self._store.provider_change(WHO) as provider:
                provider.all_mails.begin()
            self._begun = True
        for (owner, id), values in list(self._unnoted.items()):
            self._write_down(owner, id, values)
            del self._unnoted[owner, id]
        if now >= self._expire_at:
            with self._store.provider_change(WHO) as provider:
                _expire(provider, now)
            self._expire_at = now + EXPIRE_EVERY_SECONDS
        with self._store.provider_view() as provider:
            behind = provider.all_mails.behind()
        for organization in behind:
            each_by_itself(organization, "What mail tells", partial(self._take_up, organization))
        with self._store.provider_view() as provider:
            return provider.all_mails.owners_due(self._clock())  # what was written just now too

    def _take_up(self, organization: OrganizationId) -> None:
        with self._store.change(organization, WHO) as transaction:
            take_up(transaction, self._room, self._clock())

    def _due(self, owner: Owner) -> list[Mail]:
        with self._store.provider_view() as provider:
            due = provider.all_mails.due(owner, self._clock(), self._room_for(owner))
        return [mail for mail in due if (owner, mail.id) not in self._unnoted]

    async def _carry(self, owner: Owner, due: list[Mail]) -> None:
        """Send what is due of one owner, oldest first, until the server takes nothing."""
        for each in due:
            mail = await asyncio.to_thread(self._still_wanted, owner, each.id)
            if mail is None:
                continue
            self._sent.setdefault(owner, deque()).append(self._clock())
            outcome = await self._attempt(mail)
            self._told.add(outcome.verdict.value)
            await asyncio.to_thread(self._note, owner, mail, outcome)
            if outcome.verdict is Verdict.AWAY:
                self._failures += 1
                self._rests_until = self._clock() + min(LONGEST_REST_SECONDS, 2.0 ** min(self._failures - 1, 20))
                log.warning("The mail server takes nothing: %s", outcome.why)
                return
            self._failures = 0

    def _still_wanted(self, owner: Owner, id: MailId) -> Mail | None:
        """The mail as it is now; None when it is gone, or was given up meanwhile."""
        try:
            if owner is None:
                with self._store.provider_view() as provider:
                    mail = provider.mails.by_id(id)
            else:
                with self._store.view(owner) as transaction:
                    mail = transaction.mails.by_id(id)
        except Missing:
            return None
        return mail if mail is not None and mail.state is MailState.WAITING and mail.sealed is not None else None

    async def _attempt(self, mail: Mail) -> Outcome:
        try:
            letter = self._room.letter(mail)
        except SealBroken:
            return Outcome(Verdict.REFUSED, "it was sealed by another installation, with another secret.key")
        return await self._room.courier(letter)

    def _note(self, owner: Owner, mail: Mail, outcome: Outcome) -> None:
        why = one_line(outcome.why)[:_LONGEST_WHY] if outcome.why else None
        told = AWAY if outcome.verdict is Verdict.AWAY and owner is not None else why
        values: dict[str, Any] = {"attempts": mail.attempts + 1, "last_error": told}
        match outcome.verdict:
            case Verdict.SENT:
                values |= {"state": moved(mail.state, Move.TAKE).value, "sealed": None}
            case Verdict.REFUSED:
                values |= {"state": moved(mail.state, Move.REFUSE).value}
            case Verdict.LATER:
                values |= {"next_at": self._clock() + RETRY_AFTER_SECONDS[min(mail.attempts, len(RETRY_AFTER_SECONDS) - 1)]}
            case Verdict.AWAY:
                pass  # it goes as soon as the server takes mail again
        if outcome.verdict is not Verdict.SENT:
            log.info("Mail %s of %s was not taken: %s", mail.id, owner or "the provider", why)
        try:
            self._write_down(owner, mail.id, values)
        except Unavailable as away:
            # Kept in mind, or what was sent would be sent again.
            self._unnoted[owner, mail.id] = values
            log.warning("What came of mail %s could not be noted yet: %s", mail.id, away)

    def _write_down(self, owner: Owner, id: MailId, values: Mapping[str, Any]) -> None:
        try:
            if owner is None:
                with self._store.provider_change(WHO) as provider:
                    provider.mails.note(id, **values)
            else:
                with self._store.change(owner, WHO) as transaction:
                    transaction.mails.note(id, **values)
        except Missing:
            log.info("Organization %s is gone, and its mail with it", owner)


def take_up(transaction: Transaction, room: MailRoom, now: float) -> None:
    """Put into envelopes what happened since the last time, and note how far that was: both, or neither."""
    since = transaction.history.cursor(READER)
    changes, revision = transaction.history.fresh(READER, MOST_READ)
    reading = Reading(transaction, transaction.profile(), transaction.mails.quiet_since(since))
    mails = []
    for notice in notices(reading, changes):
        reader = notice.reader
        assert reader.email is not None
        until = now + notice.lasts_seconds
        mails.append(room.wrapped(notice.kind, notice.event, reader.email, reader.language, notice.facts, until))
    transaction.mails.add(mails)
    transaction.mails.forget_quiet(revision)
    transaction.history.move_cursor(READER, revision)


async def stop_reading(store: Store, clock: Callable[[], float] = time.time) -> None:
    """For ever, without a mail server: nothing is told of what happens, and what was kept for one goes when its time is up."""
    while True:
        rest = EXPIRE_EVERY_SECONDS
        try:
            await asyncio.to_thread(_stop, store, clock())
        except Unavailable:
            rest = LOOK_SECONDS
        except Exception:
            log.exception("Mail that is kept could not be looked after")
        await asyncio.sleep(rest)


def _stop(store: Store, now: float) -> None:
    with store.provider_change(WHO) as provider:
        provider.all_mails.stop()
        _expire(provider, now)


def _expire(provider: ProviderTransaction, now: float) -> None:
    provider.all_mails.expire(now, now - KEPT_SECONDS)
