"""Past calls: lists, and how one went. `organization` is whose calls may be seen; without one, the provider's view of all."""

from collections.abc import Iterator
from contextlib import contextmanager

from offhook.domain.calls.cdr import Cdr
from offhook.domain.calls.ids import CallId
from offhook.domain.errors import Conflict, Invalid, Missing
from offhook.domain.organizations import OrganizationId
from offhook.services.ports.records import Trace
from offhook.services.ports.store import Calls, Store

LAST = "last"
MOST = 1000
_SHOWN = 5


def list_calls(store: Store, organization: OrganizationId | None, limit: int = 50, before: str | None = None) -> list[Cdr]:
    """Past calls, newest first, `limit` (1 to MOST) of them; `before` is the last call of the page before. Raises Invalid, Missing."""
    if not 1 <= limit <= MOST:
        raise Invalid(f"Between 1 and {MOST} calls can be asked for at once.", "limit")
    with _calls(store, organization) as calls:
        return calls.page(limit, CallId(before) if before else None)


def get_trace(store: Store, organization: OrganizationId | None, call: str) -> Trace:
    """How a past call went, by its id, the beginning of its id, or "last". Raises Missing, and Conflict when several calls begin so."""
    with _calls(store, organization) as calls:
        if call == LAST:
            found = [cdr.call for cdr in calls.page(1, None)]
        else:
            found = calls.ids_like(call.lower(), _SHOWN) if call else []
            found = [id for id in found if id == call.lower()] or found
        if len(found) > 1:
            raise Conflict(f"Several calls begin with {call}: {', '.join(found)}. Give more of the one you mean.", "call")
        trace = calls.trace(found[0]) if found else None
    if trace is None:
        raise Missing("There is no such call." if call != LAST else "There is no call yet.", "call")
    return trace


@contextmanager
def _calls(store: Store, organization: OrganizationId | None) -> Iterator[Calls]:
    if organization is None:
        with store.provider_view() as provider:
            yield provider.calls
    else:
        with store.view(organization) as transaction:
            yield transaction.calls
