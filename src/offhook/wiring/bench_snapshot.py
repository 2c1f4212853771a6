"""`offhook bench --only snapshot`: how long a large organization takes to be held in memory, to decide in, and to change.

Run as a module with the file of a database, it measures in a process of its own, so that its memory is the snapshot's.
"""

import asyncio
import json
import random
import resource
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import uvloop

from offhook.domain.numbers import E164
from offhook.domain.organizations import OrganizationId, Purpose
from offhook.domain.routing import Caller, Source, route
from offhook.engines.kamailio import directory
from offhook.services.edge_facts import load_edge_facts
from offhook.services.snapshot import Snapshot, load, taken_up
from offhook.services.users import change_user
from offhook.store.migrate import migrate
from offhook.store.transaction import Database
from offhook.wiring.configuration import loading
from offhook.wiring.engines import write_edge_directory
from offhook.wiring.switch import share_in_small_slices

USERS, NUMBERS = 100_000, 1_000_000
DOMAIN = "large.test"
DECISIONS, EDITS = 20_000, 50
TICK_SECONDS = 0.001
_FIRST_NUMBER = 2_000_000_0000


def bench_snapshot() -> dict[str, Any]:
    """The figures. Raises RuntimeError when they could not be taken."""
    with tempfile.TemporaryDirectory(prefix="offhook-bench-") as folder:
        file = Path(folder) / "offhook.sqlite"
        migrate(f"sqlite:///{file}")
        make(file)
        ran = subprocess.run([sys.executable, "-P", "-m", __name__, str(file)], capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(ran.stderr)
    found: dict[str, Any] = json.loads(ran.stdout)
    return found


def make(file: Path, users: int = USERS, numbers: int = NUMBERS) -> None:
    """One organization: each user has a telephone and an extension, and the numbers go round among them."""
    places = range(1, users + 1)
    with closing(sqlite3.connect(file)) as database, database:
        own = {"id": 1, "name": "Large", "domain": DOMAIN, "country": "US", "time_zone": "UTC", "purpose": Purpose.CUSTOMER.value}
        _put(database, "organizations", own | {"revision": 1, "version": 1, "whole_since": 1}, [{}])
        same = {"organization_id": 1, "version": 1}
        person = same | {"language": "en", "location": "", "time_zone": ""}
        people = ({"id": n, "username": f"user{n}", "name": f"User {n}", "extension": str(n + 99_999)} for n in places)
        _put(database, "users", person, people)
        proof = {"name": "Telephone", "ha1_sha256": "0" * 64}
        phones = ({"user_id": n, "sip_username": f"user{n}", "ha1_md5": f"{n:032x}"} for n in places)
        _put(database, "devices", same | proof, phones)
        rung = ({"e164": f"+1{_FIRST_NUMBER + n}", "target_id": n % users + 1} for n in range(numbers))
        _put(database, "numbers", same | {"target_kind": "user"}, rung)


def _put(database: sqlite3.Connection, table: str, same: dict[str, Any], rows: Any) -> None:
    first, *others = [same | row for row in rows]
    names = list(first)
    statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})"
    database.executemany(statement, [first, *others])


def measure(file: Path, edge_file: Path) -> dict[str, Any]:
    """Everything, in this process."""
    store = Database.at(f"sqlite:///{file}")
    share_in_small_slices()
    before = _resident_mb()
    with loading():
        began = time.perf_counter()
        snapshot = load(store)
        seconds = time.perf_counter() - began
    grown = _resident_mb() - before
    organization = snapshot.by_domain[DOMAIN]
    held: dict[str, Any] = {"users": len(organization.users), "numbers": len(snapshot.numbers), "load_s": round(seconds, 2)}
    held |= {"resident_mb": round(_resident_mb()), "grown_mb": round(grown), "most_mb": round(_most_mb())}
    held |= {"decision_us": _decisions(snapshot)}
    with loading():
        began = time.perf_counter()
        write_edge_directory(edge_file, load_edge_facts(store, off_loopback=False))
        held["edge_file_s"] = round(time.perf_counter() - began, 2)
    return held | uvloop.run(_edits(store, snapshot, edge_file))


def _decisions(snapshot: Snapshot) -> dict[str, float]:
    """Calls of everybody to extensions, to numbers of the organization and to others, each routed once; the first of them cold."""
    organization, chance = snapshot.by_domain[DOMAIN], random.Random(1)
    took = []
    for n in range(DECISIONS):
        caller = Caller(Source.PHONE, f"user{chance.randrange(USERS) + 1}", DOMAIN, address="192.0.2.1")
        kind = n % 3
        dialled = str(100_000 + chance.randrange(USERS)) if kind == 0 else f"+1{_FIRST_NUMBER + chance.randrange(NUMBERS)}"
        if kind == 2:
            dialled = f"1206555{chance.randrange(10_000):04}"
        began = time.perf_counter_ns()
        by_index = snapshot.numbers.get(E164(dialled))
        route(snapshot.by_domain.get(caller.domain), caller, dialled)
        took.append((time.perf_counter_ns() - began) / 1000)
        assert (by_index is None) is (kind != 1)
    assert organization is snapshot.by_domain[DOMAIN]
    return _spread(took)


async def _edits(store: Database, snapshot: Snapshot, edge_file: Path) -> dict[str, Any]:
    """One user after the other is changed; how long until it counts, and how late the loop woke meanwhile."""
    organization = OrganizationId(1)
    took: list[float] = []
    late: list[float] = []

    async def follow() -> None:
        nonlocal snapshot
        began = time.perf_counter()
        snapshot = await asyncio.to_thread(_taken_up, store, snapshot, organization, edge_file)
        took.append((time.perf_counter() - began) * 1000)

    idle = [await _lateness(asyncio.sleep(0.02)) for _ in range(EDITS)]
    for n in range(EDITS):
        # In the system another process writes, so that this is not in the loop's way.
        change_user(store, organization, f"user{n * 7 + 1}", {"name": f"Changed {n}", "extension": f"9{n:04}"}, who="bench")
        late.append(await _lateness(follow()))
        assert snapshot.organizations[organization].revision == n + 2
    return {"take_up_ms": _spread(took), "loop_late_ms": {"idle": _spread(idle), "while_taking_up": _spread(late)}}


def _taken_up(store: Database, snapshot: Snapshot, id: OrganizationId, edge_file: Path) -> Snapshot:
    with store.view(id) as transaction:
        profile, delta = transaction.profile(), transaction.delta(snapshot.organizations[id].revision)
    changed = taken_up(snapshot, profile, delta)
    proofs = {directory.credential_key(name, DOMAIN): proof and directory.credential(*proof) for name, proof in delta.sign_ins.items()}
    directory.edit(edge_file, {"credentials": proofs})
    return changed


async def _lateness(work: Any) -> float:
    """The longest that the loop was away while something went on, in ms."""
    loop, worst = asyncio.get_running_loop(), 0.0
    task = asyncio.ensure_future(work)
    while not task.done():
        due = loop.time() + TICK_SECONDS
        began = time.perf_counter()
        await asyncio.sleep(TICK_SECONDS)
        worst = max(worst, loop.time() - due, time.perf_counter() - began - TICK_SECONDS)
    await task
    return worst * 1000


def _spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    return {name: round(ordered[int(share * (len(ordered) - 1))], 2) for name, share in (("p50", 0.5), ("p99", 0.99), ("most", 1.0))}


def _resident_mb() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize() / 1e6


def _most_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


if __name__ == "__main__":
    database = Path(sys.argv[1])
    print(json.dumps(measure(database, database.with_name("edge.sqlite"))))
