"""What a dead switch leaves in its journal, and that no damage to the file takes away more than what was damaged."""

import random
import resource
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from offhook.domain.calls.call import Call
from offhook.domain.calls.endings import HUNG_UP_BY_CALLER
from offhook.domain.calls.entering import enter
from offhook.domain.calls.events import LegConfirmed, LegRinging, Moment
from offhook.domain.calls.ids import CallId, LegId, leg_id
from offhook.domain.calls.leg import Leg, LegState
from offhook.domain.calls.sides import Side
from offhook.switch import journal as journals
from offhook.switch.executor import now
from offhook.switch.journal import Journal, Left, read_journal
from tests.switch.office import ANSWER, Office, eventually

HOUR = 3600.0


def soon(condition: Callable[[], object], what: str) -> None:
    until = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < until, what
        time.sleep(0.01)


def an_answered_call(number: int) -> Call:
    """A call of two legs that talk."""
    call = Call(CallId(f"call{number:05}"), enter, started=Moment(1e9, 100.0), answered=Moment(1e9 + 5, 105.0), connected="ben")
    for leg in (leg_id(call.id, 0), leg_id(call.id, 1)):
        call.legs[leg] = Leg(leg, Side(leg), LegState.UP)
    return call


def note(leg: LegId) -> dict[str, str]:
    return {"call_id": f"{leg}@127.0.0.1", "routes": "x" * 300}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "calls.journal"


@pytest.fixture
def open_journal(file: Path) -> Iterator[Callable[[], Journal]]:
    opened: list[Journal] = []

    def opens() -> Journal:
        opened.append(Journal(file, note))
        return opened[-1]

    yield opens
    for each in opened:
        each.close()


def names(left: tuple[Left, ...]) -> list[str]:
    return [each.entry.call for each in left]


def states_of(left: Left) -> dict[LegId, str]:
    return {leg: note["state"] for leg, note in left.entry.notes.items()}


