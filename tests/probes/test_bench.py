"""The bench's pieces: what is asked for, what SIPp and rtpbench wrote, the table beside the peers, and one small load from end to end."""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from offhook.domain.errors import Invalid
from offhook.doors.cli.server import Exit
from offhook.engines.kamailio.directory import lines_like, revisions
from offhook.probes.bench import reading
from offhook.probes.bench.generators import FOLDER, BenchRefused, Target, source_of, user_rows
from offhook.probes.bench.processes import Watcher, memory, tree
from offhook.probes.bench.scenarios import CALLERS, SCENARIOS, Step, read_step
from offhook.probes.bench.table import FLOOR, OURS, read_peers, table
from offhook.services.bench import ATTENDANT, DOMAIN, PASSWORD, USERS, seed_bench
from offhook.services.edge_facts import load_edge_facts
from offhook.services.secrets import ha1
from offhook.services.snapshot import load
from offhook.store.engine import open_engine
from offhook.store.migrate import migrate
from offhook.store.transaction import Database
from offhook.wiring import bench_snapshot, configuration
from offhook.wiring.engines import write_edge_directory
from tests.calls.system import System, start_system
from tools import write_performance

NEEDS_CC = pytest.mark.skipif(shutil.which("cc") is None, reason="the bench's helpers are written in C: apt-get install gcc libc6-dev")


def test_a_step_is_read_and_an_endless_one_refused() -> None:
    assert read_step("25:500:20") == Step(25, 500, 20) and str(read_step("20:100:10.3")) == "20:100:10.3"
    for wrong in ("", "25:500", "a:b:c", "0:5:1", "5:0:1", "5:5:-1", "1:2:3:4", "10:60000:1", "1:1000:1"):
        with pytest.raises(ValueError, match=r"step|too much"):
            read_step(wrong)


def test_what_the_scenarios_need_is_in_the_projects_folder() -> None:
    for scenario in SCENARIOS.values():
        assert (FOLDER / "scenarios" / scenario.script).is_file()
        assert bool(scenario.plan) is not bool(scenario.needs)


def test_no_load_leaves_this_machine() -> None:
    with pytest.raises(BenchRefused, match="loopback"):
        Target("192.0.2.1", 5060, DOMAIN, PASSWORD, ())
    rows = user_rows(CALLERS[:2], ["2001", "2002"], "s", "secret").splitlines()
    assert rows[1] == f"1001;[authentication username=1001 password=secret];2001;0;s;{source_of(0)}"
    addresses = {source_of(position) for position in range(len(CALLERS))}
    assert len(addresses) == len(CALLERS) and all(address.startswith("127.") for address in addresses)


def test_sipps_files_are_read(tmp_path: Path) -> None:
    statistics = tmp_path / "uac.stat"
    names = ["CurrentCall", "TotalCallCreated", "SuccessfulCall(C)", "FailedCall(C)", "FailedUnexpectedMessage(C)", *"abcdefg"]
    lines = [names, ["7", "10", "1", "0", "0", *"0000000"], ["0", "20", "17", "3", "3", *"0000000"]]
    statistics.write_text("\n".join(";".join(line) for line in lines) + "\n")
    last, at_once = reading.last_statistics(statistics)
    assert at_once == 7 and reading.count(last, "SuccessfulCall(C)") == 17
    assert reading.failures(last) == {"UnexpectedMessage": 3}
    assert reading.last_statistics(tmp_path / "none") == ({}, 0)
    times = tmp_path / "uac_1_rtt.csv"
    times.write_text("Date_ms;response_time_ms;rtd_no\n1000;5.5;1\n2000;7.5;1\n2500;1;3\nbroken\n")
    found, moments = reading.response_times([times])
    assert found[reading.SETUP] == [5.5, 7.5] and found[reading.LAST] == [1.0]
    assert reading.pace(moments) == 1.0 and reading.pace(moments[:1]) is None
    assert reading.quantiles([float(each) for each in range(1, 101)]) == {"n": 100, "p50": 51.0, "p95": 96.0, "p99": 100.0, "max": 100.0}
    assert reading.quantiles([]) is None


def test_the_table_stands_beside_the_peers() -> None:
    peers = read_peers(FOLDER / "peers.md")
    assert peers["asterisk"]["call 20:200:20"]["delay p99"] == "0.56 (0.56-0.6)"
    assert peers["asterisk"]["ivr 20:100:10.3"]["CPU s / call-min"].startswith("0.22"), "of two, the fresh process counts"
    row = {
        "scenario": "signal", "step": "50:500:1", "cpu_ms_per_call": 4.0, "cpu_ms_by_process": {"switch": 2.5, "kamailio": 1.5, "w": 0.01},
        "setup_ms": {"p50": 5.0, "p95": 6.0, "p99": 9.0}, "achieved": 50.0, "failed": 0,
    }  # fmt: skip
    lines = table([row, row | {"cpu_ms_per_call": 6.0}], peers, {"queue": "queues"}).splitlines()
    assert lines[2] == "| signal 50/s: CPU ms / call | 5.51 (5.44-5.84) | 24.5 (23.4-24.7) | 5 (4-6) |"
    assert lines[3].endswith("| switch 2.5, kamailio 1.5 |")
    assert lines[4].endswith("| 5 / 6 / 9 |") and lines[5].endswith("| 50; 0 |")
    assert lines[-1] == "| queue | | | not built yet: queues |"
    beside = table([row, row | {"who": FLOOR, "cpu_ms_per_call": 2.0}], peers, {"queue": "queues"}).splitlines()
    assert beside[0].endswith(f"| {FLOOR} | {OURS} |")
    assert beside[2].endswith("| 24.5 (23.4-24.7) | 2 | 4 |") and beside[-1] == "| queue | | | | not built yet: queues |"


