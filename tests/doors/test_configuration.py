"""An organization as a file, and what-if, through the API and the command line."""

from pathlib import Path

import pytest

from offhook.doors.cli.server import Exit
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
    assert (planned.returncode, planned.stdout) == (2, "~ ben's extension 102 becomes 112\n")
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
    assert "not UTF-8" in offhook("plan", str(file), data=running).stderr
    assert "cannot be read" in offhook("plan", str(tmp_path / "none"), data=running).stderr


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
        both = await client.post("/api/v1/route", json={"from": "anna", "to": "102", "revision": 1, "plan": text})
        assert (both.status_code, both.json()["field"]) == (422, "plan")


async def test_the_switch_that_does_not_answer_is_said(world: World) -> None:
    world.switch.down = True
    async with world.client(world.lumen.token) as client:
        answer = await client.post("/api/v1/route", json={"from": "anna", "to": "102"})
    assert answer.status_code == 503
