"""An hour of calls on a system of its own, and whether the memory of any of its processes grew.

    .venv/bin/python -m tools.soak [MINUTES]        (62.5: two of warming up, sixty that count; 100 calls at once, with sound)

Every process is looked at each 30 s. The table compares the medians of the first and the last ten looks; a row of JSON for each look goes
to the error stream.
"""

import json
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from statistics import median

from offhook.probes.bench.generators import Target
from offhook.probes.bench.processes import tree
from offhook.probes.bench.run import run, settle
from offhook.probes.bench.scenarios import Step
from offhook.services.bench import DOMAIN, PASSWORD
from offhook.wiring.bench import HELPERS, fresh

LOOK_SECONDS, LOOKS, WARM_SECONDS = 30.0, 10, 120.0
_ROUND_SECONDS, _RATE, _HOLD = 780.0, 5.0, 20.0


def held(pid: int) -> Mapping[str, int] | None:
    """Kilobytes of a process: resident, proportional (PSS), and its own, which no other process shares. None when it has ended."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    except OSError:
        return None
    found = {line.partition(":")[0]: int(line.split()[1]) for line in lines}
    return {"rss": found["Rss"], "pss": found["Pss"], "own": found["Private_Clean"] + found["Private_Dirty"]}


def looked(roots: tuple[int, ...]) -> dict[str, dict[str, int]]:
    """What each of the system's programs holds now, all processes of a name together."""
    sums: dict[str, dict[str, int]] = {}
    for pid, cost in tree(roots).items():
        if one := held(pid):
            sum_ = sums.setdefault(cost.name, {"rss": 0, "pss": 0, "own": 0, "processes": 0})
            for name, value in one.items():
                sum_[name] += value
            sum_["processes"] += 1
    return sums


def table(looks: list[dict[str, dict[str, int]]]) -> str:
    """The first and the last looks side by side, MB."""
    lines = ["| | processes | RSS first | last | | own first | last | |", "|---|---|---|---|---|---|---|---|"]
    for name in looks[0]:
        cells = [name, str(looks[-1].get(name, looks[0][name])["processes"])]
        for kind in ("rss", "own"):
            first, last = (median(look[name][kind] for look in part if name in look) / 1024 for part in (looks[:LOOKS], looks[-LOOKS:]))
            cells += [f"{first:.1f}", f"{last:.1f}", f"{100 * (last / first - 1):+.1f} %" if first else ""]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def main(minutes: float) -> None:
    """Load, look, tell."""
    looks: list[dict[str, dict[str, int]]] = []
    with fresh() as (plan, processes):
        target = Target(plan.address, plan.sip_port, DOMAIN, PASSWORD, processes)
        settle(target)
        began, over = time.monotonic(), threading.Event()

        def look() -> None:
            while not over.wait(LOOK_SECONDS):
                passed = time.monotonic() - began
                found = looked(processes)
                print(json.dumps({"seconds": round(passed), "held": found}), file=sys.stderr, flush=True)
                if passed > WARM_SECONDS:
                    looks.append(found)

        watcher = threading.Thread(target=look, daemon=True)
        watcher.start()
        done = failed = 0
        while (left := 60 * minutes - (time.monotonic() - began)) > 2 * _HOLD:
            seconds = min(_ROUND_SECONDS, left)
            row = run("call", Step(_RATE, int(_RATE * (seconds - _HOLD)), _HOLD), target, HELPERS)
            done, failed = done + row["done"], failed + row["failed"]
        over.set()
        watcher.join()
    print(f"{done} calls, {failed} failed, {len(looks)} looks in {(time.monotonic() - began) / 60:.0f} minutes\n\n{table(looks)}")


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 62.5)
