"""The figures and the health of a running system are true: calls with known endings are counted exactly, and a part that hangs is told."""

import json
import os
import re
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import httpx
import pytest

from offhook.phones.registration import RegistrationRefused
from tests.calls.stories import connected, eventually, hear_each_other, registered, token_of_the_provider, told
from tests.calls.system import System, start_system

pytestmark = pytest.mark.engines

Samples = dict[tuple[str, str], float]
SAMPLE = re.compile(r"^(\w+)(?:{(.*)})? (\S+)$")


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system whose calls are counted, with logs as JSON and every message in them."""
    running = start_system(tmp_path_factory.mktemp("watched") / "var", OFFHOOK_LOG_FORMAT="json", OFFHOOK_LOG_LEVEL="debug")
    yield running
    assert running.stop() == 0, running.output.read_text()


def asked(system: System, path: str, token: str | None = None) -> httpx.Response:
    """What stands at a path of the system's root."""
    bearer = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.get(system.sandbox["api"]["url"] + path, headers=bearer, timeout=20, trust_env=False)


def figures(system: System) -> Samples:
    """Every sample by name and labels."""
    answer = asked(system, "/metrics")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain"), answer.text
    found = [SAMPLE.match(line) for line in answer.text.splitlines() if not line.startswith("#")]
    return {(each[1], each[2] or ""): float(each[3]) for each in found if each}


def changed(before: Samples, after: Samples, name: str) -> dict[str, float]:
    """By how much each sample of a name grew, without those that did not."""
    grown = {labels: value - before.get((each, labels), 0.0) for (each, labels), value in after.items() if each == name}
    return {labels: by for labels, by in grown.items() if by}


async def test_three_calls_with_known_endings_are_counted_and_nothing_else(watched: System) -> None:
    async with registered(watched.phone("anna"), watched.phone("ben")) as (anna, ben):
        before = figures(watched)
        talk, other = await connected(anna, ben, "102")
        await hear_each_other(talk, other)
        during = figures(watched)
        assert changed(before, during, "offhook_calls") == {'direction="inside",state="answered"': 1}
        assert changed(before, during, "offhook_rtp_ports") == {'state="used"': 4, 'state="free"': -4}
        await talk.hangs_up()
        await told(watched, talk, "completed.by_caller")
        declined = await anna.dials("102")
        (await ben.rings(20)).declines(603)
        await told(watched, declined, "callee.declined")
        given_up = await (await anna.dials("102")).ringing(20)
        await given_up.hangs_up(20)
        await told(watched, given_up, "caller.cancelled")
        after = figures(watched)
    assert changed(before, after, "offhook_calls_ended_total") == {
        'direction="inside",ending="completed.by_caller"': 1,
        'direction="inside",ending="callee.declined"': 1,
        'direction="inside",ending="caller.cancelled"': 1,
    }
    assert changed(before, after, "offhook_call_setup_seconds_count") == {'direction="inside"': 1}
    assert changed(before, after, "offhook_call_post_dial_delay_seconds_count") == {'direction="inside"': 3}
    assert changed(before, after, "offhook_streams_total") == {'reported="no"': 2}
    assert after["offhook_registrations", ""] == 2
    assert changed(before, after, "offhook_rtp_packets_total")[""] > 0 and after["offhook_rtp_packet_errors_total", ""] == 0
    assert 100e6 < after["offhook_edge_memory_free_bytes", ""] < 256 << 20
    assert changed(before, after, "offhook_calls") == {} and changed(before, after, "offhook_legs") == {}
    assert after["offhook_switch_inbox_lag_seconds_count", ""] - before["offhook_switch_inbox_lag_seconds_count", ""] > 15
    orders = changed(before, after, "offhook_commands_total")
    for engine in ("evaluator", "kamailio", "rtpengine", "signalling"):
        assert any(f'engine="{engine}"' in labels for labels in orders), orders
    assert all('outcome="done"' in labels for labels in orders), orders
    assert all(value == 1 for (name, _), value in after.items() if name == "offhook_part_up")


