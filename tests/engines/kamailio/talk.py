"""A telephone and a switch that say exactly the text a test gives them, by hand, so that no library of ours corrects it."""

import asyncio
import hashlib
import re
import socket
import ssl
import time
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

PATIENCE_SECONDS = 10.0
SHORT_SILENCE_SECONDS = 0.6  # how long a test listens for what must not come


class NothingCame(AssertionError):
    """Nobody answered in time."""


@dataclass(frozen=True)
class Message:
    """A SIP message as it came."""

    text: str
    source: tuple[str, int] | None = None

    @property
    def start(self) -> str:
        return self.text.split("\r\n", 1)[0]

    @property
    def status(self) -> int:
        return int(self.start.split()[1]) if self.start.startswith("SIP/2.0") else 0

    @property
    def method(self) -> str:
        return "" if self.status else self.start.split()[0]

    @property
    def uri(self) -> str:
        return self.start.split()[1]

    def all(self, name: str) -> list[str]:
        return re.findall(rf"(?im)^{re.escape(name)}[ \t]*:[ \t]*(.*?)\r?$", self.text.split("\r\n\r\n", 1)[0])

    def one(self, name: str) -> str:
        values = self.all(name)
        assert len(values) == 1, f"{name} {len(values)} times in\n{self.text}"
        return values[0]


@dataclass
class Line:
    """One socket. `address` is where it can be reached."""

    address: tuple[str, int]
    inbox: "asyncio.Queue[Message]" = field(default_factory=asyncio.Queue)
    send: Callable[[str, tuple[str, int]], None] = lambda text, to: None
    close: Callable[[], None] = lambda: None
    transport: str = "UDP"
    cut: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when the other side ended the connection."""

    @property
    def where(self) -> str:
        ip, port = self.address[:2]
        return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"

    async def hear(self, wanted: Callable[[Message], bool] = lambda message: True, seconds: float = PATIENCE_SECONDS) -> Message:
        """The next message of that kind; others are left out."""
        until = time.monotonic() + seconds
        while True:
            try:
                message = await asyncio.wait_for(self.inbox.get(), max(0.01, until - time.monotonic()))
            except TimeoutError:
                raise NothingCame(f"{self.address} heard nothing of the kind in {seconds} s") from None
            if wanted(message):
                return message

    async def hears_nothing(self, wanted: Callable[[Message], bool] = lambda message: True, seconds: float = SHORT_SILENCE_SECONDS) -> None:
        try:
            message = await self.hear(wanted, seconds)
        except NothingCame:
            return
        raise AssertionError(f"{self.address} heard what must not come:\n{message.text}")


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, line: Line) -> None:
        self.line = line

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if len(data) > 4:
            self.line.inbox.put_nowait(Message(data.decode("utf-8", "replace"), addr))


async def udp_line(ip: str = "127.0.0.1", port: int = 0) -> Line:
    line = Line((ip, port))
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Datagrams(line), local_addr=(ip, port))
    line.address = transport.get_extra_info("sockname")
    line.send = lambda text, to: transport.sendto(text.encode(), to)
    line.close = transport.close
    return line


async def tcp_line(to: tuple[str, int], ip: str = "127.0.0.1", security: ssl.SSLContext | None = None) -> Line:
    reader, writer = await asyncio.open_connection(*to, local_addr=(ip, 0), ssl=security)
    line = Line(writer.get_extra_info("sockname")[:2], transport="TLS" if security else "TCP")

    async def read() -> None:
        try:
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                length = re.search(r"(?im)^(?:content-length|l)\s*:\s*(\d+)", head)
                body = (await reader.readexactly(int(length[1]))).decode() if length else ""
                line.inbox.put_nowait(Message(head.lstrip("\r\n") + body, to))
        except (asyncio.IncompleteReadError, OSError):
            line.cut.set()

    task = asyncio.ensure_future(read())
    line.send = lambda text, _to: writer.write(text.encode())

    def close() -> None:
        task.cancel()
        writer.close()

    line.close = close
    return line


def ha1(user: str, domain: str, password: str) -> str:
    return hashlib.md5(f"{user}:{domain}:{password}".encode()).hexdigest()


def digest(challenge: str, method: str, uri: str, user: str, password: str) -> str:
    given = dict(re.findall(r'(\w+)="?([^",]+)"?', challenge))
    secret, proof = ha1(user, given["realm"], password), hashlib.md5(f"{method}:{uri}".encode()).hexdigest()
    response = hashlib.md5(f"{secret}:{given['nonce']}:00000001:abcd:auth:{proof}".encode()).hexdigest()
    return (
        f'Digest username="{user}", realm="{given["realm"]}", nonce="{given["nonce"]}", uri="{uri}", response="{response}", '
        'algorithm=MD5, qop=auth, nc=00000001, cnonce="abcd"'
    )


def token() -> str:
    return uuid.uuid4().hex[:12]


@dataclass
class Phone:
    """A telephone of one user on one line."""

    line: Line
    edge: tuple[str, int]
    user: str = "anna"
    domain: str = "lumen.test"
    password: str = "anna-secret"
    agent: str = "test phone"
    signs_in_as: str = ""
    """The name that it answers challenges with; empty: the user's."""

    @property
    def contact(self) -> str:
        transport = "" if self.line.transport == "UDP" else f";transport={self.line.transport.lower()}"
        return f"<sip:{self.user}@{self.line.where}{transport}>"

    def text(self, method: str, uri: str, *extra: str, call: str, cseq: int = 1, to: str = "", body: str = "", contact: str = "",
             sender: str = "", branch: str = "") -> str:  # fmt: skip
        return "\r\n".join((
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/{self.line.transport} {self.line.where};branch=z9hG4bK{branch or token()};rport",
            "Max-Forwards: 70",
            f"From: {sender or f'<sip:{self.user}@{self.domain}>'};tag=from-{call}",
            f"To: {to or f'<{uri}>'}",
            f"Call-ID: {call}", f"CSeq: {cseq} {method}", f"Contact: {contact or self.contact}", f"User-Agent: {self.agent}",
            *extra, f"Content-Length: {len(body)}", "", body,
        ))  # fmt: skip

    def send(self, text: str) -> None:
        self.line.send(text, self.edge)

    async def answer_to(self, text: str, seconds: float = PATIENCE_SECONDS) -> Message:
        """Send, again after half a second as RFC 3261 17.1.2.2 tells, and hear the first final answer of its CSeq."""
        call, cseq = Message(text).one("Call-ID"), Message(text).one("CSeq")
        until = time.monotonic() + seconds
        while True:
            self.send(text)
            try:
                return await self.line.hear(
                    lambda m: m.status >= 200 and m.one("Call-ID") == call and m.one("CSeq") == cseq,
                    min(0.7 if self.line.transport == "UDP" else seconds, until - time.monotonic()),
                )
            except NothingCame:
                if time.monotonic() + 0.1 > until:
                    raise

    async def ask(self, method: str, uri: str, *extra: str, call: str = "", seconds: float = PATIENCE_SECONDS, to: str = "",
                  contact: str = "", sender: str = "") -> Message:  # fmt: skip
        """A request with a password if asked for one; the last answer."""
        call = call or token()
        answer = await self.answer_to(self.text(method, uri, *extra, call=call, to=to, contact=contact, sender=sender), seconds)
        if answer.status not in (401, 407):
            return answer
        proof = self.proof(answer, method, uri)
        again = self.text(method, uri, *extra, proof, call=call, cseq=2, to=to, contact=contact, sender=sender)
        return await self.answer_to(again, seconds)

    def proof(self, answer: Message, method: str, uri: str) -> str:
        name, challenge = ("WWW-Authenticate", "Authorization") if answer.status == 401 else ("Proxy-Authenticate", "Proxy-Authorization")
        return f"{challenge}: {digest(answer.one(name), method, uri, self.signs_in_as or self.user, self.password)}"

    async def registers(self, expires: int = 600, call: str = "", contact: str = "") -> Message:
        own = f"<sip:{self.user}@{self.domain}>"
        return await self.ask("REGISTER", f"sip:{self.domain}", f"Expires: {expires}", call=call, to=own, contact=contact)

    async def dials(self, number: str, *extra: str, call: str = "", host: str = "") -> str:
        """Send an INVITE, with the password when asked; the Call-ID. What then comes is for the test to hear."""
        call, uri = call or token(), f"sip:{number}@{host or self.domain}"
        answer = await self.answer_to(self.text("INVITE", uri, *extra, call=call))
        assert answer.status == 407, answer.text
        self.send(self.text("ACK", uri, call=call, to=answer.one("To"), branch=_branch(answer)))
        self.send(self.text("INVITE", uri, *extra, self.proof(answer, "INVITE", uri), call=call, cseq=2))
        return call


