"""A mail server on a free port of loopback that really speaks SMTP, in a thread of its own: it takes mail, or answers as a test says."""

import asyncio
import email
import email.policy
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

from offhook.supervisor.certificates import CertificateFolder, now_utc

PATIENCE = 10.0


@dataclass
class Came:
    """A mail that was taken: whom for by the envelope, and as it stands in it."""

    sender: str
    recipients: list[str]
    octets: bytes
    encrypted: bool
    user: str | None

    @property
    def message(self) -> EmailMessage:
        message = email.message_from_bytes(self.octets, policy=email.policy.default)
        assert isinstance(message, EmailMessage)
        return message

    @property
    def text(self) -> str:
        return str(self.message.get_content())


@dataclass
class Mailbox:
    """What a server answers at each step (None: yes), where it hangs or dies ("RCPT", "DATA"), and the mail that it took."""

    port: int = 0
    mail: str | None = None
    rcpt: Callable[[str], str | None] = lambda _address: None
    data: str | None = None
    hangs_at: str | None = None
    dies_at: str | None = None
    password: bytes = b"secret of the server"
    came: list[Came] = field(default_factory=list)
    connections: int = 0
    at_once: int = 0
    """How many mails were being taken at the same time, where most were."""
    _now: int = 0

    async def handle_EHLO(self, _server: SMTP, session: Session, _envelope: Envelope, hostname: str, responses: list[str]) -> list[str]:  # noqa: N802
        session.host_name = hostname
        self.connections += 1
        return responses

    async def handle_MAIL(self, server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        await self._may_go_wrong(server, "MAIL")
        envelope.mail_from = address
        envelope.mail_options.extend(options)
        return self.mail or "250 OK"

    async def handle_RCPT(self, server: SMTP, _session: Session, envelope: Envelope, address: str, options: list[str]) -> str:  # noqa: N802
        await self._may_go_wrong(server, "RCPT")
        if no := self.rcpt(address):
            return no
        envelope.rcpt_tos.append(address)
        envelope.rcpt_options.extend(options)
        return "250 OK"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802
        self._now += 1
        self.at_once = max(self.at_once, self._now)
        try:
            await self._may_go_wrong(server, "DATA")
            await asyncio.sleep(0.01)
            if self.data:
                return self.data
            assert isinstance(envelope.content, bytes) and envelope.mail_from is not None
            user = session.auth_data.decode() if isinstance(session.auth_data, bytes) else None
            came = Came(envelope.mail_from, list(envelope.rcpt_tos), envelope.content, session.ssl is not None, user)
            self.came.append(came)
            return "250 taken"
        finally:
            self._now -= 1

    def lets_in(self, _server: SMTP, _session: Session, _envelope: Envelope, _mechanism: str, data: Any) -> AuthResult:
        good = data.password == self.password
        return AuthResult(success=good, handled=good, auth_data=data.login)

    async def _may_go_wrong(self, server: SMTP, step: str) -> None:
        if self.hangs_at == step:
            await asyncio.sleep(3600)
        if self.dies_at == step:
            assert isinstance(server.transport, asyncio.Transport)
            server.transport.abort()
            await asyncio.sleep(0)


@contextmanager
def a_mailbox(certificates: Path | None = None, **more: Any) -> Iterator[Mailbox]:
    """One that takes everything. With a folder of certificates (of `authority`) it offers STARTTLS, or TLS at once with `at_once`."""
    box, at_once = Mailbox(), more.pop("tls_at_once", False)
    context = _context(certificates) if certificates is not None else None
    loop, ready = asyncio.new_event_loop(), threading.Event()

    def made() -> SMTP:
        options: dict[str, Any] = {"hostname": "mail.test", "loop": loop, "authenticator": box.lets_in} | more
        if context is not None and not at_once:
            options["tls_context"] = context
        if at_once or context is None:
            options["auth_require_tls"] = False
        return SMTP(box, **options)

    async def serve() -> asyncio.Server:
        server = await loop.create_server(made, "127.0.0.1", box.port, ssl=context if at_once else None)
        box.port = server.sockets[0].getsockname()[1]
        return server

    def run() -> None:
        asyncio.set_event_loop(loop)
        server = loop.run_until_complete(serve())
        loop.call_soon(ready.set)
        loop.run_forever()
        server.close()
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0.01))
        loop.close()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield box
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)


def certificates(folder: Path, *names: str) -> CertificateFolder:
    """A certificate for these names, and the authority that made it."""
    made = CertificateFolder(folder, names)
    folder.mkdir(parents=True, exist_ok=True)
    made.bring_up_to_date(now_utc() - timedelta(seconds=1))
    return made


def _context(folder: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


@contextmanager
def a_rude_server(says: bytes, then: float = 0.0) -> Iterator[int]:
    """The port of a server that sends this, again every `then` seconds (0: once), and reads nothing."""
    loop, ready, ports = asyncio.new_event_loop(), threading.Event(), []

    async def attend(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(says)
            await writer.drain()
            if not then:
                await asyncio.sleep(3600)
            await asyncio.sleep(then)

    async def serve() -> None:
        server = await asyncio.start_server(attend, "127.0.0.1", 0)
        ports.append(server.sockets[0].getsockname()[1])

    def run() -> None:
        loop.run_until_complete(serve())
        loop.call_soon(ready.set)
        loop.run_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(PATIENCE)
    try:
        yield ports[0]
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join(PATIENCE)
