"""A registrar and proxy of a few lines, real enough for a telephone: it challenges, checks the digest, and passes on nothing."""

import asyncio
import re
import secrets

from sipmessage import Request

from offhook.phones.wires import TcpWire, UdpWire
from offhook.sip import digest, facts
from offhook.sip.addresses import Address
from offhook.sip.agent import Agent
from offhook.sip.timers import Timers

REALM = "lumen.test"


class Registrar:
    """Knows one user. `granted` is what it gives whatever is asked; `registrations` are the expiries asked for with a right password."""

    def __init__(self, username: str, password: str, granted: int = 600) -> None:
        self._user = (username, password)
        self.granted = granted
        self.registrations: list[str] = []
        self.contacts: list[str] = []
        self.challenges = 0
        self.refuse_with: int | None = None
        self.deaf = False
        self.stale_once = False
        self._nonce = secrets.token_hex(8)

    async def start(self, transport: str = "udp", port: int = 0) -> Address:
        if transport == "tcp":
            self.wire: TcpWire | UdpWire = await TcpWire.open("127.0.0.1", port, self._received, lambda peer: None)
        else:
            self.wire = await UdpWire.open("127.0.0.1", port, self._received)
        self._agent = Agent(
            local=self.wire.local,
            user_agent="registrar",
            tokens=lambda: secrets.token_hex(8),
            timers=Timers(),
            reliable=transport == "tcp",
        )
        return self.wire.local

    def _received(self, data: bytes, source: Address) -> None:
        if not self.deaf:
            self._do(self._agent.receive(data, source, asyncio.get_running_loop().time()))

    def _do(self, outputs: list[facts.Output]) -> None:
        now = asyncio.get_running_loop().time()
        for output in outputs:
            match output:
                case facts.Send():
                    self.wire.send(output.data, output.to)
                case facts.RequestReceived():
                    status, headers = self._judge(output.request, "Authorization")
                    self._do(self._agent.respond(output.key, status=status, headers=headers, now=now))
                case facts.InviteReceived():
                    status, headers = self._judge(output.request, "Proxy-Authorization")
                    self._do(self._agent.refuse(output.session, status=486 if status == 200 else status, headers=headers, now=now))

    def _judge(self, request: Request, name: str) -> tuple[int, list[tuple[str, str]]]:
        if self.refuse_with is not None:
            return self.refuse_with, []
        given = request.headers.get(name) or ""
        if self.stale_once or not self._right(given, request):
            stale, self.stale_once = self.stale_once, False
            self._nonce = secrets.token_hex(8)
            self.challenges += 1
            challenge = f'Digest realm="{REALM}", nonce="{self._nonce}", algorithm=MD5, qop="auth"{", stale=true" if stale else ""}'
            return (407, [("Proxy-Authenticate", challenge)]) if name.startswith("Proxy") else (401, [("WWW-Authenticate", challenge)])
        self.registrations.append(request.headers.get("Expires") or "")
        self.contacts.append(request.headers.get("Contact") or "")
        contact = (request.headers.get("Contact") or "").partition(";expires")[0]
        return 200, [("Contact", f"{contact};expires={self.granted}")]

    def _right(self, given: str, request: Request) -> bool:
        fields = dict(re.findall(r'(\w+)="?([^",]*)"?', given))
        if fields.get("nonce") != self._nonce or fields.get("username") != self._user[0]:
            return False
        challenge = digest.Challenge(REALM, self._nonce, qop=True)
        hashed = digest.ha1(self._user[0], REALM, self._user[1])
        _, wanted = digest.credentials(
            challenge,
            method=request.method,
            uri=fields["uri"],
            username=self._user[0],
            hashed=hashed,
            cnonce=fields["cnonce"],
            count=int(fields["nc"], 16),
        )
        return f'response="{fields["response"]}"' in wanted
