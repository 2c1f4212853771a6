"""Live calls and jobs as they happen, over a real connection: a stream cannot be tried without one."""

import asyncio
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
import uvicorn

from offhook.domain.organizations import OrganizationId
from offhook.doors.api import events as door
from offhook.services import events, live_calls, tokens
from offhook.services.events import LiveEvents, TooManyListeners
from offhook.services.ports.live import LiveCall
from offhook.services.tokens import Access, provider_token
from tests.doors.conftest import KEY
from tests.doors.rooms import World

PATIENCE_SECONDS = 20.0


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LOOK_SECONDS", 0.05)
    monkeypatch.setattr(live_calls, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(door, "HEARTBEAT_SECONDS", 0.2)


@pytest.fixture
async def url(world: World) -> AsyncIterator[str]:
    configuration = uvicorn.Config(world.app, host="127.0.0.1", port=0, log_config=None, access_log=False, timeout_graceful_shutdown=1)
    server = uvicorn.Server(configuration)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    server.should_exit = True
    await serving


class Stream:
    """What comes over one connection."""

    def __init__(self, lines: AsyncIterator[str]) -> None:
        self._lines = lines
        self.beats = 0
        self.last_id = ""

    async def next(self) -> tuple[str, dict[str, Any]]:
        """The next event: its name and data."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            fields: dict[str, str] = {}
            async for line in self._lines:
                if line.startswith(":"):
                    self.beats += 1
                elif line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif "event" in fields:
                    self.last_id = fields.get("id", self.last_id)
                    return fields["event"], json.loads(fields["data"])
                else:
                    fields = {}
        raise AssertionError("the stream ended")


@asynccontextmanager
async def listening(url: str, token: str, last: str | None = None, of: str = "") -> AsyncIterator[Stream]:
    headers = {"Authorization": f"Bearer {token}", "Accept": "text/event-stream"} | ({"Last-Event-ID": last} if last else {})
    async with (
        httpx.AsyncClient(timeout=PATIENCE_SECONDS) as client,
        client.stream("GET", f"{url}/api/v1/events{of}", headers=headers) as answer,
    ):
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/event-stream")
        yield Stream(answer.aiter_lines())


async def test_a_call_begins_changes_and_ends_and_nobody_elses_is_told(world: World, url: str) -> None:
    there = world.lives(1)
    world.lives(2, of=world.pine)
    async with listening(url, world.lumen.token) as stream:
        name, data = await stream.next()
        assert name == "now" and [call["call"] for call in data["calls"]] == [there] and data["live_known"]
        theirs = world.lives(3, of=world.pine)
        own = world.lives(4)
        assert await stream.next() == ("call.began", {"call": {**_told(world, own)}})
        world.switch.changes(theirs, state="held")
        world.switch.changes(own, connected="Chloe")
        name, data = await stream.next()
        assert (name, data["call"]["connected"]) == ("call.changed", "Chloe")
        world.switch.changes(theirs, state="completed.by_caller")
        world.switch.changes(own, state="completed.by_callee")
        name, data = await stream.next()
        assert (name, data["call"]["call"], data["call"]["state"]) == ("call.ended", own, "completed.by_callee")
        world.switch.changes(own, connected="Ben")  # it is over already, and is not told a second time
        world.switch.changes(there, state="caller.lost")
        name, data = await stream.next()
        assert (name, data["call"]["call"]) == ("call.ended", there)


async def test_a_call_that_was_over_before_anybody_looked_is_told(world: World, url: str) -> None:
    async with listening(url, world.lumen.token) as stream:
        await stream.next()
        call = world.lives(1)
        world.switch.changes(call, state="completed.by_caller")
        assert [(await stream.next())[0] for _ in range(2)] == ["call.began", "call.ended"]
        async with listening(url, world.lumen.token) as other:
            assert await other.next() == ("now", {"calls": [], "live_known": True})


def _told(world: World, call: str) -> dict[str, Any]:
    (found,) = [each for each in world.switch.living if each.call == call]
    return {name: getattr(found, name) for name in LiveCall.__slots__}


async def test_who_comes_back_is_told_what_was_missed(world: World, url: str) -> None:
    async with listening(url, world.lumen.token) as stream:
        await stream.next()
        world.lives(1)
        await stream.next()
        last = stream.last_id
    own, theirs = world.lives(2), world.lives(3, of=world.pine)
    async with listening(url, world.pine.token) as other:  # whoever looks meanwhile, it was looked at
        await other.next()
        world.lives(4, of=world.pine)
        await other.next()
    async with listening(url, world.lumen.token, last) as stream:
        name, data = await stream.next()
        assert (name, data["call"]["call"]) == ("call.began", own) and theirs != own
    for strange in ("nonsense", "1-1", last.partition("-")[0] + "-99999"):
        async with listening(url, world.lumen.token, strange) as stream:
            assert (await stream.next())[0] == "now"


async def test_a_stream_lives_and_ends_with_its_token(world: World, url: str) -> None:
    own = world.lumen.profile.id
    access = Access(own, "wall", frozenset({"calls:read"}))
    made = tokens.make_token(world.database, access, "wall", ["calls:read"], None)
    async with listening(url, made.token) as stream:
        assert (await stream.next())[0] == "now"
        coming = asyncio.create_task(stream.next())
        async with asyncio.timeout(PATIENCE_SECONDS):
            while stream.beats < 2:
                await asyncio.sleep(0.02)
        tokens.remove_token(world.database, tokens.Access(own, "tests"), made.entry.id)
        assert (await coming)[0] == "closed"


async def test_a_switch_that_is_away_is_told_and_what_is_there_when_it_is_back(world: World, url: str) -> None:
    call = world.lives(1)
    async with listening(url, world.lumen.token) as stream:
        await stream.next()
        world.lives(2)
        await stream.next()
        last = stream.last_id
        world.switch.down = True
        assert (await stream.next())[0] == "call.unknown"
        async with listening(url, world.lumen.token, last) as other:
            assert await other.next() == ("now", {"calls": [], "live_known": False}), "what lies between is not known"
        world.switch.changes(call, state="switch.lost")
        later = world.lives(3)
        world.switch.down = False
        name, data = await stream.next()
        assert name == "now" and later in [each["call"] for each in data["calls"]] != [call]
        async with listening(url, world.lumen.token, last) as other:
            name, data = await other.next()
            assert name == "now" and call not in [each["call"] for each in data["calls"]], "its end was told to nobody"


async def test_nothing_is_asked_while_nobody_listens(world: World, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "LINGER_SECONDS", 0.1)
    hub: LiveEvents = world.app.state.house.live_events
    assert hub._following is None and world.switch.followed == 0
    async with listening(url, world.lumen.token) as stream, listening(url, world.pine.token) as other:
        await stream.next()
        await other.next()
        world.lives(1)
        await stream.next()
        last = stream.last_id
        assert world.switch.followed == 1, "one for all"
    async with asyncio.timeout(PATIENCE_SECONDS):
        while hub._listeners or world.switch.followed or not (hub._following and hub._following.done()):
            await asyncio.sleep(0.02)
    world.lives(2)
    async with listening(url, world.pine.token) as other:
        await other.next()
        async with listening(url, world.lumen.token, last) as stream:
            assert (await stream.next())[0] == "now", "what happened while nobody listened is not known"


async def test_a_job_is_told_as_it_goes_on(world: World, url: str) -> None:
    clerk = asyncio.create_task(world.app.state.house.jobs.run())
    async with listening(url, world.lumen.token, of="?of=job") as stream:
        assert await stream.next() == ("now", {"calls": [], "live_known": True})
        rows = "username,name\r\n" + "".join(f"user{number},User {number}\r\n" for number in range(5))
        async with world.client(world.lumen.token) as client:
            begun = await client.post("/api/v1/jobs/import-users", content=rows, headers={"Content-Type": "text/csv"})
        assert begun.is_success, begun.text
        while True:
            name, data = await stream.next()
            assert name == "job.changed"
            if data["job"]["state"] == "done":
                break
        assert data["job"]["done"] == data["job"]["total"] == 5
    clerk.cancel()


async def test_who_reads_too_slowly_is_cut_off_with_a_word(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_WAITING", 5)
    hub = LiveEvents(world.switch, world.database)
    slow = hub.listen(OrganizationId(world.lumen.profile.id), frozenset({"call"}), None)
    assert (await anext(slow)).name == "now"
    for minute in range(10):
        world.lives(minute)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not all(each.slow for each in hub._listeners):
            await asyncio.sleep(0.02)
    assert [event.name async for event in slow] == ["dropped"]
    assert not hub._listeners
    assert hub._following
    hub._following.cancel()


async def test_there_is_an_end_to_listeners(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "MOST_OF_ONE", 2)
    hub, own = LiveEvents(world.switch, world.database), OrganizationId(world.lumen.profile.id)
    listeners = [hub.listen(own, frozenset({"call"}), None) for _ in range(2)]
    for each in listeners:
        await anext(each)
    with pytest.raises(TooManyListeners):
        hub.listen(own, frozenset({"call"}), None)
    hub.listen(OrganizationId(world.pine.profile.id), frozenset({"call"}), None)
    await listeners[0].aclose()
    hub.listen(own, frozenset({"call"}), None)
    await listeners[1].aclose()
    assert hub._following
    hub._following.cancel()


@pytest.mark.parametrize(
    ("scopes", "of", "status"),
    [
        (["users:read"], "", 403),
        (["calls:read"], "?of=job", 403),
        (["jobs:read"], "?of=call&of=job", 403),
        (["jobs:read"], "?of=user", 422),
    ],
)
async def test_who_may_not_see_it_hears_nothing(world: World, scopes: list[str], of: str, status: int) -> None:
    access = Access(world.lumen.profile.id, "x", frozenset(scopes))
    token = tokens.make_token(world.database, access, "x", scopes, None).token
    async with world.client(token, Accept="text/event-stream") as client:
        assert (await client.get(f"/api/v1/events{of}")).status_code == status


async def test_the_provider_hears_of_calls_alone_and_is_told_so(world: World) -> None:
    async with world.client(provider_token(world.database, KEY), Accept="text/event-stream") as client:
        for of in ("?of=job", "?of=call&of=job"):
            refused = await client.get(f"/api/v1/events{of}")
            assert (refused.status_code, refused.json()["code"], refused.json()["field"]) == (403, "access.no_organization", "of")


async def test_who_does_not_ask_for_a_stream_gets_an_end(world: World) -> None:
    async with world.client(world.lumen.token) as client:
        answer = await client.get("/api/v1/events")
    assert (answer.status_code, answer.json()["code"]) == (422, "events.no_stream")
