"""Auto attendants: a greeting, and what each key does."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import NewType

from offhook.domain.users import UserId

AttendantId = NewType("AttendantId", int)

MENU_KEYS = frozenset("0123456789*#")


@dataclass(frozen=True, slots=True)
class Phrases:
    """What every attendant says in one language, beside its own greeting. `{name}` is a person's name."""

    unknown_key: str
    unavailable: str
    goodbye: str


PHRASES: Mapping[str, Phrases] = MappingProxyType(
    {
        "en": Phrases("That is not one of the choices.", "{name} cannot take your call right now.", "We did not hear a choice. Goodbye."),
        "fr": Phrases(
            "Ce choix n'existe pas.", "{name} ne peut pas vous répondre pour le moment.", "Nous n'avons pas reçu de choix. Au revoir."
        ),
    }
)
"""By language (ISO 639-1)."""


def phrases(language: str) -> Phrases:
    """The phrases of a language, in English where there are none ("fr-CA" speaks as "fr")."""
    return PHRASES.get(language.split("-")[0], PHRASES["en"])


@dataclass(frozen=True, slots=True)
class Attendant:
    """One attendant. `keys` maps a digit to the user it connects to; "0" is by custom the operator.

    `rounds` is how often the greeting is heard before goodbye; `patience_seconds` how long it waits for a key after each.
    `version` is the organization's revision in which it was last changed, its keys included.
    """

    id: AttendantId
    name: str
    language: str
    extension: str
    greeting: str
    keys: Mapping[str, UserId]
    rounds: int = 3
    patience_seconds: int = 5
    version: int = 0

    @property
    def operator(self) -> UserId | None:
        """Who gets the callers that the attendant cannot serve."""
        return self.keys.get("0")
