"""Programs of others hear of a real call: by webhooks and by a stream, while it goes on and when it is over."""

import asyncio
import json
import os
import signal
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from offhook.phones.calls import CallRefuses
from offhook.services.webhooks import signature
from tests.calls.orphans import assert_nothing_is_left
from tests.calls.stories import connected, hear_each_other, registered
from tests.calls.system import System, start_system
from tests.calls.test_deaths_of_the_ground import until_it_works
from tests.doors.receivers import Receiver, a_receiver

pytestmark = pytest.mark.engines
PATIENCE_SECONDS = 30.0


@pytest.fixture(scope="module")
def open_system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system whose webhooks may lead to this machine."""
    running = start_system(tmp_path_factory.mktemp("outside") / "var", OFFHOOK_WEBHOOKS_TO_PRIVATE="yes")
    yield running
    assert running.stop() == 0, running.output.read_text()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with a_receiver() as receiver:
        yield receiver


async def heard(receiver: Receiver, event: str, call: str | None = None) -> dict[str, Any]:
    """What the program was told of this event, of this call if one is given."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while True:
            for got in receiver.got:
                if got.said["event"] == event and (call is None or got.said["call"]["call"] == call):
                    return got.said
            await asyncio.sleep(0.1)


class Stream:
    """The live events of calls, as an organization's program reads them."""

    def __init__(self, system: System) -> None:
        self._system = system
        self.got: list[tuple[str, dict[str, Any]]] = []

    async def listen(self) -> None:
        api = self._system.sandbox["api"]
        headers = {"Authorization": f"Bearer {api['token']}", "Accept": "text/event-stream"}
        async with (
            httpx.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False) as client,
            client.stream("GET", f"{api['url']}/api/v1/events?of=call", headers=headers) as answer,
        ):
            name = ""
            async for line in answer.aiter_lines():
                if line.startswith("event: "):
                    name = line.removeprefix("event: ")
                elif line.startswith("data: "):
                    self.got.append((name, json.loads(line.removeprefix("data: "))))

    def states(self, call: str) -> list[str]:
        """What was told of one call: each event's name and the call's state."""
        return [f"{name} {data['call']['state']}" for name, data in self.got if data.get("call", {}).get("call") == call]

    async def until(self, name: str, count: int = 1) -> dict[str, Any]:
        """The data of the last event of this name, once there were so many."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(found := [data for each, data in self.got if each == name]) < count:
                await asyncio.sleep(0.02)
        return found[-1]


@pytest.fixture
async def stream(open_system: System) -> AsyncIterator[Stream]:
    stream = Stream(open_system)
    listening = asyncio.create_task(stream.listen())
    await stream.until("now")
    yield stream
    listening.cancel()
    await asyncio.gather(listening, return_exceptions=True)


async def hook(system: System, receiver: Receiver, *events: str) -> str:
    """The secret of a webhook that is told these."""
    made = await asyncio.to_thread(system.api, "POST", "/webhooks", json={"url": receiver.url, "events": list(events)})
    assert made.status_code == 201, made.text
    return str(made.json()["secret"])


async def test_a_real_call_is_told_while_it_goes_on_and_when_it_is_over(open_system: System, receiver: Receiver, stream: Stream) -> None:
    secret = await hook(open_system, receiver, "call.*", "user.*")
    async with registered(open_system.phone("anna"), open_system.phone("ben")) as (anna, ben):
        talk = await anna.dials("102")
        other = await ben.rings(PATIENCE_SECONDS)
        began = await heard(receiver, "call.began")
        assert began["call"]["dialled"] == "102" and not [got for got in receiver.got if got.said["event"] == "call.answered"]
        await other.answers()
        await talk.answered(PATIENCE_SECONDS)
        answered = await heard(receiver, "call.answered")
        assert answered["call"]["call"] == began["call"]["call"] and answered["call"]["connected"]
        await hear_each_other(talk, other)
        assert not [got for got in receiver.got if got.said["event"] == "call.ended"]
        await talk.hangs_up()
        await stream.until("call.ended")
    said = await heard(receiver, "call.ended")
    call = said["call"]["call"]
    record = (await asyncio.to_thread(open_system.record, call))["record"]
    assert said["call"]["ending"] == record["state"] == "completed.by_caller" and said["organization"] == "lumen.test"
    states = stream.states(call)
    assert states[0].startswith("call.began") and states[-1] == "call.ended completed.by_caller"
    assert {"ringing", "talking"} <= {state.partition(" ")[2] for state in states} and len(states) == len(set(states))
    assert [got.said["event"] for got in receiver.got] == ["call.began", "call.answered", "call.ended"]
    for got in receiver.got:
        assert got.headers["offhook-signature"] == signature(secret, int(got.headers["offhook-timestamp"]), got.body)


async def test_a_call_that_is_over_at_once_is_told_too(open_system: System, receiver: Receiver, stream: Stream) -> None:
    await hook(open_system, receiver, "call.began")
    async with registered(open_system.phone("anna")) as (anna,):
        with pytest.raises(CallRefuses):
            await (await anna.dials("199")).answered(PATIENCE_SECONDS)
    ended = (await stream.until("call.ended"))["call"]
    assert stream.states(ended["call"]) == [f"call.began {ended['state']}", f"call.ended {ended['state']}"]
    await heard(receiver, "call.began", ended["call"])


async def test_a_switch_that_dies_is_said_and_what_becomes_of_its_calls(open_system: System, receiver: Receiver, stream: Stream) -> None:
    await hook(open_system, receiver, "call.*")
    async with registered(open_system.phone("anna"), open_system.phone("ben")) as (anna, ben):
        await connected(anna, ben, "102")
        call = (await stream.until("call.began"))["call"]["call"]
        await heard(receiver, "call.answered", call)
        os.kill(open_system.pids()["switch"], signal.SIGKILL)
        await stream.until("call.unknown")
        assert (await stream.until("now", 2))["live_known"] is True
        assert (await heard(receiver, "call.ended", call))["call"]["ending"] == "switch.lost"
        await until_it_works(anna, ben)
        later = (await stream.until("call.began", 2))["call"]["call"]
        await stream.until("call.ended")
        for event in ("call.began", "call.answered", "call.ended"):
            await heard(receiver, event, later)
    await assert_nothing_is_left(open_system)
    for each in (call, later):
        ids = [got.said["id"] for got in receiver.got if got.said["call"]["call"] == each]
        assert ids == [f"call-{each}-began", f"call-{each}-answered", f"call-{each}"]


async def test_an_administrator_signs_in_changes_somebody_and_the_program_is_told_who(open_system: System, receiver: Receiver) -> None:
    def ask(method: str, path: str, **more: Any) -> httpx.Response:
        answer = open_system.api(method, path, **more)
        assert answer.is_success, answer.text
        return answer

    await asyncio.to_thread(ask, "POST", "/webhooks", json={"url": receiver.url, "events": ["user.created"]})
    password = "a few words of her own"
    await asyncio.to_thread(ask, "PUT", "/users/anna/sign-in", json={"password": password})
    assert password not in open_system.log("web")
    await asyncio.to_thread(ask, "POST", "/users", json={"username": "maria", "name": "Maria"})
    said = await heard(receiver, "user.created")
    assert said["change"]["who"] == "sandbox" and json.dumps(said).count("maria") >= 1
    url = open_system.sandbox["api"]["url"]
    sent = {"username": "anna@lumen.test", "password": password}
    signed_in = await asyncio.to_thread(lambda: httpx.post(f"{url}/api/v1/sign-in", json=sent, timeout=20, trust_env=False))
    assert signed_in.status_code == 200 and signed_in.json()["user"]["username"] == "anna"
