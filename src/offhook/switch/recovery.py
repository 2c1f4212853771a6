"""What a switch does first: it ends the calls that a dead one left, and frees what the engines still hold for them.

Every step may be done twice: a BYE for a dialog that is over gets 481, media that is not known is no error, a record is written once. So a
switch that dies in here leaves the rest to the next one.
"""

import asyncio
import logging
import re
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

from offhook.domain.calls.cdr import Cdr
from offhook.domain.calls.endings import ENDINGS, SWITCH_LOST, Ending
from offhook.domain.calls.ids import CallId
from offhook.domain.media import MediaFigures
from offhook.domain.organizations import OrganizationId
from offhook.services.ports.media import Media, MediaAbsent, MediaRefused
from offhook.services.ports.records import Records, Trace
from offhook.switch.journal import Left

log = logging.getLogger(__name__)

AT_ONCE = 32
"""How many calls' media are freed at the same time."""

TRIES, PAUSE_SECONDS = 15, 2.0
"""How often, and with which pauses, a media engine that does not answer is asked what it holds."""

LOST_STORY = "The switch was started anew during this call; how the call went before is not known any more."

_OURS = re.compile(r"[0-9a-hjkmnp-tv-z]{14,16}")
"""What domain.calls.ids.call_id makes of the times since 2004; anything else in the media engine is another program's."""


class Farewells(Protocol):
    """Who can end a leg that another switch set up: by BYE, or while it rings by CANCEL or a refusal."""

    def farewell(self, note: Mapping[str, Any], ending: Ending) -> None:
        """End it; what comes back is of no interest."""


def say_goodbye(lost: Iterable[Left], signalling: Farewells) -> None:
    """End every side of every lost call, at once: nobody should sit in the silence, or ring, for longer than a switch takes to start."""
    for left in lost:
        for leg, note in left.entry.notes.items():
            try:
                signalling.farewell(note, ending_of(left))
            except Exception:
                log.exception("leg=%s: what a dead switch left could not be ended", leg)


async def clear_up(lost: Sequence[Left], media: Media, records: Records, alive: Callable[[], Collection[CallId]]) -> None:
    """Free the media of lost calls and of those that only the media engine knows, and hand over the records.

    Waits for an engine that does not answer. `alive` are the calls of this switch, which are asked for after the engine has told its own:
    what it holds and nobody here knows was a dead switch's.
    """
    listed = await _held(media)
    calls = {left.entry.call: left for left in lost}
    orphans = listed - calls.keys() - frozenset(alive())
    turn = asyncio.Semaphore(AT_ONCE)
    known = [*calls, *orphans]
    figures = dict(zip(known, await asyncio.gather(*(_close(call, media, turn) for call in known)), strict=True))
    for call, left in calls.items():
        cdr = record_of(left, figures[call])
        records.keep(cdr, _trace(left, cdr))
    if known:
        log.warning("%d calls of a switch that died were ended, and %d that only the media engine knew", len(calls), len(orphans))


async def _held(media: Media) -> frozenset[CallId]:
    for _ in range(TRIES):
        try:
            return frozenset(CallId(call) for call in await media.calls() if _OURS.fullmatch(call))
        except MediaAbsent as why:
            log.warning("the media engine was not asked what it holds: %s", why)
            await asyncio.sleep(PAUSE_SECONDS)
        except MediaRefused as why:
            log.warning("the media engine does not tell what it holds: %s", why)
            break
    return frozenset()


def ending_of(left: Left) -> Ending:
    """How the call ended: as the dead switch had decided, else by its death."""
    return SWITCH_LOST if left.ending is None else ENDINGS.get(left.ending, SWITCH_LOST)


def record_of(left: Left, figures: MediaFigures) -> Cdr:
    """The record of a lost call: it ended with the last sign of life of its switch, so nobody is charged for more than they talked."""
    entry, ending = left.entry, ending_of(left)
    return Cdr(
        call=entry.call,
        organization=None if entry.organization is None else OrganizationId(entry.organization),
        revision=entry.revision,
        started_at=entry.started_at,
        answered_at=None if entry.answered is None else entry.started_at + (entry.answered - entry.started),
        ended_at=entry.started_at + max(left.last, entry.answered or entry.started) - entry.started,
        caller=entry.caller,
        dialled=entry.dialled,
        connected=entry.connected,
        direction=entry.direction,
        ending=ending,
        figures=figures,
        findings=(LOST_STORY,),
    )


async def _close(call: CallId, media: Media, turn: asyncio.Semaphore) -> MediaFigures:
    async with turn:
        try:
            return await media.close(call)
        except (MediaAbsent, MediaRefused) as why:
            log.warning("call=%s: its media may not be freed: %s", call, why)
            return MediaFigures()


def _trace(left: Left, cdr: Cdr) -> Trace:
    parties = {leg: str(note.get("remote", "")).partition(";tag=")[0] for leg, note in left.entry.notes.items()}
    dialogs = [f"The dialog with {parties[leg]} had the Call-ID {note.get('call_id')}." for leg, note in left.entry.notes.items()]
    return {
        "call": cdr.call,
        "organization": cdr.organization,
        "revision": cdr.revision,
        "caller": cdr.caller,
        "dialled": cdr.dialled,
        "reasons": [{"code": "switch.lost", "text": text, "outcome": "noted"} for text in dialogs],
        "steps": [],
        "legs": [{"leg": leg, "party": party} for leg, party in parties.items()],
        "messages": [],
        "media": [asdict(stream) for stream in cdr.figures.streams],
        "findings": list(cdr.findings),
        "state": cdr.ending.code,
    }
