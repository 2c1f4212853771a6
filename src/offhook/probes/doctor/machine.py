"""The machine itself: processors, memory, disk, limits, the clock, the kernel's buffers."""

import ctypes
import os
import resource
import shutil
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from offhook.probes.doctor.findings import Finding, State, failure, graded, looked_at, ok

AREA = "machine"
_MB = 1_000_000
_MEMORY_MB = (300, 800)
"""Failure and warning below so many MB: the processes of a system without calls take about 600 in all, half of it the voice."""
_DISK_MB = (200, 2000)
_DESCRIPTORS = (1024, 4096)
"""rtpengine opens four sockets a call, Kamailio one a TCP telephone."""
_RECEIVE_BYTES = 212_992
"""The kernel's own default; smaller ones were made so by somebody, and lose packets in bursts."""
_SYS = Path("/proc/sys")
_TIME_ERROR = 5  # adjtimex(2): the clock is not synchronised
_TIMEX_BYTES = 256  # struct timex takes 208


def look_at_machine(folder: Path) -> Iterator[Finding]:
    """What the machine is like; `folder` is where data are or will be."""
    return looked_at(AREA, (_processors, _memory, lambda: _disk(folder), _descriptors, _clock, _zone, _buffers, _drops))


def _processors() -> Iterator[Finding]:
    count, load = len(os.sched_getaffinity(0)), os.getloadavg()[1]
    few = State.WARNING if count < 2 else State.OK
    yield graded(AREA, "processors", few, f"{count}", "Give it two: sound and pages should not wait for each other.")
    busy = State.WARNING if load > 1.5 * count else State.OK
    yield graded(AREA, "load", busy, f"{load:.1f} over five minutes", "Find what works so much (top); calls suffer first.")


def _memory() -> Iterator[Finding]:
    facts = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    available = int(facts["MemAvailable"].split()[0]) * 1024
    limit = Path("/sys/fs/cgroup/memory.max")
    if limit.exists() and (text := limit.read_text().strip()).isdigit():
        available = min(available, int(text) - int(limit.with_name("memory.current").read_text()))
    state = _below(available // _MB, _MEMORY_MB)
    yield graded(AREA, "memory", state, f"{available // _MB} MB available", "Free memory or add some: 1 GB is enough for a small office.")


def _disk(folder: Path) -> Iterator[Finding]:
    place = next(each for each in (folder, *folder.parents) if each.exists())
    free = shutil.disk_usage(place).free // _MB
    yield graded(
        AREA, "disk", _below(free, _DISK_MB), f"{free} MB free at {place}", "Make room: records of calls, logs and prompts go there."
    )
    nodes = os.statvfs(place)
    if nodes.f_files and nodes.f_favail < 1000:
        yield failure(AREA, "disk", f"{nodes.f_favail} files can still be made at {place}", "Remove files that nobody needs.")


def _descriptors() -> Iterator[Finding]:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    remedy = "Raise it where the system is started: `ulimit -n 65536`, or LimitNOFILE=65536 of its unit."
    yield graded(AREA, "open files", _below(soft, _DESCRIPTORS), f"limit {soft}, at most {hard}", remedy)


def _clock() -> Iterator[Finding]:
    now, built = time.time(), Path(__file__).stat().st_mtime
    shown = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    if now < built - 86400:
        yield failure(AREA, "clock", f"{shown} is before this program was installed", "Set the clock: registrations and certificates fail.")
        return
    # adjtimex(2) with no modes only reads, and anybody may.
    answer = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.create_string_buffer(_TIMEX_BYTES))
    state = State.WARNING if answer in (-1, _TIME_ERROR) else State.OK
    said = "synchronised" if state is State.OK else "not synchronised, as far as the kernel knows"
    yield graded(AREA, "clock", state, f"{shown}, {said}", "Let it be kept: apt-get install chrony (on the host, if this is a container).")


def _zone() -> Iterator[Finding]:
    try:
        ZoneInfo("Europe/Paris")
    except KeyError:
        yield failure(AREA, "time zones", "are not known here", "apt-get install tzdata")
        return
    yield ok(AREA, "time zone", f"{time.strftime('%Z (%z)')}; records are kept in UTC")


def _buffers() -> Iterator[Finding]:
    sizes = {
        name: int((_SYS / "net/core" / name).read_text()) for name in ("rmem_default", "rmem_max") if (_SYS / "net/core" / name).exists()
    }
    if sizes:
        state = State.WARNING if min(sizes.values()) < _RECEIVE_BYTES else State.OK
        detail = ", ".join(f"{name} {size}" for name, size in sizes.items())
        yield graded(
            AREA,
            "UDP buffers",
            state,
            detail,
            f"As root: sysctl -w net.core.rmem_max={_RECEIVE_BYTES} net.core.rmem_default={_RECEIVE_BYTES}",
        )
    else:
        yield ok(AREA, "UDP buffers", "are the host's, and cannot be seen from here")
    queue = _SYS / "net/unix/max_dgram_qlen"
    if queue.exists():
        length = int(queue.read_text())
        state = State.WARNING if length < 10 else State.OK
        yield graded(AREA, "socket queue", state, f"net.unix.max_dgram_qlen {length}", "As root: sysctl -w net.unix.max_dgram_qlen=512")


def _drops() -> Iterator[Finding]:
    names, values = (line.split()[1:] for line in Path("/proc/net/snmp").read_text().splitlines() if line.startswith("Udp:"))
    dropped = int(dict(zip(names, values, strict=True)).get("RcvbufErrors", 0))
    state = State.WARNING if dropped else State.OK
    remedy = (
        "Programs were too slow to take them: look at the load, or raise net.core.rmem_default. The count starts anew with the machine."
    )
    yield graded(AREA, "UDP drops", state, f"{dropped} datagrams dropped for want of room", remedy)


def _below(value: float, grades: tuple[int, int]) -> State:
    return State.FAILURE if value < grades[0] else State.WARNING if value < grades[1] else State.OK
