"""Where a call would go, and which past calls would go elsewhere: the switch's own decisions, without a call."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from offhook.domain.errors import Invalid
from offhook.domain.numbers import E164, as_e164, not_available
from offhook.domain.organizations import Organization, OrganizationId, ToUser
from offhook.domain.routing import Attend, Caller, CallOut, Decision, Reason, Refuse, RingUser, Source, route
from offhook.services.blueprint import Blueprint, numbers_of
from offhook.services.differences import planned
from offhook.services.plans import must_take_in
from offhook.services.ports.records import Trace
from offhook.services.ports.store import Store
from offhook.services.snapshot import organization_of

MOST_REPLAYED = 20_000
LONGEST_DIALLED = 128
_BATCH = 500


@dataclass(frozen=True, slots=True)
class Answer:
    """Where a call would go.

    `way` is what is compared: the kind of plan and names, no ids. `revision` is None when it is that of a plan nobody applied yet.
    """

    way: tuple[str, ...]
    words: str
    reasons: tuple[Reason, ...]
    revision: int | None


@dataclass(frozen=True, slots=True)
class Replayed:
    """A past call that would go elsewhere."""

    call: str
    at: float
    caller: str
    dialled: str
    now: Answer
    then: Answer


@dataclass(frozen=True, slots=True)
class Replay:
    """What came of a replay. `unreadable` calls were told in a form that does not say who called what."""

    looked_at: int
    unreadable: int
    changed: tuple[Replayed, ...]
    more: bool


def organization_as(store: Store, own: OrganizationId, *, revision: int | None = None, at: float | None = None) -> Organization:
    """An organization as the switch saw it: at a revision, else at a moment (seconds since 1970), else now. Raises Missing."""
    with store.provider_view() as provider:
        inside, carriers = provider.inside(own), provider.carriers.all()
        if revision is None and at is not None:
            revision = inside.history.revision_at(at)
        return organization_of(inside.configured(revision), carriers)


def organization_planned(store: Store, own: OrganizationId, wanted: Blueprint) -> Organization:
    """An organization as the switch would see it if a file were applied. Raises Invalid, Missing, NotServed, NumberNotAvailable."""
    with store.provider_view() as provider:
        inside, carriers = provider.inside(own), provider.carriers.all()
        now = inside.configured()
        then = planned(now, wanted)
        must_take_in(inside.countries, now, wanted)
        shut = inside.numbers.not_available(numbers_of(wanted).keys() - now.numbers.keys())
    if shut:
        raise not_available(min(shut))
    return organization_of(then, carriers)


def caller_named(organization: Organization, who: str) -> Caller:
    """Who calls, by username, extension or number; a number of nobody here calls in from the public network. Raises Invalid."""
    number = as_e164(who)
    username = who if who in organization.usernames else None
    to = organization.extensions.get(who) or (organization.numbers.get(number) if number else None)
    if username is None and to is not None:
        if not isinstance(to, ToUser):
            raise Invalid(f"{who} is an attendant's: nobody calls from there.", "from")
        username = organization.users[to.id].username
    if username is not None:
        return Caller(Source.PHONE, username=username, domain=organization.domain, address="a telephone")
    if number is None:
        raise Invalid(f"{who} is no username, extension or number of {organization.name}, and no number in international form.", "from")
    return Caller(Source.CARRIER, number=number, address="any address")


def what_if(organization: Organization, who: str, dialled: str, *, is_planned: bool = False) -> Answer:
    """Where a call from somebody (`caller_named`) to what they dial would go. Raises Invalid."""
    if not 1 <= len(dialled) <= LONGEST_DIALLED or not dialled.isprintable():
        raise Invalid(f"What is dialled has 1 to {LONGEST_DIALLED} characters.", "to")
    return decide(organization, caller_named(organization, who), dialled, is_planned=is_planned)


def decide(organization: Organization, caller: Caller, dialled: str, *, is_planned: bool = False) -> Answer:
    """Where the call would go: exactly what the switch asks, `domain.routing.route`."""
    mine: Organization | None = organization
    if caller.source is Source.CARRIER and E164(dialled) not in organization.numbers:
        mine = None
    decision = route(mine, caller, dialled)
    way, words = _told(decision)
    return Answer(way, words, decision.reasons, None if is_planned else organization.revision)


def _told(decision: Decision) -> tuple[tuple[str, ...], str]:
    match decision.plan:
        case RingUser(user):
            return ("user", user.username), f"rings {user.name} ({user.username})"
        case Attend(attendant):
            return ("attendant", attendant.name), f"is answered by the attendant {attendant.name}"
        case CallOut(number, carrier, shown, emergency):
            what = f"emergency call to {number}" if emergency else f"call to {number}"
            way = ("out", number, carrier.name, str(shown or ""))
            return way, f"goes out as {what} through {carrier.name}, showing {shown or 'no number'}"
        case Refuse(ending):
            return ("refused", ending.code), f"is refused: {ending.code}"


def replay(store: Store, own: OrganizationId, wanted: Blueprint, since: float, most_changed: int = 200) -> Replay:
    """Every past call since a moment, newest first, decided by the configuration of now and by the planned one; those that would change.

    At most MOST_REPLAYED calls are looked at. Raises Invalid, Missing.
    """
    live, then = organization_as(store, own), organization_planned(store, own, wanted)
    looked_at = unreadable = 0
    changed: list[Replayed] = []
    more = False
    for at, trace in _past(store, own, since):
        if looked_at == MOST_REPLAYED or len(changed) == most_changed:
            more = True
            break
        looked_at += 1
        asked = caller_and_dialled(trace)
        if asked is None:
            unreadable += 1
            continue
        caller, dialled = asked
        before, after = decide(live, caller, dialled), decide(then, caller, dialled, is_planned=True)
        if before.way != after.way:
            changed.append(Replayed(str(trace["call"]), at, str(trace["caller"]), dialled, before, after))
    return Replay(looked_at, unreadable, tuple(changed), more)


def _past(store: Store, own: OrganizationId, since: float) -> Iterator[tuple[float, Trace]]:
    """Calls and how they went, newest first. In short transactions: nobody waits for a long replay."""
    before = None
    while True:
        with store.view(own) as transaction:
            page = transaction.calls.page(_BATCH, before)
            told = [(cdr.started_at, transaction.calls.trace(cdr.call)) for cdr in page if cdr.started_at >= since]
        yield from ((at, trace) for at, trace in told if trace is not None)
        if len(told) < _BATCH:
            return
        before = page[-1].call


def caller_and_dialled(trace: Trace) -> tuple[Caller, str] | None:
    """Who called what, as the switch was told at the call's beginning; None when the story does not say."""
    first = next((step for step in trace.get("steps", ()) if step.get("name") == "CallArrived"), None)
    detail: Mapping[str, Any] = first["detail"] if first else {}
    try:
        who = dict(detail["caller"])
        number = E164(who["number"]) if who.get("number") else None
        return Caller(**who | {"source": Source(who["source"]), "number": number}), str(detail["dialled"])
    except (KeyError, TypeError, ValueError):
        return None
