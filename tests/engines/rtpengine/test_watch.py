"""The watch over an rtpengine that is killed, with and without a memory beside it."""

import asyncio
import os
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from offhook.domain.calls.ids import CallId, leg_id
from offhook.domain.media import MediaShape
from offhook.engines.rtpengine.client import CallUnknown, NgClient
from offhook.engines.rtpengine.memory import Memory, arguments, write_configuration
from offhook.engines.rtpengine.relay import RtpEngine
from offhook.engines.rtpengine.watch import MediaWatch
from offhook.services.ports.media import MediaAbsent
from tests.engines.rtpengine.calls import new_call
from tests.engines.rtpengine.conftest import DEADLINE_SECONDS, Daemon, eventually, free_port
from tests.engines.rtpengine.parties import Party

pytestmark = pytest.mark.engines


class News:
    """What the watch told."""

    def __init__(self) -> None:
        self.restarts = self.absences = 0

    async def restarted(self) -> None:
        self.restarts += 1

    async def absent(self) -> None:
        self.absences += 1


@asynccontextmanager
async def watched(engine: RtpEngine) -> AsyncIterator[News]:
    news = News()
    task = asyncio.create_task(MediaWatch(engine, news.restarted, news.absent).look())
    try:
        before = (await engine.look()).times_asked
        while (await engine.look()).times_asked <= before + 1:  # somebody else asked meanwhile: it looks
            before = (await engine.look()).times_asked
            await asyncio.sleep(0.05)
        yield news
    finally:
        task.cancel()


async def connected(engine: RtpEngine, anna: Party, ben: Party, said: str = "") -> CallId:
    call = new_call()
    ben.speaks_to(await engine.offer(call, leg_id(call, 0), leg_id(call, 1), said or anna.sdp(), MediaShape.PLAIN))
    anna.speaks_to(await engine.answer(call, leg_id(call, 0), leg_id(call, 1), ben.sdp(), MediaShape.PLAIN))
    await eventually(lambda: anna.hears() == {ben.hertz} and ben.hears() == {anna.hertz})
    return call


@pytest.fixture
def remembering(tmp_path: Path) -> Iterator[Daemon]:
    """An engine with a memory."""
    memory = Memory(tmp_path, free_port(socket.SOCK_STREAM), "0123456789abcdef")
    write_configuration(memory)
    redis = subprocess.Popen(arguments(memory), stdout=subprocess.DEVNULL)
    engine = Daemon(tmp_path / "log")
    engine.settings = replace(engine.settings, configuration=memory.engine_file)
    engine.start()
    yield engine
    engine.kill()
    redis.kill()
    redis.wait()


async def test_a_quick_death_is_told_once_and_the_calls_are_gone(daemon: Daemon, engine: RtpEngine, party: Callable[..., Party]) -> None:
    async with watched(engine) as news:
        call = await connected(engine, party(), party())
        assert await engine.knows(call)
        for times in (1, 2):
            daemon.kill()
            daemon.start()
            await eventually(lambda want=times: news.restarts == want, "the restart is told")  # type: ignore[misc]
            assert not await engine.knows(call)
        await asyncio.sleep(0.7)  # longer than it looks again: nothing more may be told
        assert (news.restarts, news.absences) == (2, 0)
        await engine.close(call)


async def test_an_engine_that_stays_away_is_told_and_found_again(daemon: Daemon, engine: RtpEngine) -> None:
    async with watched(engine) as news:
        daemon.kill()
        await eventually(lambda: news.absences == 1, "the absence is told")
        assert news.restarts == 0
        daemon.start()
        await eventually(lambda: news.restarts == 1, "the restart is told")
        assert news.absences == 1


async def test_calls_are_remembered_with_their_ports_and_strangers_forgotten(remembering: Daemon, party: Callable[..., Party]) -> None:
    client = await NgClient.connect("127.0.0.1", remembering.settings.ng_port)
    other = await NgClient.connect("127.0.0.1", remembering.settings.ng_port)
    engine, stranger = RtpEngine(client), RtpEngine(other)
    try:
        async with watched(engine) as news:
            anna, ben = party(), party()
            call = await connected(engine, anna, ben)
            left = await connected(stranger, party(), party())
            assert await engine.calls() == {call, left}
            for times in (1, 2):
                remembering.kill()
                remembering.start()
                await eventually(lambda want=times: news.restarts == want, "the restart is told")  # type: ignore[misc]
                assert await engine.calls() == {call}
                anna.packets.clear()
                ben.packets.clear()
                await eventually(lambda: anna.hears() == {ben.hertz} and ben.hears() == {anna.hertz}, "the sound goes on")
            assert len((await engine.close(call)).streams) == 2
            assert await engine.calls() == frozenset()
    finally:
        client.close()
        other.close()


