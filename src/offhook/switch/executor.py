"""Carries out what calls order, and brings back what came of it. The only place where the switch waits for anybody."""

import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from offhook.domain.calls.cdr import telephone_of
from offhook.domain.calls.commands import (
    AcceptReoffer,
    AcceptTransfer,
    AnswerAlone,
    AnswerLeg,
    AnswerMedia,
    CloseMedia,
    Command,
    EndLeg,
    FindDevices,
    InviteLeg,
    LeaveAlone,
    LegCommand,
    OfferMedia,
    Play,
    PressDigit,
    ProgressLeg,
    ReadFigures,
    RefuseReoffer,
    RefuseTransfer,
    RemoveMedia,
    ReofferLeg,
    RingLeg,
    Route,
    SendDigit,
    Silence,
    SoundKind,
    StopSound,
    TellTransfer,
    Unsilence,
)
from offhook.domain.calls.events import (
    CommandFailed,
    Device,
    DevicesFound,
    Event,
    FiguresRead,
    MediaAlone,
    MediaAnswered,
    MediaClosed,
    MediaOffered,
    Moment,
    Routed,
    SoundStarted,
    Trouble,
)
from offhook.domain.calls.ids import CallId
from offhook.domain.media import MediaShape
from offhook.domain.numbers import E164
from offhook.domain.routing import Source, route
from offhook.services.ports.media import Media, MediaAbsent, MediaFull, MediaRefused
from offhook.services.ports.registrar import Contact, Registrar, RegistrarAbsent
from offhook.services.ports.signalling import Signalling, SignallingRefused
from offhook.services.ports.speech import Sounds, Speech, SpeechRefused
from offhook.services.snapshot import Snapshot
from offhook.switch.sound import flowing

log = logging.getLogger(__name__)

OFFERED_CODECS = ("PCMU", "PCMA", "G722", "opus", "telephone-event")
"""What is offered beside the caller's own: passed through where the ends agree, converted only where they share nothing."""
PRESSED_MILLISECONDS = 160
"""How long a key that came in the signalling sounds: nobody tells us how long it was held."""
_WITHOUT_OPUS = ("PCMU", "PCMA", "G722", "telephone-event")


def offered_beside(spoken: tuple[str, ...]) -> tuple[str, ...]:
    """What is offered beside the codecs a caller speaks: Opus only to those who can speak no G.711.

    A telephone that likes Opus best would take it, and each minute of converting it costs twenty times what passing G.711 on does; the
    mere offer makes rtpengine ready a coder, which is a third of what setting up a call costs it.
    """
    return _WITHOUT_OPUS if {"PCMU", "PCMA"}.intersection(spoken) else OFFERED_CODECS


FOR_EVER = 10_000
"""How often a sound without an end of its own is repeated: longer than any call."""


def now() -> Moment:
    """The moment it is."""
    return Moment(time.time(), time.monotonic())


