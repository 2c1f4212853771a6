"""What we need to tell programs of others something over HTTP."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of a POST. `status` is None when no answer came; `error` is a sentence, None when it was taken (2xx)."""

    status: int | None
    error: str | None


Post = Callable[[str, Mapping[str, str], bytes], Awaitable[Outcome]]
"""POST a body to an address, with headers. Never raises for what the other side does; follows nothing, waits a bounded time."""
