"""What the history of an organization is made of."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Change:
    """One line of an organization's history: a whole object of a kind, by its id.

    `before` is None for what was created, `after` for what was deleted. Secrets are told as "set". `seq` counts within the revision.
    """

    revision: int
    seq: int
    kind: str
    id: str
    before: Mapping[str, Any] | None
    after: Mapping[str, Any] | None
    who: str
    at: float
