"""A mail as it goes over the wire (RFC 5322): plain text, and header fields that no name can reach into."""

from datetime import UTC, datetime
from email.charset import QP, Charset
from email.header import Header
from email.message import Message
from email.policy import compat32
from email.utils import format_datetime, formataddr, parseaddr

from offhook.services.ports.mailing import Letter

_WIRE = compat32.clone(linesep="\r\n")
"""The older of the library's two ways of writing. The newer one, of Python 3.11, loses blanks where it folds what is not ASCII, leaves
commas and quotes of long names bare (CPython issue 121284, CVE-2025-1795) and what looks encoded already as it is.
"""
_UTF8 = Charset("utf-8")
# Seven bits, whatever the server can do, and lines that no server has to break.
_UTF8.body_encoding = QP


def octets_of(letter: Letter, sender: str, domain: str) -> bytes:
    """The message. `sender` is what stands in From, `domain` what stands behind the @ of its Message-ID.

    The recipient stands in To by the address alone: a name there is nothing but a way to write a second address.
    """
    message: Message[str, str | Header] = Message(_WIRE)
    message.set_payload(letter.text, _UTF8)
    message["From"] = formataddr(parseaddr(sender))
    message["To"] = letter.recipient
    # Encoded also where it is ASCII that looks encoded (RFC 2047): whoever reads it would decode what a stranger wrote.
    plain = letter.subject.isascii() and "=?" not in letter.subject
    message["Subject"] = Header(letter.subject, "us-ascii" if plain else "utf-8", header_name="Subject")
    message["Date"] = format_datetime(datetime.fromtimestamp(letter.at, UTC))
    message["Message-ID"] = f"<{letter.id}@{domain}>"
    # RFC 3834: whoever answers mail by itself does not answer this.
    message["Auto-Submitted"] = "auto-generated"
    return message.as_bytes()
