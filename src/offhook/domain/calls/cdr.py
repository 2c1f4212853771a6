"""The call detail record: one a call, written once."""

from dataclasses import dataclass

from offhook.domain.calls.endings import Ending
from offhook.domain.calls.ids import CallId
from offhook.domain.media import MediaFigures
from offhook.domain.organizations import OrganizationId


def telephone_of(username: str) -> str:
    """How the words for a telephone of somebody begin, as `connected` tells them."""
    return f"{username}'s telephone at "


def outward(number: str) -> str:
    """How the words for a number of the public network begin, as `connected` tells them."""
    return f"{number} through "


@dataclass(frozen=True, slots=True)
class Cdr:
    """What remains of a call. Times are seconds since 1970 (UTC); `answered_at` is None when nobody (nor any attendant) answered.

    `organization` is None when the call could be given to none. `caller` and `dialled` are as shown and as dialled, `connected` is who was
    talked to last.
    `revision` is the organization's configuration revision that routed the call.
    """

    call: CallId
    organization: OrganizationId | None
    revision: int | None
    started_at: float
    answered_at: float | None
    ended_at: float
    caller: str
    dialled: str
    connected: str | None
    direction: str
    ending: Ending
    figures: MediaFigures
    findings: tuple[str, ...] = ()

    @property
    def talked_seconds(self) -> float:
        """How long the call was answered, 0 if never."""
        return 0.0 if self.answered_at is None else max(0.0, self.ended_at - self.answered_at)
