"""Signalling without messages: telephones that do what a test says, and a line that refuses what no leg in that state could be told."""

from collections.abc import Mapping
from typing import Any, NamedTuple

from offhook.domain.calls.commands import InviteLeg
from offhook.domain.calls.endings import Ending
from offhook.domain.calls.events import CallArrived, LegConfirmed, LegEvent
from offhook.domain.calls.ids import LegId
from offhook.services.ports.signalling import Deliver, SignallingRefused
from offhook.switch.executor import now

_NEEDS = {
    "ring": {"arrived"},
    "progress": {"arrived"},
    "answer": {"arrived"},
    "accept_reoffer": {"reoffered"},
    "refuse_reoffer": {"reoffered"},
    "reoffer": {"up"},
    "accept_transfer": {"up"},
    "refuse_transfer": {"up"},
    "send_digit": {"up", "reoffered"},
}


class Told(NamedTuple):
    """One order as it was given."""

    what: str
    leg: LegId
    detail: str = ""


class FakeSignalling:
    """A caller acknowledges at once what is answered. `breaks` makes an order fail by a mistake of the line's own."""

    def __init__(self) -> None:
        self.deliver: Deliver = lambda event: None
        self.orders: list[Told] = []
        self.states: dict[LegId, str] = {}
        self.endings: dict[LegId, Ending] = {}
        self.breaks: set[str] = set()

    def given(self, what: str) -> list[Told]:
        """The orders of one kind, oldest first."""
        return [order for order in self.orders if order.what == what]

    def arrives(self, event: CallArrived) -> None:
        """A call comes."""
        self.states[event.leg] = "arrived"
        self.deliver(event)

    def happens(self, event: LegEvent, state: str) -> None:
        """Something happens to a leg, which brings it into this state."""
        self.states[event.leg] = state
        self.deliver(event)

    def invite(self, order: InviteLeg) -> None:
        leg = order.leg
        self._takes(Told("invite", leg, f"{order.uri} {order.shown_number}"))
        if leg in self.states:
            raise SignallingRefused(f"{leg} is called already")
        self.states[leg] = "calling"

    def ring(self, leg: LegId) -> None:
        self._needs(Told("ring", leg))

    def progress(self, leg: LegId, sdp: str) -> None:
        self._needs(Told("progress", leg))

    def answer(self, leg: LegId, sdp: str) -> None:
        self._needs(Told("answer", leg, sdp))
        self.happens(LegConfirmed(now(), leg), "up")

    def end(self, leg: LegId, ending: Ending) -> None:
        self._takes(Told("end", leg, ending.code))
        if self.states.get(leg, "over") != "over":
            self.states[leg] = "over"
            self.endings[leg] = ending

    def accept_reoffer(self, leg: LegId, sdp: str) -> None:
        self._needs(Told("accept_reoffer", leg, sdp))
        self.states[leg] = "up"

    def refuse_reoffer(self, leg: LegId, status: int) -> None:
        self._needs(Told("refuse_reoffer", leg, str(status)))
        self.states[leg] = "up"

    def reoffer(self, leg: LegId, sdp: str) -> None:
        self._needs(Told("reoffer", leg, sdp))

    def accept_transfer(self, leg: LegId) -> None:
        self._needs(Told("accept_transfer", leg))

    def refuse_transfer(self, leg: LegId, status: int) -> None:
        self._needs(Told("refuse_transfer", leg, str(status)))

    def tell_transfer(self, leg: LegId, status: int, words: str, final: bool) -> None:
        self._takes(Told("tell_transfer", leg, f"{status}{' at last' if final else ''}"))

    def send_digit(self, leg: LegId, digit: str) -> None:
        self._needs(Told("send_digit", leg, digit))

    def remembered(self, leg: LegId) -> dict[str, Any] | None:
        return {"leg": leg, "state": state} if (state := self.states.get(leg, "over")) != "over" else None

    def farewell(self, note: Mapping[str, Any], ending: Ending) -> None:
        self._takes(Told("farewell", note["leg"], ending.code))

    def _takes(self, order: Told) -> None:
        if order.what in self.breaks:
            raise RuntimeError(f"{order.what} is broken")
        self.orders.append(order)

    def _needs(self, order: Told) -> None:
        self._takes(order)
        if self.states.get(order.leg, "over") not in _NEEDS[order.what]:
            raise SignallingRefused(f"{order.leg} is {self.states.get(order.leg, 'over')}")
