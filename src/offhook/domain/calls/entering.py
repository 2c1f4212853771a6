"""What a call enters for a plan: the one place that knows every feature a call can be in."""

from offhook.domain.calls.call import Within
from offhook.domain.calls.in_attendant import Attending
from offhook.domain.calls.in_bridge import Bridge
from offhook.domain.routing import Attend, CallOut, Plan, Refuse, RingUser


def enter(plan: Plan) -> Within:
    """The machine that serves a plan. A refusal is served by the call's own frame and is a mistake here."""
    match plan:
        case RingUser() | CallOut():
            return Bridge(plan)
        case Attend(attendant):
            return Attending(attendant)
        case Refuse():
            raise ValueError("a refused call enters nothing")
