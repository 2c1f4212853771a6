"""What happens to calls is told to whoever follows the switch: over the real desk, from calls of the switch in memory."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from offhook import intercom
from offhook.domain.calls.call import Call
from offhook.domain.calls.endings import ENDINGS
from offhook.domain.calls.ids import CallId, leg_id
from offhook.domain.errors import Unavailable
from offhook.metrics import Figures
from offhook.services import live_calls
from offhook.services.live_calls import NOW, UNKNOWN, Happening, happenings
from offhook.services.ports.live import LiveCall
from offhook.services.snapshot import Snapshot
from offhook.switch import news, timers
from offhook.switch.desk import SwitchDesk, open_desk
from tests.switch.office import Office, configuration, eventually

PATIENCE_SECONDS = 20.0
LONG_BEAT = 0.4


class Held:
    """A configuration that does not change."""

    async def in_effect(self, organization: int) -> int:
        raise NotImplementedError

    async def take_up(self, organization: int, revision: int) -> int:
        return revision

    async def refresh(self) -> int:
        return 1

    @property
    def snapshot(self) -> Snapshot:
        return configuration()


@pytest.fixture
async def desk(office: Office, tmp_path: Path) -> AsyncIterator[SwitchDesk]:
    path = tmp_path / "switch.desk"
    server = await open_desk(path, office.exchange, Held(), Figures(), lambda: 0)
    yield SwitchDesk(path)
    server.close()


async def next_of(told: AsyncGenerator[Any, None]) -> Any:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await anext(told)


async def until(told: AsyncGenerator[Happening, None], name: str) -> list[Happening]:
    """What happens, up to and with the first of this name."""
    found: list[Happening] = []
    while not found or found[-1].name != name:
        found.append(await next_of(told))
    return found


async def test_the_whole_life_of_a_call_is_told(office: Office, desk: SwitchDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "BEAT_SECONDS", 0.005)
    other = await office.talking("103")
    async with aclosing(happenings(desk)) as told:
        first = await next_of(told)
        assert first.name == NOW and [(call.call, call.state) for call in first.calls] == [(other, "talking")]
        call = office.dials("102")
        ringing, _ = await office.called(call, 1), await office.called(call, 2)
        began = await until(told, "call.began")
        assert began[-1].calls[0].call == call and began[-1].calls[0].organization == 7
        while began[-1].calls[0].state != "ringing":
            began += await until(told, "call.changed")
        office.rings(ringing)
        office.answers(ringing)
        answered = (await until(told, "call.answered"))[-1].calls[0]
        assert answered.call == call and answered.answered_at is not None and answered.answered_at >= answered.started_at > 1e9
        (now,) = [live for live in office.exchange.calls() if live.call == call]
        office.hangs_up(leg_id(call, 0))
        last = await until(told, "call.ended")
        assert (last[-1].calls[0].call, last[-1].calls[0].state) == (call, "completed.by_caller")
        assert last[-1].calls[0].connected == now.connected is not None
        await office.ended(call)
        office.hangs_up(leg_id(other, 0))
        rest = await until(told, "call.ended")
        assert {each.calls[0].call for each in rest} == {other}, "the first is over, and is not told of again"


async def test_a_call_that_is_over_before_the_beat_is_told_too(office: Office, desk: SwitchDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "BEAT_SECONDS", LONG_BEAT)
    async with aclosing(happenings(desk)) as told:
        assert (await next_of(told)).calls == ()
        call = office.dials("999999")
        await office.ended(call)
        one, two = await next_of(told), await next_of(told)
        assert (one.name, two.name) == ("call.began", "call.ended") and one.calls == two.calls
        assert (one.calls[0].call, one.calls[0].state in ENDINGS, one.calls[0].organization) == (call, True, 7)


async def test_many_events_of_a_beat_are_told_as_one(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "BEAT_SECONDS", LONG_BEAT)
    loop = asyncio.get_running_loop()
    real, timed = loop.call_later, list[Any]()

    def noted(seconds: float, do: Any, *more: Any, **others: Any) -> asyncio.TimerHandle:
        timed.append(do)
        return real(seconds, do, *more, **others)

    async with aclosing(office.exchange.news.follow(office.exchange.living())) as told:
        assert await next_of(told) is None, "there are no calls now"
        coming = asyncio.ensure_future(anext(told))
        await asyncio.sleep(timers.on_the_beat(0.0))  # a whole beat lies before us
        monkeypatch.setattr(loop, "call_later", noted)
        calls = [office.dials("103") for _ in range(3)]
        for call in calls:
            office.rings(await office.called(call))
        for call in calls:
            await office.stands(call, "ringing")
        assert not coming.done()
        some = await coming
        assert some and sorted((call.call, call.state) for call in some) == [(call, "ringing") for call in calls]
        (follower,) = office.exchange.news.followers
        assert timed.count(follower._beat.set) == 1, "one timer for all of it"


async def test_nothing_is_done_while_nobody_follows(office: Office, desk: SwitchDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    def must_not(self: news.News, call: Call) -> None:
        raise AssertionError("noted for nobody")

    async with aclosing(desk.follow()) as told:
        assert await next_of(told) == []
        assert len(office.exchange.news.followers) == 1
    await eventually(lambda: not office.exchange.news.followers, "an end of following")
    monkeypatch.setattr(news.News, "note", must_not)
    call = await office.talking("103")
    office.hangs_up(leg_id(call, 0))
    assert (await office.ended(call))[0].ending.code == "completed.by_caller"


async def test_the_calls_of_now_are_told_in_slices(office: Office, desk: SwitchDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(news, "SLICE", 2)
    monkeypatch.setattr(timers, "BEAT_SECONDS", 0.005)
    calls = [await office.talking("103") for _ in range(5)]
    sizes = []
    async with aclosing(office.exchange.news.follow(office.exchange.living())) as lines:
        while (some := await next_of(lines)) is not None:
            sizes.append(len(some))
    assert sizes == [2, 2, 1]
    async with aclosing(desk.follow()) as told:
        assert sorted(call.call for call in await next_of(told)) == calls
        assert sorted(await desk.calls(), key=lambda call: call.call) == office.exchange.calls()
        for call in calls:
            office.hangs_up(leg_id(call, 0))
        over: dict[str, LiveCall] = {}
        while len(over) < 5:
            over |= {call.call: call for call in await next_of(told) if call.state in ENDINGS}


async def test_who_is_late_finds_each_call_as_it_is_then_once(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "BEAT_SECONDS", 0.005)
    async with aclosing(office.exchange.news.follow(office.exchange.living())) as told:
        assert await next_of(told) is None
        call = await office.talking("102")  # nobody takes anything meanwhile
        office.hangs_up(leg_id(call, 0))
        await office.ended(call)
        (only,) = await next_of(told)
        assert (only.call, only.state) == (call, "completed.by_caller") and only.answered_at is not None


async def test_who_is_too_late_is_told_so(office: Office, desk: SwitchDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "BEAT_SECONDS", LONG_BEAT)
    monkeypatch.setattr(news, "MOST_WAITING", 2)
    async with aclosing(desk.follow()) as told:
        await next_of(told)
        await asyncio.sleep(timers.on_the_beat(0.0))
        for _ in range(4):
            office.dials("103")
        with pytest.raises(Unavailable, match="late by more than"):
            while True:
                await next_of(told)
    assert not office.exchange.news.followers


async def test_a_call_whose_machine_fails_is_told_as_over(office: Office, desk: SwitchDesk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "BEAT_SECONDS", 0.005)

    told_of = asyncio.Event()

    async def mistaken(*_: Any) -> None:
        await told_of.wait()  # nothing happens between this and the mistake
        raise KeyError("a mistake")

    monkeypatch.setattr(office.exchange, "_ask_engine", mistaken)
    async with aclosing(happenings(desk)) as told:
        await next_of(told)
        call = office.dials("103")
        await until(told, "call.began")
        told_of.set()
        last = (await until(told, "call.ended"))[-1].calls[0]
        assert (last.call, last.state) == (call, "switch.failed")


async def test_a_call_is_told_of_when_it_is_known_whose_it_is(office: Office, monkeypatch: pytest.MonkeyPatch) -> None:
    unrouted = Call(CallId("callx"), lambda plan: None)  # type: ignore[arg-type, return-value]
    assert list(news._slices([unrouted])) == []
    call = await office.talking("103")
    (living,) = (each for each in office.exchange.living() if each.id == call)
    assert [[each.call for each in some] for some in news._slices([unrouted, living])] == [[call]]


async def test_a_switch_that_dies_is_told_of_and_what_there_is_when_it_is_back(
    office: Office, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_calls, "RETRY_SECONDS", 0.02)
    monkeypatch.setattr(intercom, "SILENT_SECONDS", 1.0)
    monkeypatch.setattr(intercom, "ALIVE_SECONDS", 0.1)
    path = tmp_path / "switch.desk"
    async with aclosing(happenings(SwitchDesk(path))) as told:
        assert await next_of(told) == (UNKNOWN, ())
        server = await open_desk(path, office.exchange, Held(), Figures(), lambda: 0)
        assert (await until(told, NOW))[-1].calls == ()
        server.close()
        path.unlink(missing_ok=True)
        monkeypatch.setattr(intercom, "ALIVE_SECONDS", 1000.0)  # and no sign of life from those it had
        assert (await until(told, UNKNOWN))[0].name == UNKNOWN
        call = await office.talking("103")
        monkeypatch.setattr(intercom, "ALIVE_SECONDS", 0.1)
        server = await open_desk(path, office.exchange, Held(), Figures(), lambda: 0)
        assert [each.call for each in (await until(told, NOW))[-1].calls] == [call]
        server.close()
