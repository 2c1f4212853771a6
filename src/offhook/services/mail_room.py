"""Mail in its envelope: what it says is sealed while it waits, and written when somebody takes it away."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from offhook.domain.errors import Conflict, Invalid, Missing
from offhook.domain.mails import MailState, Move, moved, written_in
from offhook.domain.organizations import OrganizationId
from offhook.services.letters import written
from offhook.services.ports.listing import Listing, Page
from offhook.services.ports.mailing import Courier, Letter, Outcome
from offhook.services.ports.mails import Mail, MailId, Mails, NewMail
from offhook.services.ports.store import Store
from offhook.services.sealing import Sealing
from offhook.services.users import checked_email, checked_language

INVITATION, TEST = "invitation", "test"
"""Kinds of mail that no line of a history asks for."""


class NoMail(Conflict):
    """No mail server is named, so no mail leaves the system."""

    code = "mail.off"


class Expired(Conflict):
    """What a mail said is kept no more."""

    code = "mail.expired"


@dataclass(frozen=True, slots=True)
class MailRoom:
    """Where mail is put into envelopes. `pages_url` is where people reach our pages, `sip_address` where telephones register."""

    sealing: Sealing
    courier: Courier
    pages_url: str
    sip_address: str

    def wrapped(self, kind: str, event: str, recipient: str, language: str, facts: Mapping[str, Any], expires_at: float) -> NewMail:
        """A mail to be kept until it is sent."""
        sealed = self.sealing.seal(json.dumps(dict(facts), ensure_ascii=False))
        return NewMail(kind, event, recipient, written_in(language), sealed, expires_at)

    def letter(self, mail: Mail) -> Letter:
        """A mail that was kept, written. Raises SealBroken."""
        assert mail.sealed is not None
        text = written(mail.kind, mail.language, json.loads(self.sealing.open(mail.sealed)) | {"sip_address": self.sip_address})
        # The same each time it is tried: a reader's mail server knows by it what it has already.
        id = f"{'provider' if mail.of_provider else mail.organization}.{mail.id}.{round(mail.made_at * 1000)}"
        return Letter(mail.recipient, text.subject, text.body, id, mail.made_at)

    def invitation_link(self, token: str) -> str:
        """Where an invitation's page is, for who reads of it in a mail: never where somebody's request says that it came to."""
        return f"{self.pages_url}/welcome/{token}"

    async def try_out(self, recipient: str, language: str = "en") -> Outcome:
        """Send a mail that says only that it was sent, now and once. Raises Invalid."""
        language = written_in(checked_language(language))
        address, now = checked_email(recipient, "to"), time.time()
        if address is None:
            raise Invalid("Give a mail address, such as anna@example.com.", "to")
        text = written(TEST, language, {"at": now})
        return await self.courier(Letter(address, text.subject, text.body, f"test.{round(now * 1000)}", now))


def list_mails(store: Store, organization: OrganizationId | None, listing: Listing) -> Page[Mail]:
    """Some of an organization's mail, or of the provider's own. Raises Missing."""
    if organization is None:
        with store.provider_view() as provider:
            return provider.mails.page(listing)
    with store.view(organization) as transaction:
        return transaction.mails.page(listing)


def retry(store: Store, organization: OrganizationId | None, id: MailId, who: str) -> Mail:
    """Try a mail that waits or has failed, as soon as possible. Raises Missing, NotNow when it was sent, Expired."""
    if organization is None:
        with store.provider_change(who) as provider:
            return _tried_again(provider.mails, id)
    with store.change(organization, who) as transaction:
        return _tried_again(transaction.mails, id)


def _tried_again(mails: Mails, id: MailId) -> Mail:
    mail, now = mails.by_id(id), time.time()
    if mail is None:
        raise Missing("There is no such mail.", "mail")
    state = moved(mail.state, Move.RETRY)
    if mail.sealed is None or mail.expires_at <= now:
        raise Expired("Its time was up, and what it said is kept no more; do again what it told of.", "mail")
    mails.note(id, state=state.value, attempts=0, next_at=now)
    again = mails.by_id(id)
    assert again is not None and again.state is MailState.WAITING
    return again
