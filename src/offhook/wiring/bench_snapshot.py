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
from types import SimpleNamespace
from typing import Any, cast

import uvloop

from offhook.domain.numbers import E164
from offhook.domain.organizations import OrganizationId, Purpose
from offhook.domain.routing import Caller, Source, route
from offhook.services.edge_facts import load_edge_facts
from offhook.services.leaving import empty_some
from offhook.services.organizations import close_organization
from offhook.services.snapshot import Snapshot
from offhook.services.users import change_user
from offhook.store.engine import open_engine
from offhook.store.migrate import migrate
from offhook.store.transaction import Database
from offhook.wiring.configuration import Configuration
from offhook.wiring.engines import write_edge_directory
from offhook.wiring.switch import share_in_small_slices

USERS, NUMBERS = 100_000, 1_000_000
DOMAIN, ORGANIZATION = "large.test", OrganizationId(1)
DECISIONS, EDITS = 20_000, 50
TICK_SECONDS = 0.001
_FIRST_NUMBER = 2_000_000_0000


def bench_snapshot() -> dict[str, Any]:
    """The figures. Raises RuntimeError when they could not be taken."""
    with tempfile.TemporaryDirectory(prefix="offhook-bench-") as folder:
        file = Path(folder) / "offhook.sqlite"
        migrate(f"sqlite:///{file}")
        make(file)
        began = time.perf_counter()
        write_edge_directory(Path(folder) / "edge.sqlite", load_edge_facts(Database.at(f"sqlite:///{file}"), off_loopback=False))
        took = time.perf_counter() - began
        ran = subprocess.run([sys.executable, "-P", "-m", __name__, str(file)], capture_output=True, text=True, check=False)
    if ran.returncode:
        raise RuntimeError(ran.stderr)
    found: dict[str, Any] = {"edge_file_s": round(took, 2)} | json.loads(ran.stdout)
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
        shelved = {"country": "US", "kind": "geographic", "locality": "", "version": 1}
        _put(database, "stock", shelved, ({"e164": f"+1{_FIRST_NUMBER + n}"} for n in range(numbers)))
        rung = ({"e164": f"+1{_FIRST_NUMBER + n}", "target_id": n % users + 1} for n in range(numbers))
        _put(database, "numbers", same | {"target_kind": "user"}, rung)


def _put(database: sqlite3.Connection, table: str, same: dict[str, Any], rows: Any) -> None:
    first, *others = [same | row for row in rows]
    names = list(first)
    statement = f"INSERT INTO {table} ({', '.join(names)}) VALUES ({', '.join(':' + name for name in names)})"
    database.executemany(statement, [first, *others])


class _Kamailio:
    """The edge as the switch knows it, that takes up whatever it is told."""

    async def take_up(self, lines: Any) -> None: ...
    async def reload(self, *tables: str) -> None: ...
    async def forget(self, username: str, domain: str) -> None:
        await asyncio.sleep(0)


def measure(file: Path, users: int = USERS, numbers: int = NUMBERS) -> dict[str, Any]:
    """Everything, in this process."""
    engine = open_engine(f"sqlite:///{file}")
    plan = SimpleNamespace(folder=file.parent, edge_database=file.with_name("edge.sqlite"), off_loopback=False)
    share_in_small_slices()
    before = _resident_mb()
    began = time.perf_counter()
    held = Configuration(cast(Any, plan), engine, cast(Any, _Kamailio()))
    seconds = time.perf_counter() - began
    grown = _resident_mb() - before
    found: dict[str, Any] = {"users": len(held.snapshot.by_domain[DOMAIN].users), "numbers": len(held.snapshot.numbers)}
    found |= {"load_s": round(seconds, 2), "resident_mb": round(_resident_mb()), "grown_mb": round(grown), "most_mb": round(_most_mb())}
    found |= {"decision_us": _decisions(held.snapshot, users, numbers)}
    return found | uvloop.run(_follow(Database(engine), held))


def _decisions(snapshot: Snapshot, users: int, numbers: int) -> dict[str, float]:
    """Calls of everybody to extensions, to numbers of the organization and to others, each routed once; the first of them cold."""
    organization, chance = snapshot.by_domain[DOMAIN], random.Random(1)
    took = []
    for n in range(DECISIONS):
        caller = Caller(Source.PHONE, f"user{chance.randrange(users) + 1}", DOMAIN, address="192.0.2.1")
        kind = n % 3
        dialled = str(100_000 + chance.randrange(users)) if kind == 0 else f"+1{_FIRST_NUMBER + chance.randrange(numbers)}"
        if kind == 2:
            dialled = f"1206555{chance.randrange(10_000):04}"
        began = time.perf_counter_ns()
        by_index = snapshot.numbers.get(E164(dialled))
        route(snapshot.by_domain.get(caller.domain), caller, dialled)
        took.append((time.perf_counter_ns() - began) / 1000)
        assert (by_index is None) is (kind != 1)
    assert organization is snapshot.by_domain[DOMAIN]
    return _spread(took)


async def _follow(store: Database, held: Configuration) -> dict[str, Any]:
    """One user after the other is changed, then the organization is closed.

    How long until it counts, and how late the loop woke meanwhile. In the system another process writes, so that this is not in its way.
    """
    took: list[float] = []
    late: list[float] = []

    async def follows(revision: int) -> None:
        began = time.perf_counter()
        assert await held.take_up(ORGANIZATION, revision) == revision
        took.append((time.perf_counter() - began) * 1000)

    idle = [await _lateness(asyncio.sleep(0.02)) for _ in range(EDITS)]
    for n in range(EDITS):
        change_user(store, ORGANIZATION, f"user{n * 5 + 1}", {"name": f"Changed {n}", "extension": f"9{n:04}"}, who="bench")
        late.append(await _lateness(follows(n + 2)))
    told = {"take_up_ms": _spread(took), "loop_late_ms": {"idle": _spread(idle), "while_taking_up": _spread(late)}}
    return told | {"closing": await _closing(store, held)}


async def _closing(store: Database, held: Configuration) -> dict[str, Any]:
    """It is closed, the switch lets go of it while a call of it goes on, then of what was kept for that call; its rows go."""
    found: dict[str, Any] = {}
    call = held.snapshot.organizations[ORGANIZATION]

    def took(name: str, began: float) -> None:
        found[name] = round(time.perf_counter() - began, 3)

    began = time.perf_counter()
    close_organization(store, ORGANIZATION, gives_back=True, who="bench")
    took("transaction_s", began)
    began = time.perf_counter()
    late = await _lateness(held.refresh())
    took("given_up_s", began)
    assert not held.snapshot.numbers and call.numbers
    del call
    began = time.perf_counter()
    late_after = await _lateness(held.let_go())
    took("let_go_s", began)
    found["loop_late_ms"] = {"while_giving_up": round(late, 2), "while_letting_go": round(late_after, 2)}
    slices = []
    began = time.perf_counter()
    over = False
    while not over:
        since = time.perf_counter()
        over = empty_some(store)
        slices.append((time.perf_counter() - since) * 1000)
    took("emptied_s", began)
    return found | {"emptying_ms": _spread(slices)}


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
    print(json.dumps(measure(Path(sys.argv[1]))))
