"""The carrier's control socket: orders from another process."""

import asyncio
import json
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from offhook.carriers.sandbox.carrier import SandboxCarrier
from offhook.carriers.sandbox.control import ControlServer, SandboxControl
from offhook.carriers.sandbox.reports import CallRefused, CarrierAbsent
from offhook.carriers.sandbox.serving import serve
from offhook.engines.speech.prompts import Prompts
from offhook.phones.calls import Who
from offhook.phones.phone import Phone
from offhook.phones.sources import Tone
from tests.carriers.conftest import CARRIER_HOST


@pytest.fixture
async def socket(carrier: SandboxCarrier, tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "run" / "carrier.sock"
    server = ControlServer(carrier, path)
    await server.start()
    yield path
    await server.stop()


async def asked(path: Path, line: bytes) -> dict[str, object]:
    reader, writer = await asyncio.open_unix_connection(str(path))
    writer.write(line)
    answer: dict[str, object] = json.loads(await reader.readline())
    writer.close()
    return answer


async def test_a_call_ordered_over_the_socket_gives_the_same_report(socket: Path, anna: Phone) -> None:
    told: list[str] = []
    calling = asyncio.create_task(SandboxControl(socket).call("+12065550199", "+12065550100", "5", 2.0, told.append))
    call = await anna.rings()
    call.says(Tone(440))
    await call.answers()
    await call.hears.pressed("5")
    report = await calling
    assert told == ["calling", "ringing", "answered", "pressed 5", "ended"]
    assert report.tones == pytest.approx((440,), abs=5)
    assert (report.status, report.digits_sent) == (200, "5")


async def test_only_the_owner_may_open_the_socket(socket: Path) -> None:
    assert stat.S_IMODE((await asyncio.to_thread(socket.stat)).st_mode) == 0o600


async def test_a_refusal_comes_over_the_socket_with_its_reason(socket: Path) -> None:
    with pytest.raises(CallRefused, match="fictional numbers only"):
        await SandboxControl(socket).call("+12065551212", "+12065550100")


UNREADABLE = [b"nonsense\n", b"[]\n", b'{"order": "stop"}\n', b'{"order": "call", "caller": 1}\n', b"\xff\n"]
LONG, DEEP = b"{" + b" " * 70000 + b"}\n", b"[" * 60000 + b"\n"
HUGE = b'{"order": "call", "caller": "a", "called": "b", "listen_seconds": 1' + b"0" * 400 + b"}\n"


@pytest.mark.parametrize("line", [*UNREADABLE, LONG, DEEP, HUGE])
async def test_an_order_that_cannot_be_read_is_refused_and_the_next_is_heard(socket: Path, line: bytes) -> None:
    assert "refused" in await asked(socket, line)
    assert "refused" in await asked(socket, b'{"order": "call", "caller": "911", "called": "1"}\n')


async def test_a_client_that_leaves_ends_its_call(socket: Path, anna: Phone) -> None:
    calling = asyncio.create_task(SandboxControl(socket).call("+12065550199", "+12065550100", listen_seconds=60.0))
    call = await anna.rings()
    await call.answers()
    calling.cancel()
    assert (await call.ended()).who is Who.THEM


async def test_no_carrier_is_a_refusal_that_says_so(tmp_path: Path) -> None:
    with pytest.raises(CarrierAbsent, match="does the system run"):
        await SandboxControl(tmp_path / "none.sock").call("+12065550199", "+12065550100")


async def test_the_served_carrier_listens_until_it_is_cancelled(tmp_path: Path, speech: Prompts, anna: Phone) -> None:
    ready, path = asyncio.Event(), tmp_path / "carrier.sock"
    edge = (anna.address.host, anna.address.port)
    serving = asyncio.create_task(serve((CARRIER_HOST, 0), edge, speech, path, ready=ready.set))
    await asyncio.wait_for(ready.wait(), 5)
    calling = asyncio.create_task(SandboxControl(path).call("+12065550199", "+12065550100", listen_seconds=60.0))
    call = await anna.rings()
    await call.answers()
    serving.cancel()
    assert (await call.ended()).who is Who.THEM
    await asyncio.wait([serving, calling], timeout=10)
    assert not await asyncio.to_thread(path.exists)