def _branch(answer: Message) -> str:
    found = re.search(r"branch=z9hG4bK([^;\s]+)", answer.all("Via")[0])
    assert found
    return found[1]


def reply(request: Message, status: int, words: str = "OK", *extra: str, contact: str = "", tag: str = "callee") -> str:
    to = request.one("To")
    lines = [f"SIP/2.0 {status} {words}", *(f"Via: {via}" for via in request.all("Via"))]
    lines += [f"Record-Route: {route}" for route in request.all("Record-Route")]
    lines += [f"From: {request.one('From')}", f"To: {to}" if "tag=" in to or status == 100 else f"To: {to};tag={tag}"]
    lines += [f"Call-ID: {request.one('Call-ID')}", f"CSeq: {request.one('CSeq')}", *([f"Contact: {contact}"] if contact else []), *extra]
    return "\r\n".join((*lines, "Content-Length: 0", "", ""))


def routes(message: Message) -> list[str]:
    return [route.strip() for value in message.all("Record-Route") for route in value.split(",")]


def free_ports(count: int, ip: str = "127.0.0.1") -> list[int]:
    held: list[tuple[socket.socket, socket.socket]] = []
    while len(held) < count:
        udp, tcp = socket.socket(socket.AF_INET, socket.SOCK_DGRAM), socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        udp.bind((ip, 0))
        try:
            tcp.bind((ip, udp.getsockname()[1]))
        except OSError:
            udp.close()
            tcp.close()
            continue
        held.append((udp, tcp))
    ports = [udp.getsockname()[1] for udp, _ in held]
    for pair in held:
        for one in pair:
            one.close()
    return ports


async def eventually(told: Callable[[], Awaitable[bool]], seconds: float = PATIENCE_SECONDS) -> None:
    until = time.monotonic() + seconds
    while not await told():
        assert time.monotonic() < until, "it did not happen"
        await asyncio.sleep(0.05)
