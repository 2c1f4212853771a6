"""Two agents and a line between them, in a time of its own: it loses, doubles and delays by a pattern, so every run is the same."""

from collections.abc import Callable, Iterator, Sequence
from heapq import heappop, heappush
from itertools import count
from typing import Any, TypeVar

from offhook.sip.addresses import Address
from offhook.sip.agent import Agent
from offhook.sip.facts import AckReceived, Heard, InviteReceived, Output, ProgressReceived, Send
from offhook.sip.timers import Timers

OFFER = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 8\r\n"
ANSWER = OFFER.replace("4000", "5000")
Fate = Callable[[int, bytes], Sequence[float]]
F = TypeVar("F")

ON_TIME = 0.01


def told_as(sdp: str, version: int, number: int = 1) -> str:
    """OFFER, or what was made of it, as an agent sends it: its description of that version, in the session of that number."""
    return sdp.replace("o=- 1 1 ", f"o=- {number} {version} ")


def faithful(number: int, data: bytes) -> Sequence[float]:
    """Each message arrives once, 10 ms later."""
    return (ON_TIME,)


class Person:
    """An agent with the facts it has told."""

    def __init__(self, name: str, port: int, line: "Line", **settings: Any) -> None:
        words: Iterator[int] = count(1)
        self.name = name
        self.address = Address("127.0.0.1", port)
        self.agent = Agent(local=self.address, user_agent=name, tokens=lambda: f"{name}{next(words)}", **settings)
        self.line = line
        self.facts: list[Output] = []
        self.sent: list[bytes] = []
        self.reactions: dict[type, Callable[[Any], list[Output]]] = {}

    def calls(self, other: "Person", session: str = "call", **changes: Any) -> None:
        order: dict[str, Any] = {
            "request_uri": f"sip:{other.name}@127.0.0.1:{other.address.port}",
            "from_header": f"<sip:{self.name}@lumen.test>",
            "to_header": f"<sip:{other.name}@lumen.test>",
            "destination": other.address,
            "sdp": OFFER,
        }
        self.does("invite", session, **(order | changes))

    def does(self, order: str, *words: Any, **more: Any) -> None:
        """Give the agent an order now."""
        self.takes(getattr(self.agent, order)(*words, now=self.line.now, **more))

    def takes(self, outputs: list[Output]) -> None:
        for output in outputs:
            if isinstance(output, Send):
                self.sent.append(output.data)
                self.line.carry(output, self.address)
            else:
                self.facts.append(output)
                reaction = self.reactions.get(type(output))
                if reaction is not None:
                    self.takes(reaction(output))

    def told(self, kind: type[F]) -> list[F]:
        return [fact for fact in self.facts if isinstance(fact, kind)]

    def the(self, kind: type[F]) -> F:
        found = self.told(kind)
        assert len(found) == 1, f"{self.name}: {len(found)} {kind.__name__} in {self.story}"
        return found[0]

    @property
    def story(self) -> list[str]:
        """The facts' names in their order, without the messages heard."""
        return [type(fact).__name__ for fact in self.facts if not isinstance(fact, Heard)]

    def starts(self) -> list[str]:
        """The first lines of what this one has sent."""
        return [data.partition(b"\r\n")[0].decode() for data in self.sent]


class Line:
    """The wire and the clock. fate says of each message, by its number, after how many seconds it arrives, each time it does."""

    def __init__(self, fate: Fate = faithful, **settings: Any) -> None:
        settings.setdefault("timers", Timers(t1=0.5))
        settings.setdefault("dice", lambda: 0.0)
        self.fate = fate
        self.now = 100.0
        self._count = 0
        self._order = count()
        self._wire: list[tuple[float, int, Address, bytes, Address]] = []
        self.anna = Person("anna", 7001, self, **settings)
        self.ben = Person("ben", 7002, self, **settings)
        self._people = {person.address: person for person in (self.anna, self.ben)}

    def carry(self, send: Send, source: Address) -> None:
        delays = self.fate(self._count, send.data)
        self._count += 1
        to = send.to._replace(transport="udp")
        for delay in delays:
            heappush(self._wire, (self.now + delay, next(self._order), to, send.data, source))

    def run(self, seconds: float = 200.0, until: Callable[[], Any] | None = None) -> None:
        """Let time pass until nothing more will happen, or this many seconds have gone, or it is as wanted."""
        end = self.now + seconds
        for _ in range(20_000):
            if until is not None and until():
                return
            dues = [(due, index) for index, person in enumerate(self._people.values()) if (due := person.agent.next_due()) is not None]
            nearest = min(dues, default=None)
            if self._wire and (nearest is None or self._wire[0][0] <= nearest[0]):
                if self._wire[0][0] > end:
                    break
                self.now, _, to, data, source = heappop(self._wire)
                person = self._people.get(to)
                if person is not None:
                    person.takes(person.agent.receive(data, source, self.now))
            elif nearest is not None and nearest[0] <= end:
                self.now = max(self.now, nearest[0])
                person = list(self._people.values())[nearest[1]]
                person.takes(person.agent.tick(self.now))
            else:
                break
        else:
            raise AssertionError("the line never falls silent")
        assert until is None or until(), f"never came: anna {self.anna.story}, ben {self.ben.story}"
        self.now = max(self.now, end if self._wire else self.now)


def lose(*starts: bytes, times: int = 1) -> Fate:
    """Lose the first messages that begin so."""
    left = dict.fromkeys(starts, times)

    def fate(number: int, data: bytes) -> Sequence[float]:
        for start in starts:
            if data.startswith(start) and left[start]:
                left[start] -= 1
                return ()
        return (ON_TIME,)

    return fate


def ringing(line: Line) -> str:
    """Anna has called and ben's phone rings; ben's name of the session."""
    line.anna.calls(line.ben)
    line.run(until=lambda: line.ben.told(InviteReceived))
    session = line.ben.the(InviteReceived).session
    line.ben.does("ring", session)
    line.run(until=lambda: line.anna.told(ProgressReceived))
    return session


def talking(line: Line) -> str:
    """Anna and ben talk; ben's name of the session."""
    session = ringing(line)
    line.ben.does("answer", session, sdp=ANSWER)
    line.run(until=lambda: line.ben.told(AckReceived))
    return session


def nothing_left(line: Line) -> None:
    """After everything has rung out, no agent remembers anything but sessions nobody has forgotten."""
    line.run(200)
    for person in (line.anna, line.ben):
        core = person.agent._core
        assert (core.clients, core.servers, core.dialogs, core.merged, core.pending) == ({}, {}, {}, {}, {})
        assert person.agent.next_due() is None
