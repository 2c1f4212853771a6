"""One run of one scenario at one step: load made, the system's processes watched, a row of figures told."""

import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from offhook.probes.bench import reading
from offhook.probes.bench.generators import CALLERS_IP, CALLERS_PORT, RTP_PORT, Sipp, Target, build, end, start_sound, user_rows
from offhook.probes.bench.processes import Watcher, busy_seconds, tree, yardstick_ms
from offhook.probes.bench.scenarios import CALLEES, CALLERS, SCENARIOS, Scenario, Step

IDLE_SECONDS = 5.0
_QUIET_CORES, _SETTLE_SECONDS = 0.03, 30.0
_PATIENCE_SECONDS = 90.0


def run(name: str, step: Step, target: Target, helpers: Path) -> dict[str, Any]:
    """The figures of one run. Raises BenchRefused when the load cannot be made. Files of a run with failures are kept, at `files`."""
    scenario, made = SCENARIOS[name], build(helpers)
    folder = Path(tempfile.mkdtemp(prefix="offhook-bench-"))
    sipp, seconds = Sipp(target, folder), step.calls / step.rate + step.hold
    callees = sound = callers = None
    try:
        callees = sipp.callees(CALLEES, scenario.mode) if scenario.callees else None
        sound = start_sound(made["rtpbench"], folder, scenario, seconds) if scenario.sound else None
        time.sleep(0.5)
        watch = _Watch(target)
        callers = _start_callers(sipp, scenario, step, seconds, made["fineclock.so"])
        callers.wait(seconds + _PATIENCE_SECONDS)
        time.sleep(0.5)
        watch.finish()
        end(callees)
        heard = _end_sound(sound)
    finally:
        for process in (callees, sound, callers):
            end(process)
    row: dict[str, Any] = {"scenario": name, "step": str(step), "offered": step.rate, "calls": step.calls, "hold_s": step.hold}
    row |= _told(folder, scenario, step, heard)
    row |= watch.told(row["done"], row["call_minutes"])
    if row["failed"]:
        row["files"] = str(folder)
    else:
        shutil.rmtree(folder)
    return row


def settle(target: Target) -> None:
    """Wait until a system that was just started has spoken its greetings and rests, half a minute at most."""
    deadline = time.monotonic() + _SETTLE_SECONDS
    while _idle_cores(target) > _QUIET_CORES and time.monotonic() < deadline:
        pass


class _Watch:
    """The system's processes and the machine while a run goes on."""

    def __init__(self, target: Target) -> None:
        self._yardstick = yardstick_ms()
        self._idle = _idle_cores(target)
        self._watcher = Watcher(target.processes)
        self._busy, self._tools, self._began = busy_seconds(), _tools_seconds(), time.monotonic()
        self._watcher.start()

    def finish(self) -> None:
        """The load is over."""
        self._wall = time.monotonic() - self._began
        self._watcher.finish()
        busy = busy_seconds()
        self._busy = busy[0] - self._busy[0], busy[1] - self._busy[1]

    def told(self, done: int, call_minutes: float) -> dict[str, Any]:
        """What it cost. Asked when the tools have ended, so that theirs is known."""
        by_name = self._watcher.cpu_by_name()
        cpu, calls, tools = sum(by_name.values()), max(done, 1), _tools_seconds() - self._tools
        return {
            "wall_s": round(self._wall, 2),
            "cpu_s": round(cpu, 3),
            "cores": round(cpu / self._wall, 3),
            "idle_cores": round(self._idle, 4),
            "cpu_ms_per_call": round(1000 * (cpu - self._idle * self._wall) / calls, 3),
            "cpu_ms_by_process": {name: round(1000 * spent / calls, 3) for name, spent in sorted(by_name.items()) if spent > 0},
            "cpu_s_per_call_minute": round(cpu / call_minutes, 4) if call_minutes else None,
            "rss_mb": round(self._watcher.most.rss / 1000, 1),
            "pss_mb": round(self._watcher.most.pss / 1000, 1),
            "others_cores": round(max(0.0, self._busy[0] - cpu - tools) / self._wall, 2),
            "stolen_s": round(self._busy[1], 2),
            "tools_cpu_s": round(tools, 2),
            "yardstick_ms": self._yardstick,
        }


def _tools_seconds() -> float:
    """CPU seconds of our children that have ended: SIPp's and rtpbench's."""
    spent = os.times()
    return spent.children_user + spent.children_system


def _idle_cores(target: Target) -> float:
    """What the system takes when nothing is asked of it, in cores."""
    before, began = tree(target.processes), time.monotonic()
    time.sleep(IDLE_SECONDS)
    after = tree(target.processes)
    spent = sum(cost.cpu_seconds - before[pid].cpu_seconds for pid, cost in after.items() if pid in before)
    return spent / (time.monotonic() - began)


def _start_callers(sipp: Sipp, scenario: Scenario, step: Step, total: float, clock: Path) -> "subprocess.Popen[bytes]":
    users = CALLERS
    numbers = [scenario.number or str(CALLEES[position % len(CALLEES)]) for position in range(len(users))]
    (sipp.folder / "users.csv").write_text(user_rows(users, numbers, scenario.mode, sipp.target.password))
    # Every caller has an address of its own, as telephones have ("-t ui"), and its sound goes to one.
    options = ["-t", "ui", "-inf", "users.csv", "-ip_field", "5", "-max_socket", "2000"]
    options += ["-r", f"{step.rate:g}", "-m", str(step.calls), "-l", str(max(step.calls, 3)), "-d", str(int(step.hold * 1000))]
    options += ["-trace_rtt", "-rtt_freq", "1", "-recv_timeout", "20000", "-timeout", f"{total + 45:.0f}s"]
    environment = {**os.environ, "LD_PRELOAD": str(clock)}
    return sipp.start("uac", scenario.script, CALLERS_IP, CALLERS_PORT, {"rtpport": RTP_PORT, "expires": 3600}, options, environment)


def _end_sound(sound: "subprocess.Popen[str] | None") -> dict[str, Any] | None:
    if sound is None:
        return None
    sound.terminate()
    return reading.sound(sound.communicate(timeout=10)[0])


def _told(folder: Path, scenario: Scenario, step: Step, heard: dict[str, Any] | None) -> dict[str, Any]:
    callers, at_once = reading.last_statistics(folder / "uac.stat")
    callees, _ = reading.last_statistics(folder / "uas.stat")
    times, moments = reading.response_times(folder.glob("*_rtt.csv"))
    done = reading.count(callers, "SuccessfulCall(C)")
    row: dict[str, Any] = {
        "done": done,
        "failed": reading.count(callers, "FailedCall(C)") + max(0, step.calls - reading.count(callers, "TotalCallCreated")),
        "why": reading.failures(callers),
        "achieved": reading.pace(moments),
        "at_once": at_once,
        "retransmitted": reading.count(callers, "Retransmissions(C)") + reading.count(callees, "Retransmissions(C)"),
        "setup_ms": reading.quantiles(times[reading.SETUP]),
        "call_minutes": round(done * step.hold / 60, 3),
    }
    if scenario.script == "ivr.xml":
        row["digit_to_bye_ms"] = reading.quantiles(times[reading.LAST])
    if heard is not None:
        row["sound"], row["call_minutes"] = heard, round(heard.get("call_minutes") or row["call_minutes"], 3)
    return row
