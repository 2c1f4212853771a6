"""The edge as the switch's line sees it: an agent on a real UDP socket, which also plays the telephones behind it."""

import asyncio
import socket
import time
from collections.abc import Callable
from itertools import count
from typing import Any, TypeVar

from offhook.domain.calls.commands import InviteLeg
from offhook.domain.calls.events import CallArrived, LegAnswered, LegConfirmed, LegEvent, LegRinging
from offhook.domain.calls.ids import CallId, LegId, leg_id
from offhook.engines.signalling.line import EdgeLine
from offhook.sip.addresses import Address
from offhook.sip.agent import Agent
from offhook.sip.facts import AckReceived, InviteReceived, Output, Send

OFFER = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\n"
OFFER += "m=audio 4000 RTP/AVP 0 8 101\r\na=rtpmap:101 telephone-event/8000\r\n"
ANSWER = OFFER.replace("4000", "5000")
SOON = 8.0

F = TypeVar("F")
OUT = leg_id(CallId("out"), 1)
PHONE = (
    ("P-Asserted-Identity", "<sip:anna@lumen.test>"),
    ("X-Offhook-Source", "phone"),
    ("X-Offhook-Address", "udp:127.0.0.9:5071"),
)


async def eventually(condition: Callable[[], Any], what: str = "it") -> Any:
    """Wait until it is so, and say what it is."""
    until = time.monotonic() + SOON
    while not (found := condition()):
        assert time.monotonic() < until, f"{what} never came"
        await asyncio.sleep(0.005)
    return found


class FarEnd(asyncio.DatagramProtocol):
    """Speaks SIP with the line. `facts` is what its agent has told, `datagrams` what came over the wire."""

    def __init__(self) -> None:
        words = count(1)
        self._tokens = lambda: f"far{next(words)}"
        self.facts: list[Output] = []
        self.datagrams: list[bytes] = []
        self.deaf = False

    async def open(self) -> None:
        self.transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: self, local_addr=("127.0.0.1", 0))
        self.address = Address(*self.transport.get_extra_info("sockname")[:2])
        self.agent = Agent(local=self.address, user_agent="far", tokens=self._tokens)

    def datagram_received(self, data: bytes, source: tuple[Any, ...]) -> None:
        self.datagrams.append(data)
        if self.deaf:
            return
        self._act(self.agent.receive(data, Address(source[0], source[1]), time.monotonic()))

    def _act(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Send):
                self.transport.sendto(output.data, (output.to.host, output.to.port))
            else:
                self.facts.append(output)

    def does(self, order: str, *words: Any, **more: Any) -> None:
        self._act(getattr(self.agent, order)(*words, now=time.monotonic(), **more))

    def says(self, data: bytes, line: "Line") -> None:
        """Write raw bytes to the line."""
        self.transport.sendto(data, ("127.0.0.1", line.port))

    async def told(self, kind: type[F], number: int = 1) -> F:
        """The fact of this kind with this number, once it has come."""
        found = await eventually(lambda: [fact for fact in self.facts if isinstance(fact, kind)][number - 1 :], kind.__name__)
        return found[0]  # type: ignore[no-any-return]

    def statuses(self) -> list[int]:
        return [int(data.split()[1]) for data in self.datagrams if data.startswith(b"SIP/2.0")]


class Line:
    """The switch's line with what it delivered and observed."""

    def __init__(self, far: FarEnd, port: int | None = None) -> None:
        words, calls = count(1), count(1)
        self.events: list[CallArrived | LegEvent] = []
        self.observed: list[tuple[LegId, str, bytes]] = []
        self.port = port or _free_port()
        self.far = far
        self.line = EdgeLine(
            local=Address("127.0.0.1", self.port),
            edge=far.address,
            deliver=self.events.append,
            observe=lambda leg, wall, direction, data: self.observed.append((leg, direction, data)),
            new_call=lambda: CallId(f"call{next(calls)}"),
            tokens=lambda: f"near{next(words)}",
        )

    async def told(self, kind: type[F], number: int = 1) -> F:
        """The event of this kind with this number, once it has come."""
        found = await eventually(lambda: [event for event in self.events if isinstance(event, kind)][number - 1 :], kind.__name__)
        return found[0]  # type: ignore[no-any-return]

    def ladder(self, leg: LegId) -> list[str]:
        """What was observed of a leg: direction, then the method or status."""
        return [f"{direction} {_word(data)}" for of, direction, data in self.observed if of == leg]

    def call_in(self, session: str = "in", headers: tuple[tuple[str, str], ...] = PHONE, **changes: Any) -> None:
        """A telephone behind the edge calls 102."""
        order: dict[str, Any] = {
            "request_uri": "sip:102@lumen.test",
            "from_header": '"Anna" <sip:anna@lumen.test>',
            "to_header": "<sip:102@lumen.test>",
            "destination": Address("127.0.0.1", self.port),
            "sdp": OFFER,
            "headers": headers,
        }
        self.far.does("invite", session, **(order | changes))

    def call_out(self, leg: LegId, **changes: str) -> None:
        """The switch calls ben's telephone."""
        order = {
            "uri": f"sip:ben@{self.far.address.host}:{self.far.address.port};alias=127.0.0.9~5082~1",
            "sdp": OFFER,
            "to": "102",
            "domain": "lumen.test",
            "shown_name": "Anna",
            "shown_number": "101",
        }
        self.line.invite(InviteLeg(leg, **(order | changes)))  # type: ignore[arg-type]

    async def forgets(self) -> None:
        """Wait until nothing is kept of any leg, session or dialog."""
        line, core = self.line, self.line._agent._core
        await eventually(lambda: not (line._dialogues or line._awaiting or line._legs or core.sessions or core.dialogs), "an empty memory")


async def arrived(line: Line, **changes: object) -> CallArrived:
    """A call comes in."""
    line.call_in(**changes)  # type: ignore[arg-type]
    return await line.told(CallArrived)


async def talking_in(line: Line) -> CallArrived:
    """A call comes in and is answered."""
    call = await arrived(line)
    line.line.answer(call.leg, ANSWER)
    await line.told(LegConfirmed)
    return call


async def ringing_out(line: Line) -> str:
    """We call a telephone, and it rings; its session."""
    line.call_out(OUT)
    session = (await line.far.told(InviteReceived)).session
    line.far.does("ring", session)
    await line.told(LegRinging)
    return session


async def talking_out(line: Line) -> str:
    """The same, and it answers."""
    session = await ringing_out(line)
    line.far.does("answer", session, sdp=ANSWER)
    await line.told(LegAnswered)
    await line.far.told(AckReceived)
    return session


def _word(data: bytes) -> str:
    words = data.split(b" ", 2)
    return (words[1] if words[0] == b"SIP/2.0" else words[0]).decode()


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