@dataclass(frozen=True, slots=True)
class Executor:
    """Runs commands against the engines. A command that cannot be done comes back as CommandFailed, whatever the cause."""

    signalling: Signalling
    media: Media
    registrar: Registrar
    speech: Speech
    sounds: Sounds
    configuration: Callable[[], Snapshot]
    offers_srtp: bool = True

    def tell(self, call: CallId, command: Command) -> Event | None:
        """Do at once one of TOLD; the event that answers it, None for one that only tells."""
        try:
            return TOLD[type(command)](self, call, command)
        except Exception as mistake:
            return _failed(call, command, mistake)

    async def ask(self, call: CallId, command: Command) -> Event | None:
        """Do one of ASKED, which waits for an engine; the event that answers it, None for one that only tells."""
        try:
            return await ASKED[type(command)](self, call, command)
        except Exception as mistake:
            return _failed(call, command, mistake)

    def _route(self, call: CallId, command: Route) -> Event:
        configuration = self.configuration()
        caller = command.caller
        if caller.source is Source.CARRIER:
            assigned = configuration.numbers.get(E164(command.dialled))
            organization = configuration.organizations[assigned[0]] if assigned else None
        else:
            organization = configuration.by_domain.get(caller.domain)
        return Routed(now(), route(organization, caller, command.dialled))

    async def _find_devices(self, call: CallId, command: FindDevices) -> Event:
        contacts = await self.registrar.contacts(command.username, command.domain)
        return DevicesFound(now(), tuple(self._device(command.username, contact) for contact in contacts))

    def _device(self, username: str, contact: Contact) -> Device:
        ipv6 = "[" in contact.uri.rpartition("alias=")[2]
        shape = MediaShape.first_offered(contact.transport, ipv6=ipv6, offers_srtp=self.offers_srtp)
        # Where others might read its keys a telephone is offered secure sound only when it takes nothing less.
        second = replace(shape, secure=not shape.secure) if self.offers_srtp else None
        return Device(contact.uri, _words(username, contact.uri, contact.user_agent), shape, second)

    async def _offer_media(self, call: CallId, command: OfferMedia) -> Event:
        beside = offered_beside(command.description.codecs)
        sdp = await self.media.offer(
            call, command.offerer, command.leg, command.description.text, command.shape, beside, urgent=command.urgent
        )
        return MediaOffered(now(), command.leg, sdp)

    async def _answer_media(self, call: CallId, command: AnswerMedia) -> Event:
        text = command.description.text if command.direction is None else flowing(command.description.text, command.direction)
        sdp = await self.media.answer(call, command.offerer, command.leg, text, command.shape)
        return MediaAnswered(now(), command.leg, sdp)

    async def _answer_alone(self, call: CallId, command: AnswerAlone) -> Event:
        description = command.description
        sdp = await self.media.answer_alone(call, command.leg, description.text, description.shape, command.codec)
        return MediaAlone(now(), command.leg, sdp)

    async def _play(self, call: CallId, command: Play) -> Event:
        sound = command.sound
        match sound.kind:
            case SoundKind.SPEECH:
                file, repeat = await self.speech.say(sound.text, sound.language, command.codec), 1
            case SoundKind.RINGBACK:
                file, repeat = await self.sounds.ringback(sound.country, command.codec), FOR_EVER
            case SoundKind.MUSIC:
                file, repeat = await self.sounds.music(command.codec), FOR_EVER
        return SoundStarted(now(), command.leg, await self.media.play(call, command.leg, file, repeat))

    async def _read_figures(self, call: CallId, command: ReadFigures) -> Event:
        return FiguresRead(now(), await self.media.figures(call))

    async def _close_media(self, call: CallId, command: CloseMedia) -> Event:
        return MediaClosed(now(), await self.media.close(call))

    async def _leave_alone(self, call: CallId, command: LeaveAlone) -> None:
        await self.media.leave_alone(call, command.leg)

    async def _remove_media(self, call: CallId, command: RemoveMedia) -> None:
        await self.media.remove(call, command.offerer, command.leg)

    async def _stop_sound(self, call: CallId, command: StopSound) -> None:
        await self.media.stop(call, command.leg)

    async def _silence(self, call: CallId, command: Silence) -> None:
        await self.media.silence(call, command.leg)

    async def _unsilence(self, call: CallId, command: Unsilence) -> None:
        await self.media.unsilence(call, command.leg)

    def _invite_leg(self, call: CallId, command: InviteLeg) -> None:
        self.signalling.invite(command)

    def _ring_leg(self, call: CallId, command: RingLeg) -> None:
        self.signalling.ring(command.leg)

    def _progress_leg(self, call: CallId, command: ProgressLeg) -> None:
        self.signalling.progress(command.leg, command.sdp)

    def _answer_leg(self, call: CallId, command: AnswerLeg) -> None:
        self.signalling.answer(command.leg, command.sdp)

    def _end_leg(self, call: CallId, command: EndLeg) -> None:
        self.signalling.end(command.leg, command.ending)

    def _accept_reoffer(self, call: CallId, command: AcceptReoffer) -> None:
        self.signalling.accept_reoffer(command.leg, flowing(command.sdp, command.direction))

    def _refuse_reoffer(self, call: CallId, command: RefuseReoffer) -> None:
        self.signalling.refuse_reoffer(command.leg, command.status)

    def _reoffer_leg(self, call: CallId, command: ReofferLeg) -> None:
        self.signalling.reoffer(command.leg, command.sdp)

    def _accept_transfer(self, call: CallId, command: AcceptTransfer) -> None:
        self.signalling.accept_transfer(command.leg)

    def _refuse_transfer(self, call: CallId, command: RefuseTransfer) -> None:
        self.signalling.refuse_transfer(command.leg, command.status)

    def _tell_transfer(self, call: CallId, command: TellTransfer) -> None:
        self.signalling.tell_transfer(command.leg, command.status, command.words, command.final)

    def _send_digit(self, call: CallId, command: SendDigit) -> None:
        self.signalling.send_digit(command.leg, command.digit)

    async def _press_digit(self, call: CallId, command: PressDigit) -> None:
        await self.media.press(call, command.leg, command.digit, PRESSED_MILLISECONDS)


