"""What is kept of answers to requests that named an idempotency key."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer that was given. `fingerprint` is of the request; `status` is 0 while what was asked is done and the answer not yet kept."""

    fingerprint: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class Answers(Protocol):
    """The answers of the last 24 hours that one organization, or the provider, got."""

    def get(self, key: str) -> Answer | None:
        """What was answered to this key, None when nothing was."""

    def keep(self, key: str, fingerprint: str) -> None:
        """This key was used; raises Conflict at the transaction's end when it was already. Forgets what is older than a day."""

    def complete(self, key: str, status: int, headers: Mapping[str, str], body: bytes) -> None:
        """What was answered."""
