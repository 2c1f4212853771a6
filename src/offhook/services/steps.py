"""What happened in a call, step by step, in telephone words: one row a kind of event or command."""

import re
from collections.abc import Callable, Mapping
from typing import Any

Words = Callable[[str, Mapping[str, Any]], str]
"""From the party a step is about and the step's detail to a sentence; an empty one leaves the step out."""


def step_words(name: str, party: str, detail: Mapping[str, Any]) -> str:
    """A sentence for a step, "" for our own housekeeping. A kind that has no row is told by its name rather than hidden."""
    row = STEP_WORDS.get(name)
    return row(party, detail) if row else f"{_spelled(name)} ({party})" if party else _spelled(name)


def _spelled(name: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", " ", name).capitalize()


def _quiet(_party: str, _detail: Mapping[str, Any]) -> str:
    return ""


def _devices(_party: str, detail: Mapping[str, Any]) -> str:
    names = [device["words"] for device in detail.get("devices", [])]
    return f"Registered: {', '.join(names)}" if names else "No telephone is registered"


def _refused(party: str, detail: Mapping[str, Any]) -> str:
    status, words = detail.get("status"), detail.get("words", "")
    return f"{party} did not answer at all" if status == 408 else f"{party} said no: {status} {words}".rstrip()


def _reoffered(party: str, detail: Mapping[str, Any]) -> str:
    direction = (detail.get("description") or {}).get("direction")
    if direction in {"sendonly", "inactive"}:
        return f"{party} put the other side on hold"
    return f"{party} renewed its sound (resumed, or moved)"


def _digit(party: str, detail: Mapping[str, Any]) -> str:
    return f"{party} pressed {detail.get('digit')} (sent in the {'signalling' if detail.get('by_info') else 'sound'})"


def _timer(_party: str, detail: Mapping[str, Any]) -> str:
    return {
        "ring": "It had rung long enough",
        "sound": "The announcement ended",
        "patience": "No key was pressed in time",
    }.get(str(detail.get("timer")), "")


def _failed(party: str, detail: Mapping[str, Any]) -> str:
    whose = f" for {party}" if party else ""
    return f"Could not do it: {_spelled(str(detail.get('command', 'a command'))).lower()}{whose}: {detail.get('words', '')}".rstrip(": ")


def _played(party: str, detail: Mapping[str, Any]) -> str:
    sound = detail.get("sound") or {}
    match sound.get("kind"):
        case "speech":
            return f"{party} hears: “{sound.get('text', '')}”"
        case "ringback":
            return f"{party} hears the ringing tone"
        case "music":
            return f"{party} hears music"
    return f"{party} hears a sound"


def _ended(party: str, detail: Mapping[str, Any]) -> str:
    return f"{party} was let go ({detail.get('ending')})"


def _plain(sentence: str) -> Words:
    return lambda party, detail: sentence.format_map({"party": party, **_Blanks(detail)})


class _Blanks(dict[str, Any]):
    def __missing__(self, key: str) -> str:
        return ""


STEP_WORDS: Mapping[str, Words] = {
    "CallArrived": lambda party, detail: f"{party} called {detail.get('dialled', '')}".rstrip(),
    "Route": _quiet,
    "Routed": lambda _party, _detail: "It was decided where the call goes",
    "FindDevices": lambda _party, detail: f"Looked for the telephones of {detail.get('username')}@{detail.get('domain')}",
    "DevicesFound": _devices,
    "InviteLeg": _plain("Called {party}"),
    "RingLeg": _plain("Told {party} that it rings"),
    "ProgressLeg": _plain("Gave {party} early sound"),
    "AnswerLeg": _plain("Answered {party}"),
    "EndLeg": _ended,
    "AcceptReoffer": _plain("Agreed to what {party} asked"),
    "RefuseReoffer": lambda party, detail: f"Refused what {party} asked ({detail.get('status')}); the call goes on as it was",
    "ReofferLeg": _plain("Asked {party} to send its sound here"),
    "AcceptTransfer": _plain("Agreed to try the transfer that {party} asked for"),
    "RefuseTransfer": lambda party, detail: (
        f"Refused the transfer that {party} asked for ({detail.get('status')}); the call goes on as it was"
    ),
    "TellTransfer": lambda party, detail: f"Told {party} how the transfer stands: {detail.get('status')} {detail.get('words', '')}",
    "AskYield": lambda _party, detail: f"Asked the other call ({detail.get('replaced')}) for its party",
    "GiveLeg": lambda party, detail: f"{party} was given to the call {detail.get('to')}",
    "TurnYield": lambda _party, detail: f"Told the call {detail.get('to')} to dial {detail.get('dialled')} itself",
    "RefuseYield": lambda _party, detail: f"Refused to give anybody to the call {detail.get('to')}",
    "PressDigit": lambda party, detail: f"Passed key {detail.get('digit')} of {party} on in the sound",
    "SendDigit": lambda party, detail: f"Passed key {detail.get('digit')} on to {party}",
    "Play": _played,
    "StopSound": _plain("{party} hears it no more"),
    "Silence": _plain("The sound of {party} is not let through"),
    "Unsilence": _plain("The sound of {party} is let through again"),
    "OfferMedia": _quiet,
    "AnswerMedia": _quiet,
    "AnswerAlone": _plain("Connected {party} with the system's own voice"),
    "LeaveAlone": _quiet,
    "RemoveMedia": _quiet,
    "ReadFigures": _quiet,
    "CloseMedia": _quiet,
    "RecordCall": _quiet,
    "StartTimer": _quiet,
    "StopTimer": _quiet,
    "LegRinging": _plain("{party} rings"),
    "LegProgressed": _plain("{party} sends sound before it answers"),
    "LegAnswered": _plain("{party} answered"),
    "LegRefused": _refused,
    "LegConfirmed": _plain("{party} acknowledged the answer"),
    "LegCancelled": _plain("{party} hung up before an answer"),
    "LegHungUp": _plain("{party} hung up"),
    "LegLost": lambda party, detail: f"{party} was lost: {detail.get('words', '')}".rstrip(": "),
    "LegReoffered": _reoffered,
    "LegReofferAsked": _plain("{party} asked what we offer"),
    "LegReofferCancelled": _plain("{party} took back what it had asked"),
    "OfferAnswered": _plain("{party} answered our offer"),
    "LegReofferAnswered": _plain("{party} agreed"),
    "LegReofferRefused": lambda party, detail: f"{party} did not agree ({detail.get('status')})",
    "TransferAsked": lambda party, detail: f"{party} asked for a transfer to {detail.get('dialled') or 'the party of its other call'}",
    "YieldAsked": lambda _party, detail: f"The call {detail.get('by')} asked for a party of this one",
    "LegReceived": lambda _party, detail: f"Another call gave {(detail.get('side') or {}).get('party', 'its party')} to this one",
    "YieldTurned": lambda _party, detail: f"The other call had nobody yet: dial {detail.get('dialled')}",
    "YieldRefused": lambda _party, _detail: "The other call gives nobody away",
    "MediaLost": lambda _party, _detail: "The media engine died, and the sound with it",
    "MediaRestarted": lambda _party, _detail: "The media engine died and came back with this call",
    "DigitPressed": _digit,
    "MediaOffered": _quiet,
    "MediaAnswered": _quiet,
    "MediaAlone": _quiet,
    "MediaClosed": _quiet,
    "SoundStarted": _quiet,
    "FiguresRead": _quiet,
    "TimerFired": _timer,
    "CommandFailed": _failed,
    "StopAsked": lambda _party, _detail: "The system was being stopped",
}
"""Every kind of step. Parties begin in lower or upper case as their names do."""
