"""The warden: it ends what it was told of, and nothing else."""

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from offhook.supervisor.deathwatch import has_living_members
from offhook.supervisor.warden import LAUNCH, Warden
from tests.supervisor.conftest import eventually


@pytest.fixture
def launched() -> Iterator[list[subprocess.Popen[bytes]]]:
    processes: list[subprocess.Popen[bytes]] = []
    yield processes
    for process in processes:
        process.kill()
        process.wait(10)


def launch(warden: Warden) -> subprocess.Popen[bytes]:
    return subprocess.Popen([*LAUNCH, "sleep", "600"], stdin=warden.pipe, start_new_session=True)


async def becomes(process: subprocess.Popen[bytes], program: bytes) -> None:
    def runs() -> bool:
        return Path(f"/proc/{process.pid}/cmdline").read_bytes().startswith(program)

    await eventually(runs, f"the launched process became {program!r}")


async def test_a_launched_process_registers_itself_and_ends_with_the_warden(launched: list[subprocess.Popen[bytes]]) -> None:
    warden = Warden()
    await warden.start()
    launched.append(launch(warden))
    await becomes(launched[0], b"sleep")
    await warden.stop()
    assert launched[0].wait(10) == -signal.SIGKILL


async def test_a_group_that_is_gone_is_not_killed_when_its_number_is_anothers(launched: list[subprocess.Popen[bytes]]) -> None:
    warden = Warden()
    await warden.start()
    launched += [launch(warden), launch(warden)]
    for process in launched:
        await becomes(process, b"sleep")
        warden.born(process.pid)
    warden.gone(launched[0].pid)
    await warden.stop()
    assert launched[1].wait(10) == -signal.SIGKILL
    assert launched[0].poll() is None


async def test_the_warden_minds_no_signal_of_the_terminal() -> None:
    warden = Warden()
    await warden.start()
    pid = warden.pid
    assert pid is not None

    def ignored() -> int:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1], 16) for line in status if line.startswith("SigIgn"))

    wanted = sum(1 << (number - 1) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP))
    await eventually(lambda: ignored() & wanted == wanted, "the warden ignores Ctrl-C, SIGTERM and SIGHUP")
    assert os.getsid(pid) == pid != os.getsid(0)
    await warden.stop()


def test_a_zombie_is_not_alive() -> None:
    process = subprocess.Popen(["true"], start_new_session=True)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert not has_living_members(process.pid)
    process.wait(10)
