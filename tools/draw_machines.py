"""Draws docs/state-machines from the tables of the machines; with --check says which drawings are out of date.

    .venv/bin/python -m tools.draw_machines [--check]

A diagram shows all that a machine can do: there is no transition in the code that is not in its table.
"""

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from offhook.domain.calls.call import CALL_MOVES, Stage
from offhook.domain.calls.in_attendant import ATTENDANT_MOVES, AttendantStage
from offhook.domain.calls.in_bridge import BRIDGE_MOVES, BridgeStage
from offhook.domain.calls.in_talk import TALK_MOVES
from offhook.domain.calls.in_transfer import TRANSFER_MOVES, TransferStage
from offhook.domain.calls.leg import LEG_MOVES, LegState
from offhook.domain.carrier_life import LIFE_MOVES, LifeStage
from offhook.domain.catalogue import SALES, ProductState
from offhook.sip.tables import MACHINES

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "state-machines"

Arrows = Iterator[tuple[str, str, str]]
"""From, to, label."""


def arrows_of_causes(moves: Mapping[Any, Mapping[type, Any]]) -> Arrows:
    """A table of states: cause -> state."""
    for state, row in moves.items():
        for cause, following in row.items():
            yield state.value, following.value, cause.__name__


def arrows_of(moves: Mapping[Any, Mapping[type, Any]], end: str) -> Arrows:
    """A table of stages: each move names every stage it may lead to; one that names none ends the call."""
    for stage, row in moves.items():
        for event, move in row.items():
            for following in move.to or (end,):
                yield stage.value, getattr(following, "value", following), event.__name__


def arrows_of_sip(moves: Mapping[Any, Mapping[Any, Any]]) -> Arrows:
    """A table of the SIP room: event -> next state."""
    for state, row in moves.items():
        for event, move in row.items():
            yield state.value, move.next.value, event.value


def arrows_of_products() -> Arrows:
    """The catalogue's table: what is done with a product -> its state."""
    for state, row in SALES.items():
        for sale, following in row.items():
            yield state.value, following.value, sale.value


def drawing(title: str, words: str, first: str, arrows: Arrows) -> str:
    """One page: a heading, a sentence, a diagram."""
    labels: dict[tuple[str, str], list[str]] = {}
    for start, end, label in arrows:
        labels.setdefault((start, end), []).append(label)
    lines = [f"    [*] --> {_name(first)}"]
    lines += [f"    {_name(start)} --> {_name(end)}: {', '.join(sorted(set(causes)))}" for (start, end), causes in labels.items()]
    body = "\n".join(lines)
    return f"# {title}\n\n{words}\n\n```mermaid\nstateDiagram-v2\n{body}\n```\n"


def _name(state: str) -> str:
    return state.replace(" ", "_").replace("-", "_")


def pages() -> dict[str, str]:
    """Every page by file name."""
    drawn = {
        "call.md": drawing("A call", "From `src/offhook/domain/calls/call.py`.", Stage.NEW.value, arrows_of(CALL_MOVES, "closing")),
        "leg.md": drawing(
            "A leg",
            "From `src/offhook/domain/calls/leg.py`; causes are facts and our own orders.",
            LegState.ARRIVED.value,
            arrows_of_causes(LEG_MOVES),
        ),
        "carrier-life.md": drawing(
            "Whether a carrier lives",
            "From `src/offhook/domain/carrier_life.py`; unheard is told as unknown, doubted as up.",
            LifeStage.UNKNOWN.value,
            arrows_of_causes(LIFE_MOVES),
        ),
        "bridge.md": drawing(
            "A call in a bridge",
            "From `src/offhook/domain/calls/in_bridge.py`.",
            BridgeStage.FINDING.value,
            arrows_of(BRIDGE_MOVES, "over"),
        ),
        "talk.md": drawing(
            "A call in which two talk",
            "From `src/offhook/domain/calls/in_talk.py`.",
            Stage.SERVED.value,
            arrows_of(TALK_MOVES, "call ended"),
        ),
        "transfer.md": drawing(
            "A call that is transferred",
            "From `src/offhook/domain/calls/in_transfer.py`; while it rings, the bridge's table rules too.",
            TransferStage.ROUTING.value,
            arrows_of(TRANSFER_MOVES, "call ended"),
        ),
        "attendant.md": drawing(
            "A call with an attendant",
            "From `src/offhook/domain/calls/in_attendant.py`; while connecting, the bridge's table rules.",
            AttendantStage.ANSWERING.value,
            arrows_of(ATTENDANT_MOVES, "call ended"),
        ),
    }
    words = "From `src/offhook/domain/catalogue.py`. A draft can be removed; what was ever on sale cannot."
    drawn["product.md"] = drawing("A product of the catalogue", words, ProductState.DRAFT.value, arrows_of_products())
    for name, machine in MACHINES.items():
        words = "From the tables in `src/offhook/sip`."
        drawn[f"sip-{name.replace(' ', '-')}.md"] = drawing(f"SIP: {name}", words, machine.start.value, arrows_of_sip(machine.moves))
    return drawn


def main() -> int:
    """Write the pages, or check them; the exit code."""
    stale = [name for name, text in pages().items() if not (FOLDER / name).is_file() or (FOLDER / name).read_text() != text]
    if "--check" in sys.argv[1:]:
        for name in stale:
            print(f"docs/state-machines/{name} is not as the tables are: run .venv/bin/python -m tools.draw_machines")
        return 1 if stale else 0
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in pages().items():
        (FOLDER / name).write_text(text)
    return 0


if __name__ == "__main__":
    sys.exit(main())
