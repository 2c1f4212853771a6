"""What comes in and goes out, as JSON. Fields nobody knows are refused: a misspelt one must not be ignored."""

import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field

from offhook.domain.calls.cdr import Cdr
from offhook.domain.calls.endings import ENDINGS
from offhook.domain.numbers import as_e164
from offhook.services.explain import Explanation
from offhook.services.ports.edge import Banned, Registration
from offhook.services.ports.live import LiveCall


class Asked(BaseModel):
    """Something a client sends."""

    model_config = ConfigDict(extra="forbid")


class Saved(BaseModel):
    """What every answer to a write tells."""

    revision: int | None = Field(
        description="The organization's revision that it made; the last one where nothing was changed.", examples=[42]
    )
    in_effect: bool = Field(
        description="Whether the switch has taken it up. If not, it does so by itself as soon as it is up again.", examples=[True]
    )


def _written(moment: Any) -> Any:
    if not isinstance(moment, str) or not _MOMENT.match(moment):
        raise ValueError("no moment with its time zone, such as 2026-11-24T09:30:00Z (RFC 3339)")
    return moment


_MOMENT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt ]")
Moment = Annotated[AwareDatetime, BeforeValidator(_written)]
"""A moment as it is sent. The framework takes a number as well, for seconds or thousandths of them, whichever looks likelier."""


def named(**rules: Any) -> Any:
    """A field of a change: what is not named stays as it is, so it has no default that anybody could send."""
    shown = rules.pop("json_schema_extra", {})

    def without_default(schema: dict[str, Any]) -> None:
        schema.pop("default", None)
        schema.update(shown)

    return Field(default=None, json_schema_extra=without_default, **rules)


def pattern(text: str) -> dict[str, Any]:
    """Tells programs how a text looks; the services check it, in better words."""
    return {"pattern": text}


_NULL = "(null)"
"""Stands for null in examples: the framework leaves null out of what it describes."""


def examples(*shown: dict[str, Any]) -> dict[str, Any]:
    """What a schema shows as examples."""
    return {"examples": [{name: _NULL if value is None else value for name, value in one.items()} for one in shown]}


def with_nulls(described: Any) -> Any:
    """A description whose examples have null where they mean it."""
    if isinstance(described, dict):
        return {name: with_nulls(value) for name, value in described.items()}
    if isinstance(described, list):
        return [with_nulls(value) for value in described]
    return None if described == _NULL else described


def _international(text: str) -> str:
    number = as_e164(text)
    if number is None:
        raise ValueError("no telephone number in international form, such as +12065550199")
    return number


class CallTried(Asked):
    """A call to make from the sandbox's public network. `digits` are pressed once it is answered; "," waits."""

    model_config = ConfigDict(extra="forbid", populate_by_name=True)

    from_number: Annotated[str, AfterValidator(_international)] = Field(alias="from", max_length=40)
    to_number: Annotated[str, AfterValidator(_international)] = Field(alias="to", max_length=40)
    digits: str = Field("", max_length=32, pattern=r"^[0-9*#A-D,]*$")
    listen_seconds: float = Field(10.0, ge=0, le=60, allow_inf_nan=False)


class CallShown(BaseModel):
    """A call. `state` is the ending's code once it is over; `talked_seconds` is None while it lives.

    `revision` is the organization's configuration that routed it: what anything was then is told by /history/{kind}/{id}?call=...
    """

    call: str
    revision: int | None
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


class RegistrationShown(BaseModel):
    """A telephone that is registered. `address` is where its packets came from."""

    user: str
    domain: str
    address: str
    transport: str
    user_agent: str
    expires_at: datetime


class RegistrationsShown(BaseModel):
    """A page of telephones, by domain and user."""

    registrations: list[RegistrationShown]
    next: str | None


class BanShown(BaseModel):
    """Somebody who is refused now. `user` is None when nothing at all is answered to the address."""

    address: str
    user: str | None
    reason: str


class BansShown(BaseModel):
    """A page of those who are refused now."""

    bans: list[BanShown]
    next: str | None


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
        revision=cdr.revision,
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
        revision=call.revision,
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
