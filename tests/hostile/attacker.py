"""One that speaks SIP well enough to get deep, and badly wherever it can: callers and called telephones made of mutants.

It makes calls with a right password, answers those that come (it is registered as anna), remembers the dialogs that arise and goes on in
them: re-INVITE, INFO, REFER, UPDATE, PRACK, CANCEL, BYE, ACK. With `leave` it turns decent and ends what it knows of.
"""

import asyncio
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Any

from tests.calls.system import System
from tests.hostile.cases import cases
from tests.hostile.mutations import Mutator
from tests.hostile.peers import Peer, plain, within

SDP = (
    "v=0\r\no=anna 7 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8 101\r\n"
    "a=rtpmap:101 telephone-event/8000\r\na=fmtp:101 0-16\r\na=sendrecv\r\n"
)
KIND = "Content-Type: application/sdp"
TARGETS = (("101", 30), ("104", 20), ("100", 8), ("12", 4), ("+12065559999", 6), ("+12065550190", 3))
"""Ourselves, nobody, the attendant, what is no number, and the carrier's that is unknown and that is busy."""
WITHIN = (
    ("INVITE", 20), ("INFO", 14), ("REFER", 14), ("UPDATE", 12), ("PRACK", 10), ("BYE", 8), ("ACK", 8), ("CANCEL", 8), ("OPTIONS", 4),
    ("NOTIFY", 4), ("SUBSCRIBE", 4), ("MESSAGE", 3),
)  # fmt: skip
OUTSIDE = ("REGISTER", "OPTIONS", "SUBSCRIBE", "MESSAGE", "PUBLISH", "REFER", "UPDATE", "PRACK", "NOTIFY", "INFO", "BYE", "FROBNICATE")
ANSWERS = (
    ("180 Ringing", 6),
    ("183 Progress", 6),
    ("200 OK", 8),
    ("302 Moved", 4),
    ("486 Busy", 4),
    ("491 Pending", 2),
    ("503 No", 2),
    ("199 Early", 1),
)
MOST_DIALOGS = 40
PATIENT_SECONDS = 100.0
BEAT_SECONDS = 0.02


@dataclass(slots=True)
class Dialog:
    """A dialog of ours: the answer that made it, which a later request must agree with letter by letter, mutated as it may be."""

    answer: bytes
    cseq: int = 1

    @property
    def call(self) -> str:
        return first(self.answer, "Call-ID")


def values(data: bytes, name: str) -> list[str]:
    """The values of a header."""
    text = data.partition(b"\r\n\r\n")[0].decode("utf-8", "replace")
    return re.findall(rf"(?mi)^{name} *: *(.*?)\r?$", text)


def first(data: bytes, name: str) -> str:
    """The first value of a header, "" without one."""
    return next(iter(values(data, name)), "")


