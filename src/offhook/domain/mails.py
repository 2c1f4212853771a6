"""Mail that is to go out: its states, and in which language it is written."""

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType

from offhook.domain.errors import Conflict

LANGUAGES = ("en", "fr")
"""What mail is written in; the first where a reader's own language is none of them."""


class MailState(StrEnum):
    """How far a mail is."""

    WAITING = "waiting"
    SENT = "sent"
    """The mail server took it. Whether it reached anybody is not told to us."""
    FAILED = "failed"
    """Refused for good, or its time was up. What it said is kept until then, so that it can be tried again."""


class Move(StrEnum):
    """What happens to a mail."""

    TAKE = "take"
    REFUSE = "refuse"
    RETRY = "retry"


MOVES: Mapping[tuple[MailState, Move], MailState] = MappingProxyType(
    {
        (MailState.WAITING, Move.TAKE): MailState.SENT,
        (MailState.WAITING, Move.REFUSE): MailState.FAILED,
        (MailState.WAITING, Move.RETRY): MailState.WAITING,
        (MailState.FAILED, Move.RETRY): MailState.WAITING,
    }
)


class NotNow(Conflict):
    """A mail is not in a state in which this can be done with it."""

    code = "mail.not_now"


def moved(state: MailState, move: Move) -> MailState:
    """The state after a move. Raises NotNow when the table has none."""
    if (state, move) not in MOVES:
        raise NotNow(f"The mail is {state}; you cannot {move} it.", "mail")
    return MOVES[state, move]


def written_in(language: str) -> str:
    """The language of `LANGUAGES` for whoever reads this one (a BCP 47 tag): fr for fr-CA."""
    spoken = language.partition("-")[0].lower()
    return spoken if spoken in LANGUAGES else LANGUAGES[0]
