"""Timers of a call, and the beat on which is done what is in no hurry."""

import asyncio
import contextvars
import time
from typing import Any

import pytest

from offhook.switch import timers
from offhook.switch.timers import Beat, on_the_beat

PATIENCE_SECONDS = 20.0
WHO: contextvars.ContextVar[str] = contextvars.ContextVar("who", default="nobody")


@pytest.mark.parametrize("seconds", [0.0, 0.03, 0.1, 2.0])
def test_the_beat_is_at_most_one_beat_later(seconds: float, monkeypatch: pytest.MonkeyPatch) -> None:
    for now in (0.0, 100.0, 1234.56789, 99.99):
        monkeypatch.setattr(time, "monotonic", lambda now=now: now)
        wait = on_the_beat(seconds)
        assert seconds - 1e-9 <= wait < seconds + timers.BEAT_SECONDS
        beats = (now + wait) / timers.BEAT_SECONDS
        assert abs(beats - round(beats)) < 1e-6, "all wake at one moment"


class Done:
    """What was done, and in whose name."""

    def __init__(self) -> None:
        self.what: list[tuple[Any, str]] = []

    def do(self, what: Any) -> None:
        if what is ZeroDivisionError:
            raise ZeroDivisionError
        self.what.append((what, WHO.get()))

    async def amount_to(self, count: int) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(self.what) < count:
                await asyncio.sleep(0.005)


async def test_what_falls_on_one_beat_takes_one_timer_and_is_done_in_its_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "BEAT_SECONDS", 0.5)
    loop, beat, done = asyncio.get_running_loop(), Beat(), Done()
    real, asked = loop.call_later, list[float]()

    def noted(seconds: float, *more: Any, **others: Any) -> asyncio.TimerHandle:
        asked.append(seconds)
        return real(seconds, *more, **others)

    monkeypatch.setattr(loop, "call_later", noted)
    while on_the_beat(0.0) < 0.2:  # not so near a beat that the next comes between two lines
        time.sleep(0.01)  # noqa: ASYNC251
    began = time.monotonic()
    for number in range(50):
        beat.after(0.0, done.do, number)
    assert len(asked) == 1 and done.what == []
    monkeypatch.undo()
    await done.amount_to(50)
    assert [what for what, _ in done.what] == list(range(50))
    assert time.monotonic() >= began + asked[0] - 0.05, "not before the beat"


async def test_nothing_is_done_before_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "BEAT_SECONDS", 0.05)
    beat, done, began = Beat(), Done(), time.monotonic()
    beat.after(0.3, done.do, "late")
    beat.after(0.0, done.do, "soon")
    await done.amount_to(2)
    assert [what for what, _ in done.what] == ["soon", "late"]
    assert time.monotonic() - began >= 0.29


async def test_each_is_done_in_the_context_it_was_asked_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "BEAT_SECONDS", 0.02)
    beat, done = Beat(), Done()

    async def asks(who: str) -> None:
        WHO.set(who)
        beat.after(0.0, done.do, "it")

    await asyncio.gather(asyncio.create_task(asks("anna")), asyncio.create_task(asks("ben")))
    await done.amount_to(2)
    assert sorted(done.what) == [("it", "anna"), ("it", "ben")]


async def test_the_mistake_of_one_costs_the_others_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "BEAT_SECONDS", 0.02)
    beat, done, mistakes = Beat(), Done(), []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: mistakes.append(type(context["exception"])))
    for what in ("before", ZeroDivisionError, "after"):
        beat.after(0.0, done.do, what)
    await done.amount_to(2)
    assert [what for what, _ in done.what] == ["before", "after"] and mistakes == [ZeroDivisionError]
    beat.after(0.0, done.do, "the next beat")
    await done.amount_to(3)
    assert beat._waiting == {}, "nothing is left of a beat that was struck"
