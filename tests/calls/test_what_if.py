"""What a plan would change, told before it is done: the same decisions as the calls that are made."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.calls.stories import connected, registered, told
from tests.calls.system import System, start_system

pytestmark = pytest.mark.engines
DIFFERS = 2


@pytest.fixture
def own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system that this story may change."""
    running = start_system(tmp_path_factory.mktemp("planning") / "var")
    yield running
    assert running.stop() == 0, running.output.read_text()


def asked(system: System, *arguments: str) -> dict[str, object]:
    """What a command prints for programs."""
    done = system.offhook(*arguments, "--json")
    assert done.returncode in (0, DIFFERS), done.stderr
    answer: dict[str, object] = json.loads(done.stdout)
    return answer


async def test_plan_replay_apply_and_the_calls_go_as_was_said(own: System, tmp_path: Path) -> None:
    file = tmp_path / "lumen.yaml"
    async with registered(own.phone("anna"), own.phone("ben")) as (anna, ben):
        call, rung = await connected(anna, ben, "102")
        assert asked(own, "route", "--from", "anna", "--to", "102")["way"] == ["user", "ben"]
        await call.hangs_up()
        await rung.ended()
        before = (await told(own, call, "completed.by_caller"))["explanation"]["decisions"]
        said = asked(own, "route", "--from", "anna", "--to", "102")["reasons"]
        assert isinstance(said, list)
        # But for where anna called from, what was decided is what is said.
        assert [reason["code"] for reason in said] == [decision["code"] for decision in before]

        assert own.offhook("export", str(file)).returncode == 0
        assert own.offhook("plan", str(file)).returncode == 0
        file.write_text(file.read_text().replace("extension: '102'", "extension: '112'"))
        planned = own.offhook("plan", str(file))
        assert (planned.returncode, planned.stdout) == (DIFFERS, "~ ben's extension 102 becomes 112\n")
        changed = asked(own, "replay", "--plan", str(file), "--since", "1h")["changed"]
        assert isinstance(changed, list)
        assert [(each["dialled"], each["now"]["way"], each["then"]["way"][0]) for each in changed] == [("102", ["user", "ben"], "refused")]
        assert asked(own, "route", "--from", "anna", "--to", "112", "--plan", str(file))["way"] == ["user", "ben"]

        assert asked(own, "apply", str(file))["in_effect"] is True
        assert own.offhook("plan", str(file)).returncode == 0
        call, rung = await connected(anna, ben, "112")
        await call.hangs_up()
        await rung.ended()
        refused = await (await anna.dials("102")).ended()
        assert refused.status == 484
        then = asked(own, "route", "--from", "anna", "--to", "102", "--revision", "2")
        assert then["revision"] == 2
