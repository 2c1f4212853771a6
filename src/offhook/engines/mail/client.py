"""Brings mail to a mail server over SMTP (RFC 5321, submission RFC 6409), with TLS from the beginning or by STARTTLS (RFC 3207).

By smtplib of the standard library, in threads of its own: docs/decisions/0052. A connection for each mail.
"""

import asyncio
import smtplib
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from email.utils import parseaddr
from pathlib import Path

from offhook.engines.mail.message import octets_of
from offhook.services.ports.mailing import Letter, Outcome, Verdict

STEP_SECONDS = 20.0
"""For one step of the network."""
LONGEST_SECONDS = 60.0
"""For a mail; then the connection is cut, however busy the other side looks."""


@dataclass(frozen=True, slots=True)
class MailServer:
    """Where mail is brought to, and how. `tls`: "always" from the beginning, "starttls" demanded, or "none"."""

    host: str
    port: int
    tls: str
    user: str | None = None
    password: str | None = field(default=None, repr=False)
    trusted: Path | None = None
    """A file of authorities besides those that the system trusts (PEM)."""


class SmtpCourier:
    """services.ports.mailing.Courier. `sender` is what stands in From, with or without a name; `called` is how we say hello."""

    def __init__(
        self,
        server: MailServer,
        sender: str,
        called: str,
        *,
        step_seconds: float = STEP_SECONDS,
        longest_seconds: float = LONGEST_SECONDS,
    ) -> None:
        self._server = server
        self._sender = sender
        self._address = parseaddr(sender)[1]
        self._called = called
        self._step_seconds = step_seconds
        self._longest_seconds = longest_seconds

    async def __call__(self, letter: Letter) -> Outcome:
        loop = asyncio.get_running_loop()
        done: asyncio.Future[Outcome] = loop.create_future()

        def settle(outcome: Outcome | None, fault: BaseException | None) -> None:
            if done.done():
                return
            if outcome is not None:
                done.set_result(outcome)
            elif fault is not None:
                done.set_exception(fault)

        def work() -> None:
            outcome, fault = None, None
            try:
                outcome = self.send(letter)
            except BaseException as mistake:
                fault = mistake
            with suppress(RuntimeError):  # the loop is gone: the system stops
                loop.call_soon_threadsafe(settle, outcome, fault)

        # No pool's thread: a server that hangs must take none from those who ask the database, nor hold up the end of the process.
        threading.Thread(target=work, name="mail", daemon=True).start()
        return await done

    def send(self, letter: Letter) -> Outcome:
        """As the call, for who may wait."""
        try:
            octets = octets_of(letter, self._sender, self._address.partition("@")[2])
        except ValueError as why:
            return Outcome(Verdict.REFUSED, why_not(why))  # tried again it would be no other
        fault = Verdict.AWAY
        try:
            with self._connected() as connection:
                # What the server says of us here it says of every mail.
                if no := _said_no("MAIL", connection.mail(self._address)):
                    return Outcome(Verdict.AWAY, no.why)
                fault = Verdict.LATER  # whatever is wrong from here on may be wrong with this mail alone
                return _said_no("RCPT", connection.rcpt(letter.recipient)) or _handed_over(connection, octets)
        except (OSError, smtplib.SMTPException, ValueError) as why:
            return Outcome(fault, why_not(why))

    def look(self) -> str:
        """How the server is reached, in words, once it said hello, spoke TLS and let us in as it should.

        Raises OSError, SMTPException; ValueError when host, user or password cannot be said in SMTP.
        """
        with self._connected() as connection:
            greeted = "over TLS" if isinstance(connection.sock, ssl.SSLSocket) else "without TLS"
            return f"{self._server.host}:{self._server.port} answers {greeted}" + (", and lets us in" if self._server.user else "")

    @contextmanager
    def _connected(self) -> Iterator[smtplib.SMTP]:
        """A connection on which mail can be brought. Raises OSError, SMTPException, ValueError."""
        connection = self._new()
        cut = threading.Timer(self._longest_seconds, _hang_up, (connection,))
        cut.daemon = True
        cut.start()
        try:
            self._open(connection)
            yield connection
        finally:
            cut.cancel()
            with suppress(OSError):
                connection.putcmd("quit")  # its answer is nothing to wait for
            connection.close()

    def _new(self) -> smtplib.SMTP:
        if self._server.tls == "always":
            return smtplib.SMTP_SSL(local_hostname=self._called, timeout=self._step_seconds, context=self._context())
        return smtplib.SMTP(local_hostname=self._called, timeout=self._step_seconds)

    def _open(self, connection: smtplib.SMTP) -> None:
        server = self._server
        # What `connect` does not note of a server that was not named when the object was made; STARTTLS verifies the name.
        connection._host = server.host  # type: ignore[attr-defined]
        code, said = connection.connect(server.host, server.port)
        if code != 220:
            raise smtplib.SMTPConnectError(code, said)
        connection.ehlo_or_helo_if_needed()
        if server.tls == "starttls":
            if not connection.has_extn("starttls"):
                raise smtplib.SMTPNotSupportedError("it offers no STARTTLS, so nothing is sent; ?starttls=no allows that")
            code, said = connection.starttls(context=self._context())
            if code != 220:
                raise smtplib.SMTPResponseException(code, said)
            connection.ehlo_or_helo_if_needed()
        if server.user is not None and server.password is not None:
            connection.login(server.user, server.password)

    def _context(self) -> ssl.SSLContext:
        context = ssl.create_default_context()
        if self._server.trusted is not None:
            context.load_verify_locations(self._server.trusted)
        return context


def _handed_over(connection: smtplib.SMTP, octets: bytes) -> Outcome:
    try:
        answer = connection.data(octets)
    except smtplib.SMTPDataError as no:
        answer = no.smtp_code, no.smtp_error if isinstance(no.smtp_error, bytes) else no.smtp_error.encode()
    return _said_no("DATA", answer) or Outcome(Verdict.SENT)


def _said_no(what: str, answer: tuple[int, bytes]) -> Outcome | None:
    """What it means unless the server says yes (2xx): no for good (5xx), or not now (4xx, or nothing that can be understood)."""
    code, said = answer
    if 200 <= code < 300:
        return None
    verdict = Verdict.REFUSED if 500 <= code < 600 else Verdict.LATER
    return Outcome(verdict, f"{what} was answered {code} {said.decode('utf-8', 'replace')}")


def _hang_up(connection: smtplib.SMTP) -> None:
    if (sock := connection.sock) is not None:
        with suppress(OSError):
            # Not the shutdown of TLS, which would take the reading thread's connection away under its feet.
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


def why_not(why: Exception) -> str:
    """A fault in words; nothing of what was sent stands in it, least of all the password."""
    if isinstance(why, smtplib.SMTPResponseException):
        said = why.smtp_error.decode("utf-8", "replace") if isinstance(why.smtp_error, bytes) else why.smtp_error
        what = "signing in" if isinstance(why, smtplib.SMTPAuthenticationError) else "the beginning"
        return f"{what} was answered {why.smtp_code} {said}"
    if isinstance(why, ValueError) and not isinstance(why, OSError):  # a certificate that is not good is both, and says why
        # The text of a UnicodeEncodeError has the letter that cannot be sent: one of the password, maybe.
        return f"{type(why).__name__}: host, user, password or an address has letters that cannot be said in SMTP"
    return f"{type(why).__name__}: {why}"
