"""Nothing that stands in a name reaches a header field, or another address."""

import email
import email.policy

from hypothesis import example, given
from hypothesis import strategies as st

from offhook.domain.mails import LANGUAGES
from offhook.engines.mail.message import octets_of
from offhook.services.letters import TEMPLATES, one_line, written
from offhook.services.ports.mailing import Letter

HEADERS = ["MIME-Version", "Content-Type", "Content-Transfer-Encoding", "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted"]
KINDS = sorted({file.name.split(".")[0] for file in TEMPLATES.glob("*.txt")})
FACTS = {
    "username": "anna", "domain": "lumen.test", "who": "ben@lumen.test", "at": 1_700_000_000.0, "time_zone": "Europe/Paris",
    "extension": "101", "number": "+12065550101", "role": "global", "former_role": None, "sip_address": "192.0.2.1:5060",
    "first": False, "label": "crm", "scopes": "calls:read", "expires_at": 1_700_000_000.0, "other_username": "zoe",
    "link": "https://phones.example.com/welcome/TOKEN",
}  # fmt: skip
NASTY = 'x\r\nBcc: everybody@example.net\r\n\r\nfree beer\u2028=?utf-8?q?a=0D=0ABcc=3A_b?= <a@b>, "c" <d@e>; é' + "é," * 200


@given(st.text(max_size=300), st.text(max_size=300), st.sampled_from(KINDS), st.sampled_from(LANGUAGES))
@example(NASTY, NASTY, "welcome", "en")
@example(NASTY, NASTY, "administrator", "fr")
@example("=?utf-8?q?a=0D=0ABcc=3A_b?=", "=?utf-8?q?a=0D=0ABcc=3A_b?=", "welcome", "en")
@example("\x00\n.\n", "\ud800\r.\r", "password", "fr")
def test_names_stay_where_they_are_written(name: str, organization: str, kind: str, language: str) -> None:
    text = written(kind, language, FACTS | {"name": name, "other_name": name, "organization": organization})
    octets = octets_of(Letter("anna@example.net", text.subject, text.body, "7.1.1", 1.0), "Telephones <phones@example.com>", "example.com")
    _, _, body = octets.partition(b"\r\n\r\n")
    assert octets.isascii() and b"\x00" not in octets and all(len(line) <= 998 for line in octets.split(b"\r\n"))
    assert octets.count(b"\n") == octets.count(b"\r\n") == octets.count(b"\r")
    message = email.message_from_bytes(octets, policy=email.policy.default)
    assert list(message) == HEADERS and not message.defects
    assert str(message["To"]) == "anna@example.net" and [each.addr_spec for each in message["From"].addresses] == ["phones@example.com"]
    plain = email.message_from_bytes(octets, policy=email.policy.compat32)  # as others read it
    assert list(plain) == HEADERS and plain["To"] == "anna@example.net"
    assert one_line(organization)[:100] in text.subject or kind == "test"
    assert str(message["Subject"]) == text.subject
    assert b"\r\n.\r\n" not in body


def test_every_kind_is_written_in_every_language_with_all_it_is_told() -> None:
    for kind in KINDS:
        for language in LANGUAGES:
            text = written(kind, language, FACTS | {"name": "Zoë Lind", "other_name": "Åsa Berg", "organization": "Lumen & Söhne"})
            assert text.subject and "{" not in text.subject + text.body and "None" not in text.body
            assert "\n\n\n" not in text.body
    assert (TEMPLATES / "welcome.fr.txt").read_text() != (TEMPLATES / "welcome.en.txt").read_text()


def test_a_welcome_holds_no_password_and_says_who_has_it() -> None:
    told = FACTS | {"name": "Zoë", "organization": "Lumen", "number": None, "role": None}
    text = written("welcome", "en", told)
    assert "101" in text.body and "192.0.2.1:5060" in text.body and "your administrator has it" in text.body
    assert "Your number" not in text.body and "administer" not in text.body.replace("administrator", "")
