"""A whole system on PostgreSQL: calls, changes and records, also while the server is away."""

import asyncio
import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.calls.orphans import assert_nothing_is_left
from tests.calls.stories import connected, eventually, hear_each_other, registered, told
from tests.calls.system import System, start_system
from tests.calls.test_deaths_of_the_ground import known_once, supervised, talk, until_it_works
from tests.postgres import Cluster

pytestmark = pytest.mark.engines


@pytest.fixture(scope="module")
def own() -> Iterator[Cluster]:
    """A server that a test may stop, and that keeps what it said it keeps."""
    cluster = Cluster(synchronous_commit="on")
    yield cluster
    cluster.close()


@pytest.fixture(scope="module")
def on_postgres(own: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system with the sandbox and no file of SQLite."""
    running = start_system(tmp_path_factory.mktemp("system") / "var", OFFHOOK_DATABASE_URL=own.new_url())
    yield running
    assert running.stop() == 0, running.output.read_text()
    assert not (running.folder / "offhook.sqlite").exists()


async def test_a_call_is_made_and_its_record_seen(on_postgres: System) -> None:
    async with registered(on_postgres.phone("anna"), on_postgres.phone("ben")) as (anna, ben):
        call = await talk(anna, ben)
        await told(on_postgres, call, "completed.by_caller")
        answer = on_postgres.api("POST", "/users/ben/password")
        assert answer.status_code == 200 and answer.json()["in_effect"] is True
        async with registered(on_postgres.phone("ben", password=answer.json()["password"])) as (again,):
            await told(on_postgres, await talk(anna, again), "completed.by_caller")


async def test_without_the_server_calls_go_on_and_everybody_is_told(own: Cluster, on_postgres: System) -> None:
    system, before = on_postgres, len(known_once(on_postgres))
    await eventually((system.folder / "configuration.sqlite").exists, "a copy of the configuration")
    password = system.api("POST", "/users/ben/password").json()["password"]
    async with registered(system.phone("anna"), system.phone("ben", password=password)) as (anna, ben):
        during, other = await connected(anna, ben, "102")
        own.stop()
        await hear_each_other(during, other)
        await during.hangs_up()
        second = await talk(anna, ben)
        refused = await asyncio.to_thread(system.api, "GET", "/users")
        assert refused.status_code == 503 and "Check that the server runs" in refused.json()["detail"], refused.text
        spool = system.folder / "records.spool"
        await eventually(lambda: spool.exists() and spool.read_bytes().count(b"\n") == 2, "records that wait on disk")
        gone = (await asyncio.to_thread(supervised, system))["switch"]
        assert gone is not None
        os.kill(gone, signal.SIGKILL)
        await eventually(lambda: supervised(system)["switch"] not in (None, gone), "another switch", 30)
        third = await until_it_works(anna, ben)
        own.start()
        for call in (during, second, third):
            await told(system, call, "completed.by_caller")
        assert system.api("GET", "/users").status_code == 200
        await assert_nothing_is_left(system)
    assert len(known_once(system)) == before + 3


def test_the_doctor_looks_at_it(own: Cluster, on_postgres: System) -> None:
    def database(**environment: str) -> dict[str, str]:
        on_postgres.environment = dict(on_postgres.environment) | environment
        found = json.loads(on_postgres.offhook("doctor", "--json").stdout)["findings"]
        return next(dict(each) for each in found if (each["area"], each["name"]) == ("kept", "database"))

    right = on_postgres.environment["OFFHOOK_DATABASE_URL"]
    assert database()["state"] == "ok" and "this release" in database()["detail"]
    assert database(OFFHOOK_DATABASE_URL=own.new_url())["detail"].endswith("made at the first start")
    wrong = database(OFFHOOK_DATABASE_URL=own.url("nowhere"))
    assert wrong["state"] == "failure" and "does not exist" in wrong["detail"] and own.password not in str(wrong)
    on_postgres.environment = dict(on_postgres.environment) | {"OFFHOOK_DATABASE_URL": right}


def test_the_password_of_the_database_is_told_to_nobody(own: Cluster, on_postgres: System) -> None:
    assert on_postgres.plan.file.stat().st_mode & 0o077 == 0
    for file in (on_postgres.output, *(on_postgres.folder / "logs").iterdir()):
        assert own.password not in file.read_text(errors="replace"), file
    for pid in on_postgres.pids().values():
        for name in ("environ", "cmdline"):
            assert own.password.encode() not in Path("/proc", str(pid), name).read_bytes()
