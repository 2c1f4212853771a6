"""The line to Kamailio's control socket, with a Kamailio of two lines: who waited long finds the answer that came meanwhile."""

import asyncio
import json
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop

from offhook.engines.kamailio.control import ControlLine


class Listener:
    """Reads questions and answers when told."""

    def __init__(self, path: Path) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(path))
        self.socket.settimeout(5)

    def answer(self, result: object) -> str:
        """Answer the next question; its method."""
        words, asker = self.socket.recvfrom(65536)
        question = json.loads(words)
        self.socket.sendto(json.dumps({"jsonrpc": "2.0", "id": question["id"], "result": result}).encode(), asker)
        return str(question["method"])


@pytest.fixture
def listener(tmp_path: Path) -> Iterator[Listener]:
    listening = Listener(tmp_path / "control")
    yield listening
    listening.socket.close()


async def test_many_ask_over_one_socket(listener: Listener, tmp_path: Path) -> None:
    line = ControlLine(str(tmp_path / "control"))
    asked = [asyncio.create_task(line.ask("ul.lookup", (number,), 5)) for number in range(8)]
    await asyncio.sleep(0)
    for number in range(8):
        assert listener.answer(number) == "ul.lookup"
    assert [(await each)["result"] for each in asked] == list(range(8))


async def test_silence_is_told_and_disturbs_nobody(listener: Listener, tmp_path: Path) -> None:
    line = ControlLine(str(tmp_path / "control"))
    with pytest.raises(TimeoutError):
        await line.ask("core.uptime", (), 0.05)
    listener.answer("too late")
    asked = asyncio.create_task(line.ask("core.uptime", (), 5))
    await asyncio.sleep(0)
    listener.answer("in time")
    assert (await asked)["result"] == "in time"


async def test_who_is_more_patient_is_still_answered(listener: Listener, tmp_path: Path) -> None:
    line = ControlLine(str(tmp_path / "control"))
    patient = asyncio.create_task(line.ask("ul.lookup", ("anna",), 5))
    await asyncio.sleep(0)
    with pytest.raises(TimeoutError):
        await line.ask("ul.lookup", ("ben",), 0.05)
    listener.answer("anna's")
    assert (await patient)["result"] == "anna's"


def test_an_answer_that_came_while_the_process_was_held_up_counts(listener: Listener, tmp_path: Path) -> None:
    async def story() -> object:
        asked = asyncio.create_task(ControlLine(str(tmp_path / "control")).ask("ul.lookup", (), 0.05))
        await asyncio.sleep(0)
        listener.answer("there")
        time.sleep(0.2)  # noqa: ASYNC251 - the loop is held up, as it is on a machine that has too much to do
        return (await asked)["result"]

    # The switch's own loop, which looks at its clock before its sockets.
    assert uvloop.run(story()) == "there"


async def test_nobody_there_is_an_error_at_once(tmp_path: Path) -> None:
    with pytest.raises(OSError):
        await ControlLine(str(tmp_path / "none")).ask("core.uptime", (), 5)
