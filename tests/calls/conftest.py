"""One running system for all stories of this folder; stories that break a system start one of their own."""

from collections.abc import Iterator

import pytest

from tests.calls.system import System, start_system


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system with the sandbox."""
    running = start_system(tmp_path_factory.mktemp("system") / "var")
    yield running
    assert running.stop() == 0, running.output.read_text()
