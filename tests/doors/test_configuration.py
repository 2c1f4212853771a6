"""An organization as a file, and what-if, through the API and the command line."""

from pathlib import Path
from typing import Any

import pytest

from offhook.domain.access import EVERYTHING, READS
from offhook.doors.cli.server import Exit
from offhook.services.tokens import issue
from tests.doors.rooms import World
from tests.doors.test_command_line import answered, offhook, running, url

__all__ = ["running", "url"]


def exported(data: Path) -> str:
    done = offhook("export", data=data)
    assert (done.returncode, done.stderr) == (Exit.DONE, "")
    return done.stdout


def test_export_plan_apply_and_plan_again(world: World, running: Path, tmp_path: Path) -> None:
    file = tmp_path / "lumen.yaml"
    assert offhook("export", str(file), data=running).returncode == Exit.DONE
    assert offhook("plan", str(file), data=running).returncode == Exit.DONE
    file.write_text(file.read_text().replace("extension: '102'", "extension: '112'"))
    planned = offhook("plan", str(file), data=running)
    assert (planned.returncode, planned.stdout) == (Exit.DIFFERS, "~ ben's extension 102 becomes 112\n")
    refreshed = world.switch.refreshed
    assert offhook("apply", str(file), data=running).returncode == Exit.DONE
    assert world.switch.refreshed == refreshed + 1
    assert offhook("plan", str(file), data=running).returncode == Exit.DONE
    assert "extension: '112'" in exported(running)


def test_what_hurts_is_not_done_without_a_yes(world: World, running: Path, tmp_path: Path) -> None:
    file = tmp_path / "lumen.yaml"
    text = exported(running)
    start, end = text.index("    telephones:"), text.index("  ben:")
    file.write_text(text[:start] + text[end:])
    refused = offhook("apply", str(file), data=running)
    assert refused.returncode == Exit.REFUSED
    assert "1 telephone loses its registration" in refused.stdout and "Lost would be: " in refused.stderr
    assert exported(running) == text
    would = offhook("apply", str(file), "--dry-run", data=running)
    assert (would.returncode, would.stdout, exported(running)) == (Exit.DONE, refused.stdout, text)
    assert answered("apply", str(file), "--dry-run", data=running)["differences"][0]["hurts"] is True
    assert offhook("apply", str(file), "--yes", data=running).returncode == Exit.DONE
    assert offhook("plan", str(file), data=running).returncode == Exit.DONE


def test_what_is_wrong_in_a_file_is_named(running: Path, tmp_path: Path) -> None:
    file = tmp_path / "lumen.yaml"
    file.write_text(exported(running).replace("extension: '102'", "extension: '911'"))
    refused = offhook("plan", str(file), data=running)
    assert refused.returncode == Exit.REFUSED
    assert "users.ben.extension: 911 is an emergency number" in refused.stderr
    file.write_text(exported(running).replace("name: Ben Okafor", "nmae: Ben Okafor"))
    told = offhook("plan", str(file), data=running).stderr
    assert "users.ben.name: this must be there" in told or "users.ben.nmae: nothing is called so here" in told
    file.write_bytes(b"name: \xff")
    for arguments, words in (
        ([str(file)], "not UTF-8"),
        ([str(tmp_path / "none")], "cannot be read"),
        ([], "Usage"),
        ([str(file), "--nonsense"], "Usage"),
    ):
        wrong = offhook("plan", *arguments, data=running)
        assert (wrong.returncode, words in wrong.stderr) == (Exit.WRONG_COMMAND, True), wrong.stderr


def test_a_route_is_told_with_its_reasons(running: Path, tmp_path: Path) -> None:
    told = offhook("route", "--from", "anna", "--to", "102", data=running)
    assert told.returncode == Exit.DONE
    assert "A call from anna to 102 rings Ben Okafor (ben)." in told.stdout
    assert "[number.extension_matched]" in told.stdout
    file = tmp_path / "lumen.yaml"
    file.write_text(exported(running).replace("extension: '102'", "extension: '112'"))
    then = answered("route", "--from", "anna", "--to", "112", "--plan", str(file), data=running)
    assert (then["way"], then["revision"]) == (["user", "ben"], None)
    first = answered("route", "--from", "anna", "--to", "102", "--revision", "2", data=running)
    assert first["revision"] == 2
    assert offhook("route", "--from", "zoe", "--to", "102", data=running).returncode == Exit.REFUSED


