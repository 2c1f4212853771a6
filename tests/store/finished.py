"""Finished calls to keep."""

from offhook.domain.calls.cdr import Cdr
from offhook.domain.calls.endings import HUNG_UP_BY_CALLER
from offhook.domain.calls.ids import CallId, call_id, leg_id
from offhook.domain.media import MediaFigures, StreamFigures
from offhook.domain.organizations import OrganizationId
from offhook.services.ports.records import Trace

MORNING = 1_700_000_000_000


def the_call(number: int) -> CallId:
    """The id of a call that arrived `number` seconds after the first one."""
    return call_id(MORNING + number * 1000, number)


def finished(number: int, organization: OrganizationId | None) -> tuple[Cdr, Trace]:
    """A call of a minute from anna to ben, and its trace."""
    call = the_call(number)
    stream = StreamFigures(leg_id(call, 0), "PCMU", "10.0.0.5:4000", None, 3000, 480_000, 1.5, mos=4.4)
    started = (MORNING + number * 1000) / 1000
    cdr = Cdr(
        call, organization, 7, started, started + 2.5, started + 62.5, "anna", "102", "ben", "internal",
        HUNG_UP_BY_CALLER, MediaFigures((stream,)), ("anna's phone sent no audio.",),
    )  # fmt: skip
    return cdr, {"call": call, "reasons": [{"code": "extension", "text": "102 is ben's — matched", "outcome": "chosen"}]}
