"""Two media ports through a real rtpengine: sound passes, a prompt of ours is known again, and our reports give it loss, jitter and MOS."""

import asyncio
import random
import socket
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from offhook.domain.calls.ids import call_id, leg_id
from offhook.domain.media import MediaFigures, MediaShape
from offhook.engines.rtpengine.client import NgClient
from offhook.engines.rtpengine.daemon import RtpEngineSettings, arguments
from offhook.engines.rtpengine.relay import RtpEngine
from offhook.engines.speech.prompts import Prompts
from offhook.phones.audio import read_sound
from offhook.phones.media import MediaPort
from offhook.phones.negotiation import Negotiation
from offhook.phones.sources import Tone
from offhook.services.ports.media import MediaAbsent

pytestmark = pytest.mark.engines
CALL = call_id(1_700_000_000_000, random.getrandbits(30))
ANNA, BEN = leg_id(CALL, 0), leg_id(CALL, 1)


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
async def relay(tmp_path: Path) -> AsyncIterator[RtpEngine]:
    """An rtpengine on a loopback address of its own."""
    address = f"127.{random.randint(64, 254)}.{random.randint(0, 254)}.{random.randint(1, 254)}"
    settings = RtpEngineSettings(address, free_port(socket.SOCK_DGRAM), free_port(socket.SOCK_STREAM), port_min=20000, port_max=20099)
    with (tmp_path / "log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(*arguments(settings), stdout=subprocess.DEVNULL, stderr=log)
    client = await NgClient.connect("127.0.0.1", settings.ng_port)
    yield RtpEngine(client)
    client.close()
    process.kill()
    await process.wait()


async def begun(relay: RtpEngine, offer: str) -> str:
    """The first offer, asked again until the engine is up."""
    for _ in range(20):
        try:
            return await relay.offer(CALL, ANNA, BEN, offer, MediaShape.PLAIN)
        except MediaAbsent:
            continue
    raise AssertionError("rtpengine did not start")


async def test_our_reports_give_the_relay_its_figures_and_prompts_are_known_again(relay: RtpEngine, tmp_path: Path) -> None:
    prompts = Prompts(tmp_path / "prompts")
    prompt = await prompts.say("Welcome to Lumen Works. For Anna, press one.", "en", "PCMU")
    await prompts.close()
    anna = Negotiation(await MediaPort.open("127.0.0.1", report_every=0.5), ("PCMU", "telephone-event"))
    ben = Negotiation(await MediaPort.open("127.0.0.1", report_every=0.5), ("PCMU", "telephone-event"))
    answer = ben.answer(await begun(relay, anna.offer()))
    anna.answered(await relay.answer(CALL, ANNA, BEN, answer, MediaShape.PLAIN))
    anna.media.source, ben.media.source = Tone(440), Tone(620)
    await anna.media.ear.tone(620)
    await ben.media.ear.tone(440)
    await anna.media.presses("5")
    await ben.media.ear.pressed("5")

    async def measured() -> MediaFigures:
        while True:
            figures = await relay.figures(CALL)
            if len(figures.streams) == 2 and all(stream.mos is not None for stream in figures.streams):
                return figures
            await asyncio.sleep(0.2)

    figures = await asyncio.wait_for(measured(), 30)
    for stream in figures.streams:
        assert stream.mos is not None and stream.mos > 4
        assert stream.loss_percent == 0
        assert stream.jitter_ms is not None and stream.round_trip_ms is not None
    await relay.play(CALL, ANNA, prompt)
    await relay.silence(CALL, BEN)
    await anna.media.ear.sound(await asyncio.to_thread(read_sound, prompt))
    assert anna.media.figures.round_trip_ms is not None
    await relay.close(CALL)
    anna.media.close()
    ben.media.close()
