"""A house with real services on a real database, and rooms of now that a test can set."""

import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from offhook.doors.api.app import create_app
from offhook.doors.api.house import House
from offhook.metrics import Figures
from offhook.services.events import LiveEvents
from offhook.services.jobs import Clerk
from offhook.services.mail_room import MailRoom
from offhook.services.sandbox import seed
from offhook.services.sealing import Sealing
from offhook.services.what_if import organization_as
from offhook.store.migrate import migrate
from offhook.store.transaction import Database
from tests.doors.posting import Clock, Post
from tests.doors.receivers import Receiver, a_receiver
from tests.doors.rooms import BodyRoom, CarrierRoom, EdgeRoom, LiveRoom, PostBox, ProbeRoom, World

KEY = b"a key for tests"


@pytest.fixture(scope="session")
def first_start(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A database as it is after the first start."""
    path = tmp_path_factory.mktemp("first") / "offhook.sqlite"
    migrate(f"sqlite:///{path}")
    database = Database.at(f"sqlite:///{path}")
    seed(database, KEY, "127.0.0.9", 5080)
    database.close()
    return path


@pytest.fixture
def world(tmp_path: Path, first_start: Path) -> Iterator[World]:
    shutil.copy(first_start, tmp_path)
    database = Database.at(f"sqlite:///{tmp_path}/offhook.sqlite")
    switch, carrier, probe, edge, body, figures = LiveRoom(), CarrierRoom(), ProbeRoom(), EdgeRoom(), BodyRoom(), Figures()
    post_box = PostBox()

    async def status() -> dict[str, Any]:
        return {
            "processes": [{"name": "switch", "pid": 4711, "restarts": 0}],
            "engines": [{"name": "rtpengine", "answers": True}],
            "ports": [{"name": "telephones", "address": "127.0.0.1", "port": 5060, "transport": "udp"}],
        }

    async def told() -> list[dict[str, Any]]:
        return figures.told()

    sandbox = seed(database, KEY, "127.0.0.9", 5080)
    switch.configured = lambda own: organization_as(database, own)
    app = create_app(
        House(
            database,
            switch,
            carrier,
            probe,
            status,
            edge,
            body.health(),
            told,
            ("127.0.0.0/8",),
            "0.1.0",
            "127.0.0.1:5060",
            jobs=Clerk(database, switch),
            sealing=Sealing(KEY, "webhooks"),
            live_events=LiveEvents(switch, database),
            mail_room=MailRoom(Sealing(KEY, "mail"), post_box, "https://phones.offhook.test", "127.0.0.1:5060"),
        )
    )
    yield World(database, sandbox, switch, carrier, probe, edge, body, figures, app, post_box)
    database.close()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with a_receiver() as receiver:
        yield receiver


@pytest.fixture
def clock() -> Iterator[Clock]:
    yield Clock()


@pytest.fixture
def post(world: World, clock: Clock) -> Post:
    return Post(world, clock)
