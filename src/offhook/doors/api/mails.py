"""Mail: what people are told by it, and what became of that. What a mail says is shown to nobody: a link may be in it."""

from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar

from fastapi import APIRouter, Path, Query
from pydantic import BaseModel, ConfigDict, Field

from offhook.domain.mails import MailState
from offhook.doors.api.access import Inside, Own, Provider, needs
from offhook.doors.api.idempotency import KEYLESS
from offhook.doors.api.paging import LARGEST_ID, PRINTABLE, PageAsked, cursor, listing
from offhook.doors.api.shapes import Asked, examples
from offhook.services import mail_room as service
from offhook.services.ports.mailing import Verdict
from offhook.services.ports.mails import Mail, MailId
from offhook.services.tokens import Access

router = APIRouter(tags=["mails"])

READS, WRITES = "mails:read", "mails:write"
MailPath = Annotated[int, Path(ge=1, le=LARGEST_ID, examples=[12])]
_MAIL: dict[str, Any] = {
    "id": 12,
    "kind": "welcome",
    "recipient": "anna@example.com",
    "language": "en",
    "state": "waiting",
    "attempts": 1,
    "made_at": "2026-11-24T09:30:00Z",
    "next_at": "2026-11-24T09:31:00Z",
    "expires_at": "2026-12-01T09:30:00Z",
    "last_error": "RCPT was answered 451 4.7.1 try again later",
}


class MailsAsked(PageAsked):
    """Which mails to list."""

    sorts: ClassVar[tuple[str, ...]] = ("id", "kind", "recipient", "state")

    state: MailState | None = None
    kind: str | None = Field(None, max_length=40, pattern=PRINTABLE, description="What it tells: `welcome`, `password`, `invitation`.")
    recipient: str | None = Field(None, max_length=254, pattern=PRINTABLE)


class MailShown(BaseModel):
    """A mail without what it says. `sent`: the mail server took it; `last_error` is why not, the last time it was tried."""

    model_config = ConfigDict(json_schema_extra=examples(_MAIL))

    id: int
    kind: str
    recipient: str
    language: str
    state: MailState
    attempts: int
    made_at: datetime
    next_at: datetime | None
    expires_at: datetime
    last_error: str | None


class MailsShown(BaseModel):
    """A page of mails; `sort=-id` has the newest first."""

    mails: list[MailShown]
    next: str | None


class MailTried(Asked):
    """Where to send a mail that says only that it was sent."""

    to: str = Field(max_length=300, examples=["you@example.com"])
    language: str = Field("en", max_length=35, description="A BCP 47 tag.")


class MailVerdict(BaseModel):
    """Whether the mail server took it, and if not, why."""

    model_config = ConfigDict(json_schema_extra=examples({"sent": False, "why": "RCPT was answered 550 5.1.1 no such user"}))

    sent: bool
    why: str | None


@router.get("/mails", dependencies=[needs(READS)])
def mails(house: Inside, own: Own, asked: Annotated[MailsAsked, Query()]) -> MailsShown:
    """What people of the organization are told by mail, for a month: greetings, and notices of passwords, tokens and roles."""
    page = service.list_mails(house.store, own, listing(asked))
    return MailsShown(mails=[_shown(mail) for mail in page.items], next=cursor(asked, page.next))


@router.post("/mails/{mail}/retry", status_code=202)
def retry_mail(house: Inside, own: Own, visitor: Annotated[Access, needs(WRITES)], mail: MailPath) -> MailShown:
    """Try a mail that waits or has failed as soon as possible; not one that was sent, or whose time is up (409)."""
    return _shown(service.retry(house.store, own, MailId(mail), visitor.label))


@router.get("/provider/mails")
def provider_mails(house: Inside, _provider: Provider, asked: Annotated[MailsAsked, Query()]) -> MailsShown:
    """What the provider sends itself: invitations."""
    page = service.list_mails(house.store, None, listing(asked))
    return MailsShown(mails=[_shown(mail) for mail in page.items], next=cursor(asked, page.next))


@router.post("/provider/mails/test", dependencies=[KEYLESS])
async def test_mail(house: Inside, _provider: Provider, asked: MailTried) -> MailVerdict:
    """Send a mail that says only that it was sent, now and once; the answer tells what the mail server said."""
    if house.mail_room is None:
        raise service.NoMail("No mail server is named; set OFFHOOK_MAIL_SERVER and OFFHOOK_MAIL_FROM, and start the system again.")
    outcome = await house.mail_room.try_out(asked.to, asked.language)
    return MailVerdict(sent=outcome.verdict is Verdict.SENT, why=outcome.why)


@router.post("/provider/mails/{mail}/retry", status_code=202)
def retry_provider_mail(house: Inside, provider: Provider, mail: MailPath) -> MailShown:
    """Try a mail of the provider's that waits or has failed as soon as possible; not one that was sent, or whose time is up (409)."""
    return _shown(service.retry(house.store, None, MailId(mail), provider.label))


def _shown(mail: Mail) -> MailShown:
    return MailShown(
        id=mail.id,
        kind=mail.kind,
        recipient=mail.recipient,
        language=mail.language,
        state=mail.state,
        attempts=mail.attempts,
        made_at=_moment(mail.made_at),
        next_at=_moment(mail.next_at) if mail.state is MailState.WAITING else None,
        expires_at=_moment(mail.expires_at),
        last_error=mail.last_error,
    )


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
