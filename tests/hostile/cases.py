"""The corpus: one message a file, and a table that says what each teaches and what becomes of it.

Verdicts: "accepted", a status ("404"), or "dropped"; "|" between several that are right.
"""

import tomllib
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("corpus")
ACCEPTED, DROPPED = "accepted", "dropped"


@dataclass(frozen=True, slots=True)
class Case:
    """One message, why it is there, and the right verdicts by who judges ("agent", "edge"; "reader", "call")."""

    name: str
    data: bytes
    lesson: str
    verdicts: dict[str, frozenset[str]]


def cases(kind: str) -> list[Case]:
    """The corpus of a kind, "sip" or "sdp"; a file without a row, or a row without a file, is a mistake."""
    table = tomllib.loads((FOLDER / f"{kind}.toml").read_text(encoding="utf-8"))
    files = {file.stem: file for file in (FOLDER / kind).glob(f"*.{kind}")}
    assert files.keys() == table.keys(), f"files and rows differ: {sorted(files.keys() ^ table.keys())}"
    return [
        Case(name, files[name].read_bytes(), row.pop("lesson"), {judge: frozenset(verdict.split("|")) for judge, verdict in row.items()})
        for name, row in table.items()
    ]
