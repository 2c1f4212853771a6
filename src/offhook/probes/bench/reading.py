"""What SIPp and rtpbench wrote about a run, read into one row of figures."""

import csv
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

SETUP, RINGING, LAST = 1, 2, 3
"""The response times of our SIPp scripts: INVITE (or REGISTER) to 200, INVITE to 180, and the scenario's own."""


def quantiles(values: Sequence[float]) -> dict[str, float | int] | None:
    """Number, p50, p95, p99 and greatest; None for none."""
    if not values:
        return None
    order = sorted(values)

    def at(part: float) -> float:
        return round(order[min(len(order) - 1, int(part * len(order)))], 2)

    return {"n": len(order), "p50": at(0.5), "p95": at(0.95), "p99": at(0.99), "max": round(order[-1], 2)}


def last_statistics(file: Path) -> tuple[Mapping[str, str], int]:
    """The last line of SIPp's statistics by column, and the most calls it ever had at once; nothing where it wrote none."""
    try:
        with file.open(newline="") as lines:
            rows = [row for row in csv.reader(lines, delimiter=";") if len(row) > 10]
    except OSError:
        return {}, 0
    if len(rows) < 2:
        return {}, 0
    names = rows[0]
    at_once = [dict(zip(names, row, strict=False)).get("CurrentCall", "0") for row in rows[1:]]
    return dict(zip(names, rows[-1], strict=False)), max(int(each) for each in at_once if each.isdigit())


def response_times(files: Iterable[Path]) -> tuple[dict[int, list[float]], list[float]]:
    """Milliseconds of each of a script's response times, and when (in seconds) each first one was over."""
    times: dict[int, list[float]] = {SETUP: [], RINGING: [], LAST: []}
    moments: list[float] = []
    for file in files:
        with file.open(newline="") as lines:
            for row in csv.reader(lines, delimiter=";"):
                try:
                    moment, milliseconds, which = float(row[0]), float(row[1]), int(row[2])
                except (ValueError, IndexError):
                    continue
                times.setdefault(which, []).append(milliseconds)
                if which == SETUP:
                    moments.append(moment / 1000)
    return times, moments


def pace(moments: Sequence[float]) -> float | None:
    """Calls a second that were really set up."""
    if len(moments) < 2 or max(moments) == min(moments):
        return None
    return round((len(moments) - 1) / (max(moments) - min(moments)), 2)


def count(statistics: Mapping[str, str], name: str) -> int:
    """A number of SIPp's statistics; 0 where it is not there."""
    text = statistics.get(name, "0")
    return int(text) if text.isdigit() else 0


def failures(statistics: Mapping[str, str]) -> dict[str, int]:
    """Why calls failed, in SIPp's words."""
    kinds = {name.removeprefix("Failed").removesuffix("(C)"): count(statistics, name) for name in statistics if name.startswith("Failed")}
    return {kind: number for kind, number in kinds.items() if number and kind != "Call" and not kind.endswith("(P)")}


def sound(text: str) -> dict[str, Any]:
    """What rtpbench printed. Raises ValueError."""
    read = json.loads(text)
    if not isinstance(read, dict):
        raise ValueError("rtpbench printed no figures")
    return read


def value(row: Mapping[str, Any], path: str) -> float | None:
    """A figure of a row by its path, such as `sound.A.end_to_end.lost_pct`; None where it was not measured."""
    found: Any = row
    for name in path.split("."):
        found = found.get(name) if isinstance(found, Mapping) else None
    return found if isinstance(found, int | float) else None
