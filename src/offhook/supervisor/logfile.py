"""A child's log: appended to by the child itself, kept below a size by us."""

import os
import shutil
from pathlib import Path

LIMIT_BYTES = 10_000_000
_TAIL_BYTES = 20_000


def open_log(path: Path) -> int:
    """A descriptor that appends to the log, which only its owner can read. Whoever opened it closes it."""
    bound_log(path)
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)


def bound_log(path: Path) -> None:
    """Moves the text aside (to NAME.1, over what was there) when it is too long. The file stays: the child has it open, and appends."""
    if path.exists() and path.stat().st_size > LIMIT_BYTES:
        shutil.copyfile(path, path.with_name(path.name + ".1"))
        os.truncate(path, 0)


def last_lines(path: Path, count: int = 12) -> str:
    """The last `count` lines of the log, or a sentence when there are none."""
    if not path.exists():
        return "(there is no log)"
    with path.open("rb") as log:
        log.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        lines = log.read().decode("utf-8", "replace").splitlines()
    return "\n".join(lines[-count:]) or "(its log is empty)"