@pytest.mark.parametrize("since", ["30d", "2020-01-01", "2020-01-01T10:00+01:00"])
def test_a_replay_is_told(world: World, running: Path, tmp_path: Path, since: str) -> None:
    world.recorded(1, 2)
    file = tmp_path / "lumen.yaml"
    file.write_text(exported(running))
    told = offhook("replay", "--plan", str(file), "--since", since, data=running)
    assert told.returncode == Exit.DONE
    assert "calls would go elsewhere" in told.stdout
    assert offhook("replay", "--plan", str(file), "--since", "yesterday", data=running).returncode == Exit.WRONG_COMMAND


async def test_a_plan_that_is_old_is_refused(world: World) -> None:
    async with world.client(world.lumen.token) as client:
        text = (await client.get("/api/v1/configuration")).text
        kind = {"Content-Type": "application/yaml"}
        stale = await client.post("/api/v1/configuration/apply?planned_at=1", content=text, headers=kind)
        assert (stale.status_code, stale.json()["code"]) == (412, "thing.stale")
        other = await client.post("/api/v1/configuration/apply", content=text.replace("lumen.test", "pine.test"), headers=kind)
        assert (other.status_code, other.json()["field"]) == (422, "organization.domain")


async def test_an_hour_goes_with_a_configuration_and_two_configurations_do_not_go_together(world: World) -> None:
    kind = {"Content-Type": "application/yaml"}
    async with world.client(world.lumen.token) as client:

        async def routed(to: str, **more: Any) -> Any:
            answer = await client.post("/api/v1/route", json={"from": "anna", "to": to, "at": "2026-11-20T18:30:00Z"} | more)
            return answer.json() if answer.status_code == 200 else (answer.status_code, answer.json()["field"])

        before = (await client.get("/api/v1/configuration")).text
        revision = (await client.get("/api/v1/organization")).json()["revision"]
        changed = before.replace("extension: '102'", "extension: '112'")
        assert (await client.post("/api/v1/configuration/apply", content=changed, headers=kind)).status_code == 200
        assert (await routed("102", revision=revision))["revision"] == revision
        assert (await routed("112", plan=changed))["way"] == (await routed("102", plan=before))["way"] == ["user", "ben"]
        assert await routed("102", plan=before, revision=revision) == (422, "plan")
        assert await routed("102") == (404, "at")  # alone it says which configuration, and there was none
        plans = {
            "plan": "{",
            "plan.users.ben.extension": changed.replace("112", "911"),
            "plan.organization.domain": before.replace(".test", ".org"),
        }
        for field, plan in plans.items():
            assert await routed("102", plan=plan) == (422, field)
            replayed = await client.post("/api/v1/replay", json={"plan": plan, "since": "2026-11-20T18:30:00Z"})
            assert (replayed.status_code, replayed.json()["field"]) == (422, field)


async def test_what_applying_refuses_is_refused_when_it_is_planned(world: World) -> None:
    kind, own = {"Content-Type": "application/yaml"}, world.lumen.profile.id
    async with world.client(world.lumen.token) as client:
        text = (await client.get("/api/v1/configuration")).text
        given = text.replace("    extension: '102'", "    extension: '102'\n    role: global")
        others = given.replace("numbers:\n", f"numbers:\n  '{world.pine.users[0].user.number}': {{}}\n")
        assert len({text, given, others}) == 3
        assert (await client.post("/api/v1/configuration/apply", content=given, headers=kind)).status_code == 200
    refreshed = world.switch.refreshed
    for content, scopes, answer in (
        (text, EVERYTHING, (409, "role.last_administrator")),
        (text, EVERYTHING - {"billing:write"}, (403, "access.forbidden")),
        (others, EVERYTHING, (409, "number.not_available")),
    ):
        async with world.client(issue(world.database, own, "somebody", None, "tests", scopes)) as client:
            for verb in ("plan", "apply"):
                told = await client.post(f"/api/v1/configuration/{verb}", content=content, headers=kind)
                assert (told.status_code, told.json().get("code")) == answer, (verb, told.text)
    assert world.switch.refreshed == refreshed
    async with world.client(issue(world.database, own, "looks", None, "tests", READS)) as client:  # plans for others
        told = await client.post("/api/v1/configuration/plan", content=text, headers=kind)
        assert told.json()["differences"][0]["words"] == "ben's role global becomes none"


async def test_the_switch_that_does_not_answer_is_said(world: World) -> None:
    world.switch.down = True
    async with world.client(world.lumen.token) as client:
        answer = await client.post("/api/v1/route", json={"from": "anna", "to": "102"})
    assert answer.status_code == 503
