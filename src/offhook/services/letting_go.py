"""Lets go of what is large and not needed any more, a little at a time.

The last reference to a map of a million entries frees them all in one piece: 0.2 s in which no call moves, whatever thread it was. So the
maps of an organization that is gone are kept until nobody uses it any more (a call that goes on does), and then emptied key by key.
"""

from collections import deque
from collections.abc import Iterable, Mapping
from typing import Any
from weakref import ref

from immutables import Map

from offhook.domain.organizations import Organization

FEW = 500
"""What has fewer entries is gone in a tenth of a millisecond."""


class Versions:
    """An organization as it is and was, as far as somebody still uses it: an earlier one shares most of what it has with a later one."""

    def __init__(self) -> None:
        self._known: list[ref[Organization]] = []

    def note(self, organization: Organization) -> None:
        """This is another one."""
        self._known = [known for known in self._known if known() is not None]
        self._known.append(ref(organization))

    @property
    def used(self) -> bool:
        """Whether somebody still uses one of them."""
        return any(known() is not None for known in self._known)

    def maps(self) -> list[Mapping[Any, Any]]:
        """What they have that is large."""
        own = [organization for known in self._known if (organization := known()) is not None]
        maps = [(each.users, each.usernames, each.attendants, each.extensions, each.numbers) for each in own]
        return [each for several in maps for each in several if len(each) > FEW]


def take_apart(maps: list[Mapping[Any, Any]]) -> None:
    """Empty the list and what is in it, so that whatever ends here ends by itself; for a thread. Nobody else may need these maps."""
    while maps:
        _empty(maps.pop())


def _empty(held: Mapping[Any, Any]) -> None:
    assert isinstance(held, Map)
    keys = _listed(held)
    falling = held.mutate()
    del held  # or its nodes would stay, and go at once in the end
    while keys:
        falling.pop(keys.pop())


def _listed(keys: Iterable[Any]) -> deque[Any]:
    """In blocks of 64, where a list of a million is moved, and let go of, in large pieces."""
    found: deque[Any] = deque()
    for key in keys:  # one by one: what the deque takes by itself it takes without letting go of the interpreter
        found.append(key)
    return found
