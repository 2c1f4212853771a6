"""Deaths: no process outlives its supervisor, and what dies beside it comes back."""

import os
import re
import signal
from pathlib import Path

from offhook.supervisor.deathwatch import has_living_members
from tests.supervisor.conftest import LittleSystem, is_alive, soon


def warden_of(system: LittleSystem) -> int:
    children = Path(f"/proc/{system.process.pid}/task/{system.process.pid}/children").read_text(encoding="ascii").split()
    return next(int(pid) for pid in children if b"deathwatch" in Path("/proc", pid, "cmdline").read_bytes())


def test_kill_9_of_the_supervisor_leaves_no_process(system: LittleSystem) -> None:
    assert len(system.living()) == 3
    warden = warden_of(system)
    system.signal(signal.SIGKILL)
    system.process.wait(10)
    soon(lambda: not system.living(), "all children of the killed supervisor are dead", 5)
    soon(lambda: not is_alive(warden), "the warden ended too", 5)


def test_after_kill_9_the_next_system_waits_for_the_last_processes_and_starts(system: LittleSystem) -> None:
    system.signal(signal.SIGKILL)
    system.process.wait(10)
    former = set(system.groups())
    for path in system.folder.glob("*.group"):
        path.unlink()
    system.log.unlink()
    following = LittleSystem(system.folder)
    try:
        following.ready()
        assert not [group for group in former if group in following.living()]
    finally:
        following.signal(signal.SIGKILL)
        following.process.wait(10)
    soon(lambda: not following.living(), "nothing is left of the second system either")


def test_a_killed_warden_is_replaced_and_the_next_one_knows_all_children(system: LittleSystem) -> None:
    former = warden_of(system)
    os.kill(former, signal.SIGKILL)
    soon(lambda: not is_alive(former) and any_warden(system) not in (0, former), "another warden keeps watch")
    system.signal(signal.SIGKILL)
    system.process.wait(10)
    soon(lambda: not system.living(), "the second warden ended what the first had been told of", 5)


def any_warden(system: LittleSystem) -> int:
    try:
        return warden_of(system)
    except (StopIteration, OSError):
        return 0


def test_a_child_killed_with_its_workers_left_over_is_back_and_its_workers_are_gone(system: LittleSystem) -> None:
    written = system.folder / "edge.group"
    former = int(written.read_text(encoding="ascii"))
    os.kill(former, signal.SIGKILL)  # the leader alone: its two workers live on, as Kamailio's do
    soon(lambda: system.said("edge is back"), "the edge is started again", 10)
    assert int(written.read_text(encoding="ascii")) != former
    soon(lambda: not has_living_members(former), "the workers of the dead edge are gone")
    assert system.said("edge ended (killed by SIGKILL)")


def test_the_first_signal_drains_and_then_stops_all(system: LittleSystem) -> None:
    system.signal(signal.SIGTERM)
    soon(lambda: "draining" in (system.folder / "switch.log").read_text(encoding="utf-8"), "the switch drains")
    assert system.process.poll() is None and len(system.living()) == 3, "while calls go on, the edge and all else stay up"
    (system.folder / "calls-over").touch()
    assert system.process.wait(15) == 0
    assert system.said("stopped") and not system.living()


def test_the_second_signal_ends_at_once(system: LittleSystem) -> None:
    system.signal(signal.SIGINT)
    soon(lambda: "draining" in (system.folder / "switch.log").read_text(encoding="utf-8"), "the switch drains")
    system.signal(signal.SIGINT)
    assert system.process.wait(10) == 0, "the switch would have drained for 60 s"
    assert not system.living()


def test_a_second_system_on_the_same_data_folder_is_refused(system: LittleSystem) -> None:
    second = LittleSystem(system.folder)
    assert second.process.wait(15) == 1
    assert second.said(f"Another system (process {system.process.pid}) uses the data folder")
    assert len(system.living()) == 3, "and the first goes on"


def test_two_systems_side_by_side_have_rtp_ports_of_their_own(system: LittleSystem, tmp_path: Path) -> None:
    other_folder = tmp_path / "other"
    other_folder.mkdir()
    other = LittleSystem(other_folder)
    try:
        other.ready()
        first, second = (
            int(found[1]) for each in (system, other) if (found := re.search(r"rtp (\d+)", each.log.read_text(encoding="utf-8")))
        )
        assert abs(first - second) >= 2000
    finally:
        other.signal(signal.SIGKILL)
        other.process.wait(10)
        soon(lambda: not other.living(), "nothing is left of the other system")
