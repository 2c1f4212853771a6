"""Plays every cell of the interop table against one running system, prints the table, and writes what came of it.

.venv/bin/python -m tests.interop.matrix [--client NAME] [--cell NAME] [--write]

`--write` puts the results into docs/interop.json, from which tools/write_interop.py writes the page.
"""

import argparse
import asyncio
import json
import random
import sys
import tempfile
import time
import traceback
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from offhook.supervisor.ports import claim_rtp_block
from offhook.supervisor.refusals import NoRtpPorts
from tests.calls.stories import registered
from tests.calls.system import System, start_system
from tests.interop.baresip import Baresip
from tests.interop.cells import CELLS, Cell, Scene, line_of
from tests.interop.linphone import Linphone
from tests.interop.pjsua import Pjsua
from tests.interop.sipp import Sipp
from tests.interop.softphone import Client, Missing

CLIENTS: tuple[type[Client], ...] = (Sipp, Baresip, Linphone, Pjsua)
RESULTS = Path(__file__).resolve().parents[2] / "docs" / "interop.json"
_CELL_SECONDS = 200.0

PASS, FAIL, NOT_OFFERED = "pass", "fail", "not offered"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one cell; `note` says why where it did not pass."""

    result: str
    note: str = ""
    seconds: float = 0.0


async def play(system: System, kind: type[Client], cell: Cell, folder: Path) -> None:
    """Play one cell; returns if it passed. Raises what went wrong."""
    client = kind(folder, line_of(system, cell.transport), cell.wish)
    async with AsyncExitStack() as stack:
        anna, chloe = await stack.enter_async_context(registered(system.phone("anna"), system.phone("chloe")))
        stack.push_async_callback(client.stop)
        await client.start()
        await client.registered()
        scene: Scene[Any] = Scene(system, anna, chloe, client)
        await kind.plays.get(cell.name, cell.play)(scene)


async def outcome(system: System, kind: type[Client], cell: Cell, folder: Path) -> Outcome:
    """Play one cell; what came of it, in words."""
    if cell.name in kind.lacks:
        return Outcome(NOT_OFFERED, kind.lacks[cell.name])
    began = time.monotonic()
    try:
        async with asyncio.timeout(_CELL_SECONDS):
            await play(system, kind, cell, folder)
    except Exception as reason:
        (folder / "failed.txt").write_text(traceback.format_exc())
        (folder / "calls.txt").write_text(await asyncio.to_thread(_calls, system))
        return Outcome(FAIL, f"{type(reason).__name__}: {reason}".splitlines()[0][:200], round(time.monotonic() - began, 1))
    return Outcome(PASS, kind.remarks.get(cell.name, ""), round(time.monotonic() - began, 1))


def _calls(system: System) -> str:
    """The messages of the last three calls, for whoever looks into a failure."""
    found = ""
    for call in system.api("GET", "/calls?limit=3").json()["calls"]:
        told = system.api("GET", f"/calls/{call['call']}").json()["explanation"]
        found += f"---- {told['state']}\n\n" + "\n".join(message["text"] for message in told["messages"])
    return found


def started(folder: Path) -> System:
    """A system of few ports for sound, away from the blocks that systems take by themselves: other tests may run many."""
    blocks = [(first, first + 399) for first in range(10_000, 18_000, 400)]
    first, last = next(block for block in random.sample(blocks, len(blocks)) if _is_free(block))
    return start_system(folder, OFFHOOK_RTP_PORTS=f"{first}-{last}")


def _is_free(block: tuple[int, int]) -> bool:
    try:
        claim_rtp_block(block).release()
    except NoRtpPorts:
        return False
    return True


def missing() -> list[str]:
    """What must be installed before all cells can be played, each with its command."""
    found = []
    for kind in CLIENTS:
        try:
            kind.version()
        except Missing as reason:
            found.append(str(reason))
    return found


def results(system: System, folder: Path, clients: list[type[Client]], cells: list[Cell]) -> dict[str, dict[str, Outcome]]:
    """Play the cells one after the other, and say what comes of each at once."""
    found: dict[str, dict[str, Outcome]] = {}
    for kind in clients:
        for cell in cells:
            name = cell.name.replace(" ", "-")
            came = asyncio.run(outcome(system, kind, cell, folder / kind.name / name))
            found.setdefault(kind.name, {})[cell.name] = came
            print(f"{kind.name:9} {cell.name:18} {came.result:12} {came.seconds:6.1f} s  {came.note}", flush=True)
    return found


def written(found: dict[str, dict[str, Outcome]]) -> str:
    """The results as they are kept: cells that were not played now keep what they had."""
    kept = json.loads(RESULTS.read_text())["clients"] if RESULTS.exists() else {}
    today = datetime.now(UTC).date().isoformat()
    clients = {}
    for kind in CLIENTS:
        before = kept.get(kind.name, {}).get("cells", {})
        played = {cell: {"result": came.result, "note": came.note, "date": today} for cell, came in found.get(kind.name, {}).items()}
        clients[kind.name] = {
            "version": kind.version(),
            "cells": {cell: each for cell in CELLS if (each := played.get(cell) or before.get(cell))},
        }
    return json.dumps({"cells": {cell.name: cell.what for cell in CELLS.values()}, "clients": clients}, indent=1) + "\n"


def main() -> int:
    """Play what was asked for; 1 if a cell failed."""
    parser = argparse.ArgumentParser(description="Plays the interop table against one running system.")
    parser.add_argument("--client", action="append", choices=[kind.name for kind in CLIENTS])
    parser.add_argument("--cell", action="append", choices=list(CELLS))
    parser.add_argument("--write", action="store_true", help="keep the results in docs/interop.json")
    asked = parser.parse_args()
    clients = [kind for kind in CLIENTS if not asked.client or kind.name in asked.client]
    if lacking := missing():
        print("\n".join(lacking), file=sys.stderr)
        return 2
    folder = Path(tempfile.mkdtemp(prefix="interop-"))
    system = started(folder / "var")
    try:
        found = results(system, folder, clients, [cell for cell in CELLS.values() if not asked.cell or cell.name in asked.cell])
    finally:
        system.stop()
    if asked.write:
        RESULTS.write_text(written(found))
    failed = sum(came.result == FAIL for cells in found.values() for came in cells.values())
    print(f"{failed} failed; logs in {folder}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
