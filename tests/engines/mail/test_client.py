"""Mail is brought to a real SMTP server, by TLS or not at all, and each no is told for what it is."""

import asyncio
import time
from pathlib import Path
from typing import Any

import pytest

from offhook.engines.mail.client import MailServer, SmtpCourier
from offhook.services.ports.mailing import Letter, Outcome, Verdict
from tests.mail_server import Mailbox, a_mailbox, a_rude_server, certificates

FROM = "Telephones <phones@example.com>"
LETTER = Letter("anna@example.net", "Élan & co", "Bonjour Zoë,\n.\n..\nune ligne " + "très longue " * 30 + "\n", "7.12.1", 1_700_000_000.0)


def courier(
    port: int, tls: str = "none", trusted: Path | None = None, user: str | None = None, password: str | None = None, **more: float
) -> SmtpCourier:
    return SmtpCourier(MailServer("127.0.0.1", port, tls, user, password, trusted), FROM, "[127.0.0.1]", **more)


def brought(box: Mailbox, **more: Any) -> Outcome:
    return courier(box.port, **more).send(LETTER)


def test_a_mail_comes_as_it_was_written() -> None:
    with a_mailbox() as box:
        assert brought(box) == Outcome(Verdict.SENT)
    (came,) = box.came
    assert (came.sender, came.recipients, came.encrypted) == ("phones@example.com", ["anna@example.net"], False)
    assert came.octets.isascii() and max(map(len, came.octets.split(b"\r\n"))) < 998
    message = came.message
    assert (message["From"], message["To"], message["Subject"]) == (FROM, LETTER.recipient, LETTER.subject)
    assert message["Message-ID"] == "<7.12.1@example.com>" and message["Auto-Submitted"] == "auto-generated"
    assert message["Date"].datetime.timestamp() == LETTER.at
    assert came.text.replace("\r\n", "\n") == LETTER.text and message.get_content_type() == "text/plain"


def test_starttls_is_spoken_with_who_the_certificate_says_it_is(tmp_path: Path) -> None:
    made = certificates(tmp_path, "127.0.0.1")
    with a_mailbox(made.path, auth_required=True, require_starttls=True) as box:
        good = {"tls": "starttls", "trusted": made.authority, "user": "phones", "password": "secret of the server"}
        assert brought(box, **good).verdict is Verdict.SENT
        (came,) = box.came
        assert came.encrypted and came.user == "phones"
        unknown = brought(box, tls="starttls", user="phones", password="secret of the server")
        assert unknown.verdict is Verdict.AWAY and "CERTIFICATE_VERIFY_FAILED" in (unknown.why or "")
        wrong = brought(box, **good | {"password": "guessed"})
        assert wrong.verdict is Verdict.AWAY and "signing in was answered 535" in (wrong.why or "") and "guessed" not in (wrong.why or "")
    assert len(box.came) == 1


def test_a_certificate_for_somebody_else_is_not_good(tmp_path: Path) -> None:
    made = certificates(tmp_path, "other.example.com")
    with a_mailbox(made.path) as box:
        outcome = brought(box, tls="starttls", trusted=made.authority)
        assert outcome.verdict is Verdict.AWAY and "mismatch" in (outcome.why or "") and not box.came


def test_nothing_is_sent_where_starttls_is_demanded_and_not_offered() -> None:
    with a_mailbox() as box:
        outcome = brought(box, tls="starttls")
        assert outcome.verdict is Verdict.AWAY and "STARTTLS" in (outcome.why or "") and not box.came


def test_tls_from_the_beginning(tmp_path: Path) -> None:
    made = certificates(tmp_path, "127.0.0.1")
    with a_mailbox(made.path, tls_at_once=True) as box:
        assert brought(box, tls="always", trusted=made.authority).verdict is Verdict.SENT
        assert len(box.came) == 1
        told = courier(box.port, "always", trusted=made.authority).look()
        assert "over TLS" in told


