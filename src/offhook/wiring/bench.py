"""`offhook bench`: load on a running system, or on a fresh one of its own, and the table of what it cost."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from offhook import intercom
from offhook.domain.errors import Refusal
from offhook.doors.cli.app import app
from offhook.doors.cli.server import Exit, Failed
from offhook.plan import SystemPlan, read_plan
from offhook.probes.bench.generators import FOLDER, BenchRefused, Target
from offhook.probes.bench.run import run, settle
from offhook.probes.bench.scenarios import SCENARIOS, Step, read_step
from offhook.probes.bench.table import FLOOR, OURS, read_peers, table
from offhook.services.bench import DOMAIN, PASSWORD, USERS, seed_bench
from offhook.settings import SettingsWrong, read
from offhook.store.transaction import Database
from offhook.supervisor.ports import claim_rtp_block
from offhook.supervisor.refusals import NoRtpPorts
from offhook.wiring.bench_floor import SHOWN, engines_alone
from offhook.wiring.bench_snapshot import NUMBERS as LARGE_NUMBERS
from offhook.wiring.bench_snapshot import USERS as LARGE_USERS
from offhook.wiring.bench_snapshot import bench_snapshot

SNAPSHOT = "snapshot"
HELPERS = Path(tempfile.gettempdir()) / f"offhook-bench-helpers-{os.getuid()}"
_READY_SECONDS, _GONE_SECONDS = 60.0, 30.0
_OWN_ADDRESS, _OWN_SIP_PORT, _OWN_HTTP_PORT = "127.0.41.1", 5060, 8080
_RTP_BLOCKS = tuple(f"{first}-{first + 3999}" for first in range(6000, 32000, 4000))
"""1,000 calls of two legs each; below the ports that the kernel hands out."""


def _words(text: str) -> list[str]:
    return [word.strip() for word in text.split(",") if word.strip()]


@app.command()
def bench(
    only: Annotated[
        str, typer.Option(help="Scenarios with commas between them: call, signal, ivr, register ... All by default. Alone: snapshot.")
    ] = "",
    steps: Annotated[str, typer.Option(help="RATE:CALLS:HOLD with commas between them, in place of each scenario's own steps.")] = "",
    repeat: Annotated[int | None, typer.Option(min=1, max=20, help="How often each step is run.")] = None,
    running: Annotated[bool, typer.Option("--running", help="Load the system that runs here, not a fresh one.")] = False,
    seed: Annotated[bool, typer.Option("--seed", help="Only make the bench's organization in the system that runs here.")] = False,
    floor: Annotated[bool, typer.Option("--floor", help="Load the engines alone: the least that calls can cost with them.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print a row of JSON for each run, for programs.")] = False,
) -> None:
    """Measure calls, set-up, attendants and registrations under load, beside other systems' figures."""
    try:
        names, wanted = _words(only) or list(SHOWN if floor else SCENARIOS), [read_step(text) for text in _words(steps)]
        if names == [SNAPSHOT]:
            _tell(f"{SNAPSHOT}: an organization of {LARGE_USERS:,} users and {LARGE_NUMBERS:,} numbers is made and loaded ...")
            print(json.dumps({"scenario": SNAPSHOT} | bench_snapshot(), indent=None if as_json else 2))
            return
        unknown = [name for name in names if name not in SCENARIOS]
        if unknown:
            raise Failed(
                f"There is no scenario {', '.join(unknown)}; there are {', '.join(SCENARIOS)}, and alone {SNAPSHOT}.", Exit.WRONG_COMMAND
            )
        if floor:
            if odd := [name for name in names if name not in SHOWN]:
                raise Failed(f"The engines alone cannot do {', '.join(odd)}; they do {', '.join(SHOWN)}.", Exit.WRONG_COMMAND)
            first, _, last = (os.environ.get("OFFHOOK_RTP_PORTS") or _free_block()).partition("-")
            with engines_alone((int(first), int(last))) as target:
                _measure(names, wanted, repeat, target, who=FLOOR, as_json=as_json)
            return
        if seed:
            plan = _running_plan()
            _tell(f"{_seed(plan)} users made in {DOMAIN}; the system at {plan.address}:{plan.sip_port} knows all {len(USERS)} of them.")
            return
        with _running() if running else fresh() as (plan, processes):
            _measure(names, wanted, repeat, Target(plan.address, plan.sip_port, DOMAIN, PASSWORD, processes), as_json=as_json)
    except ValueError as wrong:
        raise Failed(str(wrong), Exit.WRONG_COMMAND) from None
    except (BenchRefused, Refusal, SettingsWrong, intercom.Silent, intercom.Refused) as why:
        raise Failed(str(why), Exit.REFUSED) from None


