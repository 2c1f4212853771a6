"""How the setting of a mail server is understood, and what the doctor says of one."""

from pathlib import Path

import pytest

from offhook.engines.mail.client import MailServer
from offhook.probes.doctor.findings import Finding, State
from offhook.settings import Settings
from offhook.wiring.doctor import _mail
from offhook.wiring.mail import mail_server_of
from tests.mail_server import a_mailbox, certificates


@pytest.mark.parametrize(
    ("setting", "server"),
    [
        ("smtp://mail.example.com", MailServer("mail.example.com", 587, "starttls")),
        ("smtp://mail.example.com?starttls=no", MailServer("mail.example.com", 587, "none")),
        ("smtp://localhost:25", MailServer("localhost", 25, "none")),
        ("smtp://127.0.0.1:25?starttls=yes", MailServer("127.0.0.1", 25, "starttls")),
        ("smtp://[::1]:25", MailServer("::1", 25, "none")),
        ("smtps://u%40x:p%3Aw@mail.example.com", MailServer("mail.example.com", 465, "always", "u@x", "p:w")),
        ("smtp://10.0.0.1:2525?cafile=/own.pem", MailServer("10.0.0.1", 2525, "starttls", trusted=Path("/own.pem"))),
    ],
)
def test_starttls_is_demanded_but_where_the_mail_stays_on_this_machine(setting: str, server: MailServer) -> None:
    assert mail_server_of(setting) == server


def found(setting: str | None) -> list[Finding]:
    return list(_mail(Settings(mail_server=setting, mail_from="phones@example.com" if setting else None)))


def test_the_doctor_asks_the_server_and_names_no_password(tmp_path: Path) -> None:
    made = certificates(tmp_path, "127.0.0.1")
    with a_mailbox(made.path) as box:
        good = f"smtp://phones:secret%20of%20the%20server@127.0.0.1:{box.port}?starttls=yes&cafile={made.authority}"
        first, second = found(good)
        assert (first.state, second.state) == (State.OK, State.OK) and "over TLS, and lets us in" in first.detail
        (wrong,) = found(good.replace("secret", "guessed"))
        assert wrong.state is State.FAILURE and "signing in was answered 535" in wrong.detail
        (unknown,) = found(good.partition("&")[0])
        assert unknown.state is State.FAILURE and "CERTIFICATE_VERIFY_FAILED" in unknown.detail
        assert box.came == [] and not any(
            "secret" in each.detail + each.remedy or "guessed" in each.detail for each in (first, wrong, unknown)
        )
    (gone,) = found(good)
    assert gone.state is State.FAILURE and "OFFHOOK_MAIL_SERVER" in gone.remedy
    (none,) = found(None)
    assert none.state is State.OK and "by hand" in none.remedy


def test_the_doctor_tells_no_letter_of_a_password_that_cannot_be_sent() -> None:
    with a_mailbox() as box:
        (wrong,) = found(f"smtp://phones:geheim%C3%A9@127.0.0.1:{box.port}")
    assert wrong.state is State.FAILURE and "cannot be said in SMTP" in wrong.detail
    assert "\u00e9" not in wrong.detail and "xe9" not in wrong.detail
