"""A mail that cannot be written down is refused for good, before any server is asked."""

import pytest

from offhook.engines.mail import client
from offhook.engines.mail.client import MailServer, SmtpCourier
from offhook.services.ports.mailing import Letter, Verdict


def test_a_letter_that_cannot_be_written_has_a_verdict(monkeypatch: pytest.MonkeyPatch) -> None:
    def unwritable(letter: Letter, sender: str, domain: str) -> bytes:
        raise ValueError(letter, sender, domain)

    monkeypatch.setattr(client, "octets_of", unwritable)
    courier = SmtpCourier(MailServer("127.0.0.1", 9, "none"), "phones@example.com", "localhost")
    assert courier.send(None).verdict is Verdict.REFUSED  # type: ignore[arg-type]
