"""A peer that says octets of the test's choice from an address of its own, and proves a password where it wants to be let in."""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, cast

from tests.calls.stories import PATIENCE_SECONDS
from tests.calls.system import System
from tests.engines.kamailio.talk import digest

TRUSTED = "127.0.66"
"""The first three numbers of the addresses that no flood guard bans."""
GUARDED = "127.0.67"
SIP_PORT = 5070
"""What the Vias of the corpus name, for answers that go there and not where they came from."""


CHALLENGE = re.compile(rb"\r\n(?:WWW|Proxy)-Authenticate: *(.*)\r\n")
QUESTION = b"\r\nCall-ID: nonce-"
"""A request of ours that wants nothing but a challenge."""


class Peer(asyncio.DatagramProtocol):
    """One UDP socket. `heard` has what came, the oldest first, but for the answers to questions for a challenge."""

    stock = 3
    """How many challenges it keeps: each serves one message, and the next is asked for with it."""

    def __init__(self, system: System, user: str, domain: str) -> None:
        self.edge = system.edge[:2]
        self.user, self.domain = user, domain
        self.password = next(each["password"] for each in system.organization(domain)["sip"]["users"] if each["username"] == user)
        self.heard: list[bytes] = []
        self.challenges: list[str] = []
        self.questions = 0
        self.transport = cast(asyncio.DatagramTransport, None)

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not self.was_question(data):
            self.heard.append(data)

    def was_question(self, data: bytes) -> bool:
        """Keep the challenge in an answer; whether that was all it was for."""
        if found := CHALLENGE.search(data):
            self.challenges = [*self.challenges, found[1].decode()][-self.stock :]
        return QUESTION in data

    @property
    def address(self) -> tuple[str, int]:
        host, port = self.transport.get_extra_info("sockname")[:2]
        return host, port

    def send(self, data: bytes) -> None:
        self.transport.sendto(data, self.edge)

    def status(self) -> str:
        """The first final answer's status, "" while none came."""
        for data in self.heard:
            found = re.match(rb"SIP/2\.0 ([2-6]\d\d)", data)
            if found:
                return found[1].decode()
        return ""

    def asks_for_a_challenge(self) -> None:
        self.questions += 1
        self.send(plain("REGISTER", f"sip:{self.domain}", self, f"nonce-{self.questions}"))

    async def prove(self) -> None:
        """Get challenges that signed() answers; they serve this address alone, for minutes."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while len(self.challenges) < self.stock:
            assert time.monotonic() < deadline, f"nobody challenged {self.address}"
            for _ in range(self.stock - len(self.challenges)):
                self.asks_for_a_challenge()
            await asyncio.sleep(0.2)

    def signed(self, data: bytes) -> bytes:
        """The message with a right password, put in behind its start line; one without a start line stays as it is."""
        start, end, rest = data.lstrip(b"\r\n").partition(b"\r\n")
        words = start.split(b" ")
        if not end or words[0].startswith(b"SIP/") or not words[0].isalpha():
            return data
        name = "Authorization" if words[0] == b"REGISTER" else "Proxy-Authorization"
        challenge = self.challenges.pop(0) if len(self.challenges) > 1 else self.challenges[0]
        self.asks_for_a_challenge()
        proof = digest(challenge, words[0].decode(), f"sip:{self.domain}", self.user, self.password)
        return b"%b\r\n%b: %b\r\n%b" % (start, name.encode(), proof.encode(), rest)


def plain(method: str, uri: str, peer: Peer, call: str, *more: str, cseq: int = 1, to: str = "", body: str = "", of: str = "") -> bytes:
    """A well-formed request of a peer; `of` "INVITE" for what belongs to an INVITE's transaction, CANCEL and the ACK to a refusal."""
    host, port = peer.address
    lines = [
        f"{method} {uri} SIP/2.0",
        f"Via: SIP/2.0/UDP {host}:{port};rport;branch=z9hG4bK-{call}-{cseq}-{of or method}",
        "Max-Forwards: 70",
        f"From: <sip:{peer.user}@{peer.domain}>;tag=f-{call}",
        f"To: {to or f'<{uri}>'}",
        f"Call-ID: {call}-{host}",
        f"CSeq: {cseq} {method}",
        f"Contact: <sip:{peer.user}@{host}:{port}>",
        *more,
        f"Content-Length: {len(body)}",
    ]
    return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()


@asynccontextmanager
async def peer_at(system: System, host: str, port: int = 0, user: str = "anna", domain: str = "lumen.test") -> AsyncIterator[Peer]:
    """A peer at an address; port 0 takes a free one."""
    loop = asyncio.get_running_loop()
    transport, peer = await loop.create_datagram_endpoint(lambda: Peer(system, user, domain), local_addr=(host, port))
    try:
        yield peer
    finally:
        transport.close()
        await asyncio.sleep(0)  # the socket is closed in the loop's next round


def within(answer: bytes) -> tuple[str, str, list[str]]:
    """What a request in the dialog that a 200 or 180 made must say: its Request-URI, To, and Route lines (RFC 3261 12.1.2)."""
    text = answer.decode("utf-8", "replace")
    to = re.findall(r"\r\n(?:To|t): *(.*)\r\n", text)
    contact = re.findall(r"\r\n(?:Contact|m): *<(.*?)>", text)
    routes = re.findall(r"(?m)^Record-Route: *(.*?)\r$", text)
    return contact[0] if contact else "", to[0] if to else "", [f"Route: {route}" for route in reversed(routes)]


def ended(peer: Peer, answer: bytes, call: str, cseq: int = 1) -> None:
    """Acknowledge a 200 and hang up at once."""
    uri, to, routes = within(answer)
    peer.send(plain("ACK", uri, peer, call, *routes, cseq=cseq, to=to))
    peer.send(plain("BYE", uri, peer, call, *routes, cseq=cseq + 1, to=to))
