"""Where a call goes and why: pure decisions over one organization's configuration.

The order of the rules is the order of the functions in `route`; the first is always the emergency rule, and nothing is asked before it.
"""

from dataclasses import dataclass
from enum import StrEnum

from offhook.domain.attendants import Attendant
from offhook.domain.calls.endings import CALLER_UNKNOWN, NO_CARRIER, NUMBER_NOT_ASSIGNED, NUMBER_UNREADABLE, Ending
from offhook.domain.numbers import E164, bare, dialled_number
from offhook.domain.organizations import Carrier, Destination, Organization, ToAttendant, ToUser
from offhook.domain.users import User


class Source(StrEnum):
    """How a call came to us, as the edge vouches for it."""

    PHONE = "phone"
    CARRIER = "carrier"
    EMERGENCY = "emergency"
    """From a registered telephone, to an emergency number, unchallenged."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls.

    `username` is vouched for by the edge (empty for carriers); `number` and `name` are what the carrier presented, `address` where it came
    from. `private`: he wants his number hidden from whom he calls (RFC 3323).
    """

    source: Source
    username: str = ""
    domain: str = ""
    number: E164 | None = None
    name: str = ""
    address: str = ""
    private: bool = False


class Outcome(StrEnum):
    """What became of a possibility."""

    CHOSEN = "chosen"
    LOST = "lost"
    NOTED = "noted"


@dataclass(frozen=True, slots=True)
class Reason:
    """One step of a decision, in words for the administrator. `code` is stable."""

    code: str
    text: str
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class RingUser:
    """Ring every telephone of a person."""

    user: User


@dataclass(frozen=True, slots=True)
class Attend:
    """Let an attendant answer."""

    attendant: Attendant


@dataclass(frozen=True, slots=True)
class CallOut:
    """Send the call to the public network. `number` is E.164, or an emergency number as dialled; `shown` is the caller's number."""

    number: str
    carrier: Carrier
    shown: E164 | None
    emergency: bool = False


@dataclass(frozen=True, slots=True)
class Refuse:
    """End the call now."""

    ending: Ending


Plan = RingUser | Attend | CallOut | Refuse


