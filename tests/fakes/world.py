"""An organization made up for tests, and the values that calls are made of."""

from types import MappingProxyType

from offhook.domain.attendants import Attendant, AttendantId
from offhook.domain.calls.events import Moment
from offhook.domain.emergency import emergency_numbers
from offhook.domain.media import Description, Direction
from offhook.domain.numbers import E164, DialRules
from offhook.domain.organizations import Carrier, Organization, OrganizationId, Purpose, ToAttendant, ToUser
from offhook.domain.routing import Caller, Source
from offhook.domain.users import User, UserId

AMERICAN = DialRules("1", "011", "1", frozenset({10}))
CARRIER = Carrier("Sandbox", "127.0.2.1", 5080)
ANNA = User(UserId(1), "anna", "Anna Lind", "en", "101", E164("+12065550101"))
BEN = User(UserId(2), "ben", "Ben Okafor", "en", "102", None)
CHLOE = User(UserId(3), "chloe", "Chloe Martin", "en", "103", E164("+12065550103"))
RECEPTION = Attendant(
    AttendantId(1), "Reception", "en", "100", "Welcome. For Ben, press 2.", MappingProxyType({"2": BEN.id, "0": CHLOE.id}), rounds=2
)


def organization(carrier: Carrier | None = CARRIER, attendant: Attendant = RECEPTION) -> Organization:
    """Anna, Ben and Chloe, and an attendant at 100."""
    people = {user.id: user for user in (ANNA, BEN, CHLOE)}
    return Organization(
        id=OrganizationId(7),
        name="Lumen Works",
        domain="lumen.test",
        country="US",
        purpose=Purpose.SANDBOX,
        revision=4,
        dial_rules=AMERICAN,
        emergency_numbers=emergency_numbers("US"),
        main_number=E164("+12065550100"),
        users=MappingProxyType(people),
        usernames=MappingProxyType({user.username: user.id for user in people.values()}),
        attendants=MappingProxyType({attendant.id: attendant}),
        extensions=MappingProxyType(
            {"100": ToAttendant(attendant.id), **{u.extension: ToUser(u.id) for u in people.values() if u.extension}}
        ),
        numbers=MappingProxyType({E164("+12065550100"): ToAttendant(attendant.id), E164("+12065550103"): ToUser(CHLOE.id)}),
        carrier=carrier,
    )


def calling(username: str = "anna", source: Source = Source.PHONE) -> Caller:
    """Somebody of Lumen Works at a telephone."""
    return Caller(source, username=username, domain="lumen.test", address="udp:127.0.0.1:5070")


def from_outside(number: str = "+12065550199") -> Caller:
    """Somebody on the public network."""
    return Caller(Source.CARRIER, number=E164(number), address="udp:127.0.2.1:5080")


def sdp(*codecs: str, direction: Direction = Direction.BOTH) -> Description:
    """What a telephone says of its sound."""
    return Description("v=0...", codecs or ("PCMU",), direction, "127.0.0.1:4000")


def at(ticks: float) -> Moment:
    """A moment, so many seconds after the test began."""
    return Moment(1_800_000_000.0 + ticks, ticks)
