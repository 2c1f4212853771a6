"""Traces of calls as the switch leaves them, written by hand: one a way a call can go. Times are seconds after the call came."""

from typing import Any

from offhook.services.ports.records import Trace

NOON = 1_700_000_000.0
CALL = "01hf7yat00abcdefghjk"

PHONE_SDP = "v=0\r\no=- 1 1 IN IP4 10.0.0.5\r\ns=-\r\nc=IN IP4 10.0.0.5\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n"
RECOGNISED = {
    "code": "caller.recognised",
    "text": "Anna Lind (anna@lumen.test), by password, from udp:127.0.0.1:5071",
    "outcome": "noted",
}
NO_EMERGENCY = {"code": "emergency.no_match", "text": "102 is no emergency number of US", "outcome": "lost"}
EXTENSION = {"code": "number.extension_matched", "text": "102 is the extension of Ben Okafor", "outcome": "chosen"}


def leg(number: int) -> str:
    return f"{CALL}.{number}"


def step(at: float, name: str, number: int | None = None, **detail: Any) -> dict[str, Any]:
    return {"at": NOON + at, "kind": "event", "name": name, "leg": None if number is None else leg(number), "detail": detail}


def message(
    at: float, number: int, direction: str, first: str, cseq: str = "1 INVITE", *, sdp: bool = False, extra: str = ""
) -> dict[str, Any]:
    text = f"{first}\r\nCall-ID: abc@127.0.0.1\r\nCSeq: {cseq}\r\n{extra}\r\n{PHONE_SDP if sdp else ''}"
    return {"at": NOON + at, "leg": leg(number), "direction": direction, "summary": first, "text": text}


def stream(number: int, **figures: Any) -> dict[str, Any]:
    nothing = {"codec": "PCMU", "advertised": None, "heard_from": None, "packets": 0, "octets": 0, "silent_seconds": None}
    unmeasured = {"mos": None, "jitter_ms": None, "loss_percent": None, "round_trip_ms": None}
    return {"leg": leg(number), **nothing, **unmeasured, **figures}


def told(state: str, parties: list[str], **parts: Any) -> Trace:
    """A trace that ended (or stands) in `state`, between `parties`, the caller first."""
    return {
        "call": CALL,
        "organization": 1,
        "revision": 7,
        "caller": "101",
        "dialled": "102",
        "reasons": [NO_EMERGENCY, RECOGNISED, EXTENSION],
        "steps": [],
        "legs": [{"leg": leg(number), "party": party} for number, party in enumerate(parties)],
        "messages": [],
        "media": [],
        "findings": [],
        "state": state,
    } | parts


ONE_WAY = "Ben's phone sent no audio: its SDP said 10.0.0.5:4000, packets never came"


def talked() -> Trace:
    """Anna talks with Ben, who has two telephones; one of them sends no sound."""
    return told(
        "completed.by_callee",
        ["Anna's phone", "Ben's phone", "Ben's softphone"],
        steps=[
            step(0, "CallArrived", 0, dialled="102"),
            step(0.001, "Route"),
            step(0.001, "Routed"),
            step(0.001, "FindDevices", username="ben", domain="lumen.test"),
            step(0.002, "DevicesFound", devices=[{"uri": "sip:x", "words": "Ben's phone"}, {"uri": "sip:y", "words": "Ben's softphone"}]),
            step(0.004, "InviteLeg", 1),
            step(0.004, "InviteLeg", 2),
            step(0.05, "LegRinging", 1),
            step(0.05, "RingLeg", 0),
            step(0.06, "LegRinging", 2),
            step(2.1, "LegAnswered", 1),
            step(2.1, "EndLeg", 2, ending="leg.answered_elsewhere"),
            step(2.11, "AnswerLeg", 0),
            step(2.13, "LegConfirmed", 0),
            step(34.4, "LegHungUp", 1),
            step(34.4, "EndLeg", 0, ending="completed.by_callee"),
            step(34.5, "MediaClosed"),
        ],
        messages=[
            message(0, 0, "in", "INVITE sip:102@lumen.test SIP/2.0", sdp=True),
            message(0, 0, "out", "SIP/2.0 100 Trying"),
            message(0.004, 1, "out", "INVITE sip:ben@127.0.0.1:5082;alias=127.0.0.1~5082~1 SIP/2.0", sdp=True),
            message(0.004, 2, "out", "INVITE sip:ben@127.0.0.1:5083 SIP/2.0", sdp=True),
            message(0.05, 1, "in", "SIP/2.0 180 Ringing"),
            message(0.05, 0, "out", "SIP/2.0 180 Ringing"),
            message(0.504, 2, "out", "INVITE sip:ben@127.0.0.1:5083 SIP/2.0", sdp=True),
            message(2.1, 1, "in", "SIP/2.0 200 OK", sdp=True),
            message(2.1, 2, "out", "CANCEL sip:ben@127.0.0.1:5083 SIP/2.0", "1 CANCEL"),
            message(2.11, 0, "out", "SIP/2.0 200 OK", sdp=True),
            message(2.13, 0, "in", "ACK sip:127.0.0.1:5060 SIP/2.0", "1 ACK"),
            message(34.4, 1, "in", "BYE sip:127.0.0.1:5060 SIP/2.0", "2 BYE"),
        ],
        media=[
            stream(
                0, advertised="127.0.0.1:4000", heard_from="127.0.0.1:4000", packets=1614, octets=258240, silent_seconds=0.1,
                mos=4.38, jitter_ms=2.2, loss_percent=0.0, round_trip_ms=1.4,
            ),
            stream(1, advertised="10.0.0.5:4000"),
            stream(2),
        ],
        findings=[ONE_WAY],
    )  # fmt: skip


