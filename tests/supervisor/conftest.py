"""What tests of processes wait with, and the little system they start."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from offhook.supervisor.deathwatch import has_living_members, kill_group


def is_alive(pid: int) -> bool:
    """Whether the process runs (a zombie does not)."""
    try:
        stat = Path("/proc", str(pid), "stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def soon(condition: Callable[[], object], what: str, seconds: float = 15.0) -> None:
    """Returns once the condition holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"after {seconds:g} s still not so: {what}"
        time.sleep(0.02)


async def eventually(condition: Callable[[], object], what: str, seconds: float = 15.0) -> None:
    """Returns once the condition holds; the loop runs meanwhile."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)
    assert condition(), what


class LittleSystem:
    """A supervisor in a process of its own (`little_system.py`), with children that fork as Kamailio does."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "system.log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.supervisor.little_system", str(folder)], stdout=log, stderr=log, cwd=Path(__file__).parents[2]
            )

    def said(self, words: str) -> bool:
        """Whether the system printed these words."""
        return words in self.log.read_text(encoding="utf-8")

    def groups(self) -> list[int]:
        """The process groups of its children, as they wrote them down."""
        return [int(path.read_text(encoding="ascii")) for path in self.folder.glob("*.group") if path.read_text(encoding="ascii").strip()]

    def living(self) -> list[int]:
        """The groups that still have a process."""
        return [group for group in self.groups() if has_living_members(group)]

    def ready(self) -> None:
        """Returns when all its children run."""
        soon(lambda: self.said("ready") or self.process.poll() is not None, "the little system is ready")
        assert self.process.poll() is None, self.log.read_text(encoding="utf-8")

    def signal(self, number: int) -> None:
        """Sends the supervisor, and nobody else, a signal."""
        self.process.send_signal(number)


@pytest.fixture
def system(tmp_path: Path) -> Iterator[LittleSystem]:
    """A little system that is ready; nothing of it is left afterwards."""
    little = LittleSystem(tmp_path)
    try:
        little.ready()
        yield little
    finally:
        if little.process.poll() is None:
            little.signal(signal.SIGKILL)
        little.process.wait(10)
        try:
            soon(lambda: not little.living(), "nothing of the little system is left", 5)
        finally:
            for group in little.living():
                kill_group(group)
