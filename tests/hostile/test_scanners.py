"""The tools that look for telephone systems to misuse, as Debian has them: nobody answers them, and they find no user and no password."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.calls.stories import connected, hear_each_other, registered
from tests.calls.system import System, free_port, start_system
from tests.hostile.vitals import asked

pytestmark = pytest.mark.engines

# The scanners speak from 127.0.0.1, whatever they are told; nobody else may be there while they are banned.
SECONDS = 30


@pytest.fixture(scope="module")
def scanned(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    """A system of its own."""
    running = start_system(tmp_path_factory.mktemp("scanned") / "var")
    yield running
    assert running.stop() == 0, running.output.read_text()


@pytest.fixture(autouse=True)
async def pardoned(scanned: System) -> AsyncIterator[None]:
    """No ban of an earlier test."""
    for table in ("bans", "guesses"):
        await asked(scanned, "htable.flush", table)
    yield


async def run(program: str, *arguments: str, folder: Path, seconds: float = SECONDS) -> str:
    """What a scanner prints; it may be stopped when it takes too long, as one that is not answered does."""
    process = await asyncio.create_subprocess_exec(
        f"/usr/bin/{program}", *arguments, cwd=folder, env={"HOME": str(folder), "PATH": "/usr/bin"},
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT, stdin=asyncio.subprocess.DEVNULL,
    )  # fmt: skip
    try:
        output, _ = await asyncio.wait_for(process.communicate(), seconds)
    except TimeoutError:
        process.kill()
        await process.wait()
        return ""
    return output.decode(errors="replace")


def was_seen(system: System) -> bool:
    return "edge.scanner source=udp:127.0.0.1" in system.log("kamailio")


async def others_call(system: System) -> None:
    """People at other addresses talk."""
    async with registered(system.phone("ben", host="127.0.6.2"), system.phone("chloe", host="127.0.6.3")) as (ben, chloe):
        call, other = await connected(ben, chloe, "103")
        await hear_each_other(call, other)
        await call.hangs_up()


async def test_svmap_sees_no_telephone_system(scanned: System, tmp_path: Path) -> None:
    printed = await run("svmap", "-p", str(scanned.plan.sip_port), "-P", str(free_port()), "127.0.0.1", folder=tmp_path)
    assert "Offhook" not in printed and "kamailio" not in printed.lower()
    assert was_seen(scanned)
    await others_call(scanned)


@pytest.mark.parametrize("method", ["REGISTER", "INVITE", "OPTIONS"])
async def test_svwar_finds_no_extension(scanned: System, tmp_path: Path, method: str) -> None:
    printed = await run(
        "svwar", "-P", str(free_port()), "-e", "100-140", "-m", method, "--force", "--maximumtime=3", f"udp://127.0.0.1:{scanned.plan.sip_port}",
        folder=tmp_path,
    )  # fmt: skip
    assert "reqauth" not in printed and "noauth" not in printed, printed
    assert was_seen(scanned)
    await others_call(scanned)


async def test_svcrack_cracks_nothing(scanned: System, tmp_path: Path) -> None:
    words = tmp_path / "words"
    words.write_text(
        "\n".join([*(f"guess{number}" for number in range(300)), scanned.organization("lumen.test")["sip"]["users"][0]["password"]])
    )
    printed = await run(
        "svcrack", "-P", str(free_port()), "-u", "anna", "-d", str(words), "--maximumtime=3", f"udp://127.0.0.1:{scanned.plan.sip_port}",
        folder=tmp_path,
    )  # fmt: skip
    assert words.read_text().splitlines()[-1] not in printed, printed
    assert was_seen(scanned)
    await others_call(scanned)


@pytest.mark.parametrize("mode", [[], ["-U", "-C", "sip:x@127.0.0.1:9"], ["-F"]], ids=["OPTIONS", "REGISTER", "flood"])
async def test_sipsak_is_not_answered(scanned: System, tmp_path: Path, mode: list[str]) -> None:
    printed = await run("sipsak", *mode, "-s", f"sip:anna@127.0.0.1:{scanned.plan.sip_port}", folder=tmp_path, seconds=5)
    assert "SIP/2.0" not in printed, printed
    assert was_seen(scanned)
    await others_call(scanned)