def test_the_secret_stands_in_files_that_only_their_owner_reads(tmp_path: Path) -> None:
    memory = Memory(tmp_path, 6400, "hush")
    write_configuration(memory)
    for file in (memory.file, memory.engine_file):
        assert "hush" in file.read_text()
        assert file.stat().st_mode & 0o077 == 0
    assert "hush" not in " ".join(arguments(memory))


async def test_what_was_given_up_while_it_hung_is_forgotten_later(daemon: Daemon, engine: RtpEngine, party: Callable[..., Party]) -> None:
    async with watched(engine) as news:
        anna, ben = party(), party()
        stays, given_up = await connected(engine, anna, ben), new_call()
        os.kill(daemon.pid, signal.SIGSTOP)
        try:
            threads = Path(f"/proc/{daemon.pid}/task")
            await eventually(lambda: all(") T " in stat.read_text() for stat in threads.glob("*/stat")), "every thread stands still")
            with pytest.raises(MediaAbsent):
                await engine.offer(given_up, leg_id(given_up, 0), leg_id(given_up, 1), anna.sdp(), MediaShape.PLAIN)
            with pytest.raises(MediaAbsent):
                await engine.close(given_up)
        finally:
            os.kill(daemon.pid, signal.SIGCONT)
        async with asyncio.timeout(DEADLINE_SECONDS):
            while await engine.calls() != {stays}:
                await asyncio.sleep(0.05)
        assert news.restarts == 0
        await engine.close(stays)


async def test_where_a_telephone_behind_nat_sends_from_is_remembered(remembering: Daemon, party: Callable[..., Party]) -> None:
    client = await NgClient.connect("127.0.0.1", remembering.settings.ng_port)
    engine, anna, ben = RtpEngine(client), party(), party()
    try:
        call = await connected(engine, anna, ben, anna.sdp().replace(anna.address, "10.11.12.13"))
        await asyncio.sleep(4.2)  # it commits itself to an address after three seconds
        remembering.kill()
        remembering.start()
        anna.packets.clear()
        ben.packets.clear()
        await eventually(lambda: anna.hears() == {ben.hertz} and ben.hears() == {anna.hertz}, "the sound goes on")
        await engine.close(call)
    finally:
        client.close()


async def test_a_restart_that_could_not_be_told_is_told_at_the_next_look(daemon: Daemon, engine: RtpEngine) -> None:
    told: list[bool] = []

    async def restarted() -> None:
        told.append(True)
        if len(told) == 1:
            raise MediaAbsent("it died again")

    await engine.look()
    watch = MediaWatch(engine, restarted)
    watch._asked = 1000
    task = asyncio.create_task(watch.look())
    try:
        await eventually(lambda: len(told) == 2, "it is told again")
    finally:
        task.cancel()


async def test_to_read_the_figures_of_a_call_that_died_does_not_make_it_anew(
    daemon: Daemon, engine: RtpEngine, party: Callable[..., Party]
) -> None:
    anna, ben, call = party(), party(), new_call()
    # Codecs beside anna's own, of which none is taken: what rtpengine is told once more with the first figures.
    await engine.offer(call, leg_id(call, 0), leg_id(call, 1), anna.sdp(), MediaShape.PLAIN, ("PCMA", "G722"))
    await engine.answer(call, leg_id(call, 0), leg_id(call, 1), ben.sdp(), MediaShape.PLAIN)
    daemon.kill()
    daemon.start()
    assert (await engine.figures(call)).streams == ()
    assert await engine.calls() == frozenset()
    await engine.close(call)


async def test_a_change_of_a_call_that_died_is_refused_and_does_not_make_it_anew(
    daemon: Daemon, engine: RtpEngine, party: Callable[..., Party]
) -> None:
    anna, ben = party(), party()
    call = await connected(engine, anna, ben)
    daemon.kill()
    daemon.start()
    with pytest.raises(CallUnknown):
        await engine.offer(call, leg_id(call, 0), leg_id(call, 1), anna.sdp(), MediaShape.PLAIN)
    with pytest.raises(CallUnknown):
        await engine.press(call, leg_id(call, 0), "5", 160)
    assert not await engine.knows(call)
    await engine.close(call)
