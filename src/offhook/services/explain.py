"""How a call went, told to somebody who has to act on it. Pure: the same trace gives the same explanation."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from offhook.domain.calls.endings import ANSWERED_ELSEWHERE, ENDINGS
from offhook.services.ladder import ladder, without_secrets
from offhook.services.ports.records import Trace
from offhook.services.sound import sound_report
from offhook.services.steps import step_words

_HANGS_UP = frozenset({"LegHungUp", "LegLost"})


@dataclass(frozen=True, slots=True)
class Decision:
    """One possibility that was looked at. `outcome` is "chosen", "lost" or "noted" (a fact that others rest on)."""

    code: str
    outcome: str
    text: str


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened, so many milliseconds after the call came."""

    milliseconds: int
    text: str


@dataclass(frozen=True, slots=True)
class Message:
    """A SIP message in full, without secrets. `direction` is as Offhook sees it."""

    milliseconds: int
    leg: str
    direction: str
    summary: str
    text: str


@dataclass(frozen=True, slots=True)
class EndingWords:
    """Why it ended: a row of the table of endings. `remedy` is empty where nothing needs doing."""

    code: str
    explanation: str
    remedy: str
    fault: str
    sip: str


@dataclass(frozen=True, slots=True)
class Explanation:
    """Everything there is to say of a call, in the order somebody would ask. `ending` is None while the call lives."""

    call: str
    headline: str
    state: str
    recognised: str
    revision: int | None
    legs: tuple[str, ...]
    decisions: tuple[Decision, ...]
    steps: tuple[Step, ...]
    ladder: tuple[str, ...]
    media: tuple[str, ...]
    findings: tuple[str, ...]
    ending: EndingWords | None
    messages: tuple[Message, ...]


def explain(trace: Trace) -> Explanation:
    """The explanation of a call, living or over."""
    parties = {entry["leg"]: entry["party"] for entry in trace["legs"]}
    steps, messages = trace["steps"], trace["messages"]
    began = min((entry["at"] for entry in (*steps, *messages)), default=0.0)
    return Explanation(
        call=trace["call"],
        headline=_headline(trace, parties),
        state=trace["state"],
        recognised=_recognised(trace, parties),
        revision=trace["revision"],
        legs=tuple(f"{_leg_name(leg, number)}: {party}" for number, (leg, party) in enumerate(parties.items())),
        decisions=tuple(Decision(reason["code"], reason["outcome"], reason["text"]) for reason in trace["reasons"]),
        steps=tuple(_steps(steps, parties, began)),
        ladder=tuple(ladder(messages, list(parties))),
        media=tuple(sound_report(trace["media"], parties, _heard_legs(steps), over=trace["state"] in ENDINGS)),
        findings=tuple(trace["findings"]),
        ending=_ending(trace["state"]),
        messages=tuple(_message(message, began) for message in messages),
    )


def _leg_name(leg: str, number: int) -> str:
    return "caller" if number == 0 else f"leg {leg.rsplit('.', 1)[-1]}"


def _ending(code: str) -> EndingWords | None:
    row = ENDINGS.get(code)
    if row is None:
        return None
    return EndingWords(row.code, row.explanation, row.remedy, row.fault.value, f"{row.sip_status} {row.sip_reason}")


def _headline(trace: Trace, parties: Mapping[str, str]) -> str:
    answerer = _answerer(trace["steps"], parties)
    called = f"{trace['caller'] or 'Somebody'} called {trace['dialled'] or 'nothing that can be read'}"
    reached = f" and reached {answerer}" if answerer else ""
    ending = ENDINGS.get(trace["state"])
    if ending is None:
        return f"{called}{reached}; the call goes on ({trace['state']})."
    talked = _talked_seconds(trace["steps"], next(iter(parties), None))
    length = f" for {_minutes(talked)}" if talked is not None else ""
    words = ending.explanation.rstrip(".")
    return f"{called}{reached}{length}: {words[0].lower()}{words[1:]}."


def _answerer(steps: list[dict[str, Any]], parties: Mapping[str, str]) -> str | None:
    too_late = {step["leg"] for step in steps if step["name"] == "EndLeg" and step["detail"].get("ending") == ANSWERED_ELSEWHERE.code}
    answered = [parties.get(step["leg"]) for step in steps if step["name"] == "LegAnswered" and step["leg"] not in too_late]
    if answered:
        return answered[-1]
    return "an attendant" if any(step["name"] == "AnswerAlone" for step in steps) else None


def _talked_seconds(steps: list[dict[str, Any]], caller: str | None) -> float | None:
    answered = next((place for place, step in enumerate(steps) if step["name"] == "AnswerLeg"), None)
    if answered is None:
        return None
    over = (step for step in steps[answered:] if step["name"] in _HANGS_UP or (step["name"] == "EndLeg" and step["leg"] == caller))
    return max(0.0, float(next(over, steps[-1])["at"]) - float(steps[answered]["at"]))


def _minutes(seconds: float) -> str:
    return f"{round(seconds) // 60}:{round(seconds) % 60:02}"


def _recognised(trace: Trace, parties: Mapping[str, str]) -> str:
    told = next((reason["text"] for reason in trace["reasons"] if reason["code"].startswith("caller.")), None)
    return told or next(iter(parties.values()), "Nobody: the call ended before it was known who called.")


def _steps(steps: list[dict[str, Any]], parties: Mapping[str, str], began: float) -> Iterator[Step]:
    for step in steps:
        words = step_words(step["name"], parties.get(step["leg"], step["leg"] or ""), step.get("detail") or {})
        if words:
            yield Step(round((step["at"] - began) * 1000), words)


def _heard_legs(steps: list[dict[str, Any]]) -> frozenset[str]:
    """The legs whose sound was to be expected: who answered, and who was answered."""
    return frozenset(step["leg"] for step in steps if step["name"] in {"LegAnswered", "LegConfirmed", "AnswerLeg"} and step["leg"])


def _message(message: Mapping[str, Any], began: float) -> Message:
    milliseconds = round((message["at"] - began) * 1000)
    return Message(
        milliseconds, message["leg"], message["direction"], without_secrets(message["summary"]), without_secrets(message["text"])
    )
