"""The journal of calls: what the next switch needs to end them properly if this one dies.

A file of JSON lines that only grows, written by one thread and never by the call loop:

    {"run": token}                                 a switch began; what stands above was left by another
    {"call": {...}, "at": ticks}                   somebody is called, answered, or legs changed: the legs, and what its record needs
    {"over": id, "ending": code, "ended": ticks}   it ended; its record is not on disk yet
    {"settled": [id, ...]}                         their records are on disk
    {"alive": ticks}                               a sign of life, every BEAT_SECONDS while there are calls
    {"left": {...}}                                a call of an earlier switch, carried over when the file was made smaller

Ticks are seconds of the monotonic clock of that one switch: a wall clock that is set makes no call longer or shorter.

What happened is safe from the death of the switch a tenth of a second later (GATHER_SECONDS), and from a power cut after
SYNC_SECONDS.
"""

import json
import logging
import os
import secrets
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, fields
from itertools import islice
from pathlib import Path
from typing import Any

import orjson

from offhook.domain.calls.call import Call
from offhook.domain.calls.ids import CallId, LegId
from offhook.domain.calls.leg import Leg, LegState
from offhook.gathering import Gathering

log = logging.getLogger(__name__)

BEAT_SECONDS = 2.0
"""How often a sign of life is written. A lost call's record ends at the last one: it is short by so much at most, and never too long."""

GATHER_SECONDS = 0.1
"""How long lines wait for others, so that a busy switch writes many at once."""

SYNC_SECONDS = 1.0
"""How often the disk is made to keep what was written (fdatasync). A switch that is killed needs none of it; a power cut costs so much."""

LARGEST = 1024 * 1024
"""Octets at which the file is written anew with what still counts, if that is less than half of it."""

MOST_WAITING = 100_000
"""Lines that wait for a disk that hangs; more are dropped and counted."""

_CALLED = frozenset({LegState.INVITED, LegState.RINGING})
_NOTED = _CALLED | {LegState.ARRIVED, LegState.ANSWERED, LegState.UP}

Note = dict[str, Any]
Remember = Callable[[LegId], Note | None]
"""What must be kept of a leg to end it later, as plain values; None for one that is over."""


@dataclass(frozen=True, slots=True)
class Entry:
    """A call as the journal has it. `started_at` is in seconds since 1970, `started` and `answered` (None: it rings) are ticks."""

    call: CallId
    organization: int | None
    revision: int | None
    caller: str
    dialled: str
    connected: str | None
    direction: str
    started_at: float
    started: float
    answered: float | None
    notes: dict[LegId, Note]


@dataclass(frozen=True, slots=True)
class Left:
    """A call that a dead switch left: it was alive at `last` (ticks), or had ended with `ending` at `last` and was not recorded."""

    entry: Entry
    last: float
    ending: str | None = None


@dataclass(slots=True)
class _Contents:
    """What a journal says, line by line."""

    calls: dict[CallId, Entry] = field(default_factory=dict)
    over: dict[CallId, tuple[str, float]] = field(default_factory=dict)
    left: dict[CallId, Left] = field(default_factory=dict)
    alive: float = 0.0
    unreadable: int = 0

    def take(self, line: bytes) -> None:
        """One line; what cannot be read is counted and passed over (the last one is torn when the machine was switched off)."""
        try:
            self._take(json.loads(line))
        except (ValueError, TypeError, KeyError):
            self.unreadable += 1

    def _take(self, line: dict[str, Any]) -> None:
        match line:
            case {"run": _}:
                self._begin_run()
            case {"call": entry, "at": at}:
                self.alive = max(self.alive, float(at))
                self.calls[entry["call"]] = Entry(**entry)
            case {"over": call, "ending": str(ending), "ended": ended}:
                self.alive = max(self.alive, float(ended))
                self.over[call] = (ending, float(ended))
            case {"settled": list(calls)}:
                for call in calls:
                    for known in (self.calls, self.over, self.left):
                        known.pop(call, None)
            case {"alive": at}:
                self.alive = max(self.alive, float(at))
            case {"left": left}:
                self.left[left["entry"]["call"]] = Left(Entry(**left["entry"]), float(left["last"]), left["ending"])
            case _:
                raise ValueError("no line of a journal")

    def _begin_run(self) -> None:
        for call, entry in self.calls.items():
            ending, ended = self.over.get(call, (None, self.alive))
            self.left[call] = Left(entry, ended, ending)
        self.calls, self.over, self.alive = {}, {}, 0.0