async def test_a_wrong_password_a_ban_and_its_lifting_are_seen(watched: System) -> None:
    token = token_of_the_provider(watched)
    before = figures(watched)
    async with watched.phone("chloe", password="not hers") as wrong:
        for _ in range(12):
            with pytest.raises(RegistrationRefused):
                await wrong.register(patience=20)
        banned = watched.offhook("--token", token, "bans", "list", "--json")
        assert "chloe@lumen.test" in banned.stdout, banned
        after = figures(watched)
        assert changed(before, after, "offhook_wrong_passwords_total")[""] >= 10
        assert changed(before, after, "offhook_bans_total") == changed(before, after, "offhook_bans") == {"": 1}
        lifted = watched.offhook("--token", token, "bans", "lift", "127.0.0.1", "--json")
        assert lifted.returncode == 0 and "chloe" not in lifted.stdout, lifted
    async with registered(watched.phone("chloe")):
        listed = await eventually(lambda: _registrations(watched, token, "chloe"), "chloe's telephone in the list")
        assert listed["domain"] == "lumen.test" and listed["address"].startswith("127.0.0.1:")


def _registrations(system: System, token: str, user: str) -> Any:
    answer = httpx.get(
        system.sandbox["api"]["url"] + "/api/v1/registrations", headers={"Authorization": f"Bearer {token}"}, timeout=20, trust_env=False
    )
    return next((each for each in answer.json()["registrations"] if each["user"] == user), None)


@pytest.mark.parametrize(("process", "part"), [("rtpengine", "rtpengine"), ("switch", "switch"), ("redis", "redis")])
async def test_a_part_that_hangs_is_told_and_so_is_its_recovery(watched: System, process: str, part: str) -> None:
    assert asked(watched, "/healthz").status_code == asked(watched, "/readyz").status_code == 200
    pid = watched.pids()[process]
    os.kill(pid, signal.SIGSTOP)
    try:
        ill = await eventually(lambda: _unless(asked(watched, "/healthz"), 200), "a system that is not well")
        assert ill.status_code == 503
        assert ill.json()["parts"][part] == "failing" and ill.json()["parts"]["database"] == "ok"
        assert asked(watched, "/readyz").status_code == (200 if part == "redis" else 503)
        assert ("offhook_part_up", f'part="{part}"') in figures(watched)
        assert figures(watched)["offhook_part_up", f'part="{part}"'] == 0
    finally:
        os.kill(pid, signal.SIGCONT)
    await eventually(lambda: _unless(asked(watched, "/healthz"), 503), "a system that is well again")
    assert asked(watched, "/readyz").status_code == 200


def _unless(answer: httpx.Response, status: int) -> httpx.Response | None:
    return None if answer.status_code == status else answer


async def test_a_database_that_cannot_be_written_is_unwell_but_calls_can_be_made(watched: System) -> None:
    path = watched.folder / "offhook.sqlite"
    with closing(sqlite3.connect(path, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        ill = await eventually(lambda: _unless(asked(watched, "/healthz"), 200), "a database that is locked")
        assert ill.json()["parts"]["database"] == "failing"
        assert asked(watched, "/readyz").status_code == 200
        holder.execute("ROLLBACK")
    await eventually(lambda: _unless(asked(watched, "/healthz"), 503), "a system that is well again")


async def test_every_line_of_the_log_is_an_object_names_its_call_and_tells_no_secret(watched: System) -> None:
    async with registered(watched.phone("anna"), watched.phone("ben")) as (anna, ben):
        talk, _ = await connected(anna, ben, "102")
        await talk.hangs_up()
        record = (await told(watched, talk, "completed.by_caller"))["record"]
    lines = [json.loads(line) for line in watched.log("switch").splitlines()]
    assert all({"at", "level", "process", "logger", "message"} <= line.keys() for line in lines)
    ends = [line for line in lines if line.get("call") == record["call"] and "ended" in line["message"]]
    assert [(line["process"], line["level"], "organization" in line) for line in ends] == [("switch", "info", True)], ends
    text = "".join(file.read_text(errors="replace") for file in (watched.folder / "logs").iterdir())
    secrets = [user["password"] for user in watched.sandbox["sip"]["users"]] + [watched.sandbox["api"]["token"], watched.plan.edge_secret]
    secrets += [token_of_the_provider(watched), "Authorization:", 'response="', "a=crypto"]
    assert not [secret for secret in secrets if secret in text]
