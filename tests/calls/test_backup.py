"""A system is lost with all it had, and is there again from a backup that was taken while it carried calls."""

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from offhook.domain.organizations import OrganizationId
from offhook.store.transaction import Database
from tests.calls.stories import connected, hear_each_other, registered, told
from tests.calls.system import System, start_system
from tests.calls.test_deaths_of_the_ground import known_once, talk
from tests.postgres import Cluster, name_of

pytestmark = pytest.mark.engines


@pytest.fixture(params=["sqlite", "postgresql"])
def settings(request: pytest.FixtureRequest) -> Iterator[dict[str, str]]:
    """What names the database; an empty one on PostgreSQL."""
    if request.param == "sqlite":
        yield {}
        return
    cluster: Cluster = request.getfixturevalue("cluster")
    url = cluster.new_url()
    yield {"OFFHOOK_DATABASE_URL": url}
    cluster.drop(name_of(url))


def history(system: System) -> list[tuple[int, str, str, str]]:
    """Every change of the first organization: revision, kind, id and who."""
    store = Database.at(system.plan.database_url)
    try:
        with store.view(OrganizationId(1)) as view:
            return [(change.revision, change.kind, change.id, change.who) for change in view.history.since(0)]
    finally:
        store.close()


def passwords(sandbox: dict[str, Any]) -> dict[str, str]:
    """Of the sandbox's people, by name."""
    return {user["username"]: user["password"] for user in sandbox["sip"]["users"]}


def destroyed(system: System, request: pytest.FixtureRequest) -> None:
    """Nothing is left of it."""
    url = system.plan.database_url
    shutil.rmtree(system.folder)
    if url.startswith("postgresql"):
        cluster: Cluster = request.getfixturevalue("cluster")
        cluster.drop(name_of(url))
        cluster.create(name_of(url))


async def test_backup_destroy_restore(tmp_path: Path, settings: dict[str, str], request: pytest.FixtureRequest) -> None:
    archive = tmp_path / "offhook.backup"
    system = start_system(tmp_path / "var", **settings)
    try:
        added = system.offhook("users", "add", "dora", "--name", "Dora", "--extension", "177", "--json")
        assert added.returncode == 0, added.stderr
        password = json.loads(added.stdout)["telephone"]["password"]
        async with registered(system.phone("anna"), system.phone("ben")) as (anna, ben):
            first = await talk(anna, ben)
            kept = (await told(system, first, "completed.by_caller"))["record"]["call"]
            call, other = await connected(anna, ben, "102")
            done = system.offhook("backup", str(archive), "--json")
            assert done.returncode == 0, done.stderr
            await hear_each_other(call, other)
            await call.hangs_up()
        refused = system.offhook("restore", str(archive), "--force", "--yes")
        assert refused.returncode == 6 and "runs" in refused.stderr, refused.stderr
        token, told_before, sandbox = system.sandbox["api"]["token"], history(system), system.sandbox
        authority = (system.folder / "tls" / "authority.key").read_bytes()
    finally:
        assert system.stop() == 0, system.output.read_text()
    destroyed(system, request)
    restored = system.offhook("restore", str(archive))
    assert restored.returncode == 0, restored.stderr
    system = start_system(tmp_path / "var", **settings)
    try:
        assert system.sandbox["api"]["token"] == token and history(system) == told_before
        assert (system.folder / "tls" / "authority.key").read_bytes() == authority
        assert known_once(system) == [kept]
        assert passwords(sandbox).items() <= passwords(system.sandbox).items()
        async with registered(system.phone("anna"), system.phone("dora", password=password)) as (anna, dora):
            call, other = await connected(anna, dora, "177")
            await hear_each_other(call, other)
            await call.hangs_up()
            await told(system, call, "completed.by_caller")
    finally:
        assert system.stop() == 0, system.output.read_text()
