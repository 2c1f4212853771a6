"""The carrier's desk: calls ordered by another process."""

import asyncio
import stat
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from offhook import intercom
from offhook.carriers.sandbox.carrier import SandboxCarrier
from offhook.carriers.sandbox.desk import CarrierDesk, open_desk
from offhook.carriers.sandbox.reports import CallRefused
from offhook.carriers.sandbox.serving import serving
from offhook.domain.errors import Unavailable
from offhook.engines.speech.prompts import Prompts
from offhook.phones.calls import Who
from offhook.phones.phone import Phone
from offhook.phones.sources import Tone
from offhook.services.ports.live import SandboxCarrier as CarrierPort
from tests.carriers.conftest import CARRIER_HOST

OUTSIDE, HOUSE = "+12065550199", "+12065550100"


@pytest.fixture
async def desk(carrier: SandboxCarrier, tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "carrier.desk"
    answering = await open_desk(path, carrier)
    yield path
    answering.close()


async def test_a_call_ordered_at_the_desk_is_reported_there(desk: Path, anna: Phone) -> None:
    port: CarrierPort = CarrierDesk(desk)
    calling = asyncio.create_task(port.call(OUTSIDE, HOUSE, "5", 2.0))
    call = await anna.rings()
    call.says(Tone(440))
    await call.answers()
    await call.hears.pressed("5")
    report = await calling
    assert report["tones"] == pytest.approx([440], abs=5)
    assert max(report["energy"]) == pytest.approx(-20, abs=3)
    assert (report["status"], report["digits_sent"], report["hung_up_by"]) == (200, "5", "us")


async def test_the_desk_says_when_it_is_open(desk: Path) -> None:
    assert await intercom.ask(desk, "ready") is True


async def test_only_the_owner_may_ask(desk: Path) -> None:
    assert stat.S_IMODE((await asyncio.to_thread(desk.stat)).st_mode) == 0o600


async def test_a_refusal_comes_with_its_sentence(desk: Path) -> None:
    with pytest.raises(CallRefused, match="fictional numbers only"):
        await CarrierDesk(desk).call("+12065551212", HOUSE, "", 1.0)
    with pytest.raises(intercom.Refused, match="is a number"):
        await intercom.ask(desk, "call", from_number=OUTSIDE, to_number=HOUSE, listen_seconds="long")
    with pytest.raises(intercom.Refused, match="are texts"):
        await intercom.ask(desk, "call", from_number=1, to_number=HOUSE)


async def test_without_a_carrier_the_asker_is_told(tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="is the system running with its sandbox"):
        await CarrierDesk(tmp_path / "none.desk").call(OUTSIDE, HOUSE, "", 1.0)


async def test_what_is_served_ends_with_its_calls_hung_up(tmp_path: Path, speech: Prompts, anna: Phone) -> None:
    edge = (anna.address.host, anna.address.port)
    async with serving((CARRIER_HOST, 0), edge, speech, tmp_path / "carrier.desk") as carrier:
        calling = asyncio.create_task(carrier.call(OUTSIDE, HOUSE, listen_seconds=60.0))
        call = await anna.rings()
        await call.answers()
    assert (await call.ended()).who is Who.THEM
    assert (await calling).hung_up_by == "us"