class Attacker(Peer):
    """A peer with a seed. `sent` counts its messages."""

    stock = 60

    def __init__(self, system: System, user: str, domain: str, seed: int) -> None:
        super().__init__(system, user, domain)
        self.random = Random(seed)
        self.mutator = Mutator(self.random)
        self.corpus = [case.data for case in cases("sip")]
        self.dialogs: dict[str, Dialog] = {}
        self.known: dict[str, Dialog] = {}
        self.sent = self.count = 0
        self.decent = False

    # -- what it says

    def attack(self) -> bytes:
        """The next message."""
        kind = self.random.random()
        if len(self.known) > MOST_DIALOGS:
            # Decently: how many calls one telephone may make is not asked here.
            answered = self.known.pop(next(iter(self.known)))
            answered.cseq += 1000
            return self._bye(answered)
        if len(self.dialogs) > MOST_DIALOGS:
            return self._bye(self.dialogs.pop(next(iter(self.dialogs))))
        if kind < 0.35 or not self.dialogs:
            return self.mutated(self.signed(self._call()))
        if kind < 0.75:
            return self.mutated(self._further(self.random.choice(list(self.dialogs.values()))))
        if kind < 0.85:
            method = self.random.choice(OUTSIDE)
            self.count += 1
            body = SDP if self.random.random() < 0.3 else ""
            uri = "sip:lumen.test" if method == "REGISTER" else "sip:101@lumen.test"
            return self.mutated(self.signed(plain(method, uri, self, f"o{self.count}", *([KIND] if body else []), body=body)))
        if kind < 0.95:
            return self.mutated(self.signed(self.random.choice(self.corpus)))
        return self.random.randbytes(self.random.randrange(1, 400))

    def mutated(self, data: bytes) -> bytes:
        return data if self.decent else self.mutator.mutated(data)

    def _call(self) -> bytes:
        self.count += 1
        numbers, weights = zip(*TARGETS, strict=True)
        number = self.random.choices(numbers, weights)[0]
        late = self.random.random() < 0.1
        more = [] if late else [KIND]
        if self.random.random() < 0.4:
            more += ["Supported: 100rel, timer, replaces"]
        return plain("INVITE", f"sip:{number}@{self.domain}", self, f"c{self.count}", *more, body="" if late else SDP)

    def _further(self, dialog: Dialog) -> bytes:
        methods, weights = zip(*WITHIN, strict=True)
        method = self.random.choices(methods, weights)[0]
        more, body = list[str](), ""
        if method in ("INVITE", "UPDATE"):
            more, body = [KIND], SDP
        elif method == "INFO":
            more, body = (
                [*more, "Content-Type: application/dtmf-relay"],
                f"Signal={self.random.choice('0123456789*#AX')}\r\nDuration=160\r\n",
            )
        elif method == "PRACK":
            more.append(f"RAck: {self.random.randrange(3)} {dialog.cseq} INVITE")
        elif method == "REFER":
            other = self.random.choice(list(self.dialogs.values())).call
            more.append(
                self.random.choice(
                    ("Refer-To: <sip:101@lumen.test>", "Refer-To: <sip:104@lumen.test>", f"Refer-To: <sip:100@lumen.test?Replaces={other}>")
                )
            )
        if method not in ("ACK", "CANCEL"):
            dialog.cseq += 1
        if method == "BYE":
            self.dialogs.pop(dialog.call, None)
        return self._within(dialog, method, *more, body=body)

    def _within(self, dialog: Dialog, method: str, *more: str, body: str = "") -> bytes:
        uri, to, routes = within(dialog.answer)
        branch = f"z9hG4bK{self.random.getrandbits(60)}"
        if method == "CANCEL":
            branch = first(dialog.answer, "Via").partition("branch=")[2].partition(";")[0]
        host, port = self.address
        lines = [f"{method} {uri} SIP/2.0", f"Via: SIP/2.0/UDP {host}:{port};rport;branch={branch}", "Max-Forwards: 70"]
        lines += [f"From: {first(dialog.answer, 'From')}", f"To: {to}", f"Call-ID: {dialog.call}", f"CSeq: {dialog.cseq} {method}"]
        lines += [f"Contact: <sip:anna@{host}:{port}>", *routes, *more, f"Content-Length: {len(body)}"]
        return ("\r\n".join(lines) + "\r\n\r\n" + body).encode()

    def _bye(self, dialog: Dialog) -> bytes:
        dialog.cseq += 1
        return self._within(dialog, "BYE")

    # -- what it hears

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if self.was_question(data):
            return
        if len(self.heard) < 50:
            self.heard.append(data)
        if data.startswith(b"SIP/2.0 "):
            self._answered(data)
        elif data.count(b"\r\n\r\n"):
            self._asked(data)

    def _answered(self, data: bytes) -> None:
        status, cseq = int(data[8:11]), first(data, "CSeq") or "0 X"
        if not cseq.endswith(" INVITE") or status < 180:
            return
        dialog = Dialog(data, int(cseq.split()[0]) if cseq.split()[0].isdecimal() and cseq.isascii() else 1)
        if status >= 300:
            self.dialogs.pop(dialog.call, None)
            self.send(self._refusal_heard(data))
            return
        known = self.dialogs.setdefault(dialog.call, dialog)
        known.cseq = max(known.cseq, dialog.cseq)
        if status >= 200:
            self.known.setdefault(dialog.call, dialog)
            if self.decent or self.random.random() < 0.8:
                self.send(self._within(dialog, "ACK"))

    def _refusal_heard(self, data: bytes) -> bytes:
        lines = [f"ACK sip:104@{self.domain} SIP/2.0", *(f"{name}: {first(data, name)}" for name in ("Via", "From", "To", "Call-ID"))]
        lines += [f"CSeq: {first(data, 'CSeq').partition(' ')[0]} ACK", "Max-Forwards: 70", "Content-Length: 0"]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    def _asked(self, data: bytes) -> None:
        """A request of the switch: the telephone's side of a call, badly played."""
        method = data.partition(b" ")[0].decode("ascii", "replace")
        if method == "ACK":
            return
        if method != "INVITE":
            if self.decent or self.random.random() < 0.8:
                self.send(self._answer(data, "200 OK"))
            if method == "CANCEL":
                self.send(self._answer(data.replace(b" CANCEL\r\n", b" INVITE\r\n"), "487 Request Terminated"))
            return
        if self.decent:
            self.send(self._answer(data, "486 Busy Here"))
            return
        statuses, weights = zip(*ANSWERS, strict=True)
        for status in self.random.choices(statuses, weights, k=self.random.randint(0, 3)):
            self.send(self.mutated(self._answer(data, status)))

    def _answer(self, data: bytes, status: str) -> bytes:
        call = (values(data, "Call-ID") or ["x"])[0]
        to = (values(data, "To") or ["<sip:x@y>"])[0]
        body = SDP if status[0] in "12" and data.startswith(b"INVITE") else ""
        lines = [
            f"SIP/2.0 {status}",
            *(f"Via: {via}" for via in values(data, "Via")),
            *(f"Record-Route: {each}" for each in values(data, "Record-Route")),
        ]
        lines += [f"From: {(values(data, 'From') or [''])[0]}", f"To: {to}" if ";tag=" in to else f"To: {to};tag=far-{call[:8]}"]
        lines += [
            f"Call-ID: {call}",
            f"CSeq: {(values(data, 'CSeq') or ['1 X'])[0]}",
            f"Contact: <sip:anna@{self.address[0]}:{self.address[1]}>",
        ]
        lines += [KIND] if body else []
        if status.startswith("302"):
            lines.append(self.random.choice(("Contact: <sip:101@lumen.test>", "Contact: <sip:104@lumen.test>")))
        if status[0] == "1" and self.random.random() < 0.3:
            lines += ["Require: 100rel", f"RSeq: {self.random.randrange(1, 5)}"]
        return ("\r\n".join([*lines, f"Content-Length: {len(body)}"]) + "\r\n\r\n" + body).encode()

    # -- how it goes about it

    async def register(self, expires: int = 3600) -> None:
        """Be anna's telephone, so that calls to 101 come here."""
        self.count += 1
        self.send(
            self.signed(
                plain(
                    "REGISTER", f"sip:{self.domain}", self, f"r{self.count}", f"Expires: {expires}", to=f"<sip:{self.user}@{self.domain}>"
                )
            )
        )
        await asyncio.sleep(0.1)

    async def attacks(self, messages: int, per_second: float) -> None:
        """Say so many, no faster than that."""
        started, last = time.monotonic(), time.monotonic()
        begun = self.sent
        while self.sent - begun < messages:
            due = min(messages, int((time.monotonic() - started) * per_second))
            # A machine that stalls must not make a burst of what was missed.
            for _ in range(min(due - (self.sent - begun), int(per_second * BEAT_SECONDS * 4) + 1)):
                self.send(self.attack())
                self.sent += 1
            if time.monotonic() - last > PATIENT_SECONDS:
                last = time.monotonic()
                await self.register()
            await asyncio.sleep(BEAT_SECONDS)

    async def leave(self) -> None:
        """Hang up all that is known, and take the registration back."""
        self.decent = True
        for number, dialog in enumerate([*self.dialogs.values(), *self.known.values()]):
            dialog.cseq += 1000
            self.send(self._bye(dialog))
            if number % 10 == 0:
                await asyncio.sleep(BEAT_SECONDS)
        self.dialogs.clear()
        await self.register(0)


@asynccontextmanager
async def attacker_at(system: System, host: str, seed: int, **details: Any) -> AsyncIterator[Attacker]:
    """An attacker with a password and a registration; it goes on answering until the end, decently once it left."""
    loop = asyncio.get_running_loop()
    transport, attacker = await loop.create_datagram_endpoint(lambda: Attacker(system, "anna", "lumen.test", seed), local_addr=(host, 0))
    try:
        await attacker.prove()
        await attacker.register()
        yield attacker
    finally:
        transport.close()
