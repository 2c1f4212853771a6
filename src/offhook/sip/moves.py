"""What a table of this room is made of: state -> event -> move. What is not in a table is refused and changes nothing."""

from collections.abc import Mapping
from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

S = TypeVar("S", bound=StrEnum)
D = TypeVar("D", bound=StrEnum)


class Move(NamedTuple, Generic[S, D]):
    """The next state, and what to do on the way, in this order."""

    next: S
    do: tuple[D, ...] = ()


E = TypeVar("E", bound=StrEnum)
Table = Mapping[S, Mapping[E, Move[S, D]]]