def busy() -> Trace:
    """Ben's only telephone is busy."""
    return told(
        "callee.busy",
        ["Anna's phone", "Ben's phone"],
        steps=[
            step(0, "CallArrived", 0, dialled="102"),
            step(0.004, "InviteLeg", 1),
            step(0.03, "LegRefused", 1, status=486, words="Busy Here"),
            step(0.03, "EndLeg", 0, ending="callee.busy"),
        ],
        media=[stream(0, advertised="127.0.0.1:4000"), stream(1)],
    )


def said_goodbye() -> Trace:
    """A caller from outside presses a key that means nothing, and then none."""
    return told(
        "attendant.no_input",
        ["+12065550199 through sandbox"],
        caller="+12065550199",
        dialled="+12065550100",
        reasons=[
            {"code": "caller.carrier", "text": "a carrier at udp:127.0.0.9:5060 presents +12065550199", "outcome": "noted"},
            {"code": "number.assigned", "text": "+12065550100 is the number of the attendant Reception", "outcome": "chosen"},
        ],
        steps=[
            step(0, "CallArrived", 0, dialled="+12065550100"),
            step(0.01, "AnswerAlone", 0),
            step(0.02, "AnswerLeg", 0),
            step(0.03, "LegConfirmed", 0),
            step(0.03, "Play", 0, sound={"kind": "speech", "text": "Welcome to Lumen Works.", "language": "en"}),
            step(4.2, "DigitPressed", 0, digit="7", by_info=False),
            step(4.2, "Play", 0, sound={"kind": "speech", "text": "There is nothing behind this key.", "language": "en"}),
            step(6.2, "TimerFired", timer="sound"),
            step(11.2, "TimerFired", timer="patience"),
            step(11.2, "Play", 0, sound={"kind": "speech", "text": "Goodbye.", "language": "en"}),
            step(12.4, "EndLeg", 0, ending="attendant.no_input"),
        ],
        media=[
            stream(
                0, advertised="10.9.8.7:4000", heard_from="203.0.113.7:61000", packets=600, silent_seconds=0.0, loss_percent=4.5, mos=2.9
            )
        ],
    )


def unreadable() -> Trace:
    """What was dialled is no number; nobody was called."""
    return told("number.unreadable", ["Anna's phone"], dialled="abc", steps=[step(0, "CallArrived", 0, dialled="abc")])


def media_engine_refused() -> Trace:
    """The media engine would not do as told."""
    return told(
        "media.refused",
        ["Anna's phone", "Ben's phone"],
        steps=[
            step(0, "CallArrived", 0, dialled="102"),
            step(0.01, "CommandFailed", 1, command="OfferMedia", trouble="refused", words="Unknown codec"),
        ],
    )


def held_now() -> Trace:
    """A call that goes on, with Ben on hold."""
    return told(
        "held",
        ["Anna's phone", "Ben's phone"],
        steps=[
            step(0, "CallArrived", 0, dialled="102"),
            step(2.0, "LegAnswered", 1),
            step(2.01, "AnswerLeg", 0),
            step(9.0, "LegReoffered", 0, description={"codecs": ["PCMU"], "direction": "sendonly", "address": "127.0.0.1:4000"}),
            step(9.0, "Play", 1, sound={"kind": "music", "text": "", "language": ""}),
        ],
        media=[stream(0, advertised="127.0.0.1:4000", heard_from="127.0.0.1:4000", packets=300, silent_seconds=8.0)],
    )
