"""Writes the table of docs/performance.md from bench/results.jsonl, which `offhook bench --json` printed; with --check says if it is old.

.venv/bin/python -m tools.write_performance [--check]
"""

import json
import sys
from pathlib import Path

from offhook.probes.bench.generators import FOLDER
from offhook.probes.bench.scenarios import SCENARIOS
from offhook.probes.bench.table import read_peers, table

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "performance.md"
RESULTS = ROOT / "bench" / "results.jsonl"
BEGIN, END = "<!-- written by tools/write_performance.py -->\n", "<!-- end of what is written -->\n"


def written(page: str) -> str:
    """The page with the table of now. Raises ValueError when it has no place for one."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not (begin and end):
        raise ValueError(f"{PAGE} has no place for the table")
    rows = [json.loads(line) for line in RESULTS.read_text(encoding="utf-8").splitlines()]
    rows = [row for row in rows if row["scenario"] in SCENARIOS]  # the large organization's is a line of another table, written by hand
    skipped = {name: scenario.needs for name, scenario in SCENARIOS.items() if scenario.needs}
    return before + begin + "\n" + table(rows, read_peers(FOLDER / "peers.md"), skipped) + "\n" + end + after


def main() -> int:
    """Write the page, or check it; the exit code."""
    page = PAGE.read_text(encoding="utf-8")
    if "--check" in sys.argv[1:]:
        return int(page != written(page))
    PAGE.write_text(written(page), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
