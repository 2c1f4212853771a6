"""The inbox of a call: in order, nothing lost, whoever waits is woken."""

import asyncio

from offhook.domain.calls.events import Event, StopAsked
from offhook.switch.exchange import _Inbox
from offhook.switch.executor import now

PATIENCE_SECONDS = 20.0


def events(count: int) -> list[Event]:
    return [StopAsked(now()) for _ in range(count)]


async def test_what_is_put_is_taken_in_order_without_waiting() -> None:
    inbox, put = _Inbox(), events(3)
    for event in put:
        inbox.put(event)
    assert len(inbox) == 3
    taking = [inbox.take() for _ in range(3)]
    for coroutine, event in zip(taking, put, strict=True):
        try:
            coroutine.send(None)
        except StopIteration as done:
            assert done.value is event
        else:
            raise AssertionError("it waited though there was something")
    assert len(inbox) == 0


async def test_who_waits_is_woken_by_the_first_and_finds_the_rest() -> None:
    inbox, put = _Inbox(), events(3)
    waiting = asyncio.create_task(inbox.take())
    await asyncio.sleep(0)
    assert not waiting.done()
    for event in put:
        inbox.put(event)
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert [await waiting, await inbox.take(), await inbox.take()] == put


async def test_nothing_is_lost_to_a_wait_that_was_given_up() -> None:
    inbox, (first, second) = _Inbox(), events(2)
    waiting = asyncio.create_task(inbox.take())
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    inbox.put(first)
    assert len(inbox) == 1
    async with asyncio.timeout(PATIENCE_SECONDS):
        assert await inbox.take() is first
        waiting = asyncio.create_task(inbox.take())
        await asyncio.sleep(0)
        inbox.put(second)
        waiting.cancel()  # at the moment it was woken
        await asyncio.gather(waiting, return_exceptions=True)
        assert await inbox.take() is second


async def test_ten_thousand_pass_between_two_tasks() -> None:
    inbox, put = _Inbox(), events(10_000)

    async def takes() -> list[Event]:
        return [await inbox.take() for _ in put]

    taking = asyncio.create_task(takes())
    for number, event in enumerate(put):
        inbox.put(event)
        if number % 7 == 0:
            await asyncio.sleep(0)
    async with asyncio.timeout(PATIENCE_SECONDS):
        taken = await taking
    assert all(one is other for one, other in zip(taken, put, strict=True))