async def test_a_call_stands_in_the_journal_from_its_ringing_until_its_record_is_kept(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "calls.journal"
    refused = office.dials("what?")
    await office.ended(refused)
    call = office.dials("102")
    caller, first, second = (leg_id(call, number) for number in (0, 1, 2))
    await office.called(call, 2)
    rings = {caller: "arrived", first: "calling", second: "calling"}
    await eventually(lambda: [states_of(left) for left in read_journal(file)] == [rings], "the ringing call, and no other, in the journal")
    assert read_journal(file)[0].entry.answered is None
    office.answers(first)
    await eventually(lambda: states_of(read_journal(file)[0]) == {caller: "up", first: "up"}, "the call that talks")
    (left,) = read_journal(file)
    entry = left.entry
    assert (entry.call, entry.organization, entry.caller, entry.dialled, entry.direction) == (call, 7, "anna@lumen.test", "102", "inside")
    assert left.ending is None and entry.answered is not None and left.last >= entry.answered >= entry.started
    office.hangs_up(leg_id(call, 0))
    await office.ended(call)
    await eventually(lambda: read_journal(file)[0].ending == "completed.by_caller", "its ending")
    office.journal.settled([call])
    await eventually(lambda: not read_journal(file), "an empty journal")


async def test_a_call_that_nobody_answers_leaves_its_ending_until_its_record_is_kept(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "calls.journal"
    call = office.dials("103")
    await office.called(call)
    office.cancels(leg_id(call, 0))
    await office.ended(call)
    await eventually(lambda: [left.ending for left in read_journal(file)] == ["caller.cancelled"], "its ending")
    office.journal.settled([call])
    await eventually(lambda: not read_journal(file), "an empty journal")


async def test_an_invite_that_is_sent_anew_is_noted_anew(office: Office, tmp_path: Path) -> None:
    file = tmp_path / "calls.journal"
    call = office.dials("103")
    leg = await office.called(call)
    await eventually(lambda: read_journal(file), "the call in the journal")
    office.signalling.happens(LegRinging(now(), leg), "calling again")
    await eventually(lambda: states_of(read_journal(file)[0])[leg] == "calling again", "the new INVITE")


async def test_an_answer_that_was_held_back_is_noted_when_it_has_gone_out(office: Office, tmp_path: Path) -> None:
    file, states = tmp_path / "calls.journal", office.signalling.states
    office.signalling.answer = lambda leg, sdp: states.update({leg: "waits for the PRACK"})  # type: ignore[method-assign]
    call = office.dials("103")
    caller = leg_id(call, 0)
    office.answers(await office.called(call))
    await eventually(lambda: states_of(read_journal(file)[0])[caller] == "waits for the PRACK" if read_journal(file) else None, "the note")
    office.signalling.happens(LegConfirmed(now(), caller), "up")
    await eventually(lambda: states_of(read_journal(file)[0])[caller] == "up", "the note of what has gone out")
    lines = file.read_bytes().count(b'{"call"')
    office.hangs_up(caller)
    await office.ended(call)
    assert file.read_bytes().count(b'{"call"') == lines


async def test_a_party_that_moves_is_noted_anew(office: Office, tmp_path: Path) -> None:
    call = await office.talking("103")
    moved = leg_id(call, 1)
    noted: list[LegId] = []
    office.journal._remember = lambda leg: (noted.append(leg), {"leg": leg, "again": "yes"})[1]  # type: ignore[func-returns-value]
    office.reoffers(moved, ANSWER.replace("5000", "5008"))
    await eventually(lambda: moved in noted, "a new note")
    await eventually(lambda: any("again" in left.entry.notes[moved] for left in read_journal(tmp_path / "calls.journal")), "it on disk")
    office.hangs_up(moved)
    await office.ended(call)


def test_a_line_torn_anywhere_costs_only_itself(open_journal: Callable[[], Journal], file: Path) -> None:
    journal = open_journal()
    for number in range(3):
        journal.follow(an_answered_call(number))
    journal.close()
    whole = file.read_bytes()
    assert names(read_journal(file)) == ["call00000", "call00001", "call00002"]
    last = whole.rindex(b'{"call"')
    for cut in range(last + 1, len(whole) - 1):
        file.write_bytes(whole[:cut])
        assert names(read_journal(file))[:2] == ["call00000", "call00001"]
    chance = random.Random(4)
    for _ in range(500):
        spoiled = bytearray(whole)
        for _ in range(chance.randint(1, 20)):
            spoiled[chance.randrange(len(spoiled))] = chance.randrange(256)
        file.write_bytes(bytes(spoiled))
        read_journal(file)


def test_the_length_of_a_lost_call_does_not_grow_while_the_switch_is_off(
    monkeypatch: pytest.MonkeyPatch, open_journal: Callable[[], Journal], file: Path
) -> None:
    monkeypatch.setattr(journals, "BEAT_SECONDS", 0.0)
    monkeypatch.setattr(journals, "SYNC_SECONDS", 0.02)
    first = open_journal()
    first.follow(an_answered_call(1))
    soon(lambda: file.read_bytes().count(b'"alive"') > 2, "signs of life")
    first.close()
    (left,) = read_journal(file)
    assert abs(left.last - time.monotonic()) < 5
    later = time.monotonic() + HOUR
    monkeypatch.setattr(time, "monotonic", lambda: later)
    second = open_journal()
    assert second.left == (left,)
    second.follow(an_answered_call(2))
    soon(lambda: len(read_journal(file)) == 2, "the second call")
    soon(lambda: file.read_bytes().count(b'"alive"') > 2, "signs of life of the second switch")
    assert read_journal(file)[0] == left
    second.settled([left.entry.call])
    soon(lambda: names(read_journal(file)) == ["call00002"], "only the second call")


def test_a_later_switch_in_the_same_file_keeps_nobody_of_the_earlier_alive(open_journal: Callable[[], Journal], file: Path) -> None:
    journal = open_journal()
    journal.follow(an_answered_call(1))
    journal.close()
    earlier = read_journal(file)[0]
    later = file.read_bytes().replace(b"call00001", b"call00002") + b'{"alive":1e9}\n'
    file.write_bytes(file.read_bytes() + later)
    assert read_journal(file)[0] == earlier and read_journal(file)[1].last == 1e9


def test_the_file_stays_small_and_keeps_what_counts(
    monkeypatch: pytest.MonkeyPatch, open_journal: Callable[[], Journal], file: Path
) -> None:
    monkeypatch.setattr(journals, "LARGEST", 20_000)
    journal = open_journal()
    lasting = an_answered_call(0)
    journal.follow(lasting)
    for number in range(1, 400):
        call = an_answered_call(number)
        journal.follow(call)
        call.ending, call.ended = HUNG_UP_BY_CALLER, Moment(1e9 + 9, 109.0)
        journal.ended(call)
        journal.settled([call.id])
        if number % 20 == 0:
            time.sleep(0.001)
    journal.close()
    assert names(read_journal(file)) == [lasting.id]
    assert file.stat().st_size < 400 * 900 / 4


@contextmanager
def no_room_beyond(octets: int) -> Iterator[None]:
    """No file of this process may become larger."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_what_a_full_disk_did_not_take_is_written_when_there_is_room(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, open_journal: Callable[[], Journal], file: Path
) -> None:
    monkeypatch.setattr(journals, "SYNC_SECONDS", 0.05)
    journal = open_journal()
    journal.follow(an_answered_call(1))
    soon(lambda: read_journal(file), "the first call")
    with no_room_beyond(file.stat().st_size + 100):
        for number in range(2, 30):
            journal.follow(an_answered_call(number))
        soon(lambda: "cannot be written" in caplog.text, "a word about the disk")
        assert names(read_journal(file))[:1] == ["call00001"]
    soon(lambda: len(read_journal(file)) == 29, "all calls")
    soon(lambda: "written again" in caplog.text, "a word about it")


def test_a_folder_that_is_gone_stops_nobody(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    journal = Journal(tmp_path / "gone" / "calls.journal", note)
    journal.follow(an_answered_call(1))
    journal.close()
    assert "cannot be written" in caplog.text


def test_a_note_that_cannot_be_taken_ends_no_call_and_no_journal(open_journal: Callable[[], Journal], file: Path) -> None:
    journal = open_journal()
    journal._remember = lambda leg: {"leg": str(1 // 0)}
    journal.follow(an_answered_call(1))
    journal._remember = lambda leg: {"object": object()}
    journal.follow(an_answered_call(2))
    journal._remember = note
    journal.follow(an_answered_call(3))
    soon(lambda: names(read_journal(file)) == ["call00003"], "the third call")


def test_half_a_surrogate_pair_in_a_note_costs_nothing(open_journal: Callable[[], Journal], file: Path) -> None:
    journal = open_journal()
    journal._remember = lambda leg: {"leg": "\ud83d"}
    call = an_answered_call(1)
    journal.follow(call)
    soon(lambda: names(read_journal(file)) == [call.id], "the call")
    assert set(map(str, read_journal(file)[0].entry.notes.values())) == {str({"leg": "\ud83d"})}


def test_a_disk_that_hangs_fills_no_memory(monkeypatch: pytest.MonkeyPatch, open_journal: Callable[[], Journal], file: Path) -> None:
    monkeypatch.setattr(journals, "MOST_WAITING", 10)
    hangs = threading.Event()
    real = journals._Writer._append
    monkeypatch.setattr(journals._Writer, "_append", lambda self, data: (hangs.wait(10), real(self, data))[1])
    journal = open_journal()
    for number in range(100):
        journal.follow(an_answered_call(number))
        time.sleep(0.002)
    assert journal.lost > 0 and len(journal._queue) <= 10
    hangs.set()