def read_journal(file: Path) -> tuple[Left, ...]:
    """The calls that stand in a journal and are not recorded, oldest first; none without a file. Raises OSError."""
    contents = _Contents()
    try:
        data = file.read_bytes()
    except FileNotFoundError:
        return ()
    for line in data.split(b"\n"):
        if line:
            contents.take(line)
    if contents.unreadable:
        log.warning("%s has %d lines that cannot be read; one is usual after a power cut", file, contents.unreadable)
    contents._begin_run()
    return tuple(contents.left[call] for call in sorted(contents.left))


class Journal:
    """Writes the journal. No method blocks, and none raises: a call goes on whatever the disk does.

    `left` are the calls of an earlier switch; they stand in the journal until they are settled.
    """

    def __init__(self, file: Path, remember: Remember) -> None:
        self._file, self._remember = file, remember
        self._known: dict[CallId, tuple[list[Any], Entry | None]] = {}
        self._queue: Gathering[tuple[str, Any] | None] = Gathering(GATHER_SECONDS)
        self.lost = 0
        try:
            self.left = read_journal(file)
        except OSError as why:
            log.error("%s cannot be read (%s): calls of an earlier switch are not ended", file, why)
            self.left = ()
        self._writer = _Writer(file, self._queue, self.left)
        self._thread = threading.Thread(target=self._writer.run, name="journal", daemon=True)
        self._thread.start()

    def follow(self, call: Call) -> None:
        """Take note of a call that something happened to: once it calls somebody or is answered, and again when its legs changed.

        A call that is refused before anybody is called costs nothing here.
        """
        if call.ending is not None:
            return
        legs = [leg for leg in call.legs.values() if leg.state in _NOTED]
        if call.answered is None and not any(leg.state in _CALLED for leg in legs):
            return
        seen = [call.connected, *((leg.id, leg.state, leg.description) for leg in legs)]
        before, noted = self._known.get(call.id, (None, None))
        if before == seen:
            return
        self._known[call.id] = seen, None
        try:
            entry = self._entry_of(call, legs)
            if any(leg.state is not LegState.UP for leg in legs):
                self._known[call.id] = seen, entry
            # Who begins to ring, or acknowledges, mostly changes nothing; but an INVITE may have been sent anew (RFC 4028 section 7.3), and
            # an answer have waited for a PRACK.
            if entry != noted:
                self._put("call", entry)
        except Exception:
            log.exception("call=%s: it does not stand in the journal", call.id)

    def _entry_of(self, call: Call, legs: Iterable[Leg]) -> Entry:
        organization = call.decision.organization if call.decision else None
        return Entry(
            call=call.id,
            organization=organization.id if organization else None,
            revision=organization.revision if organization else None,
            caller=call.shown_caller,
            dialled=call.dialled,
            connected=call.connected,
            direction=call.direction,
            started_at=call.started.wall,
            started=call.started.ticks,
            answered=call.answered.ticks if call.answered is not None else None,
            notes={leg.id: note for leg in legs if (note := self._remember(leg.id)) is not None},
        )

    def ended(self, call: Call) -> None:
        """A call has ended, and its record is about to be written. Nothing happens for a call in which nobody was called."""
        if self._known.pop(call.id, None) is not None and call.ending is not None:
            ended = call.ended or call.started
            self._put("over", (call.id, call.ending.code, ended.ticks))

    def settled(self, calls: Iterable[CallId]) -> None:
        """Their records are on disk. From any thread."""
        self._put("settled", list(calls))

    def close(self, patience_seconds: float = 5.0) -> None:
        """Write what waits and end."""
        self._queue.put(None)
        self._thread.join(patience_seconds)

    def _put(self, kind: str, what: Any) -> None:
        if len(self._queue) >= MOST_WAITING:
            self.lost += 1
            if self.lost == 1:
                log.error("the journal's disk hangs: calls that are answered now could not be ended by another switch")
            return
        self._queue.put((kind, what))


