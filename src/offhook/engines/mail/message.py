"""A mail as it goes over the wire (RFC 5322): plain text, and header fields that no name can reach into."""

from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime

from offhook.services.ports.mailing import Letter


def octets_of(letter: Letter, sender: str, domain: str) -> bytes:
    """The message. `sender` is what stands in From, `domain` what stands behind the @ of its Message-ID.

    The recipient stands in To by the address alone: Python 3.11 leaves commas and quotes of a long name bare when it folds it
    (CVE-2025-1795, CPython issue 121284), and what comes after them would be another address.
    """
    message = EmailMessage(policy=SMTP)
    message["From"] = sender
    message["To"] = letter.recipient
    message["Subject"] = letter.subject
    message["Date"] = format_datetime(datetime.fromtimestamp(letter.at, UTC))
    message["Message-ID"] = f"<{letter.id}@{domain}>"
    # RFC 3834: whoever answers mail by itself does not answer this.
    message["Auto-Submitted"] = "auto-generated"
    # Seven bits, whatever the server can do, and lines that no server has to break.
    message.set_content(letter.text, charset="utf-8", cte="quoted-printable")
    return message.as_bytes()
