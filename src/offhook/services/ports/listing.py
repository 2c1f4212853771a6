"""Lists that are read a page at a time: what is asked of the store, and what it gives."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Generic, TypeVar

Place = tuple[str | int | None, ...]
"""Where a page ends: the values of the fields it is sorted by, in the last row of it, the field that no two rows share at the end."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Listing:
    """Which of many. `sort` names fields, each with whether it falls; what has no value comes first, and last where it falls.

    `equal` are fields with the value they must have; `text` must stand, in small or capital letters, in a field that is searched.
    """

    limit: int
    sort: tuple[tuple[str, bool], ...] = ()
    equal: Mapping[str, str | int] = field(default_factory=dict)
    text: str | None = None
    after: Place | None = None


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some of a list. `next` is what `after` must be for what follows, None at the end."""

    items: list[T]
    next: Place | None
