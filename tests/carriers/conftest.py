import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest

from offhook.carriers.sandbox.carrier import SandboxCarrier
from offhook.engines.speech.prompts import Prompts
from offhook.phones.audio import Sound, read_sound
from offhook.phones.calls import PhoneCall
from offhook.phones.phone import Phone
from offhook.sip.addresses import Address

CARRIER_HOST = "127.0.2.1"
Dials = Callable[..., Awaitable[PhoneCall]]


async def words(speech: Prompts, text: str) -> Sound:
    """The words as the carrier says them."""
    return await asyncio.to_thread(read_sound, await speech.say(text, "en", "PCMU"))


@pytest.fixture(scope="session")
def prompt_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("prompts")


@pytest.fixture
async def speech(prompt_folder: Path) -> AsyncIterator[Prompts]:
    prompts = Prompts(prompt_folder)
    yield prompts
    await prompts.close()


@pytest.fixture
async def anna() -> AsyncIterator[Phone]:
    """A telephone that stands for the whole house behind the edge."""
    async with Phone("anna", report_every=1.0) as phone:
        yield phone


@pytest.fixture
async def carrier(speech: Prompts, anna: Phone) -> AsyncIterator[SandboxCarrier]:
    made = SandboxCarrier((CARRIER_HOST, 0), (anna.address.host, anna.address.port), speech, ring_seconds=0.2)
    await made.start()
    yield made
    await made.stop()


@pytest.fixture
def out(carrier: SandboxCarrier, anna: Phone) -> Dials:
    """Calls out: `await out("+12065550100")`, the INVITE as the switch writes it."""

    async def dials(number: str, caller: str = "+12065550199") -> PhoneCall:
        host, port = carrier.address
        identity = ("P-Asserted-Identity", f"<sip:{caller}@lumen.test>")
        return await anna.dials(f"sip:{number}@{host}:{port}", via=Address(host, port), headers=[identity])

    return dials
