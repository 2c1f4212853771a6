"""What a switch does first: it ends the calls that a dead one left, and frees what the engines still hold for them.

Every step may be done twice: a BYE for a dialog that is over gets 481, media that is not known is no error, a record is written once. So a
switch that dies in here leaves the rest to the next one.
"""

import asyncio
import logging
import re
from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from offhook.domain.calls.cdr import Cdr
from offhook.domain.calls.endings import ENDINGS, SWITCH_LOST, Ending
from offhook.domain.calls.ids import CallId
from offhook.domain.media import MediaFigures
from offhook.domain.organizations import OrganizationId
from offhook.services.ports.media import Media, MediaAbsent, MediaRefused
from offhook.services.ports.records import Records, Trace
from offhook.switch.journal import Left, Note

log = logging.getLogger(__name__)

AT_ONCE = 32
"""How many calls' media are freed at the same time."""

LOST_STORY = "The switch was started anew during this call; how the call went before is not known any more."

_OURS = re.compile(r"[0-9a-hjkmnp-tv-z]{14,16}")
"""What domain.calls.ids.call_id makes of the times since 2004; anything else in the media engine is another program's."""


class Farewells(Protocol):
    """Who can say BYE in a dialog that another switch set up."""

    def farewell(self, note: Mapping[str, Any], ending: Ending) -> None:
        """Say it; what comes back is of no interest."""


async def engine_orphans(media: Media) -> frozenset[CallId]:
    """The calls that the media engine holds. Asked before any call is taken, they are all a dead switch's; none if it does not answer."""
    try:
        return frozenset(CallId(call) for call in await media.calls() if _OURS.fullmatch(call))
    except (MediaAbsent, MediaRefused) as why:
        log.warning("the media engine was not asked what it holds: %s", why)
        return frozenset()


async def end_lost_calls(lost: Iterable[Left], orphans: frozenset[CallId], signalling: Farewells, media: Media, records: Records) -> int:
    """BYE to both sides of every lost call first, then free the media (orphans' too), then hand over the records; how many were lost.

    Raises nothing: a call that cannot be ended in one way is still ended in the others.
    """
    calls = {left.entry.call: left for left in lost}
    for left in calls.values():
        for leg, note in left.entry.notes.items():
            _say_goodbye(leg, note, ending_of(left), signalling)
    turn = asyncio.Semaphore(AT_ONCE)
    known = [*calls, *(orphans - calls.keys())]
    figures = dict(zip(known, await asyncio.gather(*(_close(call, media, turn) for call in known)), strict=True))
    for call, left in calls.items():
        cdr = record_of(left, figures[call])
        records.keep(cdr, _trace(cdr))
    if known:
        log.warning(
            "%d calls of a switch that died were ended, and %d that only the media engine knew", len(calls), len(known) - len(calls)
        )
    return len(calls)


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
        answered_at=entry.started_at + (entry.answered - entry.started),
        ended_at=entry.started_at + max(left.last, entry.answered) - entry.started,
        caller=entry.caller,
        dialled=entry.dialled,
        connected=entry.connected,
        direction=entry.direction,
        ending=ending,
        figures=figures,
        findings=(LOST_STORY,),
    )


def _say_goodbye(leg: str, note: Note, ending: Ending, signalling: Farewells) -> None:
    try:
        signalling.farewell(note, ending)
    except Exception:
        log.exception("leg=%s: no BYE could be sent to what a dead switch left", leg)


async def _close(call: CallId, media: Media, turn: asyncio.Semaphore) -> MediaFigures:
    async with turn:
        try:
            return await media.close(call)
        except (MediaAbsent, MediaRefused) as why:
            log.warning("call=%s: its media may not be freed: %s", call, why)
            return MediaFigures()


def _trace(cdr: Cdr) -> Trace:
    return {
        "call": cdr.call,
        "organization": cdr.organization,
        "revision": cdr.revision,
        "caller": cdr.caller,
        "dialled": cdr.dialled,
        "reasons": [],
        "steps": [],
        "legs": [],
        "messages": [],
        "media": [],
        "findings": list(cdr.findings),
        "state": cdr.ending.code,
    }
