"""What a call enters for a plan or a wish: the one place that knows every feature a call can be in."""

from offhook.domain.calls.call import Meet, Transfer, Within
from offhook.domain.calls.in_attendant import Attending
from offhook.domain.calls.in_bridge import Bridge
from offhook.domain.calls.in_transfer import Transferring
from offhook.domain.routing import Attend, CallOut, Plan, Refuse, RingUser


def enter(what: Plan | Transfer | Meet) -> Within:
    """The machine that serves it. A refusal is served by the call's own frame and is a mistake here."""
    match what:
        case RingUser() | CallOut():
            return Bridge(what)
        case Attend(attendant):
            return Attending(attendant)
        case Meet(attendant, near, codec):
            return Attending(attendant, near, codec or "")
        case Transfer(talk, asked):
            return Transferring(talk, asked)
        case Refuse():
            raise ValueError("a refused call enters nothing")