@pytest.mark.parametrize(
    ("step", "answer", "verdict"),
    [
        ("rcpt", "451 4.7.1 try again later", Verdict.LATER),
        ("rcpt", "550 5.1.1 no such user", Verdict.REFUSED),
        ("data", "451 4.3.0 not now", Verdict.LATER),
        ("data", "554 5.7.1 not this", Verdict.REFUSED),
        ("mail", "550 5.7.1 not from you", Verdict.AWAY),
        ("mail", "452 4.3.1 no room", Verdict.AWAY),
    ],
)
def test_what_a_no_means_depends_on_what_was_asked(step: str, answer: str, verdict: Verdict) -> None:
    with a_mailbox() as box:
        if step == "rcpt":
            box.rcpt = lambda _address: answer
        else:
            setattr(box, step, answer)
        outcome = brought(box)
        assert outcome.verdict is verdict and answer.partition(" ")[2] in (outcome.why or "") and not box.came
        box.rcpt, box.data, box.mail = (lambda _address: None), None, None
        assert brought(box).verdict is Verdict.SENT


@pytest.mark.parametrize(("step", "verdict"), [("MAIL", Verdict.AWAY), ("RCPT", Verdict.LATER), ("DATA", Verdict.LATER)])
def test_a_server_that_dies_or_hangs_in_the_middle(step: str, verdict: Verdict) -> None:
    with a_mailbox() as box:
        box.dies_at = step
        died = brought(box)
        assert died.verdict is verdict and died.why and not box.came
        box.dies_at, box.hangs_at = None, step
        began = time.monotonic()
        assert brought(box, step_seconds=0.3).verdict is verdict and time.monotonic() - began < 5.0
        assert not box.came


@pytest.mark.parametrize(("user", "password"), [("phones", "geheim\u00e9"), ("phon\u00e9s", "geheim")])
def test_what_cannot_be_said_in_smtp_is_a_server_that_is_away_and_no_letter_of_it_is_told(user: str, password: str) -> None:
    with a_mailbox() as box:
        outcome = brought(box, user=user, password=password)
        assert outcome.verdict is Verdict.AWAY and not box.came
        assert outcome.why == "UnicodeEncodeError: host, user, password or an address has letters that cannot be said in SMTP"


def test_nobody_is_there() -> None:
    with a_mailbox() as box:
        pass
    outcome = brought(box)
    assert outcome.verdict is Verdict.AWAY and "Refused" in (outcome.why or "")
    with pytest.raises(OSError):
        courier(box.port).look()


def test_a_server_that_says_no_at_the_door_is_away() -> None:
    with a_rude_server(b"554 5.7.1 go away\r\n") as port:
        outcome = courier(port).send(LETTER)
        assert outcome.verdict is Verdict.AWAY and "554 5.7.1 go away" in (outcome.why or "")


@pytest.mark.parametrize("says", [b"220-and so on\r\n", b"2"])
def test_a_server_that_never_comes_to_an_end_is_cut_off(says: bytes) -> None:
    """Each step is answered in time, line by line; the whole is not."""
    with a_rude_server(says, 0.05) as port:
        began = time.monotonic()
        outcome = courier(port, step_seconds=5.0, longest_seconds=0.5).send(LETTER)
        assert outcome.verdict is Verdict.AWAY and time.monotonic() - began < 3.0


async def test_who_waits_holds_up_nobody_else() -> None:
    with a_mailbox() as box, a_mailbox() as other:
        box.hangs_at = "RCPT"
        slow = [asyncio.create_task(courier(box.port, step_seconds=3.0)(LETTER)) for _ in range(20)]
        await asyncio.sleep(0.2)
        began = time.monotonic()
        assert (await asyncio.to_thread(lambda: 7)) == 7 and (await courier(other.port)(LETTER)).verdict is Verdict.SENT
        assert time.monotonic() - began < 2.0 and not any(task.done() for task in slow)
        assert {(await task).verdict for task in slow} == {Verdict.LATER}
