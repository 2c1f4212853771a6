"""What people see: tables, explanations and plots. What comes from outside is cleaned of control characters before it is printed."""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

_PIPE_WIDTH = 200  # without a terminal there is no width to keep to, and a cut table helps nobody
_BARS = "▁▂▃▄▅▆▇█"
_QUIETEST_DB = -60.0
_OUTCOMES = {"chosen": ("→", "bold"), "lost": ("✗", "dim"), "noted": ("·", "")}
_ENDED_WELL = frozenset({"completed.by_caller", "completed.by_callee", "attendant.caller_left"})


def console(*, stderr: bool = False) -> Console:
    """Where to print; made when needed, so that it looks at the streams of now."""
    stream = sys.stderr if stderr else sys.stdout
    return Console(stderr=stderr, width=None if stream.isatty() else _PIPE_WIDTH, highlight=False, markup=False, emoji=False)


def clean(value: Any) -> str:
    """A value as text without what a terminal would take for an order."""
    text = "" if value is None else str(value)
    return "".join(letter if letter.isprintable() or letter == "\n" else "�" for letter in text)


def print_json(value: Any) -> None:
    """For programs: the server's own answer."""
    sys.stdout.write(json.dumps(value, ensure_ascii=False, indent=2) + "\n")


def note(words: str) -> None:
    """A remark beside the answer, on the error stream."""
    console(stderr=True).print(clean(words), style="yellow")


def print_table(heads: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """A table; cells are text, or Text with a style."""
    table = Table(*heads, box=None, header_style="bold", pad_edge=False, padding=(0, 2, 0, 0))
    for row in rows:
        table.add_row(*(cell if isinstance(cell, Text) else Text(clean(cell)) for cell in row))
    console().print(table)


def moment(text: str | None) -> str:
    """A moment of the API in the time of this machine."""
    return datetime.fromisoformat(text).astimezone().strftime("%Y-%m-%d %H:%M:%S") if text else ""


def _length(seconds: float | None) -> str:
    return "" if seconds is None else f"{round(seconds) // 60}:{round(seconds) % 60:02}"


def print_calls(calls: Sequence[dict[str, Any]]) -> None:
    """A list of calls."""
    if not calls:
        console().print("No calls.")
        return
    rows = [
        (
            call["call"],
            moment(call["started_at"]),
            call["caller"],
            call["dialled"],
            call["connected"],
            _length(call["talked_seconds"]),
            _state(call),
            "; ".join(call["findings"]),
        )
        for call in calls
    ]
    heads = ["call", "when", "caller", "dialled", "connected", "length", "state", "findings"]
    with_findings = any(row[-1] for row in rows)
    print_table(heads if with_findings else heads[:-1], rows if with_findings else [row[:-1] for row in rows])


def _state(call: dict[str, Any]) -> Text:
    style = "green" if call["live"] else "" if call["state"] in _ENDED_WELL else "yellow"
    return Text(f"live: {clean(call['state'])}" if call["live"] else clean(call["state"]), style)


def print_explanation(explained: dict[str, Any], *, messages: bool) -> None:
    """How a call went; with every SIP message in full if wanted."""
    told, record = explained["explanation"], explained["record"]
    out = console()
    out.print(clean(told["headline"]), style="bold")
    when = f"{moment(record['started_at'])}, " if record else ""
    out.print(f"{when}call {clean(told['call'])}, configuration revision {clean(told['revision'] or 'unknown')}", style="dim")
    _section("Who was recognised", [told["recognised"]])
    _section("Decisions, in order")
    for decision in told["decisions"]:
        mark, style = _OUTCOMES.get(decision["outcome"], ("?", ""))
        out.print(Text(f"  {mark} {clean(decision['text'])}", style), Text(f"[{clean(decision['code'])}]", "dim"), soft_wrap=True)
    _section("What happened", [f"{step['milliseconds']:>7} ms  {step['text']}" for step in told["steps"]])
    _section("SIP messages", [*told["legs"], "", *told["ladder"]] if told["ladder"] else ["none"])
    _section("Sound", told["media"] or ["none: nobody was connected"])
    if told["findings"]:
        _section("Findings", told["findings"], style="yellow")
    if ending := told["ending"]:
        remedy = [f"What to do: {ending['remedy']}"] if ending["remedy"] else []
        _section(f"Ending: {ending['code']}", [ending["explanation"], *remedy])
    if messages:
        _print_messages(told["messages"])


def _section(title: str, lines: Iterable[str] = (), style: str = "") -> None:
    out = console()
    out.print()
    out.print(clean(title), style="bold underline")
    for line in lines:
        out.print(Text(f"  {clean(line)}".rstrip(), style), soft_wrap=True)


def _print_messages(messages: Iterable[dict[str, Any]]) -> None:
    for message in messages:
        way = "from" if message["direction"] == "in" else "to"
        _section(f"{message['milliseconds']} ms, {way} leg {message['leg'].rsplit('.', 1)[-1]}", message["text"].splitlines())


_RESULTS = {"passed": "green", "FAILED": "bold red", "skipped": "yellow"}


def print_selftest(rows: Sequence[dict[str, Any]]) -> None:
    """The self-test's table and its sum."""
    results = ["skipped" if row["skipped"] else "passed" if row["passed"] else "FAILED" for row in rows]
    shown = [
        (row["name"], Text(result, _RESULTS[result]), f"{row['seconds']:.1f} s", row["detail"])
        for row, result in zip(rows, results, strict=True)
    ]
    print_table(["scenario", "result", "time", "detail"], shown)
    console().print(", ".join(f"{results.count(result)} {result}" for result in _RESULTS if result in results) or "Nothing was tried.")


def print_report(report: Mapping[str, Any]) -> None:
    """The values of something, a line each; loudness over time (of a call from the sandbox) as a plot."""
    for name, value in report.items():
        words = plot(value) if name == "energy" and isinstance(value, list) else clean(member(name, value))
        console().print(f"{clean(name.replace('_', ' '))}: {words}", soft_wrap=True)


def member(name: str, value: Any) -> str:
    """A member of something as people read it; what is called ..._at is a moment."""
    return moment(value) if name.endswith("_at") and isinstance(value, str) else told(value)


def told(value: Any) -> str:
    """A value of the API as people read it."""
    match value:
        case bool():
            return "yes" if value else "no"
        case list():
            return ", ".join(told(entry) for entry in value) or "none"
        case dict():
            return ", ".join(f"{name} {told(entry)}" for name, entry in value.items())
        case None | "":
            return "none"
    return str(value)


def plot(levels: Sequence[float]) -> str:
    """Loudness over time, one character a value in dBFS: a dot is silence, the highest bar full scale."""
    steps = [min((level - _QUIETEST_DB) / -_QUIETEST_DB, 1.0) for level in levels]
    return "".join("·" if step <= 0 else _BARS[min(int(step * len(_BARS)), len(_BARS) - 1)] for step in steps)


def print_status(status: dict[str, Any]) -> None:
    """How the system stands: a table for each list of rows, a line for each other value."""
    for name, value in status.items():
        if isinstance(value, list) and value and all(isinstance(row, dict) for row in value):
            heads = list(dict.fromkeys(head for row in value for head in row))
            _section(str(name))
            print_table(heads, [[told(row[head]) if head in row else "" for head in heads] for row in value])
        else:
            console().print(f"{clean(name)}: {clean(told(value))}", soft_wrap=True)