def is_for_help(plan: Plan) -> bool:
    """Whether this is a call to an emergency number."""
    return isinstance(plan, CallOut) and plan.emergency


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with a call, every reason in order, and the configuration that said so.

    `shown_name` and `shown_number` are how the caller is shown to whoever is called inside the organization.
    """

    plan: Plan
    reasons: tuple[Reason, ...]
    organization: Organization | None
    shown_name: str = ""
    shown_number: str = ""


def route(organization: Organization | None, caller: Caller, dialled: str) -> Decision:
    """Where a call from `caller` to `dialled` goes.

    `organization` is the caller's own, or for a carrier's call the one whose number was called (None: nobody's).
    """
    if caller.source is Source.CARRIER:
        return _from_carrier(organization, caller, dialled)
    if organization is None:
        why = Reason("caller.domain_unknown", f"{caller.domain} is no organization's domain", Outcome.CHOSEN)
        return Decision(Refuse(CALLER_UNKNOWN), (why,), None)
    user_id = organization.usernames.get(caller.username)
    user = organization.users[user_id] if user_id is not None else None
    if (number := bare(dialled)) in organization.emergency_numbers:
        return _emergency(organization, caller, user, number)
    not_emergency = Reason("emergency.no_match", f"{dialled} is no emergency number of {organization.country}", Outcome.LOST)
    if user is None:
        why = Reason("caller.user_unknown", f"{caller.username} is nobody in {organization.name}", Outcome.CHOSEN)
        return Decision(Refuse(CALLER_UNKNOWN), (not_emergency, why), organization)
    who = Reason("caller.recognised", f"{user.name} ({caller.username}@{caller.domain}), by password, from {caller.address}", Outcome.NOTED)
    plan, reasons = _inside_or_out(organization, user, dialled)
    return Decision(plan, (not_emergency, who, *reasons), organization, user.name, user.extension or user.number or user.username)


def _emergency(organization: Organization, caller: Caller, user: User | None, dialled: str) -> Decision:
    reasons = [
        Reason("emergency.matched", f"{dialled} is an emergency number of {organization.country}: no other rule is asked", Outcome.CHOSEN)
    ]
    if caller.source is Source.EMERGENCY:
        reasons.append(Reason("emergency.unchallenged", "the telephone is registered, so it was not asked for its password", Outcome.NOTED))
    shown = (user.number if user else None) or organization.main_number
    whose = "the caller's own number" if user and user.number else "the organization's main number"
    reasons.append(Reason("emergency.shown_number", f"the emergency service is shown {shown or 'no number'} ({whose})", Outcome.NOTED))
    if organization.carrier is None:
        reasons.append(Reason("carrier.none", f"{organization.name} has no carrier", Outcome.CHOSEN))
        return Decision(Refuse(NO_CARRIER), tuple(reasons), organization)
    return Decision(CallOut(dialled, organization.carrier, shown, emergency=True), tuple(reasons), organization)


def _inside_or_out(organization: Organization, user: User, dialled: str) -> tuple[Plan, list[Reason]]:
    destination = organization.extensions.get(dialled)
    if destination is not None:
        return _to(organization, destination, f"{dialled} is the extension of", "number.extension_matched")
    reasons = [Reason("number.no_extension", f"{dialled} is nobody's extension", Outcome.LOST)]
    number = dialled_number(dialled, organization.dial_rules)
    if number is None:
        reasons.append(Reason("number.unreadable", f"{dialled!r} can be no telephone number in {organization.country}", Outcome.CHOSEN))
        return Refuse(NUMBER_UNREADABLE), reasons
    reasons.append(Reason("number.read", f"{dialled} means {number}", Outcome.NOTED))
    destination = organization.numbers.get(number)
    if destination is not None:
        plan, more = _to(organization, destination, f"{number} is the number of", "number.own_matched")
        return plan, reasons + more
    reasons.append(Reason("number.not_own", f"{number} is not a number of {organization.name}", Outcome.LOST))
    if organization.carrier is None:
        reasons.append(Reason("carrier.none", f"{organization.name} has no carrier", Outcome.CHOSEN))
        return Refuse(NO_CARRIER), reasons
    shown = user.number or organization.main_number
    reasons.append(Reason("carrier.chosen", f"out through {organization.carrier.name}, showing {shown or 'no number'}", Outcome.CHOSEN))
    return CallOut(number, organization.carrier, shown), reasons


def _from_carrier(organization: Organization | None, caller: Caller, dialled: str) -> Decision:
    who = Reason("caller.carrier", f"a carrier at {caller.address} presents {caller.number or 'no number'}", Outcome.NOTED)
    destination = organization.numbers.get(E164(dialled)) if organization is not None else None
    if organization is None or destination is None:
        why = Reason("number.not_assigned", f"{dialled} is nobody's number here", Outcome.CHOSEN)
        return Decision(Refuse(NUMBER_NOT_ASSIGNED), (who, why), organization)
    plan, reasons = _to(organization, destination, f"{dialled} is the number of", "number.assigned")
    return Decision(plan, (who, *reasons), organization, caller.name, caller.number or "anonymous")


def _to(organization: Organization, destination: Destination, lead: str, code: str) -> tuple[Plan, list[Reason]]:
    match destination:
        case ToUser(id):
            user = organization.users[id]
            return RingUser(user), [Reason(code, f"{lead} {user.name}", Outcome.CHOSEN)]
        case ToAttendant(id):
            attendant = organization.attendants[id]
            hours = Reason("hours.always_open", f"the attendant {attendant.name} has no opening hours: it is always open", Outcome.NOTED)
            return Attend(attendant), [Reason(code, f"{lead} the attendant {attendant.name}", Outcome.CHOSEN), hours]
