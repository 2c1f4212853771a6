"""Which calls are wanted, of those that go on and of those that are over."""

from dataclasses import dataclass
from typing import NamedTuple

from offhook.domain.calls.cdr import Cdr
from offhook.domain.calls.ids import CallId
from offhook.services.ports.live import LiveCall


class Party(NamedTuple):
    """What a call tells of one who took part: the field ("caller", "dialled" or "connected"), and what it is, or how it begins."""

    field: str
    text: str
    begins: bool = False


@dataclass(frozen=True, slots=True)
class CallsWanted:
    """All of it must hold; what is None or empty says nothing. `since` and `until` are ids: the first that is wanted, and that no more is.

    Of each entry of `parties` one must hold.
    """

    since: CallId | None = None
    until: CallId | None = None
    ending: str | None = None
    direction: str | None = None
    parties: tuple[tuple[Party, ...], ...] = ()

    def takes(self, call: LiveCall | Cdr) -> bool:
        """Whether a call is one of them; one that has not ended has no ending."""
        ending = call.ending.code if isinstance(call, Cdr) else call.state
        return (
            (self.since is None or call.call >= self.since)
            and (self.until is None or call.call < self.until)
            and self.ending in (None, ending)
            and self.direction in (None, call.direction)
            and all(any(_fits(party, call) for party in parties) for parties in self.parties)
        )


def _fits(party: Party, call: LiveCall | Cdr) -> bool:
    told: str = getattr(call, party.field) or ""
    return told.startswith(party.text) if party.begins else told == party.text
