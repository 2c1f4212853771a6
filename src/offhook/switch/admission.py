"""Which calls are let in: no more than the system carries and than one user may make, and none while it is being stopped.

A call for help is let in whatever there is, until calls that go on are ended too.
"""

from dataclasses import dataclass, field, replace

from offhook.domain.calls.call import Call
from offhook.domain.calls.endings import CALLER_OVERDOES, SYSTEM_FULL, SYSTEM_STOPPED, Ending
from offhook.domain.calls.events import Routed
from offhook.domain.calls.ids import CallId
from offhook.domain.routing import Caller, Outcome, Reason, Refuse, Source, is_for_help

MOST_CALLS = 2000
"""How many calls one switch carries if nothing else is said."""
MOST_CALLS_A_USER = 20
"""How many of them one user may make."""


@dataclass(slots=True)
class Admission:
    """`refuses_new` turns new calls away, and so does being full; `ends_all` those for help too."""

    most_calls: int = MOST_CALLS
    most_a_user: int = MOST_CALLS_A_USER
    refuses_new: bool = False
    ends_all: bool = False
    _calls: dict[CallId, Call] = field(default_factory=dict)
    _makers: dict[CallId, tuple[str, str]] = field(default_factory=dict)
    _made_by: dict[tuple[str, str], dict[CallId, Call]] = field(default_factory=dict)

    def arrives(self, call: Call, caller: Caller) -> None:
        """A call begins."""
        self._calls[call.id] = call
        if caller.source is Source.PHONE:
            maker = self._makers[call.id] = caller.username, caller.domain
            self._made_by.setdefault(maker, {})[call.id] = call

    def leaves(self, call: Call) -> None:
        """Nothing is left of a call. It counts until it ends: what is over stays a moment to be asked for."""
        del self._calls[call.id]
        maker = self._makers.pop(call.id, None)  # its machine may have failed before it knew who calls
        if maker is not None:
            del self._made_by[maker][call.id]
            if not self._made_by[maker]:
                del self._made_by[maker]

    def admitted(self, call: Call, event: Routed) -> Routed:
        """The decision, or a refusal in its place where there is no room: before any port is opened, and never for help."""
        ending, plan = self._objection(call), event.decision.plan
        if ending is None or isinstance(plan, Refuse) or (is_for_help(plan) and not self.ends_all):
            return event
        why = Reason(ending.code, ending.explanation, Outcome.CHOSEN)
        reasons = (*(replace(reason, outcome=Outcome.LOST) for reason in event.decision.reasons), why)
        return replace(event, decision=replace(event.decision, plan=Refuse(ending), reasons=reasons))

    def _objection(self, call: Call) -> Ending | None:
        if self.refuses_new:
            return SYSTEM_STOPPED
        if _more_than(self.most_calls, self._calls):
            return SYSTEM_FULL
        maker = self._makers.get(call.id)
        return CALLER_OVERDOES if maker is not None and _more_than(self.most_a_user, self._made_by[maker]) else None


def _more_than(most: int, calls: dict[CallId, Call]) -> bool:
    # Those that are over are counted out only where it matters.
    return len(calls) > most and sum(call.ended is None for call in calls.values()) > most
