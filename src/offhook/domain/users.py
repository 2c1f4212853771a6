"""People with telephones."""

from dataclasses import dataclass
from typing import NewType

from offhook.domain.numbers import E164

UserId = NewType("UserId", int)


@dataclass(frozen=True, slots=True)
class User:
    """One person of an organization: signs in at the edge as `username`@domain, is called by extension or by number."""

    id: UserId
    username: str
    name: str
    language: str
    extension: str | None
    number: E164 | None
