"""A carrier on a laptop: it takes calls to fictional numbers and to emergency services, and makes calls in, as the public network would."""

import asyncio
import contextlib
import logging
import re
from collections.abc import Callable, Collection

from offhook.carriers.sandbox.numbers import NOT_FICTIONAL, Behaviour, behaviour_of, is_fictional
from offhook.carriers.sandbox.reports import ENERGY_STEP_SECONDS, CallRefused, CallReport
from offhook.phones import tones
from offhook.phones.audio import SoundUnreadable, read_sound
from offhook.phones.calls import CallRefuses, CallState, Ended, PhoneCall, Who
from offhook.phones.media import KeysRefused
from offhook.phones.phone import Phone
from offhook.phones.sources import Echo, Recording, Source
from offhook.phones.waiting import NotInTime
from offhook.services.ports.speech import Speech, SpeechRefused
from offhook.sip.addresses import Address, bracketed
from offhook.sip.identity import party

EMERGENCY_NUMBERS = frozenset({"911", "933", "112", "999", "15", "17", "18"})
LONGEST_CALL_SECONDS = 600.0
LONGEST_LISTEN_SECONDS = 120.0
LONGEST_RING_SECONDS = 45.0
_MOST_CALLS = 100
_E164 = re.compile(r"\+[1-9][0-9]{5,14}", re.ASCII)
_KEYS = re.compile(r"[0-9*#A-D,]{0,64}", re.ASCII)

_REFUSES = {Behaviour.BUSY: 486, Behaviour.DECLINES: 603, Behaviour.UNREACHABLE: 503}

log = logging.getLogger(__name__)

Progress = Callable[[str], None]


class SandboxCarrier:
    """The public network. `start` opens its SIP socket at `address` (host, port); `edge` is where it sends calls in.

    `speech` speaks its announcements, `emergency` are the numbers it takes as emergency services; it answers after `ring_seconds`.
    """

    def __init__(
        self,
        address: tuple[str, int],
        edge: tuple[str, int],
        speech: Speech,
        *,
        emergency: Collection[str] = EMERGENCY_NUMBERS,
        ring_seconds: float = 2.0,
    ) -> None:
        self._edge, self._speech = Address(*edge), speech
        self._emergency, self._ring_seconds = frozenset(emergency), ring_seconds
        self._phone = Phone(
            "carrier", host=address[0], port=address[1], user_agent="Offhook sandbox carrier", keep_seconds=LONGEST_LISTEN_SECONDS + 10
        )
        self._phone.on_call = self._taken

    @property
    def address(self) -> tuple[str, int]:
        """Host and port it listens on."""
        return self._phone.address.host, self._phone.address.port

    @property
    def calls_up(self) -> int:
        """How many calls there are now, ringing ones among them."""
        return sum(call.state is not CallState.ENDED for call in self._phone.calls)

    async def start(self) -> None:
        """Open the socket. Raises OSError."""
        await self._phone.start()

    async def stop(self) -> None:
        """Hang up every call and free the socket."""
        await self._phone.stop()

    # -- calls out of the house

    async def _taken(self, call: PhoneCall) -> None:
        with contextlib.suppress(CallRefuses, NotInTime):  # the caller gave up meanwhile: nothing is left to do
            await self._serve(call)

    async def _serve(self, call: PhoneCall) -> None:
        dialled = party(f"<{call.uri}>")
        number = dialled.user if dialled else ""
        if self.calls_up > _MOST_CALLS:
            call.declines(503, f"The sandbox carries {_MOST_CALLS} calls at most")
        elif number in self._emergency:
            call.rings()
            await self._answer(call, await self._spoken(_emergency_text(call, self._speech)))
            await _until_the_end(call)
        elif not is_fictional(number):
            call.declines(404, NOT_FICTIONAL)
        else:
            await self._behave(call, number, behaviour_of(number))

    async def _behave(self, call: PhoneCall, number: str, behaviour: Behaviour) -> None:
        if behaviour in _REFUSES:
            call.declines(_REFUSES[behaviour])
            return
        call.rings()
        if behaviour is Behaviour.RINGS:
            return
        says = await self._spoken(f"You have called {self._speech.spelled(number, 'en')}. Now you hear yourself.")
        if behaviour is Behaviour.EARLY:
            call.says(says)
            call.rings(183, early_media=True)
        await self._answer(call, says)
        if behaviour is Behaviour.HANGS_UP:
            await _over(call, 2.0)
            await call.hangs_up()
        await _until_the_end(call)

    async def _answer(self, call: PhoneCall, says: Source) -> None:
        call.says(says)
        await _over(call, self._ring_seconds)
        await call.answers()

    async def _spoken(self, text: str) -> Source:
        """The words and then an echo; the echo alone when no voice is to be had, for the call matters more."""
        try:
            sound = await asyncio.to_thread(read_sound, await self._speech.say(text, "en", "PCMU"))
        except (SpeechRefused, SoundUnreadable, OSError) as reason:
            log.error("the sandbox carrier cannot speak: %s", reason)
            return Echo()
        return Recording(sound, then=Echo())

    # -- calls into the house

    async def call(
        self, from_number: str, to_number: str, digits: str = "", listen_seconds: float = 10.0, progress: Progress | None = None
    ) -> CallReport:
        """Call in from a fictional number, press the digits a second after the answer, listen, hang up. Raises CallRefused.

        In `digits` "," is a pause of a second; `listen_seconds` (120 at most) count from the answer.
        """
        self._check(from_number, to_number, digits, listen_seconds)
        tell = progress or (lambda _: None)
        ours = f"<sip:{from_number}@{bracketed(self.address[0])}>"
        uri = f"sip:{to_number}@{bracketed(self._edge.host)}:{self._edge.port}"
        call = await self._phone.dials(uri, via=self._edge, caller=ours, headers=[("P-Asserted-Identity", ours)])
        pressed = ""
        try:
            tell("calling")
            await call.ringing(LONGEST_RING_SECONDS)
            if call.state is CallState.CALLING:
                tell("ringing")
            await call.answered(max(call.began + LONGEST_RING_SECONDS - self._phone.now(), 0))
            tell("answered")
            pressed = await _listen(call, digits, listen_seconds, tell)
        except (CallRefuses, NotInTime) as reason:
            log.info("call in from %s to %s: %s", from_number, to_number, reason)
        finally:
            with contextlib.suppress(CallRefuses, NotInTime):
                await call.hangs_up()
        tell("ended")
        return _report(call, from_number, to_number, pressed)

    def _check(self, from_number: str, to_number: str, digits: str, listen_seconds: float) -> None:
        if not is_fictional(from_number):
            raise CallRefused(f"{from_number[:32]!r} cannot call. {NOT_FICTIONAL}.", "from_number")
        if not _E164.fullmatch(to_number):
            raise CallRefused(f"{to_number[:32]!r} is no number to call: write it as +12065550100.", "to_number")
        if not _KEYS.fullmatch(digits):
            raise CallRefused("Digits are 0-9, *, # and A-D, a comma is a pause of a second; 64 at most.", "digits")
        if not 0 <= listen_seconds <= LONGEST_LISTEN_SECONDS:
            raise CallRefused(f"Listen between 0 and {LONGEST_LISTEN_SECONDS:g} seconds.", "listen_seconds")
        if self.calls_up >= _MOST_CALLS:
            raise CallRefused(f"The sandbox carries {_MOST_CALLS} calls at most; wait until one has ended.")


