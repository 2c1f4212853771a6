"""A switch in memory, told in telephone words: real exchange, executor and machines between fake engines."""

import asyncio
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path
from types import MappingProxyType
from typing import Any

from offhook.domain.calls.cdr import Cdr
from offhook.domain.calls.events import CallArrived, LegAnswered, LegCancelled, LegHungUp, LegRefused, LegReoffered, LegRinging
from offhook.domain.calls.ids import CallId, LegId, leg_id
from offhook.domain.routing import Caller
from offhook.engines.signalling.reading import description_of
from offhook.services.ports.records import Trace
from offhook.services.ports.store import CarrierEntry
from offhook.services.snapshot import Snapshot
from offhook.switch.exchange import Exchange
from offhook.switch.executor import Executor, now
from offhook.switch.journal import Journal
from tests.fakes import world
from tests.fakes.media import FakeMedia
from tests.fakes.people import FakeRegistrar, FakeVoice, KeptRecords
from tests.fakes.signalling import FakeSignalling

OFFER = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0 8\r\n"
ANSWER = OFFER.replace("4000", "5000")
SOON = 5.0


def configuration() -> Snapshot:
    """Lumen Works alone."""
    organization = world.organization()
    return Snapshot(
        organizations=MappingProxyType({organization.id: organization}),
        by_domain=MappingProxyType({organization.domain: organization}),
        numbers=MappingProxyType({number: (organization.id, to) for number, to in organization.numbers.items()}),
        carriers=(CarrierEntry(world.CARRIER, sandbox=True, default=False),),
    )


async def eventually(condition: Callable[[], Any], what: str = "it") -> Any:
    """Wait until it is so, and say what it is."""
    until = time.monotonic() + SOON
    while not (found := condition()):
        assert time.monotonic() < until, f"{what} never came"
        await asyncio.sleep(0.002)
    return found


class Office:
    """The switch of Lumen Works: ben has two telephones, chloe one, anna calls."""

    def __init__(self, folder: Path) -> None:
        self.signalling, self.media, self.voice, self.records = FakeSignalling(), FakeMedia(), FakeVoice(folder), KeptRecords()
        self.registrar = FakeRegistrar(ben=("127.0.0.1:5082", "127.0.0.1:5083"), chloe=("127.0.0.1:5084",))
        self.executor = Executor(self.signalling, self.media, self.registrar, self.voice, self.voice, configuration)
        self.journal = Journal(folder / "calls.journal", self.signalling.remembered)
        self.exchange = Exchange(lambda: self.executor, self.records, journal=self.journal)
        self.signalling.deliver = self.exchange.deliver
        self._names = count(1)

    def dials(self, dialled: str, caller: Caller | None = None, sdp: str = OFFER) -> CallId:
        """A call comes in."""
        call = CallId(f"call{next(self._names)}")
        self.signalling.arrives(CallArrived(now(), leg_id(call, 0), caller or world.calling(), dialled, description_of(sdp)))
        return call

    async def called(self, call: CallId, number: int = 1) -> LegId:
        """The leg with this number, once its telephone is called."""
        leg = leg_id(call, number)
        await eventually(lambda: self.signalling.states.get(leg) == "calling", f"the INVITE to {leg}")
        return leg

    def rings(self, leg: LegId) -> None:
        self.signalling.happens(LegRinging(now(), leg), "calling")

    def answers(self, leg: LegId, sdp: str = ANSWER) -> None:
        self.signalling.happens(LegAnswered(now(), leg, description_of(sdp)), "up")

    def refuses(self, leg: LegId, status: int = 486) -> None:
        self.signalling.happens(LegRefused(now(), leg, status, "no"), "over")

    def hangs_up(self, leg: LegId) -> None:
        self.signalling.happens(LegHungUp(now(), leg), "over")

    def cancels(self, leg: LegId) -> None:
        self.signalling.happens(LegCancelled(now(), leg), "over")

    def reoffers(self, leg: LegId, sdp: str) -> None:
        self.signalling.happens(LegReoffered(now(), leg, description_of(sdp)), "reoffered")

    async def talking(self, dialled: str = "102") -> CallId:
        """Anna talks with the first telephone of who is called."""
        call = self.dials(dialled)
        leg = await self.called(call)
        self.rings(leg)
        self.answers(leg)
        await self.stands(call, "talking")
        return call

    async def stands(self, call: CallId, state: str) -> None:
        """Wait until a call is in this state."""
        await eventually(lambda: any(live.call == call and live.state == state for live in self.exchange.calls()), f"{state} of {call}")

    async def ended(self, call: CallId) -> tuple[Cdr, Trace]:
        """What is kept of a call, once it is over; and nothing else is left of it."""
        found = await eventually(lambda: [kept for kept in self.records.kept if kept[0].call == call], f"the record of {call}")
        assert len(found) == 1
        left = [leg for leg, state in self.signalling.states.items() if leg.startswith(f"{call}.") and state != "over"]
        assert not left, f"legs nobody ended: {left}"
        assert call not in self.media.open_calls
        return found[0]  # type: ignore[no-any-return]
