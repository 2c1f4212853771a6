"""Hears the digits that phones press: rtpengine tells every TCP ng connection of each RFC 4733 event that ends."""

import asyncio
import logging
import time
from collections.abc import Callable
from typing import NamedTuple

from offhook.domain.calls.ids import CallId, LegId
from offhook.engines.rtpengine.tags import is_leg
from offhook.engines.rtpengine.wire import Body, Stream, WireWrong
from offhook.services.ports.media import DigitHeard

log = logging.getLogger(__name__)

_DIGITS = "0123456789*#ABCD"
"""By event code: RFC 4733, section 3.2."""

_READ_BYTES = 65536
_FIRST_PAUSE_SECONDS = 0.1
_LONGEST_PAUSE_SECONDS = 3.0
_SAME_PRESS_SECONDS = 0.03


class Digit(NamedTuple):
    """One report of a pressed key."""

    call: CallId
    leg: LegId
    digit: str
    milliseconds: int


def digit_of(body: Body) -> Digit | None:
    """The digit a notification tells of, None when it is about something else or not about a leg of ours."""
    told = body.get("data")
    if body.get("notify") != "onDTMF" or not isinstance(told, dict):
        return None
    match told:
        case {"callid": str(call), "source_tag": str(tag), "event": int(event), "duration": int(milliseconds)}:
            if is_leg(CallId(call), tag) and 0 <= event < len(_DIGITS):
                return Digit(CallId(call), LegId(tag), _DIGITS[event], milliseconds)
    return None


class Presses:
    """Tells presses from repeats: a phone sends the end of a digit three times (RFC 4733, 2.5.1.4), and rtpengine reports each."""

    def __init__(self) -> None:
        self._latest: dict[LegId, tuple[str, float]] = {}  # digit and the end of the time in which its like is the same press

    def is_new(self, heard: Digit, now: float) -> bool:
        """Whether this is a press not told before; `now` in seconds of a steady clock."""
        digit, until = self._latest.get(heard.leg, ("", 0.0))
        if digit == heard.digit and now < until:
            return False
        if len(self._latest) > 1000:  # ended calls leave their last digit here
            self._latest = {leg: latest for leg, latest in self._latest.items() if now < latest[1]}
        # The same key pressed again needs as long as it lasts, and a pause, before its own end comes.
        self._latest[heard.leg] = (heard.digit, now + heard.milliseconds / 1000 + _SAME_PRESS_SECONDS)
        return True


class DigitLine:
    """The connection over which rtpengine tells digits; it is made again, for ever, when the engine goes away."""

    def __init__(self, host: str, ng_tcp_port: int, heard: DigitHeard, clock: Callable[[], float] = time.monotonic) -> None:
        self._host = host
        self._port = ng_tcp_port
        self._heard = heard
        self._clock = clock
        self._presses = Presses()
        self.connected = asyncio.Event()
        """Set while digits can be heard."""

    async def listen(self) -> None:
        """Call `heard` once for each pressed digit, until cancelled."""
        pause = _FIRST_PAUSE_SECONDS
        while True:
            try:
                await self._one_connection()
                pause = _FIRST_PAUSE_SECONDS
            except (OSError, WireWrong) as trouble:
                log.warning("No digits are heard from rtpengine: %s; trying again in %.1f s", trouble, pause)
            finally:
                self.connected.clear()
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    async def _one_connection(self) -> None:
        reader, writer = await asyncio.open_connection(self._host, self._port)
        stream = Stream()
        self.connected.set()
        try:
            while data := await reader.read(_READ_BYTES):
                for message in stream.feed(data):
                    self._tell(message.body)
        finally:
            writer.close()

    def _tell(self, body: Body) -> None:
        digit = digit_of(body)
        if digit is None or not self._presses.is_new(digit, self._clock()):
            return
        try:
            self._heard(*digit)
        except Exception:  # the edge of this task: one listener's fault must not deafen all calls
            log.exception("A heard digit could not be told: %s", digit)
