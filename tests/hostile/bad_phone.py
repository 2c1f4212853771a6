"""A telephone of a real user that plays its part in a call as badly as a test wants: every message is said by hand."""

import asyncio
import re
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from tests.calls.stories import PATIENCE_SECONDS
from tests.calls.system import System
from tests.hostile.peers import Peer, plain, within

SDP = (
    "v=0\r\no=ben 7 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0 101\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=sendrecv\r\n"
)
KIND = "Content-Type: application/sdp"


def sdp(port: int = 4000) -> str:
    """An ordinary description."""
    return SDP.format(port=port)


def value(data: bytes, name: str) -> str:
    """The first value of a header."""
    found = re.search(rf"(?mi)^{name} *: *(.*?)\r?$", data.partition(b"\r\n\r\n")[0].decode("utf-8", "replace"))
    return found[1] if found else ""


def is_answer(data: bytes, status: int, cseq: str = "") -> bool:
    """Whether this is a response of this status (to this CSeq)."""
    return data.startswith(b"SIP/2.0 %d" % status) and value(data, "CSeq").startswith(cseq)


class BadPhone(Peer):
    """`call` is the dialog of the call it is in, by what a further request in it must say."""

    calls = 0

    async def register(self, expires: int = 600) -> None:
        """Be this user's telephone."""
        uri = f"sip:{self.domain}"
        request = plain("REGISTER", uri, self, f"reg{expires}", f"Expires: {expires}", to=f"<sip:{self.user}@{self.domain}>")
        self.send(self.signed(request))
        await self.hears(lambda data: is_answer(data, 200, "1 REGISTER"))
        self.heard.clear()

    async def hears(self, wanted: Callable[[bytes], bool], seconds: float = PATIENCE_SECONDS) -> bytes:
        """The first message of that kind, of those that were not looked at before; it counts as looked at."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            for data in self.heard:
                if wanted(data):
                    self.heard.remove(data)
                    return data
            await asyncio.sleep(0.02)
        raise AssertionError(f"never came; but: {[data.partition(b'%c' % 13)[0] for data in self.heard]}")

    async def asked(self, method: str) -> bytes:
        """The next request of a method."""
        return await self.hears(lambda data: data.startswith(method.encode() + b" "))

    def says(self, request: bytes, status: str, *more: str, tag: str = "bad", body: str = "") -> None:
        """Answer a request."""
        head = request.partition(b"\r\n\r\n")[0].decode("utf-8", "replace").split("\r\n")[1:]
        copied = [line for line in head if line.partition(":")[0] in ("Via", "Record-Route", "From", "Call-ID", "CSeq")]
        to = value(request, "To")
        lines = [f"SIP/2.0 {status}", *copied, f"To: {to}" if ";tag=" in to or not tag else f"To: {to};tag={tag}"]
        lines += [f"Contact: <sip:{self.user}@{self.address[0]}:{self.address[1]}>", *more, *([KIND] if body else [])]
        self.send(("\r\n".join([*lines, f"Content-Length: {len(body.encode())}"]) + "\r\n\r\n" + body).encode())

    async def dials(self, number: str, *more: str, body: str = "") -> str:
        """Call somebody; the name of the call."""
        BadPhone.calls += 1
        name = f"bad{BadPhone.calls}"
        body = body or sdp()
        self.send(self.signed(plain("INVITE", f"sip:{number}@{self.domain}", self, name, KIND, *more, body=body)))
        return name

    async def answered(self, name: str) -> bytes:
        """The 200 to a call."""
        return await self.hears(lambda data: is_answer(data, 200, "1 INVITE") and value(data, "Call-ID").startswith(name + "-"))

    def further(self, method: str, name: str, answer: bytes, cseq: int, *more: str, body: str = "", to: str = "", of: str = "") -> None:
        """A request in the dialog that an answer made."""
        uri, tagged, routes = within(answer)
        self.send(plain(method, uri, self, name, *routes, *more, cseq=cseq, to=to or tagged, body=body, of=of))

    def as_called(self, method: str, invite: bytes, cseq: int, *more: str, body: str = "", tag: str = "bad", far: str = "") -> None:
        """A request of ours in a dialog in which we were called."""
        ours, theirs = value(invite, "To"), value(invite, "From")
        if far:
            theirs = re.sub(r";tag=[^;]*", f";tag={far}", theirs)
        contact = re.search(r"<(.*?)>", value(invite, "Contact"))
        uri = contact[1] if contact else "sip:x@127.0.0.1"
        routes = [f"Route: {each}" for each in re.findall(r"(?m)^Record-Route: *(.*?)\r$", invite.decode("utf-8", "replace"))]
        host, port = self.address
        lines = [
            f"{method} {uri} SIP/2.0",
            f"Via: SIP/2.0/UDP {host}:{port};rport;branch=z9hG4bK-as-{cseq}-{method}-{tag}",
            "Max-Forwards: 70",
        ]
        lines += [f"From: {ours};tag={tag}", f"To: {theirs}", f"Call-ID: {value(invite, 'Call-ID')}", f"CSeq: {cseq} {method}"]
        lines += [f"Contact: <sip:{self.user}@{host}:{port}>", *routes, *more, f"Content-Length: {len(body)}"]
        self.send(("\r\n".join(lines) + "\r\n\r\n" + body).encode())


@asynccontextmanager
async def bad_phone(system: System, host: str, user: str = "ben", *, registered: bool = True) -> AsyncIterator[BadPhone]:
    """A bad telephone at an address, registered unless not wanted."""
    loop = asyncio.get_running_loop()
    transport, phone = await loop.create_datagram_endpoint(lambda: BadPhone(system, user, "lumen.test"), local_addr=(host, 0))
    try:
        await phone.prove()
        if registered:
            await phone.register()
        yield phone
        if registered:
            await phone.register(0)
    finally:
        transport.close()
