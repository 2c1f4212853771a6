"""What comes in and goes out, as JSON. Fields nobody knows are refused: a misspelt one must not be ignored."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from offhook.domain.attendants import Attendant
from offhook.domain.calls.cdr import Cdr
from offhook.domain.calls.endings import ENDINGS
from offhook.domain.emergency import emergency_numbers
from offhook.domain.numbers import as_e164
from offhook.domain.users import User
from offhook.services.devices import SipAccount
from offhook.services.explain import Explanation
from offhook.services.ports.edge import Banned, Registration
from offhook.services.ports.live import LiveCall
from offhook.services.ports.store import Profile

MOST_CALLS = 500


class Asked(BaseModel):
    """Something a client sends."""

    model_config = ConfigDict(extra="forbid")


def _international(text: str) -> str:
    number = as_e164(text)
    if number is None:
        raise ValueError("no telephone number in international form, such as +12065550199")
    return number


class CallsAsked(Asked):
    """Which calls to list."""

    limit: int = Field(50, ge=1, le=MOST_CALLS)
    cursor: str | None = Field(None, max_length=32, description="`next` of the page before.")
    state: Literal["live", "over"] | None = None
    ending: str | None = Field(None, max_length=60, description="The code of an ending.")


class CallTried(Asked):
    """A call to make from the sandbox's public network. `digits` are pressed once it is answered; "," waits."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    from_number: Annotated[str, AfterValidator(_international)] = Field(alias="from", max_length=40)
    to_number: Annotated[str, AfterValidator(_international)] = Field(alias="to", max_length=40)
    digits: str = Field("", max_length=32, pattern=r"^[0-9*#A-D,]*$")
    listen_seconds: float = Field(10.0, ge=0, le=60, allow_inf_nan=False)


class UserAsked(Asked):
    """A new user."""

    username: str = Field(max_length=64)
    name: str = Field(max_length=200)
    extension: str | None = Field(None, max_length=20)
    number: str | None = Field(None, max_length=40)
    language: str = Field("en", max_length=35)


class CallShown(BaseModel):
    """A call. `state` is the ending's code once it is over; `talked_seconds` is None while it lives."""

    call: str
    live: bool
    state: str
    started_at: datetime
    answered_at: datetime | None
    ended_at: datetime | None
    caller: str
    dialled: str
    connected: str | None
    direction: str
    talked_seconds: float | None
    findings: list[str]


class CallsShown(BaseModel):
    """A page of calls, newest first. `next` is the cursor of the following page; `live_known` is false while the switch does not answer."""

    calls: list[CallShown]
    next: str | None
    live_known: bool


class CallExplained(BaseModel):
    """A call and how it went. `record` is None for a moment after its end."""

    record: CallShown | None
    explanation: Explanation


class OrganizationShown(BaseModel):
    """An organization. `revision` counts its configuration's changes."""

    id: int
    name: str
    domain: str
    country: str
    purpose: str
    main_number: str | None
    emergency_numbers: list[str]
    revision: int
    sip_address: str


class UserShown(BaseModel):
    """A person."""

    username: str
    name: str
    language: str
    extension: str | None
    number: str | None


class UsersShown(BaseModel):
    """Everybody, by username."""

    users: list[UserShown]


class UserAdded(BaseModel):
    """A new user. `in_effect` says whether the switch knows it already; if not, it will once it is up again."""

    user: UserShown
    in_effect: bool


class PasswordSet(BaseModel):
    """What a telephone must be given to register. The password is shown here only."""

    username: str
    domain: str
    password: str
    sip_address: str
    in_effect: bool


class AttendantShown(BaseModel):
    """An auto attendant. `keys` maps a digit to the username it connects to."""

    name: str
    extension: str
    language: str
    greeting: str
    keys: dict[str, str]
    rounds: int
    patience_seconds: int


class AttendantsShown(BaseModel):
    """Every attendant, by name."""

    attendants: list[AttendantShown]


class RegistrationShown(BaseModel):
    """A telephone that is registered. `address` is where its packets came from."""

    user: str
    domain: str
    address: str
    transport: str
    user_agent: str
    expires_at: datetime


class RegistrationsShown(BaseModel):
    """Telephones, by domain and user."""

    registrations: list[RegistrationShown]


class BanShown(BaseModel):
    """Somebody who is refused now. `user` is None when nothing at all is answered to the address."""

    address: str
    user: str | None
    reason: str


class BansShown(BaseModel):
    """Everybody who is refused now."""

    bans: list[BanShown]


class SelfTestShown(BaseModel):
    """The rows of the self-test. `passed` only when every scenario that was not skipped passed, and one did."""

    passed: bool
    rows: list[dict[str, Any]]


def _moment(seconds: float | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def past_call(cdr: Cdr) -> CallShown:
    """A call that is over."""
    return CallShown(
        call=cdr.call,
        live=False,
        state=cdr.ending.code,
        started_at=datetime.fromtimestamp(cdr.started_at, UTC),
        answered_at=_moment(cdr.answered_at),
        ended_at=_moment(cdr.ended_at),
        caller=cdr.caller,
        dialled=cdr.dialled,
        connected=cdr.connected,
        direction=cdr.direction,
        talked_seconds=cdr.talked_seconds,
        findings=list(cdr.findings),
    )


def live_call(call: LiveCall) -> CallShown:
    """A call that goes on, or ended a moment ago and is being written down."""
    return CallShown(
        call=call.call,
        live=call.state not in ENDINGS,
        state=call.state,
        started_at=datetime.fromtimestamp(call.started_at, UTC),
        answered_at=_moment(call.answered_at),
        ended_at=None,
        caller=call.caller,
        dialled=call.dialled,
        connected=call.connected,
        direction=call.direction,
        talked_seconds=None,
        findings=[],
    )


def organization_shown(profile: Profile, sip_address: str) -> OrganizationShown:
    """An organization's own row."""
    return OrganizationShown(
        id=profile.id,
        name=profile.name,
        domain=profile.domain,
        country=profile.country,
        purpose=profile.purpose.value,
        main_number=profile.main_number,
        emergency_numbers=sorted(emergency_numbers(profile.country)),
        revision=profile.revision,
        sip_address=sip_address,
    )


def user_shown(user: User) -> UserShown:
    """A person."""
    return UserShown(username=user.username, name=user.name, language=user.language, extension=user.extension, number=user.number)


def attendant_shown(attendant: Attendant, usernames: dict[int, str]) -> AttendantShown:
    """An attendant; `usernames` are those of its organization, by id."""
    return AttendantShown(
        name=attendant.name,
        extension=attendant.extension,
        language=attendant.language,
        greeting=attendant.greeting,
        keys={key: usernames[user] for key, user in sorted(attendant.keys.items())},
        rounds=attendant.rounds,
        patience_seconds=attendant.patience_seconds,
    )


def password_set(account: SipAccount, sip_address: str, *, in_effect: bool) -> PasswordSet:
    """A user's new password."""
    return PasswordSet(
        username=account.username, domain=account.domain, password=account.password, sip_address=sip_address, in_effect=in_effect
    )


def registration_shown(registration: Registration) -> RegistrationShown:
    """A registered telephone."""
    return RegistrationShown(
        user=registration.user,
        domain=registration.domain,
        address=registration.address,
        transport=registration.transport,
        user_agent=registration.user_agent,
        expires_at=datetime.fromtimestamp(registration.expires_at, UTC),
    )


def ban_shown(ban: Banned) -> BanShown:
    """A ban."""
    return BanShown(address=ban.address, user=ban.user, reason=ban.reason)
