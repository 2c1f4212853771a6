"""What happens to calls is made of what the switch tells: each thing once, in order, however the telling is cut."""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from offhook.domain.errors import Unavailable
from offhook.services import live_calls
from offhook.services.live_calls import NOW, UNKNOWN, different, happenings
from offhook.services.ports.live import LiveCall

CALL = LiveCall("call1", 7, 3, 100.0, None, "anna@lumen.test", "102", None, "inside", "calling")
RINGING = replace(CALL, state="ringing")
TALKING = replace(CALL, state="talking", answered_at=103.0, connected="Ben")
OVER = replace(TALKING, state="completed.by_callee")
LIFE = (None, CALL, RINGING, TALKING, OVER)


@pytest.mark.parametrize(
    ("before", "call", "names"),
    [
        (None, CALL, ["call.began"]),
        (CALL, CALL, []),
        (CALL, RINGING, ["call.changed"]),
        (RINGING, TALKING, ["call.answered", "call.changed"]),
        (TALKING, replace(TALKING, state="held"), ["call.changed"]),
        (TALKING, OVER, ["call.ended"]),
        (None, TALKING, ["call.began", "call.answered"]),
        (None, OVER, ["call.began", "call.answered", "call.ended"]),
        (RINGING, OVER, ["call.answered", "call.ended"]),
        (None, replace(CALL, state="callee.busy"), ["call.began", "call.ended"]),
        # The caller's CANCEL crossed our 200: it had been answered, and now never was.
        (TALKING, replace(CALL, state="caller.cancelled"), ["call.ended"]),
    ],
)
def test_what_is_different_has_a_name(before: LiveCall | None, call: LiveCall, names: list[str]) -> None:
    assert list(different(before, call)) == names


@pytest.mark.parametrize("seen", range(16))
def test_whatever_is_left_out_the_landmarks_are_told_once(seen: int) -> None:
    looks = [call for place, call in enumerate(LIFE) if place == 0 or call is OVER or seen >> place & 1]
    names = [name for before, call in pairwise(looks) if call for name in different(before, call)]
    assert [name for name in names if name != "call.changed"] == ["call.began", "call.answered", "call.ended"]


class Switch:
    """A switch that tells what a test puts into it; None: it dies."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[list[LiveCall] | Exception | None] = asyncio.Queue()

    async def follow(self) -> AsyncGenerator[list[LiveCall], None]:
        while (some := await self.told.get()) is not None:
            if isinstance(some, Exception):
                raise some
            yield some
        raise Unavailable("gone")

    def tells(self, *some: Any) -> None:
        for each in some:
            self.told.put_nowait(each)


async def heard(switch: Switch, count: int) -> list[tuple[str, list[str]]]:
    async with aclosing(happenings(switch)) as told:  # type: ignore[arg-type]
        found: list[tuple[str, list[str]]] = []
        async with asyncio.timeout(20):
            while len(found) < count:
                happening = await anext(told)
                found.append((happening.name, [call.call for call in happening.calls]))
    return found


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live_calls, "RETRY_SECONDS", 0.01)


async def test_each_thing_is_told_once_whatever_the_switch_repeats() -> None:
    switch, second, third = Switch(), replace(CALL, call="call2"), replace(CALL, call="call3")
    busy = replace(second, state="callee.busy")
    switch.tells([OVER, second], [second, TALKING, OVER], [busy], [busy, third, third], [busy, replace(third, state="ringing")])
    assert await heard(switch, 4) == [(NOW, ["call2"]), ("call.ended", ["call2"]), ("call.began", ["call3"]), ("call.changed", ["call3"])]


async def test_a_switch_that_dies_or_errs_is_asked_anew() -> None:
    switch = Switch()
    switch.tells([CALL], None, None, [RINGING], KeyError("a mistake of ours"), [], [CALL])
    assert await heard(switch, 7) == [
        (NOW, ["call1"]), (UNKNOWN, []), (UNKNOWN, []), (NOW, ["call1"]), (UNKNOWN, []), (NOW, []), ("call.began", ["call1"]),
    ]  # fmt: skip


async def test_what_is_over_is_forgotten_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = live_calls._Calls([])
    list(calls.taken([replace(OVER, call=f"call{number}") for number in range(100)]))
    assert len(calls._over) == 100 and not calls.going_on
    monkeypatch.setattr(live_calls, "OVER_SECONDS", 0.0)
    list(calls.taken([CALL]))
    assert not calls._over
