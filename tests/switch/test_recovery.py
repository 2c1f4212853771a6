"""A new switch ends what a dead one left: both sides, the media, the record; twice if need be, and nobody else's."""

import asyncio
from dataclasses import replace

import pytest

from offhook.domain.calls.endings import HUNG_UP_BY_CALLER
from offhook.domain.calls.ids import CallId, call_id, leg_id
from offhook.domain.media import MediaFigures, MediaShape
from offhook.services.ports.media import MediaAbsent
from offhook.switch import recovery
from offhook.switch.journal import Entry, Left
from offhook.switch.recovery import clear_up, record_of, say_goodbye
from tests.fakes.media import FakeMedia
from tests.fakes.people import KeptRecords
from tests.fakes.signalling import FakeSignalling
from tests.switch.office import OFFER, eventually

NOBODY: frozenset[CallId] = frozenset()


def a_call(number: int) -> CallId:
    return call_id(1_700_000_000_000, number)


def lost(number: int = 1, ending: str | None = None) -> Left:
    """A call that rang for 5 s and was talked in for a minute."""
    call = a_call(number)
    notes = {leg_id(call, leg): {"leg": leg_id(call, leg)} for leg in (0, 1)}
    entry = Entry(call, 7, 3, "anna@lumen.test", "102", "ben", "inside", 1.7e9, 500.0, 505.0, notes)
    return Left(entry, 565.0, ending)


async def hold_media(media: FakeMedia, call: CallId) -> None:
    await media.offer(call, leg_id(call, 0), leg_id(call, 1), OFFER, MediaShape())


async def test_both_sides_hear_bye_the_media_is_freed_and_the_record_kept() -> None:
    signalling, media, records = FakeSignalling(), FakeMedia(), KeptRecords()
    left = lost()
    await hold_media(media, left.entry.call)
    say_goodbye([left], signalling)
    assert [(order.leg, order.detail) for order in signalling.given("farewell")] == [
        (leg_id(left.entry.call, number), "switch.lost") for number in (0, 1)
    ]
    await clear_up([left], media, records, lambda: NOBODY)
    assert not media.open_calls
    ((cdr, trace),) = records.kept
    assert (cdr.ending.code, cdr.talked_seconds, cdr.started_at, cdr.organization) == ("switch.lost", 60.0, 1.7e9, 7)
    assert trace["state"] == "switch.lost" and cdr.findings


async def test_a_call_that_only_rang_is_recorded_as_never_answered() -> None:
    records, left = KeptRecords(), lost()
    left = replace(left, entry=replace(left.entry, answered=None, connected=None))
    await clear_up([left], FakeMedia(), records, lambda: NOBODY)
    ((cdr, _),) = records.kept
    assert (cdr.ending.code, cdr.answered_at, cdr.talked_seconds, cdr.ended_at) == ("switch.lost", None, 0.0, 1.7e9 + 65)


async def test_a_call_that_had_ended_keeps_its_ending() -> None:
    records = KeptRecords()
    await clear_up([lost(ending=HUNG_UP_BY_CALLER.code)], FakeMedia(), records, lambda: NOBODY)
    assert records.kept[0][0].ending is HUNG_UP_BY_CALLER
    assert record_of(lost(ending="of another release"), MediaFigures()).ending.code == "switch.lost"


async def test_one_side_that_cannot_be_told_costs_nobody_else_the_bye() -> None:
    signalling = FakeSignalling()
    first, second = lost(1), lost(2)
    first.entry.notes[leg_id(first.entry.call, 0)].clear()
    say_goodbye([first, second], signalling)
    assert len(signalling.given("farewell")) == 3


async def test_what_only_the_engine_knows_is_freed_but_neither_our_own_nor_a_strangers() -> None:
    media = FakeMedia()
    orphan, ours, strangers = a_call(1), a_call(2), CallId("3c26700d-af4b@pbx")
    for call in (orphan, ours, strangers):
        await hold_media(media, call)
    await clear_up([], media, KeptRecords(), lambda: frozenset({ours}))
    assert set(media.open_calls) == {ours, strangers}


async def test_an_engine_that_is_away_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "PAUSE_SECONDS", 0.01)
    media, records = FakeMedia(), KeptRecords()
    await hold_media(media, lost().entry.call)
    real = media.calls
    asked: list[int] = []

    async def calls() -> frozenset[str]:
        asked.append(1)
        if len(asked) < 3:
            raise MediaAbsent("not yet")
        return await real()

    monkeypatch.setattr(media, "calls", calls)
    await clear_up([lost()], media, records, lambda: NOBODY)
    assert len(asked) == 3 and not media.open_calls and len(records.kept) == 1


async def test_without_an_engine_the_record_is_kept_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(recovery, "PAUSE_SECONDS", 0.0)
    media, records = FakeMedia(), KeptRecords()
    media.dies()
    clearing = asyncio.create_task(clear_up([lost()], media, records, lambda: NOBODY))
    await eventually(lambda: records.kept, "the record")
    await clearing
