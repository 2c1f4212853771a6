"""The interop table: a few cells in every run of the tests, all of them in the long one."""

from pathlib import Path

import pytest

from tests.calls.system import System
from tests.interop.baresip import Baresip
from tests.interop.cells import CELLS
from tests.interop.matrix import CLIENTS, FAIL, NOT_OFFERED, missing, outcome
from tests.interop.sipp import Sipp
from tests.interop.softphone import Client

pytestmark = pytest.mark.engines

SHORT = [
    (Sipp, "be called"),
    (Sipp, "hold and resume"),
    (Baresip, "hold and resume"),
    (Baresip, "DTMF by RFC 4733"),
    (Baresip, "blind transfer"),
]


@pytest.mark.parametrize(("kind", "cell"), SHORT, ids=lambda value: value if isinstance(value, str) else value.name)
async def test_a_few_cells(system: System, kind: type[Client], cell: str, tmp_path: Path) -> None:
    came = await outcome(system, kind, CELLS[cell], tmp_path / "client")
    assert came.result != FAIL, came.note


@pytest.mark.long
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("kind", CLIENTS, ids=lambda kind: kind.name)
async def test_every_cell(system: System, kind: type[Client], cell: str, tmp_path: Path) -> None:
    assert not missing(), "\n".join(missing())
    came = await outcome(system, kind, CELLS[cell], tmp_path / "client")
    assert came.result != FAIL, came.note
    assert (came.result == NOT_OFFERED) == (cell in kind.lacks)
