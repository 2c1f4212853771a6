"""Programs of others hear of a real call: by a webhook when it is over, and by a stream while it goes on."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import httpx
import pytest

from offhook.services.webhooks import signature
from tests.calls.stories import connected, hear_each_other, registered
from tests.calls.system import System, start_system
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


async def heard(receiver: Receiver, event: str) -> dict[str, Any]:
    """What the program was told of this event."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        while not (found := [got for got in receiver.got if got.said["event"] == event]):
            await asyncio.sleep(0.1)
    return found[0].said


async def told(system: System, names: list[str]) -> None:
    """Read the stream of live events; the names go to `names`."""
    api = system.sandbox["api"]
    headers = {"Authorization": f"Bearer {api['token']}", "Accept": "text/event-stream"}
    async with (
        httpx.AsyncClient(timeout=PATIENCE_SECONDS, trust_env=False) as client,
        client.stream("GET", f"{api['url']}/api/v1/events?of=call", headers=headers) as answer,
    ):
        async for line in answer.aiter_lines():
            if line.startswith("event: "):
                names.append(line.removeprefix("event: "))


async def until(names: list[str], name: str) -> None:
    async with asyncio.timeout(PATIENCE_SECONDS):
        while name not in names:
            await asyncio.sleep(0.05)


async def test_a_real_call_is_told_while_it_goes_on_and_when_it_is_over(open_system: System, receiver: Receiver) -> None:
    made = await asyncio.to_thread(open_system.api, "POST", "/webhooks", json={"url": receiver.url, "events": ["call.ended", "user.*"]})
    assert made.status_code == 201, made.text
    names: list[str] = []
    listening = asyncio.create_task(told(open_system, names))
    await until(names, "now")
    async with registered(open_system.phone("anna"), open_system.phone("ben")) as (anna, ben):
        talk, other = await connected(anna, ben, "102")
        await hear_each_other(talk, other)
        await until(names, "call.began")
        await talk.hangs_up()
        await until(names, "call.ended")
    listening.cancel()
    said = await heard(receiver, "call.ended")
    record = (await asyncio.to_thread(open_system.record, said["call"]["call"]))["record"]
    assert said["call"]["ending"] == record["state"] == "completed.by_caller" and said["organization"] == "lumen.test"
    got = receiver.got[0]
    assert got.headers["offhook-signature"] == signature(made.json()["secret"], int(got.headers["offhook-timestamp"]), got.body)


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
