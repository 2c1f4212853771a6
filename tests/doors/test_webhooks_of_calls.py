"""Webhooks tell a call's whole life while it goes on; what was missed is told when it is over, and nothing twice."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import replace
from typing import Any

import pytest

from offhook.domain.calls.cdr import Cdr
from offhook.domain.errors import Unavailable
from offhook.services import deliveries, live_calls, webhooks
from offhook.store.transaction import Database
from tests.doors.posting import Clock, Post, asked, made
from tests.doors.receivers import Receiver, a_receiver
from tests.doors.rooms import World, finished

PATIENCE_SECONDS = 20.0


@pytest.fixture
async def at_work(world: World, clock: Clock, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Post]:
    """A deliverer that runs by itself."""
    monkeypatch.setattr(live_calls, "RETRY_SECONDS", 0.05)
    post = Post(world, clock)
    running = asyncio.create_task(post.deliverer.run())
    yield post
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    await post.deliverer.settled()


async def until(condition: Callable[[], Any], what: str) -> None:
    try:
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not condition():
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(what) from None


def told(receiver: Receiver) -> list[tuple[str, str]]:
    return [(got.said["event"], got.said["call"]["call"]) for got in receiver.got]


async def test_a_call_is_told_while_it_goes_on_and_once(world: World, receiver: Receiver, at_work: Post) -> None:
    webhook = await made(world, receiver.url, "call.*")
    await until(lambda: world.switch.followed, "the switch was not followed")
    theirs = world.lives(2, of=world.pine)
    call = world.lives(3, answered=False)
    await until(lambda: receiver.got, "no call.began")
    assert told(receiver) == [("call.began", call)]
    world.switch.changes(call, state="ringing")
    world.switch.changes(theirs, state="held")
    world.switch.changes(call, state="talking", answered_at=world.started(3) + 5)
    await until(lambda: len(receiver.got) == 2, "no call.answered")
    assert told(receiver)[1] == ("call.answered", call)
    world.switch.changes(call, state="held")
    world.switch.changes(call, state="completed.by_callee")
    world.recorded(3)
    await until(lambda: len(receiver.got) >= 3, "no call.ended")
    await at_work.later(deliveries.AGAIN_EVERY_SECONDS + 1)  # the record is read again, from its beginning
    assert [name for name, _ in told(receiver)] == ["call.began", "call.answered", "call.ended"]
    ids = [got.said["id"] for got in receiver.got]
    assert ids == [f"call-{call}-began", f"call-{call}-answered", f"call-{call}"]
    for got in receiver.got:
        stamp = int(got.headers["offhook-timestamp"])
        assert got.headers["offhook-signature"] == webhooks.signature(webhook["secret"], stamp, got.body)


async def test_what_was_missed_is_told_when_the_call_is_over(world: World, receiver: Receiver, post: Post) -> None:
    """Nobody followed the switch while it went on."""
    await made(world, receiver.url, "call.began", "call.answered")
    (call,) = world.recorded(1)
    await post.goes_out()
    assert told(receiver) == [("call.began", call), ("call.answered", call)]


async def test_a_call_that_nobody_answered_is_told_so(world: World, receiver: Receiver, post: Post) -> None:
    await made(world, receiver.url, "call.*")
    cdr, trace = finished(1, world.lumen.profile.id, "callee.no_answer")
    with world.records() as writer:
        writer.keep(replace(cdr, answered_at=None), trace)
    await post.goes_out()
    assert [name for name, _ in told(receiver)] == ["call.began", "call.ended"]
    assert receiver.got[1].said["call"]["answered_at"] is None


async def test_calls_that_go_on_when_we_come_are_told_of_once(world: World, receiver: Receiver, clock: Clock, at_work: Post) -> None:
    await made(world, receiver.url, "call.*")
    await until(lambda: world.switch.followed, "the switch was not followed")
    call = world.lives(1)
    await until(lambda: len(receiver.got) == 2, "it was not told of")
    world.switch.down = True
    await until(lambda: not world.switch.followed, "it is followed though it is away")
    meanwhile = world.lives(2)
    world.switch.down = False
    await until(lambda: len(receiver.got) == 4, "what began meanwhile was not told of")
    assert told(receiver) == [("call.began", call), ("call.answered", call), ("call.began", meanwhile), ("call.answered", meanwhile)]


async def test_the_switch_is_followed_while_somebody_wants_it(world: World, receiver: Receiver, at_work: Post) -> None:
    other = await made(world, receiver.url, "call.ended", "user.*")
    await asyncio.sleep(2 * deliveries.LOOK_SECONDS)
    assert not world.switch.followed, "nobody asked for what goes on now"
    webhook = await made(world, receiver.url, "call.answered")
    await until(lambda: world.switch.followed == 1, "the switch was not followed")
    await asked(world, "PATCH", f"/{webhook['id']}", json={"enabled": False})
    await until(lambda: not world.switch.followed, "it is followed for nobody")
    call = world.lives(1)
    await asked(world, "PATCH", f"/{other['id']}", json={"events": ["call.began"]})
    await until(lambda: world.switch.followed == 1, "the switch was not followed again")
    await until(lambda: told(receiver) == [("call.began", call)], "it was not told of")


async def test_what_happens_while_the_database_is_away_waits(
    world: World, receiver: Receiver, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deliveries, "MOST_HAPPENED", 3)
    post = Post(world, clock)
    await made(world, receiver.url, "call.*")
    await post.goes_out()
    following = asyncio.create_task(post.deliverer.follow())
    await until(lambda: world.switch.followed, "the switch was not followed")
    real = Database.change

    def away(*_: Any) -> None:
        raise Unavailable("The database does not answer.")

    monkeypatch.setattr(Database, "change", away)
    calls: list[str] = []
    for count in (3, 2):
        calls += [world.lives(len(calls) + number, answered=False) for number in range(count)]
        while calls[-1] not in [each.call.call for each in post.deliverer._happened]:
            await asyncio.sleep(0.01)
        with pytest.raises(Unavailable):
            await post.goes_out()
    monkeypatch.setattr(Database, "change", real)
    await post.goes_out()
    assert told(receiver) == [("call.began", call) for call in calls[2:]], "the oldest are told when they are over"
    world.recorded(*range(5))
    await post.goes_out()
    assert sorted(call for name, call in told(receiver) if name == "call.began") == calls
    following.cancel()


async def test_one_organization_that_cannot_be_taken_up_costs_the_others_nothing(
    world: World, receiver: Receiver, post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made(world, receiver.url, "call.ended")
    world.recorded(1)
    async with a_receiver() as theirs:
        await made(world, theirs.url, "call.ended", token=world.pine.token)
        (call,) = world.recorded(2, of=world.pine)
        real = webhooks.of_record

        def mistaken(domain: str, cdr: Cdr) -> Iterator[webhooks.Happened]:
            if domain == "lumen.test":
                raise KeyError("a mistake")
            return real(domain, cdr)

        monkeypatch.setattr(deliveries, "of_record", mistaken)
        await post.goes_out()
        assert told(theirs) == [("call.ended", call)] and receiver.got == []
    monkeypatch.undo()
    await post.goes_out()
    assert len(receiver.got) == 1


async def test_a_strangers_words_are_no_obstacle(world: World, receiver: Receiver, at_work: Post) -> None:
    await made(world, receiver.url, "call.began")
    await until(lambda: world.switch.followed, "the switch was not followed")
    world.lives(1, caller="\ud800\0\u2028 ä")
    await until(lambda: receiver.got, "it was not told of")
    assert receiver.got[0].said["call"]["caller"] == "?\0\u2028 ä"


async def test_more_for_a_webhook_that_answers_does_not_wait_for_the_next_look(
    world: World, receiver: Receiver, at_work: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    await made(world, receiver.url, "call.began")
    await until(lambda: world.switch.followed, "the switch was not followed")
    monkeypatch.setattr(deliveries, "LOOK_SECONDS", PATIENCE_SECONDS * 10)
    await asyncio.sleep(1.5)  # from now on nobody looks by himself
    receiver.opened.clear()
    first = world.lives(1)
    await until(lambda: receiver.got, "the first was not told of")
    second = world.lives(2)
    await asyncio.sleep(0.3)
    receiver.opened.set()
    await until(lambda: len(receiver.got) == 2, "the second was not told of")
    assert told(receiver) == [("call.began", first), ("call.began", second)]
