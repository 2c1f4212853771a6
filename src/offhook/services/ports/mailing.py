"""What we need to have mail taken away: somebody who brings it to a mail server."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail as it is to be written: one recipient, plain text. `id` is the same each time it is tried; `at` is when it was made."""

    recipient: str
    subject: str
    text: str
    id: str
    at: float


class Verdict(StrEnum):
    """What came of an attempt."""

    SENT = "sent"
    REFUSED = "refused"
    """This mail is not taken, and would not be if it was tried again."""
    LATER = "later"
    """This mail is not taken now; others may be."""
    AWAY = "away"
    """The server cannot be reached, or takes nothing from us: no mail would be."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of an attempt, and in words why, where it was not sent."""

    verdict: Verdict
    why: str | None = None


Courier = Callable[[Letter], Awaitable[Outcome]]
"""Bring a mail to the server. Never raises for what the other side does, and waits a bounded time."""