class _Writer:
    """The journal's thread: what still counts, in memory, and the file that follows it."""

    def __init__(self, file: Path, inbox: Gathering[tuple[str, Any] | None], left: Iterable[Left]) -> None:
        self._file, self._inbox = file, inbox
        self._calls: dict[CallId, bytes] = {}
        self._over: dict[CallId, bytes] = {}
        self._left = {each.entry.call: _line({"left": each}) for each in left}
        self._descriptor = -1
        self._size = 0
        self._unsynced = False
        self._synced_at = self._beat_at = time.monotonic()
        self._behind = False
        self._write_anew()

    def run(self) -> None:
        """Until closed."""
        going = True
        while going:
            going = self._round()
        if self._descriptor >= 0:
            self._sync()
            os.close(self._descriptor)

    def _round(self) -> bool:
        """Write what came; False when that was the last."""
        taken, going = self._gather()
        lines = [line for each in taken if (line := self._safely_noted(*each))]
        if self._calls and time.monotonic() - self._beat_at >= BEAT_SECONDS:
            self._beat_at = time.monotonic()
            lines.append(_line({"alive": round(self._beat_at, 3)}))
        if self._behind:
            self._write_anew()
        elif lines:
            self._append(b"".join(lines))
        if self._size > LARGEST and self._size > 2 * self._counting():
            self._write_anew()
        if self._unsynced and time.monotonic() - self._synced_at >= SYNC_SECONDS:
            self._sync()
        return going

    def _gather(self) -> tuple[list[tuple[str, Any]], bool]:
        """What came, and whether more is to come."""
        taken: list[tuple[str, Any]] = []
        for each in self._inbox.taken(SYNC_SECONDS if self._unsynced or self._calls or self._behind else None):
            if each is None:
                return taken, False
            taken.append(each)
        return taken, True

    def _safely_noted(self, kind: str, what: Any) -> bytes:
        try:
            return self._noted(kind, what)
        except (TypeError, ValueError):
            # A line that cannot be made must not cost those beside it.
            log.exception("a line of the journal of calls cannot be made")
            return b""

    def _noted(self, kind: str, what: Any) -> bytes:
        """The line for it; empty for what says nothing new (calls that are settled and never stood here)."""
        match kind:
            case "call":
                line = _line({"call": what, "at": round(time.monotonic(), 3)})
                self._calls[what.call] = line
                return line
            case "over":
                call, ending, ended = what
                line = _line({"over": call, "ending": ending, "ended": round(ended, 3)})
                self._over[call] = line
                return line
            case _:
                known = [call for call in what if call in self._calls or call in self._left]
                for call in known:
                    for kept in (self._calls, self._over, self._left):
                        kept.pop(call, None)
                return _line({"settled": known}) if known else b""

    def _counting(self) -> int:
        return sum(len(line) for kept in (self._calls, self._over, self._left) for line in kept.values())

    def _append(self, data: bytes) -> None:
        try:
            written = os.write(self._descriptor, data)
            if written < len(data):
                raise OSError(f"only {written} of {len(data)} octets could be written")
        except OSError as why:
            self._fall_behind(why)
            return
        self._size += written
        self._unsynced = True

    def _write_anew(self) -> None:
        """A new file with what counts, in place of the old one in one step; the old one stays where that fails."""
        new = self._file.with_name(self._file.name + ".new")
        head = [*self._left.values(), _line({"run": secrets.token_hex(8)})]
        alive = [_line({"alive": round(time.monotonic(), 3)})] if self._calls else []
        data = b"".join([*head, *self._calls.values(), *self._over.values(), *alive])
        descriptor = -1
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND | os.O_CLOEXEC, 0o600)
            if os.write(descriptor, data) < len(data):
                raise OSError("not all could be written")
            os.fsync(descriptor)
            new.replace(self._file)
        except OSError as why:
            if descriptor >= 0:
                os.close(descriptor)
                new.unlink(missing_ok=True)
            self._fall_behind(why)
            return
        if self._descriptor >= 0:
            os.close(self._descriptor)
        self._descriptor, self._size, self._unsynced = descriptor, len(data), False
        if self._behind:
            log.warning("the journal of calls is written again, %d calls", len(self._calls))
        self._behind = False

    def _fall_behind(self, why: OSError) -> None:
        if not self._behind:
            log.error("the journal of calls cannot be written (%s): calls go on, but another switch could not end them; tried again", why)
        self._behind = True
        for call in list(islice(self._over, max(0, len(self._over) - MOST_WAITING))):
            del self._over[call]

    def _sync(self) -> None:
        try:
            os.fdatasync(self._descriptor)
        except OSError as why:
            self._fall_behind(why)
        self._synced_at, self._unsynced = time.monotonic(), False


def _values(of: Any) -> dict[str, Any]:
    return {entry.name: getattr(of, entry.name) for entry in fields(of)}


def _line(value: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(value, option=orjson.OPT_APPEND_NEWLINE)
    except TypeError:
        # Half a surrogate pair, which a stranger's name may hold, is no UTF-8; escaped it is JSON all the same.
        return json.dumps(value, separators=(",", ":"), default=_values).encode() + b"\n"
