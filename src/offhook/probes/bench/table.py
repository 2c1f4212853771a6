"""The bench's rows as a Markdown table, beside what other systems reached under the same load (bench/peers.md)."""

import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from offhook.probes.bench.reading import value
from offhook.probes.bench.scenarios import SCENARIOS, Step, read_step

PEERS = {"asterisk": "Asterisk 22.10.1", "freeswitch": "FreeSWITCH 1.10.12"}
"""Who stands beside us, by the name in bench/peers.md."""

OURS, FLOOR = "Offhook", "its engines alone"
"""Whose rows they are, by `who` in a row."""

Figures = Mapping[str, Mapping[str, str]]
"""By scenario and step ("call 20:100:20"), a column of bench/peers.md to its text."""

_COLUMNS = {
    "cpu_s_per_call_minute": "CPU s / call-min",
    "cpu_ms_per_call": "CPU ms / call",
    "setup_ms.p50": "setup p50 ms",
    "setup_ms.p95": "p95",
    "setup_ms.p99": "p99",
    "failed": "failed",
    "achieved": "achieved",
    "sound.A.end_to_end.lost_pct": "e2e loss %",
    "sound.A.end_to_end.delay_ms.p50": "delay p50 ms",
    "sound.A.end_to_end.delay_ms.p99": "delay p99",
    "sound.send_late_ms.p99": "sender late p99 ms",
    "sound.A.lost_pct": "RTP loss %",
    "sound.A.spacing_dev_ms.p99": "spacing p99 ms",
    "digit_to_bye_ms.p50": "digit to BYE",
    "rss_mb": "RSS MB",
}
"""Our figures by path, and the column in which the peers' stand."""

_SETUP = ("set-up p50 / p95 / p99 ms", ("setup_ms.p50", "setup_ms.p95", "setup_ms.p99"))
_REACHED = ("reached /s; failed", ("achieved", "failed"))
_BY_PROCESS = "by_process"
_LINES: Mapping[str, Sequence[tuple[str, Sequence[str]]]] = {
    "call": (
        ("CPU s / call-min", ("cpu_s_per_call_minute",)),
        ("sound end to end: loss %; delay p50; p99 ms", tuple(name for name in _COLUMNS if "end_to_end" in name)),
        ("sender late p99 ms (the bench itself)", ("sound.send_late_ms.p99",)),
        _SETUP,
        ("RSS MB; failed", ("rss_mb", "failed")),
    ),
    "signal": (("CPU ms / call", ("cpu_ms_per_call",)), ("of these", (_BY_PROCESS,)), _SETUP, _REACHED),
    "ivr": (
        ("CPU s / call-min", ("cpu_s_per_call_minute",)),
        ("digit to BYE p50 ms; spacing p99 ms; loss %", ("digit_to_bye_ms.p50", "sound.A.spacing_dev_ms.p99", "sound.A.lost_pct")),
    ),
    "register": (("CPU ms each", ("cpu_ms_per_call",)), ("p50 / p95 / p99 ms", _SETUP[1]), _REACHED),
}


def read_peers(file: Path) -> dict[str, Figures]:
    """The peers' figures by their names. Raises ValueError for a file that is no such table."""
    rows = [[cell.strip() for cell in line.strip().strip("|").split("|")] for line in file.read_text().splitlines() if line.startswith("|")]
    if len(rows) < 3 or rows[0][1] != "who":
        raise ValueError(f"{file} is no table of the bench")
    # The delay's p99 is the second column of that name.
    names = [*rows[0]]
    if "delay p50 ms" in names:
        names[names.index("delay p50 ms") + 1] = "delay p99"
    found: dict[str, dict[str, dict[str, str]]] = {}
    for row in rows[2:]:
        cells = dict(zip(names, row, strict=True))
        for part in row[-1].split(";"):
            words = part.split()
            if part.strip().startswith("digit to BYE"):
                cells["digit to BYE"] = " ".join(words[3:-1])
            elif part.strip().endswith("/s achieved"):
                cells["achieved"] = part.strip().removesuffix("/s achieved")
        # A process that was overloaded before costs more: where a fresh one was measured too, that counts.
        who = row[1].removesuffix("-fresh")
        if row[1] != who or row[0] not in found.get(who, {}):
            found.setdefault(who, {})[row[0]] = cells
    return dict(found)


def table(rows: Iterable[Mapping[str, Any]], peers: Mapping[str, Figures], skipped: Mapping[str, str]) -> str:
    """The whole table; several rows of one step become median and range. A column of our own for each `who` in the rows."""
    by_step: dict[tuple[str, str], dict[str, list[Mapping[str, Any]]]] = {}
    for row in rows:
        by_step.setdefault((str(row["scenario"]), str(row["step"])), {}).setdefault(row.get("who", OURS), []).append(row)
    ours = [who for who in (FLOOR, OURS) if any(who in same for same in by_step.values())]
    lines = ["| | " + " | ".join([*PEERS.values(), *ours]) + " |", "|---" * (len(PEERS) + len(ours) + 1) + "|"]
    for (name, step), same in by_step.items():
        beside = [peers.get(who, {}).get(f"{name} {step}", {}) for who in PEERS]
        for position, (words, paths) in enumerate(_LINES[name]):
            title = f"{_title(name, read_step(step))}: {words}" if position == 0 else f"- {words}"
            told = [_joined(words, [each.get(_COLUMNS.get(path, ""), "") for path in paths]) for each in beside]
            lines.append(f"| {title} | " + " | ".join([*told, *(_ours(same.get(who, ()), words, paths) for who in ours)]) + " |")
    lines += [f"| {name} {'| ' * (len(PEERS) + len(ours) - 1)}| not built yet: {needs} |" for name, needs in skipped.items()]
    return "\n".join(lines) + "\n"


def _title(name: str, step: Step) -> str:
    if SCENARIOS[name].sound:
        at_once = min(step.calls, round(step.rate * step.hold))
        return f"{name}, {at_once} at once, {step.hold:g} s"
    return f"{name} {step.rate:g}/s"


def _ours(rows: Sequence[Mapping[str, Any]], words: str, paths: Sequence[str]) -> str:
    if paths == (_BY_PROCESS,):
        return _processes(rows)
    found = [[number for row in rows if (number := value(row, path)) is not None] for path in paths]
    return _joined(words, [_range(numbers) for numbers in found])


def _processes(rows: Sequence[Mapping[str, Any]]) -> str:
    if not rows:
        return "-"
    names = dict.fromkeys(name for row in rows for name in row["cpu_ms_by_process"])
    spent = {name: statistics.median(row["cpu_ms_by_process"].get(name, 0.0) for row in rows) for name in names}
    return ", ".join(f"{name} {_number(cost)}" for name, cost in sorted(spent.items(), key=lambda each: -each[1]) if cost >= 0.05)


def _joined(words: str, cells: Sequence[str]) -> str:
    if not any(cells):
        return "-"
    return ("; " if ";" in words else " / ").join(cell or "-" for cell in cells)


def _range(numbers: Sequence[float]) -> str:
    if not numbers:
        return ""
    median = _number(statistics.median(numbers))
    lowest, highest = _number(min(numbers)), _number(max(numbers))
    return median if lowest == highest else f"{median} ({lowest}-{highest})"


def _number(number: float) -> str:
    return f"{number:.3g}" if abs(number) < 1000 and number != int(number) else str(round(number))
