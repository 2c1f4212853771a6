"""What happens to the calls of now, for whoever follows them. While nobody does, nothing is done.

A call that something happens to is noted, and once a beat all that were noted are told as they are then: many events of one call are
told as one, and a call that was over before the beat is told once, with its ending.
"""

import asyncio
from collections.abc import AsyncGenerator, Iterable, Iterator
from itertools import islice

from offhook.domain.calls.call import Call
from offhook.domain.calls.ids import CallId
from offhook.intercom import Refused
from offhook.services.ports.live import LiveCall
from offhook.switch.timers import on_the_beat

SLICE = 100
"""Calls told at a time: where thousands go on, telling of them all must not hold up those that are made."""

MOST_WAITING = 10_000
"""Calls that may wait for a follower who is late; who is later is cut off."""

TOO_LATE = f"You are late by more than {MOST_WAITING} calls; follow anew, and begin with what is there then."


class News:
    """Notes what happens to calls for those who follow them; all of it in the loop of the calls."""

    def __init__(self) -> None:
        self.followers: list[_Follower] = []
        """Whoever has something to tell looks here first: it is empty nearly always."""

    def note(self, call: Call) -> None:
        """Something happens to this call: it is told of, as it is then, at the next beat."""
        for follower in self.followers:
            follower.note(call)

    async def follow(self, living: Iterable[Call]) -> AsyncGenerator[list[LiveCall] | None, None]:
        """The calls of now, some at a time, then None; then, some at a time, those that something happened to.

        A call may be told again though nothing shows; none is told before it is known whose it is. Raises Refused for who takes them
        too slowly.
        """
        follower = _Follower()
        self.followers.append(follower)
        try:
            for some in _slices(list(living)):
                yield some
                await asyncio.sleep(0)
            yield None
            while True:
                noted = await follower.taken()
                if len(noted) > MOST_WAITING:
                    raise Refused(TOO_LATE)
                for some in _slices(noted):
                    yield some
                    await asyncio.sleep(0)
        finally:
            self.followers.remove(follower)


class _Follower:
    """The calls that something happened to since one follower was told last."""

    __slots__ = ("_beat", "_noted")

    def __init__(self) -> None:
        self._noted: dict[CallId, Call] = {}
        self._beat = asyncio.Event()

    def note(self, call: Call) -> None:
        if not self._noted:
            asyncio.get_running_loop().call_later(on_the_beat(0.0), self._beat.set)
        self._noted[call.id] = call

    async def taken(self) -> list[Call]:
        """Those of the next beat that has any."""
        await self._beat.wait()
        self._beat.clear()
        noted, self._noted = self._noted, {}
        return list(noted.values())


def _slices(calls: Iterable[Call]) -> Iterator[list[LiveCall]]:
    # One that is not routed yet is nobody's, and is noted again in a moment.
    known = (live_call(call) for call in calls if call.decision is not None or call.ending is not None)
    while some := list(islice(known, SLICE)):
        yield some


def live_call(call: Call) -> LiveCall:
    """How a call stands now."""
    organization = call.decision.organization if call.decision else None
    return LiveCall(
        call=call.id,
        organization=organization.id if organization else None,
        revision=organization.revision if organization else None,
        started_at=call.started.wall,
        answered_at=call.answered.wall if call.answered else None,
        caller=call.shown_caller,
        dialled=call.dialled,
        connected=call.connected,
        direction=call.direction,
        state=call.state,
    )
