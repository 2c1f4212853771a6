"""A call on a stage: told what happens in telephone words, asked what it ordered."""

from collections.abc import Callable
from typing import TypeVar

from offhook.domain.calls.call import Call, Stage
from offhook.domain.calls.commands import AnswerAlone, Command, InviteLeg, LeaveAlone, OfferMedia, RecordCall, RemoveMedia
from offhook.domain.calls.entering import enter
from offhook.domain.calls.events import (
    CallArrived,
    CommandFailed,
    Device,
    DevicesFound,
    DigitPressed,
    Event,
    LegAnswered,
    LegCancelled,
    LegConfirmed,
    LegHungUp,
    LegProgressed,
    LegRefused,
    LegReoffered,
    LegRinging,
    MediaAlone,
    MediaAnswered,
    MediaClosed,
    MediaOffered,
    Moment,
    Routed,
    SoundStarted,
    Timer,
    TimerFired,
    Trouble,
)
from offhook.domain.calls.ids import CallId, LegId, leg_id
from offhook.domain.calls.sides import Diversion
from offhook.domain.media import Description, MediaFigures
from offhook.domain.organizations import Organization
from offhook.domain.routing import Caller, route
from tests.fakes import world

C = TypeVar("C", bound=Command)
_SYSTEM = LegId("the system's own end")
CALLER = leg_id(CallId("c"), 0)
FIRST, SECOND, THIRD = (leg_id(CallId("c"), number) for number in (1, 2, 3))


class Scene:
    """One call. Each thing that happens returns the orders it led to; `orders` has the latest.

    `joined_with` has whom the media engine knows each leg with; a leg without anybody has lost its port, and is in `portless` for ever.
    """

    def __init__(self, organization: Organization | None = None) -> None:
        self.call = Call(CallId("c"), enter)
        self.organization = organization or world.organization()
        self.orders: list[Command] = []
        self.record: RecordCall | None = None
        self.ticks = 0.0
        self.joined_with: dict[LegId, set[LegId]] = {}
        self.portless: set[LegId] = set()

    def tell(self, make: Callable[[Moment], Event], after: float = 0.1) -> list[Command]:
        """Something happens, `after` seconds later."""
        self.ticks += after
        self.orders = self.call.handle(make(world.at(self.ticks)))
        self.record = next((order for order in self.orders if isinstance(order, RecordCall)), self.record)
        for order in self.orders:
            self._join(order)
        return self.orders

    def _join(self, order: Command) -> None:
        """What the media engine makes of an order: with the last leg it was joined with a leg's port goes."""
        match order:
            case OfferMedia(leg, offerer):
                self.joined_with.setdefault(offerer, set()).add(leg)
                self.joined_with.setdefault(leg, set()).add(offerer)
            case AnswerAlone(leg):
                self.joined_with.setdefault(leg, set()).add(_SYSTEM)
            case RemoveMedia(leg, offerer):
                self._part(offerer, leg)
                self._part(leg, offerer)
            case LeaveAlone(leg):
                self._part(leg, _SYSTEM)

    def _part(self, leg: LegId, other: LegId) -> None:
        others = self.joined_with.get(leg, set())
        if other in others:
            others.discard(other)
            if not others:
                self.portless.add(leg)

    def ordered(self, kind: type[C]) -> list[C]:
        """The latest orders of one kind."""
        return [order for order in self.orders if isinstance(order, kind)]

    def arrives(
        self, dialled: str, caller: Caller | None = None, description: Description | None = None, diverted: tuple[Diversion, ...] = ()
    ) -> list[Command]:
        """A call arrives and is routed."""
        who = caller or world.calling()
        self.tell(lambda at: CallArrived(at, CALLER, who, dialled, description or world.sdp(), diverted))
        return self.tell(lambda at: Routed(at, route(self.organization, who, dialled)))

    def devices(self, count: int) -> list[Command]:
        """So many telephones are found, and media is made ready for each."""
        self.tell(lambda at: DevicesFound(at, tuple(Device(f"sip:d{n}@h", f"telephone {n}") for n in range(1, count + 1))))
        invited: list[Command] = []
        for order in self.ordered(OfferMedia):
            invited += self.offered(order.leg)
        self.orders = invited
        return invited

    def offered(self, leg: LegId) -> list[Command]:
        """Ports are ready for a leg."""
        return self.tell(lambda at: MediaOffered(at, leg, f"sdp for {leg}"))

    def rings(self, leg: LegId) -> list[Command]:
        """A telephone rings."""
        return self.tell(lambda at: LegRinging(at, leg))

    def early(self, leg: LegId) -> list[Command]:
        """Early sound is offered."""
        return self.tell(lambda at: LegProgressed(at, leg, world.sdp()))

    def answers(self, leg: LegId) -> list[Command]:
        """A telephone is answered."""
        return self.tell(lambda at: LegAnswered(at, leg, world.sdp()))

    def refuses(self, leg: LegId, status: int) -> list[Command]:
        """A telephone says no."""
        return self.tell(lambda at: LegRefused(at, leg, status, "no"))

    def joined(self, leg: LegId) -> list[Command]:
        """Sound flows between the offerer and this leg."""
        return self.tell(lambda at: MediaAnswered(at, leg, f"answer of {leg}"))

    def confirmed(self) -> list[Command]:
        """The caller acknowledged."""
        return self.tell(lambda at: LegConfirmed(at, CALLER))

    def hangs_up(self, leg: LegId, after: float = 10.0) -> list[Command]:
        """A telephone hangs up."""
        return self.tell(lambda at: LegHungUp(at, leg), after)

    def cancels(self) -> list[Command]:
        """The caller gives up."""
        return self.tell(lambda at: LegCancelled(at, CALLER))

    def reoffers(self, leg: LegId, description: Description) -> list[Command]:
        """A telephone changes its sound."""
        return self.tell(lambda at: LegReoffered(at, leg, description))

    def presses(self, digit: str, by_info: bool = False, leg: LegId = CALLER) -> list[Command]:
        """A key is pressed."""
        return self.tell(lambda at: DigitPressed(at, leg, digit, by_info))

    def fires(self, timer: Timer) -> list[Command]:
        """A timer runs out."""
        return self.tell(lambda at: TimerFired(at, timer))

    def fails(self, command: type, trouble: Trouble = Trouble.REFUSED, leg: LegId | None = None) -> list[Command]:
        """An order could not be carried out."""
        return self.tell(lambda at: CommandFailed(at, command, leg, trouble, "in a test"))

    def talking(self, dialled: str = "102") -> "Scene":
        """Anna and one telephone of Ben's talk."""
        self.arrives(dialled)
        self.devices(1)
        self.rings(FIRST)
        self.answers(FIRST)
        self.joined(FIRST)
        self.confirmed()
        return self

    def greeted(self) -> "Scene":
        """The attendant has said its greeting and listens."""
        self.arrives("100")
        self.tell(lambda at: MediaAlone(at, CALLER, "sdp alone"))
        self.confirmed()
        self.tell(lambda at: SoundStarted(at, CALLER, 3000))
        self.fires(Timer.SOUND)
        return self

    def closes(self) -> str:
        """The media is closed; the code of the ending in the record."""
        self.tell(lambda at: MediaClosed(at, MediaFigures()))
        assert self.call.stage is Stage.CLOSED
        assert self.record is not None
        return self.record.cdr.ending.code

    def invited(self) -> list[LegId]:
        """Who the latest orders call."""
        return [order.leg for order in self.ordered(InviteLeg)]
