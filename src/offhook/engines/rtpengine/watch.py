"""Notices within a second that rtpengine died, and tells when another is there in its place."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from offhook.engines.rtpengine.relay import RtpEngine
from offhook.services.ports.media import MediaAbsent, MediaRefused

log = logging.getLogger(__name__)

LOOK_SECONDS = 0.5
"""How often it is looked at while all is well."""

AWAY_SECONDS = 4.0
"""When an engine that does not answer is given up, and every call with it."""

_PATIENCE_SECONDS = 1.0
_LATE_SECONDS = 0.5
"""A loop that is later than this to notice that its patience is over was too busy to listen."""
_QUICK_SECONDS = 0.1
_WARY_LOOKS = 4
"""How many looks after a silence it may still find calls that were given up during it: it reads late what it was asked then."""


async def _nobody() -> None:
    return None


class MediaWatch:
    """`restarted` is awaited when an engine answers that is not the one of before: it may know the calls still (Media.knows), but nothing
    plays any more. `absent` is awaited once when none has answered for AWAY_SECONDS. What they raise is logged; the watch goes on.
    """

    def __init__(self, media: RtpEngine, restarted: Callable[[], Awaitable[None]], absent: Callable[[], Awaitable[None]] = _nobody) -> None:
        self._media = media
        self._restarted = restarted
        self._absent = absent
        self._loop = asyncio.get_running_loop()
        self._asked = -1
        self._answered_at = self._loop.time()
        self._away = self._anew = False
        self._wary = 0

    async def look(self) -> None:
        """Watch for ever."""
        while True:
            try:
                await self._look()
            except Exception:
                log.exception("looking after rtpengine")
                await asyncio.sleep(LOOK_SECONDS)

    async def _look(self) -> None:
        began = self._loop.time()
        try:
            async with asyncio.timeout(_PATIENCE_SECONDS):
                asked = (await self._media.look()).times_asked
        except (MediaAbsent, MediaRefused, TimeoutError):
            if self._loop.time() - began > _PATIENCE_SECONDS + _LATE_SECONDS:
                # Answers wait unread: under 500 mutants a second on a full machine every call was given up while rtpengine was well.
                self._answered_at = self._loop.time()
            if not self._away and self._loop.time() - self._answered_at >= AWAY_SECONDS:
                self._away = True
                log.error("rtpengine has not answered for %.0f s", AWAY_SECONDS)
                await self._absent()
            self._wary = _WARY_LOOKS
            await asyncio.sleep(_QUICK_SECONDS)
            return
        last, self._asked = self._asked, asked
        self._answered_at, self._away = self._loop.time(), False
        if asked <= last:
            log.warning("rtpengine was started anew")
            self._anew = True
        if self._anew:
            await self._media.forget_strangers()
            await self._restarted()
            self._anew = False  # not before all were told: it may have died once more meanwhile
        elif self._wary:
            self._wary -= 1
            await self._media.forget_strangers()
        await self._media.refused(LOOK_SECONDS)
