"""Telephones that others made: SIPp as a caller, baresip as both."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

import pytest

from offhook.phones.audio import Sound, read_sound, resampled, wav
from offhook.phones.calls import PhoneCall
from offhook.phones.sources import Tone
from offhook.phones.tones import tone, tones_in
from tests.calls.stories import HIGH, LOW, PATIENCE_SECONDS, eventually, found, registered
from tests.calls.system import System, free_port

pytestmark = pytest.mark.engines

SCENARIO = Path(__file__).with_name("sipp") / "caller.xml"
BARESIP_TONE = 600


async def sipp(system: System, folder: Path, number: str, talk_milliseconds: int) -> "asyncio.subprocess.Process":
    """Start SIPp as anna's telephone, which calls a number once, and hangs up after so long."""
    user = next(each for each in system.sandbox["sip"]["users"] if each["username"] == "anna")
    command = [
        *("/usr/bin/sipp", "-sf", str(SCENARIO), "-m", "1", "-l", "1", "-i", "127.0.0.1", "-p", str(free_port()), "-nostdin"),
        *("-s", number, "-au", "anna", "-ap", user["password"], "-key", "user", "anna", "-key", "domain", "lumen.test"),
        *("-cid_str", f"%u-{number}@sipp", "-d", str(talk_milliseconds), "-timeout", "30s", f"{system.edge.host}:{system.edge.port}"),
    ]
    with (folder / "sipp.out").open("wb") as printed:
        return await asyncio.create_subprocess_exec(*command, cwd=folder, stdin=asyncio.subprocess.DEVNULL, stdout=printed, stderr=printed)


async def test_sipp_calls_a_telephone(system: System, tmp_path: Path) -> None:
    async with registered(system.phone("ben")) as (ben,):
        caller = await sipp(system, tmp_path, "102", 500)
        other = await ben.rings(PATIENCE_SECONDS)
        assert other.caller is not None and other.caller.user == "101"
        await other.answers()
        await other.ended(PATIENCE_SECONDS)
        assert await caller.wait() == 0, (tmp_path / "sipp.out").read_text()
    answer = await eventually(lambda: found(system, "1-102@sipp"), "the record")
    assert answer["record"]["state"] == "completed.by_caller"


async def test_sipp_calls_the_attendant(system: System, tmp_path: Path) -> None:
    caller = await sipp(system, tmp_path, "100", 1500)
    assert await caller.wait() == 0, (tmp_path / "sipp.out").read_text()
    answer = await eventually(lambda: found(system, "1-100@sipp"), "the record")
    assert answer["record"]["state"] == "attendant.caller_left"
    assert answer["record"]["connected"] == "the attendant Reception"


def free_pair() -> int:
    """A port that nobody uses and whose neighbour nobody uses: baresip takes the next one for TLS."""
    for _ in range(50):
        port = free_port(socket.SOCK_STREAM)
        with suppress(OSError, OverflowError), socket.socket() as one, socket.socket() as two, socket.socket(type=socket.SOCK_DGRAM) as udp:
            one.bind(("127.0.0.1", port))
            two.bind(("127.0.0.1", port + 1))
            udp.bind(("127.0.0.1", port))
            return port
    raise AssertionError("no two free ports beside each other")


@asynccontextmanager
async def baresip(system: System, folder: Path, transport: str) -> AsyncIterator[int]:
    """A baresip that is ben's telephone, answers by itself and says a tone; the port of its console."""
    user = next(each for each in system.sandbox["sip"]["users"] if each["username"] == "ben")
    console = free_port(socket.SOCK_STREAM)
    modules = "".join(f"module {name}.so\n" for name in ("g711", "aufile", "aubridge", "sndfile"))
    applications = "".join(f"module_app {name}.so\n" for name in ("account", "menu", "ctrl_tcp"))
    (folder / "config").write_text(
        f"sip_listen 127.0.0.1:{free_pair()}\nmodule_path /usr/lib/baresip/modules\n{modules}{applications}"
        f"ctrl_tcp_listen 127.0.0.1:{console}\naudio_source aufile,{folder}/says.wav\naudio_player aubridge,ear\n"
        f"net_interface 127.0.0.1\nsnd_path {folder}\n"
    )
    outbound = f"sip:{system.edge.host}:{system.edge.port};transport={transport}"
    (folder / "accounts").write_text(
        f'<sip:ben@lumen.test>;auth_pass={user["password"]};outbound="{outbound}";answermode=auto;regint=600;audio_codecs=PCMU,PCMA\n'
    )
    (folder / "contacts").touch()
    (folder / "says.wav").write_bytes(wav(Sound(tone((BARESIP_TONE,), 60.0), 8000)))
    nothing = asyncio.subprocess.DEVNULL
    with (folder / "baresip.out").open("wb") as printed:
        process = await asyncio.create_subprocess_exec("/usr/bin/baresip", "-f", str(folder), stdin=nothing, stdout=printed, stderr=printed)
    try:
        yield console
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def orders(console: int, command: str, parameters: str) -> None:
    """Type a command in baresip's console (netstrings of JSON)."""
    order = f'{{"command":"{command}","params":"{parameters}"}}'.encode()
    _, writer = await asyncio.open_connection("127.0.0.1", console)
    writer.write(b"%d:%s," % (len(order), order))
    await writer.drain()
    writer.close()


async def ready(folder: Path) -> None:
    """Baresip says that it is registered."""
    await eventually(lambda: "200 OK" in (folder / "baresip.out").read_text(errors="replace"), "baresip registering")


async def talks(call: PhoneCall) -> None:
    """Baresip's tone is heard, and it is told one for a second."""
    call.says(Tone(HIGH))
    await call.hears.tone(BARESIP_TONE, patience=PATIENCE_SECONDS)
    told = call.figures.packets_sent
    await call.hears.until(lambda: call.figures.packets_sent > told + 50, "a second of talk")
    await call.hangs_up()


def heard_by_baresip(folder: Path) -> set[float]:
    """Which of our tones stands in what baresip recorded."""
    (file,) = folder.glob("dump-*-dec.wav")
    recorded = read_sound(file)
    return tones_in(resampled(recorded, 8000).samples, (HIGH, LOW))


@pytest.mark.parametrize("transport", ["udp", "tcp"])
async def test_baresip_is_called(system: System, tmp_path: Path, transport: str) -> None:
    async with registered(system.phone("anna")) as (anna,), baresip(system, tmp_path, transport):
        await ready(tmp_path)
        call = await (await anna.dials("102")).answered(PATIENCE_SECONDS)
        await talks(call)
    assert heard_by_baresip(tmp_path) == {HIGH}


async def test_baresip_calls(system: System, tmp_path: Path) -> None:
    async with registered(system.phone("anna")) as (anna,), baresip(system, tmp_path, "udp") as console:
        await ready(tmp_path)
        await orders(console, "dial", "sip:101@lumen.test")
        other = await anna.rings(PATIENCE_SECONDS)
        await other.answers()
        await talks(other)
    assert heard_by_baresip(tmp_path) == {HIGH}