def _measure(names: list[str], steps: list[Step], repeat: int | None, target: Target, *, who: str = OURS, as_json: bool) -> None:
    rows: list[dict[str, Any]] = []
    skipped: dict[str, str] = {}
    settle(target)
    for name in names:
        if SCENARIOS[name].needs:
            skipped[name] = SCENARIOS[name].needs
            _tell(f"{name}: skipped, {skipped[name]} are not built yet")
            continue
        for step, often in [(step, 1) for step in steps] or SCENARIOS[name].plan:
            for turn in range(repeat or often):
                _tell(f"{name} {step} ({turn + 1} of {repeat or often}) ...")
                rows.append({"who": who} | run(name, step, target, HELPERS))
                _tell(_short(rows[-1]))
                if as_json:
                    print(json.dumps(rows[-1]), flush=True)
    if not as_json:
        print(table(rows, read_peers(FOLDER / "peers.md"), skipped), end="")


def _short(row: dict[str, Any]) -> str:
    setup = row["setup_ms"] or {}
    files = f"; files: {row['files']}" if "files" in row else ""
    cost = f"CPU {row['cpu_ms_per_call']} ms a call, {row['cpu_s_per_call_minute']} s a call-minute"
    times = f"p50 {setup.get('p50')}, p99 {setup.get('p99')} ms"
    return f"  {row['done']} done, {row['failed']} failed; {cost}; {times}; others took {row['others_cores']} cores{files}"


@contextmanager
def _running() -> Iterator[tuple[SystemPlan, tuple[int, ...]]]:
    """The system of this data folder, with the bench's organization in it."""
    plan = _running_plan()
    _seed(plan)
    states = asyncio.run(intercom.ask(plan.supervisor_desk, "states"))
    yield plan, tuple(int(state["pid"]) for state in states if state["pid"])


def _running_plan() -> SystemPlan:
    file = read(os.environ).data_dir / "run" / "plan.json"
    if not file.exists():
        raise BenchRefused(f"Offhook is not running here: there is no {file}. ./run starts it; without --running a fresh one is loaded.")
    return read_plan(file)


@contextmanager
def fresh() -> Iterator[tuple[SystemPlan, tuple[int, ...]]]:
    """A system of our own on an address of its own, with every setting as it is by default but for a wider range of ports for sound."""
    with tempfile.TemporaryDirectory(prefix="offhook-bench-") as folder:
        environment = {name: words for name, words in os.environ.items() if not name.startswith("OFFHOOK_")}
        environment |= {
            "OFFHOOK_DATA_DIR": f"{folder}/var",
            "OFFHOOK_ADDRESS": os.environ.get("OFFHOOK_ADDRESS", _OWN_ADDRESS),
            "OFFHOOK_SIP_PORT": str(_OWN_SIP_PORT),
            "OFFHOOK_HTTP_PORT": str(_OWN_HTTP_PORT),
            "OFFHOOK_RTP_PORTS": os.environ.get("OFFHOOK_RTP_PORTS") or _free_block(),
            "OFFHOOK_SANDBOX": "no",
            "OFFHOOK_DRAIN_SECONDS": "0",
        }
        out = Path(folder) / "out"
        with out.open("wb") as printed:
            system = subprocess.Popen([sys.executable, "-P", "-m", "offhook", "run"], env=environment, stdout=printed, stderr=printed)
        try:
            plan = _ready(Path(folder) / "var" / "run" / "plan.json", system, out)
            _seed(plan)
            yield plan, (system.pid,)
        finally:
            if system.poll() is None:
                system.send_signal(signal.SIGTERM)
            try:
                system.wait(_GONE_SECONDS)
            except subprocess.TimeoutExpired:
                system.kill()
                system.wait()


def _free_block() -> str:
    """The first block of ports for sound that nobody uses."""
    for block in _RTP_BLOCKS:
        first, _, last = block.partition("-")
        with suppress(NoRtpPorts):
            claim_rtp_block((int(first), int(last))).release()
            return block
    raise BenchRefused(
        f"No 4,000 UDP ports in a row are free among {_RTP_BLOCKS[0]} ... {_RTP_BLOCKS[-1]}; name others by OFFHOOK_RTP_PORTS."
    )


def _ready(file: Path, system: "subprocess.Popen[bytes]", out: Path) -> SystemPlan:
    """The plan of the system that starts, once its switch answers."""
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and system.poll() is None:
        try:
            plan = read_plan(file)
            asyncio.run(intercom.ask(plan.switch_desk, "calls", timeout_seconds=1.0))
        except (OSError, ValueError, intercom.Silent, intercom.Refused):
            time.sleep(0.1)
        else:
            return plan
    raise BenchRefused(f"The system under test did not start:\n{out.read_text(errors='replace')}")


def _seed(plan: SystemPlan) -> int:
    """Make the bench's organization, and have the switch and the edge take it up; how many users were missing."""
    store = Database.at(plan.database_url)
    try:
        made = seed_bench(store, off_loopback=plan.off_loopback)
    finally:
        store.close()
    asyncio.run(intercom.ask(plan.switch_desk, "refresh", timeout_seconds=30.0))
    return made


def _tell(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
