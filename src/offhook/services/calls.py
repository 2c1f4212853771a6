"""Past calls: lists, and how one went. `organization` is whose calls may be seen; without one, the provider's view of all."""

from collections.abc import Iterator
from contextlib import contextmanager

from offhook.domain.calls.cdr import Cdr, outward, telephone_of
from offhook.domain.calls.ids import CallId, first_call_id
from offhook.domain.errors import Conflict, Invalid, Missing
from offhook.domain.numbers import as_e164
from offhook.domain.organizations import OrganizationId, ToUser
from offhook.services.ports.calls import CallsWanted, Party
from offhook.services.ports.records import Trace
from offhook.services.ports.store import Calls, Store

LAST = "last"
MOST = 1000
_SHOWN = 5
ALL = CallsWanted()


def list_calls(
    store: Store, organization: OrganizationId | None, limit: int = 50, before: str | None = None, wanted: CallsWanted = ALL
) -> list[Cdr]:
    """Past calls, newest first, `limit` (1 to MOST) of them; `before` is the last call of the page before. Raises Invalid, Missing."""
    if not 1 <= limit <= MOST:
        raise Invalid(f"Between 1 and {MOST} calls can be asked for at once.", "limit")
    with _calls(store, organization) as calls:
        return calls.page(limit, CallId(before) if before else None, wanted)


def wanted_calls(
    *,
    since: float | None = None,
    until: float | None = None,
    ending: str | None = None,
    direction: str | None = None,
    caller: str | None = None,
    dialled: str | None = None,
    number: str | None = None,
    reached: tuple[Party, ...] | None = None,
) -> CallsWanted:
    """Calls that came between two moments, seconds since 1970, and so on.

    `caller` is a username, user@domain or a number; `number` called or was called, however it was dialled if it is in international form;
    `reached` is what `of_user` tells of a user.
    """
    parties: list[tuple[Party, ...]] = []
    if caller is not None:
        parties.append((Party("caller", as_e164(caller) or caller), Party("caller", f"{caller}@", begins=True)))
    if dialled is not None:
        parties.append((Party("dialled", dialled),))
    if number is not None:
        either = as_e164(number) or number
        parties.append((Party("caller", either), Party("dialled", either), Party("connected", outward(either), begins=True)))
    if reached is not None:
        parties.append(reached)
    return CallsWanted(_from(since), _from(until), ending, direction, tuple(parties))


def of_user(store: Store, organization: OrganizationId | None, username: str) -> tuple[Party, ...]:
    """What tells that a user made a call, was reached by it, or was dialled, by the extension and the numbers of now."""
    made = (Party("caller", f"{username}@", begins=True), Party("connected", telephone_of(username), begins=True))
    if organization is None:
        return made
    with store.view(organization) as transaction:
        user = transaction.users.by_username(username)
        numbers = transaction.numbers.of(ToUser(user.id)) if user else []
    dialled = [user.extension] if user and user.extension else []
    return (*made, *(Party("dialled", each) for each in (*dialled, *numbers)))


def _from(moment: float | None) -> CallId | None:
    return None if moment is None else first_call_id(int(moment * 1000))


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
