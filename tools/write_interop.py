"""Writes docs/interop.md from docs/interop.json, what the last runs found; with --check says whether the page is out of date.

.venv/bin/python -m tools.write_interop [--check]
"""

import json
import sys
from pathlib import Path
from typing import Any

_DOCS = Path(__file__).resolve().parents[1] / "docs"
RESULTS = _DOCS / "interop.json"
PAGE = _DOCS / "interop.md"

_HEAD = """# With which telephones Offhook was tried

Each cell is a run of the whole system with the client's own program: the client is ben (102), two telephones of Offhook's own are
anna (101) and chloe (103). Sound is a tone from each side that the other must hear: our telephones listen live, the clients' recordings
are read after the call. Written from `docs/interop.json` by `tools/write_interop.py`. To repeat it (six minutes, loopback only):

```sh
apt-get install --no-install-recommends sip-tester baresip-core linphone-cli
.venv/bin/python -m pip install --require-hashes --no-deps --only-binary :all: --target .setup/interop -r tests/interop/requirements.txt
.venv/bin/python -m tests.interop.matrix --write && .venv/bin/python -m tools.write_interop
```

`./test long tests/interop` plays the same cells as tests; `--client` and `--cell` choose some. `tests/interop` has the drivers, and SIPp's
scenarios as they are put together. PJSUA2 is under the GPL: it runs as a process of its own and is in no requirement of Offhook.

"""

_TAIL = """
## How to set a telephone up

- "SRTP mandatory" works without TLS too: who refuses plain sound is called again with SRTP ([sound](operate/media.md)).
  What a telephone itself offers is taken over every transport.
- Keys by INFO may be sent all at once: PJSUA2 sends four within a millisecond, and the edge keeps the order of what comes over UDP.
- TLS: let the telephone trust the authority that `./run` prints. linphone looks for a name in the certificate, never for an address:
  give it the server by name.
"""


def page(results: dict[str, Any]) -> str:
    """The whole page."""
    clients = results["clients"]
    head = f"| | {' | '.join(client['version'] for client in clients.values())} |\n|---|{'---|' * len(clients)}\n"
    rows = "".join(f"| {cell} | {' | '.join(_shown(client, cell) for client in clients.values())} |\n" for cell in results["cells"])
    dates = sorted({found["date"] for client in clients.values() for found in client["cells"].values()})
    when = f"Run on {' and '.join(dates)}.\n\n"
    meant = "\n## What is done\n\n" + "".join(f"- **{cell}**: {what}\n" for cell, what in results["cells"].items())
    return _HEAD + when + head + rows + meant + _notes(clients) + _TAIL


def _shown(client: dict[str, Any], cell: str) -> str:
    found = client["cells"].get(cell)
    if found is None:
        return "not run"
    return f"{found['result']} *" if found["note"] else str(found["result"])


def _notes(clients: dict[str, Any]) -> str:
    lines = ["\n## Notes (*)\n\n"]
    for client in clients.values():
        noted: dict[str, list[str]] = {}
        for cell, found in client["cells"].items():
            if found["note"]:
                noted.setdefault(found["note"], []).append(cell)
        lines += [f"- {client['version']}, {', '.join(cells)}: {note}\n" for note, cells in noted.items()]
    return "".join(lines)


def main() -> int:
    """Write the page, or check it; the exit code."""
    written = page(json.loads(RESULTS.read_text()))
    if "--check" not in sys.argv[1:]:
        PAGE.write_text(written)
        return 0
    if PAGE.is_file() and PAGE.read_text() == written:
        return 0
    print("docs/interop.md is not as docs/interop.json is: run .venv/bin/python -m tools.write_interop")
    return 1


if __name__ == "__main__":
    sys.exit(main())