def _emergency_text(call: PhoneCall, speech: Speech) -> str:
    """Whom the desk sees: the number the network vouches for, else what From says. X- headers are anybody's word and are not read."""
    number = call.caller.user if call.caller else ""
    try:
        spoken = speech.spelled(number, "en")
    except SpeechRefused:
        spoken = "an unknown number"
    return f"Sandbox emergency desk. You are calling from {spoken}."


async def _over(call: PhoneCall, seconds: float) -> bool:
    """Let `seconds` pass, or the call end: True if it ended."""
    with contextlib.suppress(NotInTime):
        await call.ended(seconds)
    return call.state is CallState.ENDED


async def _until_the_end(call: PhoneCall) -> None:
    if not await _over(call, LONGEST_CALL_SECONDS):
        await call.hangs_up()


async def _listen(call: PhoneCall, digits: str, seconds: float, tell: Progress) -> str:
    """Listen for `seconds` from now, or until the call ends, and press the keys meanwhile; the keys that were sent."""
    deadline = asyncio.get_running_loop().time() + seconds
    pressed = ""
    with contextlib.suppress(KeysRefused):
        for key in f",{digits}" if digits else "":  # a second first: an attendant that has not begun to speak may take no keys
            if key == ",":
                await _over(call, 1.0)
            elif call.state is CallState.UP:
                await call.presses(key)
                pressed += key
                tell(f"pressed {key}")
    await _over(call, max(deadline - asyncio.get_running_loop().time(), 0))
    return pressed


def _report(call: PhoneCall, from_number: str, to_number: str, pressed: str) -> CallReport:
    """The report of a call that is over."""
    now = asyncio.get_running_loop().time()
    ending = call.ending or Ended(408, "hung up, and that was never confirmed", Who.US)
    up, over = call.answered_at, call.ended_at or now
    lasted = over - up if up is not None else 0.0
    energy = call.hears.energy_over_time(ENERGY_STEP_SECONDS, up)[: int(lasted / ENERGY_STEP_SECONDS)]
    samples = call.hears.samples()
    return CallReport(
        from_number=from_number,
        to_number=to_number,
        status=ending.status,
        ending=ending.reason,
        hung_up_by=ending.who.value,
        answered_after=round(up - call.began, 3) if up is not None else None,
        lasted=round(lasted, 3),
        energy=tuple(energy),
        heard_speech=tones.is_speech(samples),
        tones=tuple(tones.steady_tones(samples)),
        digits_sent=pressed,
        packets_heard=call.figures.packets_heard,
        packets_lost=call.figures.packets_lost,
    )
