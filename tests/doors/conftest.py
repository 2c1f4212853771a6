"""A house with real services on a real database, and rooms of now that a test can set."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from offhook.doors.api.app import create_app
from offhook.doors.api.house import House
from offhook.services.sandbox import seed
from offhook.store.migrate import migrate
from offhook.store.transaction import Database
from tests.doors.rooms import CarrierRoom, LiveRoom, ProbeRoom, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    url = f"sqlite:///{tmp_path}/offhook.sqlite"
    migrate(url)
    database = Database.at(url)
    switch, carrier, probe = LiveRoom(), CarrierRoom(), ProbeRoom()

    async def status() -> dict[str, Any]:
        return {
            "processes": [{"name": "switch", "pid": 4711, "restarts": 0}],
            "engines": [{"name": "rtpengine", "answers": True}],
            "ports": [{"name": "telephones", "address": "127.0.0.1", "port": 5060, "transport": "udp"}],
        }

    sandbox = seed(database, b"a key for tests", "127.0.0.9", 5080)
    app = create_app(House(database, switch, carrier, probe, status, "0.1.0", "127.0.0.1:5060"))
    yield World(database, sandbox, switch, carrier, probe, app)
    database.close()