def test_the_published_table_is_as_its_rows() -> None:
    page = write_performance.PAGE.read_text()
    assert page == write_performance.written(page), "run .venv/bin/python -m tools.write_performance"


def test_what_processes_cost_is_counted_with_their_children() -> None:
    spin = "import time; end = time.process_time() + 0.3\nwhile time.process_time() < end: pass\nprint('spun', flush=True); time.sleep(60)"
    parent = subprocess.Popen(["sh", "-c", f'{sys.executable} -c "{spin}"; true'], stdout=subprocess.PIPE)
    try:
        watcher = Watcher([parent.pid])
        watcher.start()
        assert parent.stdout is not None and parent.stdout.readline() == b"spun\n"
        child = next(pid for pid in tree([parent.pid]) if pid != parent.pid)
        held = memory(child)
        assert held is not None and held.rss >= held.pss > 1000
        watcher.finish()
        assert sum(watcher.cpu_by_name().values()) >= 0.25 and watcher.most.rss >= held.rss
        os.kill(child, 9)
    finally:
        parent.kill()
        parent.wait()
    deadline = time.monotonic() + 10
    while tree([parent.pid]) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert memory(parent.pid) is None


def test_seeding_twice_makes_everybody_once(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'bench.sqlite'}"
    migrate(url)
    store = Database(open_engine(url))
    assert seed_bench(store, off_loopback=False) == len(USERS) == 1000
    assert seed_bench(store, off_loopback=False) == 0
    snapshot = load(store)
    organization = snapshot.by_domain[DOMAIN]
    assert len(organization.users) == 1000 and {"1001", "2500", ATTENDANT} <= set(organization.extensions)
    assert [attendant.rounds for attendant in organization.attendants.values()] == [1]
    assert load_edge_facts(store, off_loopback=False).sign_ins["1001", DOMAIN].ha1 == ha1("1001", DOMAIN, PASSWORD).ha1_md5
    with pytest.raises(Invalid, match="published password"):
        seed_bench(store, off_loopback=True)
    assert ("1001", DOMAIN) not in load_edge_facts(store, off_loopback=True).sign_ins, "nobody else's machine lets them in either"
    store.close()


def test_a_large_organization_is_measured_as_it_would_be_held(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, edge = tmp_path / "offhook.sqlite", tmp_path / "edge.sqlite"
    migrate(f"sqlite:///{file}")
    bench_snapshot.make(file, users=600, numbers=1_000)
    store = Database(open_engine(f"sqlite:///{file}"))
    write_edge_directory(edge, load_edge_facts(store, off_loopback=False))
    monkeypatch.setattr(configuration, "LOOK_AGAIN_SECONDS", 0.01)
    told = bench_snapshot.measure(file, users=600, numbers=1_000)
    assert (told["users"], told["numbers"]) == (600, 1_000)
    assert told["take_up_ms"]["p50"] > 0 and told["decision_us"]["p50"] > 0
    assert told["closing"]["emptying_ms"]["most"] > 0
    assert revisions(edge) == {} == lines_like(edge, "credentials", "*")
    with store.provider_view() as provider:
        assert provider.organizations.to_empty() == [] == provider.organizations.all()
    store.close()


@pytest.mark.engines
@NEEDS_CC
def test_the_engines_alone_carry_the_same_load() -> None:
    ended = offhook("bench", "--floor", "--only", "call,register", "--steps", "4:4:1", "--json")
    assert ended.returncode == 0, ended.stderr
    call, register = map(json.loads, ended.stdout.splitlines())
    assert (call["who"], call["done"], call["failed"], register["done"]) == (FLOOR, 4, 0, 4), ended.stderr
    assert call["sound"]["A"]["end_to_end"]["received"] > 100 and set(call["cpu_ms_by_process"]) <= {"kamailio", "rtpengine"}
    refused = offhook("bench", "--floor", "--only", "ivr")
    assert refused.returncode == Exit.WRONG_COMMAND and "cannot do ivr" in refused.stderr


def offhook(*words: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run([sys.executable, "-m", "offhook", *words], capture_output=True, text=True, timeout=120)


@pytest.fixture
def system(tmp_path: Path) -> System:
    return start_system(tmp_path / "var", OFFHOOK_SANDBOX="yes")


@pytest.mark.engines
@NEEDS_CC
def test_a_small_load_goes_through_a_running_system(system: System) -> None:
    try:
        ended = system.offhook("bench", "--running", "--only", "call,register,conf", "--steps", "2:4:1", "--json")
        assert ended.returncode == 0, ended.stderr
        call, register = map(json.loads, ended.stdout.splitlines())
        assert (call["scenario"], call["done"], call["failed"]) == ("call", 4, 0), ended.stderr
        assert call["setup_ms"]["n"] == 4 and call["cpu_ms_by_process"]["switch"] > 0
        assert call["sound"]["A"]["end_to_end"]["received"] > 100
        assert (register["scenario"], register["done"], register["failed"]) == ("register", 4, 0)
        assert "conf: skipped, conferences are not built yet" in ended.stderr
        wrong = system.offhook("bench", "--only", "dance")
        assert wrong.returncode == Exit.WRONG_COMMAND and "no scenario dance" in wrong.stderr
    finally:
        assert system.stop() == 0
