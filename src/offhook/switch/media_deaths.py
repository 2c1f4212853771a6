"""What the calls are told when the media engine died: that their sound plays on without what it played, or that it is lost."""

import logging
from typing import Protocol

from offhook.domain.calls.events import MediaLost, MediaRestarted
from offhook.domain.calls.ids import CallId
from offhook.switch.exchange import Exchange
from offhook.switch.executor import now

log = logging.getLogger(__name__)


class Carrier(Protocol):
    """A media engine that can say which calls it was given, and which it has."""

    def carried(self) -> frozenset[CallId]:
        """The calls whose sound was set up and not closed since."""

    async def calls(self) -> frozenset[str]:
        """The calls the engine has."""

    async def knows(self, call: CallId) -> bool:
        """Whether it has this one."""


class MediaDeaths:
    """Tells the calls; a call that goes without the engine is told nothing."""

    def __init__(self, exchange: Exchange, media: Carrier) -> None:
        self._exchange, self._media = exchange, media

    async def restarted(self) -> None:
        """Another engine answers in the place of the one that died. Raises MediaAbsent when that dies too."""
        held, lost = await self._media.calls(), 0
        for call in self._media.carried():
            if call in held or await self._media.knows(call):
                self._exchange.tell(call, MediaRestarted(now()))
            else:
                lost += 1
                self._exchange.tell(call, MediaLost(now()))
        log.warning("rtpengine was started anew: %d calls go on, the sound of %d is lost", len(held), lost)

    async def absent(self) -> None:
        """No engine came in its place."""
        for call in self._media.carried():
            self._exchange.tell(call, MediaLost(now()))
