"""What session timers say in headers (RFC 4028): pure readings and decisions, no clock."""

from dataclasses import dataclass
from functools import lru_cache
from typing import NamedTuple

from sipmessage import Headers as Read

from offhook.sip.extensions import TIMER, has_option
from offhook.sip.reading import parameter
from offhook.sip.writing import Headers

LEAST_SECONDS = 90
"""No session may be asked to be refreshed more often (RFC 4028 5)."""
MOST_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class SessionTimers:
    """How long a session lasts unrefreshed, and the least that a peer may ask for; both in seconds, at least 90."""

    expires_seconds: int = 1800
    minimum_seconds: int = LEAST_SECONDS


class Wish(NamedTuple):
    """What a request says of session timers: 0 and "" where it says nothing. able: its sender speaks the extension."""

    expires: int
    minimum: int
    refresher: str
    able: bool


class Agreed(NamedTuple):
    """How long the session lasts from now, in seconds, and whether it is for us to refresh it."""

    seconds: int
    ours: bool


def wish_in(headers: Read) -> Wish:
    """What a request asks for."""
    able = has_option(headers, "Supported", TIMER) or has_option(headers, "Require", TIMER)
    expires, refresher = expires_in(headers)
    return Wish(expires, minimum_in(headers), refresher, able)


def expires_in(headers: Read) -> tuple[int, str]:
    """Session-Expires: its seconds, 0 where there are none readable, and its refresher, "uac", "uas" or ""."""
    said = headers.get("Session-Expires")
    if said is None:
        return 0, ""
    seconds, semicolon, parameters = said.partition(";")
    refresher = (parameter(semicolon + parameters, "refresher") or "").lower()
    return _seconds(seconds), refresher if refresher in ("uac", "uas") else ""


def minimum_in(headers: Read) -> int:
    """Min-SE in seconds, 0 where there is none readable."""
    said = headers.get("Min-SE")
    return 0 if said is None else _seconds(said.partition(";")[0])


def wait_in(headers: Read) -> int | None:
    """Retry-After in seconds (RFC 3261 20.33), None where it is not said readably."""
    said = (headers.get("Retry-After") or "").partition(";")[0].partition("(")[0].strip()
    return int(said) if said.isascii() and said.isdigit() and len(said) < 11 else None


@lru_cache(64)
def asking(settings: SessionTimers, minimum: int, refresher: str = "") -> Headers:
    """The headers of a request of ours; minimum is what a 422 told us before, in seconds."""
    least = max(settings.minimum_seconds, minimum)
    who = f";refresher={refresher}" if refresher else ""
    return ("Session-Expires", f"{max(settings.expires_seconds, least)}{who}"), ("Min-SE", str(least))


def is_too_brief(settings: SessionTimers, wish: Wish) -> bool:
    """Whether it must be refused with 422; only who speaks the extension would understand (RFC 4028 9)."""
    return wish.able and 0 < wish.expires < settings.minimum_seconds


@lru_cache(256)
def granted(settings: SessionTimers, wish: Wish) -> tuple[Agreed, Headers]:
    """What a 2xx of ours says (RFC 4028 9, table 2). The refreshing is ours unless the peer asked for it: it may be dead."""
    least = max(settings.minimum_seconds, wish.minimum)
    seconds = max(least, min(wish.expires, settings.expires_seconds) if wish.expires else settings.expires_seconds)
    if not wish.able:
        # It will not refresh, and it would not understand our asking: we look after it by ourselves.
        return Agreed(seconds, True), ()
    ours = wish.refresher != "uac"
    said = ("Session-Expires", f"{seconds};refresher={'uas' if ours else 'uac'}")
    return _no_longer_than(settings, Agreed(seconds, ours)), (said, ("Require", TIMER))


def accepted(settings: SessionTimers, headers: Read) -> Agreed:
    """What a 2xx to a request of ours agrees to; without Session-Expires nobody but us will refresh (RFC 4028 7.2)."""
    expires, refresher = expires_in(headers)
    if not expires:
        return Agreed(settings.expires_seconds, True)
    return _no_longer_than(settings, Agreed(max(expires, settings.minimum_seconds), refresher != "uas"))


def _no_longer_than(settings: SessionTimers, agreed: Agreed) -> Agreed:
    """A peer that wants to be silent for longer than we would be is asked by us meanwhile: it may have died long before."""
    return agreed if agreed.seconds <= settings.expires_seconds else Agreed(max(settings.expires_seconds, settings.minimum_seconds), True)


def _seconds(text: str) -> int:
    text = text.strip()
    return min(int(text), MOST_SECONDS) if text.isascii() and text.isdigit() and len(text) < 11 else 0