def _words(username: str, uri: str, user_agent: str) -> str:
    where = uri.partition("@")[2].partition(";")[0] or uri
    return telephone_of(username) + where + (f" ({user_agent})" if user_agent else "")


def _failed(call: CallId, command: Command, mistake: Exception) -> CommandFailed:
    """What comes back of an order that could not be done."""
    if isinstance(mistake, MediaAbsent | RegistrarAbsent):
        trouble, words = Trouble.ABSENT, str(mistake)
    elif isinstance(mistake, MediaFull):
        trouble, words = Trouble.FULL, str(mistake)
    elif isinstance(mistake, MediaRefused | SignallingRefused | SpeechRefused | ValueError):
        trouble, words = Trouble.REFUSED, str(mistake)
    else:
        log.error("call=%s: %s could not be carried out", call, type(command).__name__, exc_info=mistake)
        trouble, words = Trouble.OURS, f"{type(mistake).__name__}: {mistake}"
    return CommandFailed(now(), type(command), command.leg if isinstance(command, LegCommand) else None, trouble, words)


TOLD: Mapping[type[Command], Callable[..., Event | None]] = {
    AcceptReoffer: Executor._accept_reoffer,
    AcceptTransfer: Executor._accept_transfer,
    AnswerLeg: Executor._answer_leg,
    EndLeg: Executor._end_leg,
    InviteLeg: Executor._invite_leg,
    ProgressLeg: Executor._progress_leg,
    RefuseReoffer: Executor._refuse_reoffer,
    RefuseTransfer: Executor._refuse_transfer,
    ReofferLeg: Executor._reoffer_leg,
    RingLeg: Executor._ring_leg,
    Route: Executor._route,
    SendDigit: Executor._send_digit,
    TellTransfer: Executor._tell_transfer,
}
"""Who does what needs nobody to be waited for."""

ASKED: Mapping[type[Command], Callable[..., Awaitable[Event | None]]] = {
    AnswerAlone: Executor._answer_alone,
    AnswerMedia: Executor._answer_media,
    CloseMedia: Executor._close_media,
    FindDevices: Executor._find_devices,
    LeaveAlone: Executor._leave_alone,
    OfferMedia: Executor._offer_media,
    Play: Executor._play,
    PressDigit: Executor._press_digit,
    ReadFigures: Executor._read_figures,
    RemoveMedia: Executor._remove_media,
    Silence: Executor._silence,
    StopSound: Executor._stop_sound,
    Unsilence: Executor._unsilence,
}
"""Who does what an engine has to answer. Timers and the record of the call are the call's own task's business."""
