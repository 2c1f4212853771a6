"""People from a file through the API and the command line, with a clerk at work as in the web process."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from httpx import AsyncClient, Response

from offhook.domain.access import Role, scopes_of
from offhook.services.tokens import issue
from tests.doors.rooms import World

CSV = {"Content-Type": "text/csv"}
THREE = "username,name,extension\nzoe,Zoe Lind,131\nzara,Zara,911\nanna,Anna Berg,101\n"
IMPORT = "/api/v1/jobs/import-users"


@asynccontextmanager
async def at_work(world: World) -> AsyncIterator[AsyncClient]:
    """A client of the organization, while the clerk works."""
    clerk = asyncio.create_task(world.app.state.house.jobs.run())
    try:
        async with world.client(world.lumen.token) as client:
            yield client
    finally:
        clerk.cancel()


async def over(client: AsyncClient, job: dict[str, Any]) -> dict[str, Any]:
    """A job once it is over."""
    deadline = time.monotonic() + 120
    while job["state"] in ("waiting", "running"):
        assert time.monotonic() < deadline, job
        await asyncio.sleep(0.02)
        job = (await client.get(f"/api/v1/jobs/{job['id']}")).json()
    return job


async def test_a_file_is_taken_carried_out_and_told_of_row_by_row(world: World) -> None:
    async with at_work(world) as client:
        answer = await client.post(IMPORT, content=THREE, headers=CSV)
        job = await over(client, answer.json())
        rows = (await client.get(f"/api/v1/jobs/{job['id']}/rows?limit=2")).json()
        rest = (await client.get(f"/api/v1/jobs/{job['id']}/rows?limit=2&cursor={rows['next']}")).json()
        refused = await client.get(f"/api/v1/jobs/{job['id']}/refused.csv")
        revision = (await client.get("/api/v1/organization")).json()["revision"]
    assert (answer.status_code, answer.headers["location"]) == (202, f"/api/v1/jobs/{job['id']}")
    assert (job["state"], job["done"], job["total"]) == ("done", 3, 3)
    assert (job["revision"], job["in_effect"]) == (revision, True)
    assert set(job["options"]) == {"on_existing", "dry_run", "welcome", "encoding", "delimiter", "columns"}
    told = [(row["row"], row["username"], row["state"], row["code"], row["field"]) for row in rows["rows"] + rest["rows"]]
    assert told[1] == (3, "zara", "refused", "value.invalid", "extension")
    assert (told[0][:3], told[2][1:3]) == ((2, "zoe", "created"), ("anna", "changed"))
    assert refused.headers["content-type"].startswith("text/csv")
    assert refused.content.decode("utf-8-sig").splitlines()[1].endswith("zara,Zara,911")
    assert world.switch.refreshed


async def test_everybody_goes_out_as_a_file_and_comes_in_unchanged(world: World) -> None:
    async with at_work(world) as client:
        out = await client.get("/api/v1/users.csv")
        job = await over(client, (await client.post(IMPORT, content=out.content, headers=CSV)).json())
    assert job["results"] == {"unchanged": len(out.content.decode().splitlines()) - 1}
    assert job["revision"] is None


async def test_a_file_sent_again_with_its_key_is_one_job(world: World) -> None:
    async with at_work(world) as client:
        first, second = [await client.post(IMPORT, content=THREE, headers=CSV | {"Idempotency-Key": "monday"}) for _ in range(2)]
        jobs = (await client.get("/api/v1/jobs?sort=-id")).json()["jobs"]
    assert first.json()["id"] == second.json()["id"]
    assert len(jobs) == 1


async def test_a_job_is_cancelled_and_resumed_and_not_twice(world: World) -> None:
    async with world.client(world.lumen.token) as client:
        job = (await client.post(IMPORT, content=THREE, headers=CSV)).json()
        place = f"/api/v1/jobs/{job['id']}"
        assert (await client.post(f"{place}/cancel")).json()["state"] == "cancelled"
        again = await client.post(f"{place}/cancel")
        assert (again.status_code, again.json()["code"], again.json()["field"]) == (409, "job.not_now", "job")
        assert (await client.post(f"{place}/resume")).json()["state"] == "waiting"
    async with at_work(world) as client:
        assert (await over(client, job))["done"] == 3


@pytest.mark.parametrize(
    ("content", "headers", "query", "status", "code", "field"),
    [
        (b"", CSV, "", 422, "csv.empty", "file"),
        (b"username,phone\na,b", CSV, "", 422, "csv.columns", "phone"),
        (b'username,name\nanna,"An', CSV, "", 422, "csv.unreadable", "name"),
        (b"username,name\nanna,Anna", {"Content-Type": "application/json"}, "", 422, "value.invalid", "Content-Type"),
        (b"username,name\nanna,Anna", {"Content-Type": "multipart/form-data; boundary=x"}, "", 422, "value.invalid", "Content-Type"),
        (b"username,name\nanna,Anna", CSV, "?on_existing=hide", 422, "value.invalid", "on_existing"),
        (b"username,name\nanna,Anna", CSV, "?dryrun=true", 422, "value.invalid", "dryrun"),
        (b"username,name\n" + b"anna,Anna\n" * 1_700_000, CSV, "", 413, "request.too_large", None),
    ],
)
async def test_a_file_that_is_none_is_refused_with_its_field_and_nothing_is_kept(
    world: World, content: bytes, headers: dict[str, str], query: str, status: int, code: str, field: str | None
) -> None:
    async with world.client(world.lumen.token) as client:
        answer = await client.post(IMPORT + query, content=content, headers=headers)
        assert (answer.status_code, answer.json()["code"], answer.json().get("field")) == (status, code, field)
        assert (await client.get("/api/v1/jobs")).json()["jobs"] == []


async def test_ten_megabytes_are_taken(world: World) -> None:
    row = ",".join(["x" * 900] * 8)
    content = "username,name,email,extension,number,language,location,time_zone\n" + f"{row}\n" * 1400
    assert len(content) > 10_000_000
    async with at_work(world) as client:
        job = await over(client, (await client.post(IMPORT, content=content, headers=CSV)).json())
    assert job["results"] == {"refused": 1400}


@pytest.mark.parametrize("path", [IMPORT, "/api/v1/configuration/plan", "/api/v1/configuration/apply"])
@pytest.mark.parametrize("key", [[], [(b"idempotency-key", b"monday")]], ids=["without a key", "with a key"])
async def test_an_upload_that_breaks_off_leaves_nothing(
    world: World, caplog: pytest.LogCaptureFixture, path: str, key: list[tuple[bytes, bytes]]
) -> None:
    sent: list[dict[str, Any]] = []
    messages: Iterator[dict[str, Any]] = iter(
        [{"type": "http.request", "body": THREE.encode(), "more_body": True}, {"type": "http.disconnect"}]
    )

    async def receive() -> dict[str, Any]:
        return next(messages)

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"authorization", f"Bearer {world.lumen.token}".encode()), (b"content-type", b"text/csv"), *key]
    scope = {"type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": "POST", "scheme": "http", "path": path}
    more = {"raw_path": path.encode(), "query_string": b"", "root_path": "", "headers": headers, "client": None, "server": None}
    await world.app(scope | more, receive, send)
    assert [message["status"] for message in sent if "status" in message] in ([400], [])  # nobody hears it
    assert not caplog.records
    async with world.client(world.lumen.token) as client:
        assert (await client.get("/api/v1/jobs")).json()["jobs"] == []


@pytest.mark.parametrize(
    ("role", "allowed"),
    [(Role.GLOBAL, "all"), (Role.VOICE, "all"), (Role.READER, "reads"), (Role.BILLING, "reads"), (Role.HELP_DESK, "export")],
)
async def test_each_role_may_do_with_jobs_what_its_scopes_say(world: World, role: Role, allowed: str) -> None:
    token = issue(world.database, world.lumen.profile.id, "somebody", None, "tests", scopes_of(role))
    async with world.client(token if allowed == "all" else world.lumen.token) as client:
        job = (await client.post(IMPORT, content=THREE, headers=CSV)).json()["id"]
    place = f"/api/v1/jobs/{job}"
    async with world.client(token) as client:
        reads = [await client.get(path) for path in ("/api/v1/jobs", place, f"{place}/rows", f"{place}/refused.csv")]
        export = await client.get("/api/v1/users.csv")
        writes: list[Response] = [await client.post(f"{place}/{verb}") for verb in ("cancel", "resume")]
        writes.append(await client.post(IMPORT, content=THREE, headers=CSV))
    assert {answer.status_code for answer in reads} == ({403} if allowed == "export" else {200})
    assert export.status_code == 200
    assert {answer.is_success for answer in writes} == {allowed == "all"}
    assert allowed == "all" or {answer.status_code for answer in writes} == {403}


async def test_nobody_goes_on_with_the_rights_of_somebody_who_has_more(world: World) -> None:
    token = issue(world.database, world.lumen.profile.id, "somebody", None, "tests", scopes_of(Role.VOICE))
    async with world.client(world.lumen.token) as client:
        job = (await client.post(IMPORT, content=THREE, headers=CSV)).json()["id"]
    async with world.client(token) as client:
        assert (await client.post(f"/api/v1/jobs/{job}/cancel")).is_success  # to stop something needs no more than one's own
        refused = await client.post(f"/api/v1/jobs/{job}/resume")
    assert (refused.status_code, refused.json()["field"]) == (403, "job")
    async with world.client(world.lumen.token) as client:
        assert (await client.get(f"/api/v1/jobs/{job}")).json()["state"] == "cancelled"


@pytest.mark.long
async def test_ten_thousand_people_come_in_and_nobody_waits_for_them(world: World) -> None:
    heads = "username,name,email,extension,number,language,location,time_zone,role\n"
    rows = heads + "".join(
        f"user{n:05},User {n},user{n}@lumen.test,{20000 + n},+1415{5550000 + n},fr,US,America/New_York,\n" for n in range(10_000)
    )
    waits: list[float] = []
    async with at_work(world) as client:
        began = time.monotonic()
        answer = await client.post(IMPORT, content=rows, headers=CSV)
        job = answer.json()
        while job["state"] in ("waiting", "running"):
            asked = time.monotonic()
            written = await client.post("/api/v1/users", json={"username": f"other{len(waits)}", "name": "Other"})
            waits.append(time.monotonic() - asked)
            assert written.status_code == 201, written.text
            job = (await client.get(f"/api/v1/jobs/{job['id']}")).json()
            await asyncio.sleep(0.1)
        took = time.monotonic() - began
    waits.sort()
    print(
        f"10,000 people in {took:.1f} s; {len(waits)} other writes meanwhile: p50 {waits[len(waits) // 2]:.3f} s, worst {waits[-1]:.3f} s"
    )
    assert job["results"] == {"created": 10_000}
    assert waits[-1] < 5  # the store's patience: none was refused for being kept waiting
