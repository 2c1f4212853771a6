"""Ends process groups whose supervisor is gone. Run by its path, alone, so it imports little of the standard library and nothing of ours.

It reads "+group" and "-group" lines from a pipe; when the kernel closes that, whatever the reason, it kills the groups that are left.
"""

import contextlib
import os
import signal
import sys
import time
from pathlib import Path

_DEAD_WITHIN_SECONDS = 3.0
_PAUSE_SECONDS = 0.02


def kill_group(group: int, how: int = signal.SIGKILL) -> bool:
    """Signals every process of the group; False when there is none (signal 0 only asks)."""
    try:
        os.killpg(group, how)
    except (ProcessLookupError, PermissionError):  # somebody else's by now: the number was given away, so ours are gone
        return False
    return True


def has_living_members(group: int) -> bool:
    """Whether a process of the group still runs. Zombies do not count: what adopted them may never collect them."""
    if not kill_group(group, 0):
        return False
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            # pid (name) state ppid pgrp ...; the name may hold spaces and brackets
            state, _, process_group = stat.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()[:3]
            if int(process_group) == group and state not in "ZX":
                return True
    return False


def main() -> None:
    """Returns when the pipe was closed and no registered group lives."""
    for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    groups: set[int] = set()
    for line in sys.stdin:
        number = int(line[1:])
        groups.add(number) if line[0] == "+" else groups.discard(number)
    deadline = time.monotonic() + _DEAD_WITHIN_SECONDS
    while groups and time.monotonic() < deadline:
        groups = {group for group in groups if kill_group(group) and has_living_members(group)}
        time.sleep(_PAUSE_SECONDS if groups else 0)


if __name__ == "__main__":
    main()
