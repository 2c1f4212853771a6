"""Auto attendants: a greeting, and what each key does."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NewType

from offhook.domain.users import UserId

AttendantId = NewType("AttendantId", int)

MENU_KEYS = frozenset("0123456789*#")


@dataclass(frozen=True, slots=True)
class Attendant:
    """One attendant. `keys` maps a digit to the user it connects to; "0" is by custom the operator.

    `rounds` is how often the greeting is heard before goodbye; `patience_seconds` how long it waits for a key after each.
    """

    id: AttendantId
    name: str
    language: str
    extension: str
    greeting: str
    keys: Mapping[str, UserId]
    rounds: int = 3
    patience_seconds: int = 5

    @property
    def operator(self) -> UserId | None:
        """Who gets the callers that the attendant cannot serve."""
        return self.keys.get("0")
