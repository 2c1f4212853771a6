"""One running system that trusts the addresses 127.0.66.0/24, so that what comes from there is judged and not swallowed as a flood.

Calls of a telephone that has left without a word end within two minutes there, and one user may make as many as the attackers want.
"""

from collections.abc import Iterator

import pytest

from tests.calls.system import System, start_system
from tests.hostile.peers import TRUSTED


@pytest.fixture(scope="session")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that is attacked."""
    settings = {"OFFHOOK_TRUSTED": f"{TRUSTED}.0/24", "OFFHOOK_SESSION_SECONDS": "90", "OFFHOOK_MOST_CALLS_A_USER": "1000"}
    running = start_system(tmp_path_factory.mktemp("hostile") / "var", **settings)
    yield running
    assert running.stop() == 0, running.output.read_text()
