"""How those whom a call rings are called: what their side of it is, and what their INVITE shows them of the caller."""

from offhook.domain.calls.cdr import outward
from offhook.domain.calls.commands import InviteLeg
from offhook.domain.calls.events import Device
from offhook.domain.calls.leg import Leg
from offhook.domain.calls.sides import Diversion, Side
from offhook.domain.media import MediaShape
from offhook.domain.organizations import Organization
from offhook.domain.routing import Caller, CallOut, RingUser, Source
from offhook.domain.users import User

Called = RingUser | CallOut


def carriers_side(target: CallOut) -> Side:
    """The side of a carrier that is called."""
    carrier, number = target.carrier, target.number
    shape = MediaShape(ipv6=":" in carrier.host)
    return Side(f"{outward(number)}{carrier.name}", f"sip:{number}@{carrier.place}", number=number, shape=shape)


def telephones_side(device: Device, user: User, organization: Organization) -> Side:
    """The side of one of a person's telephones."""
    number = user.extension or user.number or user.username
    who = in_the_name_of(user, organization)
    return Side(device.words, device.uri, user.name, number, orders_as=who, shape=device.shape, second=device.second)


def in_the_name_of(user: User, organization: Organization) -> Caller:
    """A person who does not call himself, but has a call sent on."""
    return Caller(Source.PHONE, user.username, organization.domain, address="a telephone that sends the call on")


def invitation(leg: Leg, sdp: str, target: Called, near: Side, domain: str, diverted: tuple[Diversion, ...]) -> InviteLeg:
    """The INVITE to a leg, which shows it `near`."""
    if isinstance(target, RingUser):
        return InviteLeg(leg.id, leg.side.uri, sdp, leg.side.number, domain, near.name, near.number, near.private, diverted)
    # Whoever is called for help must see who calls.
    private = near.private and not target.emergency
    shown = target.shown or "anonymous"
    return InviteLeg(leg.id, leg.side.uri, sdp, target.number, domain, "", shown, private, diverted, outside=True)
