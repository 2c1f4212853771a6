"""The command line finds calls: by time, by who took part, and as the provider those of everybody."""

from datetime import UTC, datetime
from pathlib import Path

from offhook.doors.cli.server import Exit
from tests.doors.rooms import World, the_call
from tests.doors.test_command_line import answered, offhook, provided, running, url

__all__ = ["provided", "running", "url"]


def test_calls_are_chosen_by_who_took_part_and_when(world: World, running: Path) -> None:
    told = [("anna@lumen.test", "102", "ben's telephone at 10.0.0.5:5060", "inside"), ("+12065550199", "+12065550101", None, "in")]
    for minute, parties in enumerate(told):
        world.takes_part(minute, world.lumen, *parties, alive=False)
    inside, incoming = (the_call(minute, world.lumen.profile.id) for minute in (0, 1))
    moment = datetime.fromtimestamp(world.started(1), UTC).isoformat()
    for options, found in (
        (["--user", "ben"], [inside]),
        (["--number", "+12065550199"], [incoming]),
        (["--from", "anna", "--to", "102"], [inside]),
        (["--direction", "in", "--since", moment], [incoming]),
        (["--until", moment], [inside]),
        (["--since", "1d"], []),
    ):
        assert [call["call"] for call in answered("calls", *options, data=running)["calls"]] == found, options
    assert offhook("calls", "--since", "yesterday", data=running).returncode == Exit.WRONG_COMMAND
    assert offhook("calls", "--direction", "up", data=running).returncode == Exit.WRONG_COMMAND


def test_the_provider_lists_and_explains_everybodys_calls_if_all_is_said(world: World, provided: Path) -> None:
    own, (theirs,) = world.recorded(1), world.recorded(2, of=world.pine)
    assert [call["call"] for call in answered("calls", "--all", data=provided)["calls"]] == [theirs, *own]
    assert answered("explain", theirs, "--all", data=provided)["record"]["call"] == theirs
    assert answered("explain", "--all", data=provided)["record"]["call"] == theirs
