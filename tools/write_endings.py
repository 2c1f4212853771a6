"""Writes docs/operate/endings.md from the table of endings; with --check says whether the page is out of date.

.venv/bin/python -m tools.write_endings [--check]
"""

import sys
from pathlib import Path

from offhook.domain.calls.endings import ENDINGS, Ending

PAGE = Path(__file__).resolve().parents[1] / "docs" / "operate" / "endings.md"

_HEAD = """# How calls end

Every call ends in exactly one of these; `offhook explain` names it last, `offhook calls --ending CODE` lists the calls that
ended so. Written from `src/offhook/domain/calls/endings.py` by `tools/write_endings.py`; change the table there.
[How to read an explanation](explain.md).

*SIP* is what a caller gets who was not yet connected, *cause* the ITU-T Q.850 cause in the Reason header of our messages
(RFC 3326), *whose* is whose doing it was. `leg.` is how one telephone's side of a call ended that went on with another.

| Ending | SIP | Cause | Whose | What happened | What to do |
|---|---|---|---|---|---|
"""


def page() -> str:
    """The whole page."""
    return _HEAD + "".join(_row(ending) for ending in ENDINGS.values())


def _row(ending: Ending) -> str:
    sip = f"{ending.sip_status} {ending.sip_reason}"
    cells = (f"`{ending.code}`", sip, str(ending.cause), ending.fault.value, ending.explanation, ending.remedy or "nothing")
    return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |\n"


def main() -> int:
    """Write the page, or check it; the exit code."""
    if "--check" in sys.argv[1:]:
        if PAGE.is_file() and PAGE.read_text() == page():
            return 0
        print("docs/operate/endings.md is not as the table is: run .venv/bin/python -m tools.write_endings")
        return 1
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page())
    return 0


if __name__ == "__main__":
    sys.exit(main())
