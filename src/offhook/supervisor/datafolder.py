"""The data folder: made, locked for one system, cleared of what the last system said of itself."""

import fcntl
import json
import os
import secrets
import time
from dataclasses import dataclass
from pathlib import Path

from offhook.supervisor.refusals import FolderUnusable

_SUBFOLDERS = ("run", "logs", "prompts")
_SECRET_BYTES = 32
RESTORING = "restoring"
"""Stands in the data folder while a backup is being put back."""

_LAST_PROCESSES_SECONDS = 6.0  # the processes of a killed system end within five
_PAUSE_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class DataFolder:
    """The folder of one running system. `lock` is the descriptor of its lock: a process that inherits it holds the folder too."""

    path: Path
    lock: int
    secret: bytes
    """32 random bytes of this system, the same at every start."""

    @property
    def run(self) -> Path:
        """Sockets and rendered configurations."""
        return self.path / "run"

    @property
    def logs(self) -> Path:
        """One log a process."""
        return self.path / "logs"

    @property
    def prompts(self) -> Path:
        """Spoken texts, ready to play."""
        return self.path / "prompts"

    @property
    def sandbox_file(self) -> Path:
        """Where to go and what to dial, while the system is ready."""
        return self.path / "sandbox.json"

    def release(self) -> None:
        """Lets another system have the folder."""
        self.sandbox_file.unlink(missing_ok=True)
        os.close(self.lock)


def prepare(path: Path) -> DataFolder:
    """The folder at `path`, made if need be (0700), locked, with sandbox.json of an earlier run removed.

    Raises FolderUnusable when another system has it or it cannot be written. Waits up to 6 s for processes of a killed system to end.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
        for name in _SUBFOLDERS:
            (path / name).mkdir(mode=0o700, exist_ok=True)
        lock = _lock(path)
        try:
            if (path / RESTORING).exists():
                raise FolderUnusable(f"A restore into {path} was broken off. Do it again (offhook restore), with --force.")
            (path / "sandbox.json").unlink(missing_ok=True)
            return DataFolder(path, lock, _secret(path / "secret.key"))
        except BaseException:
            os.close(lock)
            raise
    except OSError as wrong:
        raise FolderUnusable(f"The data folder {path} (OFFHOOK_DATA_DIR) cannot be used: {wrong.strerror or wrong}.") from wrong


def hold(path: Path) -> int | None:
    """The lock of a data folder that is there, as a descriptor to close; None while a system has it."""
    lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        return None
    return lock


def _lock(path: Path) -> int:
    lock = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + _LAST_PROCESSES_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(lock, 20, 0).decode("ascii", "replace").strip()
            # A lock whose writer is gone is held by that system's warden, which is about to end its processes.
            if Path("/proc", holder or "0").exists() or time.monotonic() > deadline:
                os.close(lock)
                raise FolderUnusable(
                    f"Another system (process {holder}) uses the data folder {path}. Stop it, or give this one its own by OFFHOOK_DATA_DIR."
                ) from None
            time.sleep(_PAUSE_SECONDS)
        else:
            os.ftruncate(lock, 0)
            os.pwrite(lock, f"{os.getpid()}\n".encode(), 0)
            return lock


def _secret(path: Path) -> bytes:
    if not path.exists():
        write_atomically(path, secrets.token_bytes(_SECRET_BYTES), 0o600)
    secret = path.read_bytes()
    if len(secret) != _SECRET_BYTES:
        raise FolderUnusable(f"{path} is damaged: it has {len(secret)} bytes, not {_SECRET_BYTES}. Restore it from a backup, or remove it.")
    return secret


def write_json_atomically(path: Path, value: object, mode: int = 0o600) -> None:
    """Puts `value` into `path` as JSON. A reader sees the old text or the new one, whole; a crash in between leaves the old one."""
    write_atomically(path, (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode(), mode)


def write_atomically(path: Path, content: bytes, mode: int) -> None:
    """Puts `content` into `path` with that mode; the same promise."""
    new = path.with_name(f".{path.name}.{os.getpid()}.new")
    new.unlink(missing_ok=True)
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            os.fchmod(file.fileno(), mode)  # whatever the umask
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        new.replace(path)
    except BaseException:
        new.unlink(missing_ok=True)
        raise
