"""A database, a mail server that really speaks SMTP, and a postman between them whom a test drives by hand."""

import time
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from offhook.domain.access import Role
from offhook.domain.organizations import OrganizationId
from offhook.engines.mail.client import MailServer, SmtpCourier
from offhook.services.mail_room import MailRoom, list_mails
from offhook.services.ports.listing import Listing
from offhook.services.ports.mails import Mail
from offhook.services.postman import Postman
from offhook.services.sealing import Sealing
from offhook.services.users import add_user
from offhook.store.transaction import Database
from tests.mail_server import Mailbox, a_mailbox

ADA = "ada@lumen.test"
ALL = Listing(500, (("id", False),))


@dataclass
class Office:
    """A database, a mail server, and a postman between them who does what is due when a test says so, at the time it says."""

    database: Database
    box: Mailbox
    room: MailRoom
    ahead: float = 0.0
    postman: Postman = field(init=False)

    def __post_init__(self) -> None:
        self.starts_again()

    def clock(self) -> float:
        return time.time() + self.ahead

    def starts_again(self, database: Any = None) -> None:
        self.postman = Postman(database or self.database, self.room, self.clock)

    async def goes(self) -> None:
        """All that is due is tried once."""
        await self.postman.look()
        await self.postman.settled()

    async def goes_later(self, seconds: float) -> None:
        self.ahead += seconds
        await self.goes()

    def subjects(self) -> list[str]:
        return [came.message["Subject"] for came in self.box.came]

    def to(self) -> list[str]:
        return [came.recipients[0].partition("@")[0] for came in self.box.came]

    def listed(self, organization: OrganizationId | None) -> list[Mail]:
        return list_mails(self.database, organization, ALL).items

    def makes(self, organization: OrganizationId, username: str, *, who: str = ADA, domain: str = "example.com", **more: Any) -> None:
        values = {"name": username.title(), "email": f"{username}@{domain}"} | more
        add_user(self.database, organization, username=username, who=who, **values)


@pytest.fixture
def box() -> Iterator[Mailbox]:
    with a_mailbox() as box:
        yield box


@pytest.fixture
async def office(database: Database, lumen: OrganizationId, pine: OrganizationId, box: Mailbox) -> AsyncIterator[Office]:
    """Where mail is read off the history of two organizations from now on; Lumen has an administrator."""
    courier = SmtpCourier(MailServer("127.0.0.1", box.port, "none"), "phones@example.com", "[127.0.0.1]", step_seconds=2.0)
    room = MailRoom(Sealing(b"key", "mail"), courier, "https://phones.example.com", "192.0.2.1:5060")
    office = Office(database, box, room)
    await office.goes()
    office.makes(lumen, "ada", role=Role.GLOBAL)
    await office.goes()
    box.came.clear()
    yield office
    await office.postman.settled()
