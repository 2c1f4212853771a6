"""Finished calls that wait on disk for a database that is away: a file of JSON lines, the oldest first.

A call is added before it is forgotten elsewhere, and taken away after it stands in the database: a crash in between writes it twice here or
offers it twice there, and the database takes a call once.
"""

import json
import logging
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

LARGEST = 1024 * 1024 * 1024
"""Octets the file may have: some hundred thousand calls."""

Row = dict[str, Any]


class SpoolFull(Exception):
    """The calls could not be put aside: no space, no folder, or too many already. The text says which."""


class Spool:
    """The file. One thread uses it; nobody else writes it."""

    def __init__(self, file: Path, largest: int = LARGEST) -> None:
        self._file, self._largest = file, largest
        self._read_to = 0

    @property
    def waits(self) -> bool:
        """Whether there are calls in it that were not taken away."""
        try:
            return self._file.stat().st_size > self._read_to
        except OSError:
            return False

    def add(self, rows: Sequence[Row]) -> None:
        """Put rows (plain JSON values) aside; when this returns they outlive a power cut. Raises SpoolFull; then none of them is kept."""
        data = b"".join(json.dumps(row, separators=(",", ":")).encode() + b"\n" for row in rows)
        try:
            descriptor = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as why:
            raise SpoolFull(f"{self._file} cannot be opened ({why.strerror})") from why
        try:
            self._append(descriptor, data)
        finally:
            os.close(descriptor)

    def _append(self, descriptor: int, data: bytes) -> None:
        size = os.fstat(descriptor).st_size
        if size + len(data) > self._largest:
            raise SpoolFull(f"{self._file} has {size} octets, and {self._largest} are the most")
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            data = b"\n" + data  # a line torn by a power cut must not swallow ours
        try:
            written = os.write(descriptor, data)
            if written < len(data):
                raise OSError(f"only {written} of {len(data)} octets could be written")
            os.fsync(descriptor)
        except OSError as why:
            if size:
                os.ftruncate(descriptor, size)
            else:
                self._file.unlink(missing_ok=True)
            raise SpoolFull(f"{self._file} cannot be written ({why.strerror or why})") from why

    def oldest(self, count: int) -> tuple[list[Row], int]:
        """The oldest `count` rows, or fewer, and where they end, for `taken`. Raises OSError."""
        rows: list[Row] = []
        with self._file.open("rb") as file:
            file.seek(self._read_to)
            end = self._read_to
            while len(rows) < count and (line := file.readline()):
                end += len(line)
                try:
                    row = json.loads(line)
                    rows.append(row) if isinstance(row, dict) else log.error("%s: not a call: %.200r", self._file, line)
                except ValueError:
                    if line.strip():
                        log.error("%s: a call that cannot be read is passed over: %.200r", self._file, line)
        return rows, end

    def taken(self, end: int) -> None:
        """What stands before `end` is in the database. Once that is all the file is removed."""
        self._read_to = end
        try:
            if self._file.stat().st_size <= end:
                self._file.unlink()
                self._read_to = 0
        except OSError as why:
            # Its calls are offered to the database once more at the next start, which does no harm.
            log.warning("%s cannot be removed: %s", self._file, why)
