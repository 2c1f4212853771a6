"""One running system for all cells."""

from collections.abc import Iterator

import pytest

from tests.calls.system import System
from tests.interop.matrix import started


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system with the sandbox."""
    running = started(tmp_path_factory.mktemp("interop") / "var")
    yield running
    assert running.stop() == 0, running.output.read_text()
