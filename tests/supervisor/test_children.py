"""One child's life: ready or refused, started again, stopped politely and then not."""

import asyncio
import ctypes
import os
import platform
import re
import signal
import struct
import sys
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path

import pytest

from offhook.supervisor.children import Child
from offhook.supervisor.deathwatch import has_living_members
from offhook.supervisor.logfile import LIMIT_BYTES, bound_log, last_lines, open_log
from offhook.supervisor.refusals import ChildNotReady, ProgramMissing
from offhook.supervisor.supervisor import Supervisor
from tests.supervisor.conftest import eventually


class Stage:
    """Supervisors of one test, with what they told."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.told: list[str] = []
        self._supervisors: list[Supervisor] = []

    def child(self, name: str, script: str, **other: object) -> Child:
        return Child(name=name, arguments=("/bin/sh", "-c", script), log=self.folder / f"{name}.log", **other)  # type: ignore[arg-type]

    def supervisor(self, *children: Child) -> Supervisor:
        self._supervisors.append(Supervisor(children, self.told.append))
        return self._supervisors[-1]

    async def clear(self) -> None:
        for supervisor in self._supervisors:
            await supervisor.stop()


@pytest.fixture
async def stage(tmp_path: Path) -> AsyncIterator[Stage]:
    built = Stage(tmp_path)
    yield built
    await built.clear()


async def test_children_start_in_order_each_when_the_former_is_ready(stage: Stage) -> None:
    marks: list[str] = []

    async def first_is_ready() -> bool:
        marks.append("asked")
        return len(marks) == 3

    supervisor = stage.supervisor(stage.child("first", "sleep 60", ready=first_is_ready), stage.child("second", "sleep 60"))
    await supervisor.start()
    assert stage.told == ["Starting first ...", "Starting second ..."]
    assert len(marks) == 3
    assert [(each["name"], each["state"], each["restarts"]) for each in supervisor.states()] == [
        ("first", "ready", 0),
        ("second", "ready", 0),
    ]


async def test_a_readiness_that_cannot_be_asked_yet_is_a_no(stage: Stage) -> None:
    asked = 0

    async def refused_twice() -> bool:
        nonlocal asked
        asked += 1
        if asked < 3:
            raise ConnectionRefusedError
        return True

    await stage.supervisor(stage.child("engine", "sleep 60", ready=refused_twice)).start()
    assert asked == 3


async def test_a_child_that_ends_at_start_is_refused_with_the_end_of_its_log(stage: Stage) -> None:
    async def never() -> bool:
        return False

    supervisor = stage.supervisor(stage.child("before", "sleep 60"), stage.child("edge", "echo 'no such module'; exit 7", ready=never))
    with pytest.raises(ChildNotReady, match=r"edge ended \(exit code 7\)[^$]*no such module"):
        await supervisor.start()
    assert [each["state"] for each in supervisor.states()] == ["stopped", "stopped"], "what had been started is taken down"


async def test_a_child_that_stays_silent_is_refused_and_gone(stage: Stage) -> None:
    async def never() -> bool:
        return False

    group = stage.folder / "group"
    supervisor = stage.supervisor(stage.child("edge", f"echo $$ >{group}; sleep 60", ready=never, ready_seconds=0.5))
    with pytest.raises(ChildNotReady, match="edge was not ready"):
        await supervisor.start()
    assert not has_living_members(int(group.read_text(encoding="ascii")))


async def test_missing_programs_are_all_named_before_anything_starts(stage: Stage) -> None:
    gone = [
        Child(name=name, arguments=(f"no-such-{name}",), log=stage.folder / name, package=package)
        for name, package in (("edge", "kamailio"), ("relay", "rtpengine-daemon"))
    ]
    with pytest.raises(ProgramMissing, match=r"no-such-edge \(edge\), no-such-relay \(relay\)\. Install: .* kamailio rtpengine-daemon$"):
        await stage.supervisor(stage.child("first", "sleep 60"), *gone).start()
    assert stage.told == []


async def test_a_dead_child_is_back_within_seconds_and_is_told_again_what_it_must_know(stage: Stage) -> None:
    told_again = asyncio.Event()

    async def tell_again() -> None:
        told_again.set()

    supervisor = stage.supervisor(stage.child("edge", "sleep 60", on_restart=tell_again))
    await supervisor.start()
    former = supervisor.states()[0]["pid"]
    assert former is not None and not told_again.is_set()
    os.killpg(former, signal.SIGKILL)
    await eventually(lambda: supervisor.states()[0]["state"] == "ready" and supervisor.states()[0]["restarts"] == 1, "the edge is back", 5)
    assert told_again.is_set() and supervisor.states()[0]["pid"] not in (former, None)


async def test_a_child_that_dies_again_and_again_is_given_pauses(stage: Stage) -> None:
    supervisor = stage.supervisor(stage.child("edge", "date +%s.%N; exit 3"))
    await supervisor.start()
    await eventually(lambda: supervisor.states()[0]["restarts"] >= 5, "it was started five times again")
    starts = [float(line) for line in (stage.folder / "edge.log").read_text(encoding="utf-8").split()]
    assert len(starts) >= 5, "what earlier lives wrote stays in the log"
    pauses = [later - earlier for earlier, later in pairwise(starts[1:])]
    assert all(pause >= least for pause, least in zip(pauses, (0.1, 0.2, 0.4), strict=False)), pauses


async def test_a_child_that_could_not_be_told_is_started_afresh(stage: Stage) -> None:
    failures = 0

    async def tell_again() -> None:
        nonlocal failures
        failures += 1
        if failures == 1:
            raise RuntimeError("the edge hung up")

    supervisor = stage.supervisor(stage.child("edge", "sleep 60", on_restart=tell_again))
    await supervisor.start()
    os.killpg(supervisor.states()[0]["pid"] or 0, signal.SIGKILL)
    await eventually(lambda: supervisor.states()[0]["state"] == "ready" and failures == 2, "the edge was told in the end", 10)
    assert supervisor.states()[0]["restarts"] == 2
    assert any("the edge hung up" in line for line in stage.told)


async def test_children_are_stopped_in_reverse_order(stage: Stage) -> None:
    order = stage.folder / "order"
    script = "trap 'echo {name} >>{order}; exit' TERM; echo set; while :; do sleep 0.05; done"
    children = [stage.child(name, script.format(name=name, order=order)) for name in ("relay", "edge", "switch")]
    supervisor = stage.supervisor(*children)
    await supervisor.start()
    await eventually(lambda: all("set" in child.log.read_text(encoding="utf-8") for child in children), "all have set their traps")
    await supervisor.stop()
    assert order.read_text(encoding="utf-8").split() == ["switch", "edge", "relay"]


async def test_a_child_that_ignores_sigterm_is_killed_after_its_time(stage: Stage) -> None:
    stubborn = stage.child("stubborn", "trap '' TERM; echo set; while :; do sleep 0.1; done", stop_seconds=0.5)
    supervisor = stage.supervisor(stubborn)
    await supervisor.start()
    await eventually(lambda: "set" in stubborn.log.read_text(encoding="utf-8"), "it has set its trap")
    group = supervisor.states()[0]["pid"] or 0
    before = time.monotonic()
    await supervisor.stop()
    assert time.monotonic() - before >= 0.5
    assert not has_living_members(group)


async def test_what_is_killed_for_good_is_not_started_again(stage: Stage) -> None:
    supervisor = stage.supervisor(stage.child("relay", "sleep 60"), stage.child("edge", "sleep 60"))
    await supervisor.start()
    groups = [each["pid"] or 0 for each in supervisor.states()]
    supervisor.kill()
    await eventually(lambda: not any(has_living_members(group) for group in groups), "all are dead")
    await asyncio.sleep(0.3)  # a life that still watched would have started its child again
    await supervisor.stop()
    assert [(each["state"], each["restarts"]) for each in supervisor.states()] == [("stopped", 0)] * 2


async def test_a_child_gets_our_environment_and_its_own_and_no_input(stage: Stage) -> None:
    await stage.supervisor(stage.child("edge", 'echo "$HOME $LEG"; cat; echo over; sleep 60', environment={"LEG": "caller"})).start()
    log = stage.folder / "edge.log"
    await eventually(lambda: "over" in log.read_text(encoding="utf-8"), "reading its input ended at once")
    assert log.read_text(encoding="utf-8").splitlines()[0] == f"{os.environ['HOME']} caller"


def test_a_log_is_for_its_owner_alone_and_does_not_grow_for_ever(tmp_path: Path) -> None:
    path = tmp_path / "edge.log"
    descriptor = open_log(path)
    assert path.stat().st_mode & 0o777 == 0o600
    os.write(descriptor, b"x" * (LIMIT_BYTES + 1))
    bound_log(path)
    os.write(descriptor, b"and on\n")
    os.close(descriptor)
    assert path.read_text(encoding="utf-8") == "and on\n"
    assert path.with_name("edge.log.1").stat().st_size == LIMIT_BYTES + 1


def test_the_last_lines_of_a_log_survive_bytes_that_are_no_text(tmp_path: Path) -> None:
    path = tmp_path / "edge.log"
    path.write_bytes(b"one\n\xff\xfe\nthree\n")
    assert last_lines(path, 2).splitlines()[-1] == "three"
    assert last_lines(tmp_path / "none") == "(there is no log)"


def _turns(process: int) -> list[int]:
    """The turn of each thread, in nanoseconds, by sched_getattr(2)."""
    kernel, attributes, turns = ctypes.CDLL(None), ctypes.create_string_buffer(56), []
    for thread in Path(f"/proc/{process}/task").iterdir():
        assert kernel.syscall(315, int(thread.name), attributes, 56, 0) == 0
        turns.append(int(struct.unpack_from("=IIQiIQ", attributes)[5]))
    return turns


@pytest.mark.skipif(
    platform.machine() != "x86_64" or tuple(map(int, re.findall(r"\d+", platform.release())[:2])) < (6, 12),
    reason="Linux knows turns of a program's own since 6.12",
)
async def test_all_threads_get_the_turn_that_was_asked_for_after_a_death_too(stage: Stage) -> None:
    script = "import threading, time; threading.Thread(target=time.sleep, args=(60,)).start(); open('threads', 'w'); time.sleep(60)"
    mark = stage.folder / "threads"

    async def has_threads() -> bool:
        return mark.exists()

    child = Child(
        name="hasty",
        arguments=(sys.executable, "-c", f"import os; os.chdir({str(stage.folder)!r}); {script}"),
        log=stage.folder / "hasty.log",
        ready=has_threads,
        turn_seconds=0.0002,
    )
    supervisor = stage.supervisor(child)
    await supervisor.start()
    first = supervisor.states()[0]["pid"]
    assert first is not None
    assert _turns(first) == [200_000] * 2
    mark.unlink()
    os.kill(first, signal.SIGKILL)
    await eventually(lambda: supervisor.states()[0]["pid"] != first and supervisor.states()[0]["state"] == "ready", "it is back")
    second = supervisor.states()[0]["pid"]
    assert second is not None
    assert _turns(second) == [200_000] * 2
