"""What processes cost: CPU seconds and memory of a system's processes with all their children, read from /proc."""

import os
import threading
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import NamedTuple

_TICKS = os.sysconf("SC_CLK_TCK")
_LOOK_SECONDS = 2.0
_MEMORY_EVERY = 2  # looks; smaps_rollup makes the kernel walk every page
_PROC = Path("/proc")


class Cost(NamedTuple):
    """One process: its name, and CPU seconds since it began."""

    name: str
    cpu_seconds: float


class Memory(NamedTuple):
    """Kilobytes: all that is resident, and with shared pages divided among those that share them."""

    rss: int
    pss: int


def tree(roots: Iterable[int]) -> dict[int, Cost]:
    """The processes of these ids and all their descendants that live now."""
    children: dict[int, list[int]] = {}
    living: dict[int, float] = {}
    for entry in _PROC.iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            living[int(entry.name)] = (int(fields[11]) + int(fields[12])) / _TICKS
            children.setdefault(int(fields[1]), []).append(int(entry.name))
    todo, found = list(roots), dict[int, Cost]()
    while todo:
        pid = todo.pop()
        if pid in living and pid not in found:
            found[pid] = Cost(_name(pid), living[pid])
            todo += children.get(pid, [])
    return found


def memory(pid: int) -> Memory | None:
    """What a process holds now; None when it has ended."""
    try:
        lines = (_PROC / str(pid) / "smaps_rollup").read_text().splitlines()
    except OSError:
        return None
    held = {line.partition(":")[0]: line.split()[1] for line in lines[1:]}
    return Memory(int(held.get("Rss", 0)), int(held.get("Pss", 0)))


def yardstick_ms() -> float:
    """CPU milliseconds of a piece of work that is always the same: a virtual machine may be half as fast an hour later."""
    best = float("inf")
    for _ in range(5):
        began, sum_ = time.process_time(), 0
        for number in range(100_000):
            sum_ += number * number % 7
        best = min(best, time.process_time() - began)
    return round(1000 * best, 2)


def busy_seconds() -> tuple[float, float]:
    """CPU seconds of the whole machine since its start: all that was not idle, and of these what a hypervisor took."""
    fields = [int(each) for each in (_PROC / "stat").read_text().partition("\n")[0].split()[1:9]]
    return (sum(fields) - fields[3] - fields[4]) / _TICKS, fields[7] / _TICKS


def _name(pid: int) -> str:
    """Which of the system's processes it is: our own by their module, others by their program."""
    try:
        words = (_PROC / str(pid) / "cmdline").read_text(errors="replace").split("\0")
        comm = (_PROC / str(pid) / "comm").read_text().strip()
    except OSError:
        return "ended"
    module = next((word for word in words if word.startswith("offhook.")), None)
    if module is not None:
        return module.rpartition(".")[2]
    return "supervisor" if comm.startswith("python") and "offhook" in words else comm


class Watcher(threading.Thread):
    """Looks at processes every two seconds, so that those that end between are counted too."""

    def __init__(self, roots: Iterable[int]) -> None:
        super().__init__(name="bench watcher", daemon=True)
        self._roots = tuple(roots)
        self._over = threading.Event()
        self._first = tree(self._roots)
        self._last = dict(self._first)
        self.most = Memory(0, 0)
        """The most that all of them held together."""

    def run(self) -> None:
        """Look until `finish`."""
        looks = 0
        while not self._over.wait(_LOOK_SECONDS):
            self._last |= tree(self._roots)
            if looks % _MEMORY_EVERY == 0:
                self._weigh()
            looks += 1

    def finish(self) -> None:
        """Stop, with a last look."""
        self._over.set()
        self.join()
        self._last |= tree(self._roots)
        self._weigh()

    def _weigh(self) -> None:
        held = [each for each in map(memory, self._last) if each is not None]
        self.most = Memory(max(self.most.rss, sum(each.rss for each in held)), max(self.most.pss, sum(each.pss for each in held)))

    def cpu_by_name(self) -> Mapping[str, float]:
        """CPU seconds since the beginning, by the processes' names."""
        spent: dict[str, float] = {}
        for pid, cost in self._last.items():
            before = self._first[pid].cpu_seconds if pid in self._first else 0.0
            spent[cost.name] = spent.get(cost.name, 0.0) + cost.cpu_seconds - before
        return spent
