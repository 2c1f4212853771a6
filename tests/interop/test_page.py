"""The page of the interop table says what the runs found, of every client and cell there is."""

import json

from tests.interop.cells import CELLS
from tests.interop.matrix import CLIENTS, FAIL, NOT_OFFERED, PASS
from tools import write_interop

KEPT = json.loads(write_interop.RESULTS.read_text())


def test_the_page_is_as_its_results() -> None:
    assert write_interop.PAGE.read_text() == write_interop.page(KEPT), "run .venv/bin/python -m tools.write_interop"


def test_the_results_name_every_client_and_cell() -> None:
    assert KEPT["cells"] == {cell.name: cell.what for cell in CELLS.values()}
    assert {name: set(client["cells"]) for name, client in KEPT["clients"].items()} == {kind.name: set(CELLS) for kind in CLIENTS}


def test_what_is_not_offered_is_what_the_drivers_say() -> None:
    for kind in CLIENTS:
        cells = KEPT["clients"][kind.name]["cells"]
        assert {cell: each["note"] for cell, each in cells.items() if each["result"] == NOT_OFFERED} == kind.lacks
        assert all(each["result"] in (PASS, FAIL, NOT_OFFERED) for each in cells.values())
