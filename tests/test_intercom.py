"""The intercom between our processes: what is asked is answered or refused, and nobody else gets in."""

import asyncio
import os
import socket
import stat
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from offhook import intercom


async def double(number: int) -> int:
    return number * 2


async def never() -> None:
    await asyncio.Event().wait()


async def refuses() -> None:
    raise intercom.Refused("not today")


async def mistaken() -> None:
    raise KeyError("a secret detail")


async def unwritable() -> Any:
    return object()


ANSWERS: dict[str, intercom.Answer] = {"double": double, "never": never, "refuses": refuses, "mistaken": mistaken, "unwritable": unwritable}


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[Path]:
    path = tmp_path / "desk"
    server = await intercom.answer_at(path, ANSWERS)
    yield path
    server.close()


async def said(path: Path, *lines: bytes) -> list[bytes]:
    """What comes back for these raw lines, until nothing more does."""
    reader, writer = await asyncio.open_unix_connection(path)
    writer.write(b"".join(lines))
    writer.write_eof()
    async with asyncio.timeout(8):
        answers = (await reader.read()).splitlines()
    writer.close()
    return answers


async def test_a_question_is_answered(desk: Path) -> None:
    assert await intercom.ask(desk, "double", number=21) == 42
    assert await asyncio.gather(*(intercom.ask(desk, "double", number=n) for n in range(20))) == [n * 2 for n in range(20)]


@pytest.mark.parametrize(
    ("question", "details", "words"),
    [
        ("refuses", {}, "^not today$"),
        ("weather", {}, "no question"),
        ("double", {}, "the log"),
        ("double", {"number": 1, "more": 2}, "the log"),
        ("mistaken", {}, "the log"),
        ("unwritable", {}, "the log"),
    ],
)
async def test_what_cannot_be_answered_is_refused(desk: Path, question: str, details: dict[str, Any], words: str) -> None:
    with pytest.raises(intercom.Refused, match=words) as refused:
        await intercom.ask(desk, question, **details)
    assert "secret" not in str(refused.value)


async def test_junk_is_refused_and_the_connection_goes_on(desk: Path) -> None:
    junk = (b"\xff\xfe\n", b"{\n", b"[1]\n", b"null\n", b"[" * 100_000 + b"\n", b"\n", b'{"ask": ["double"]}\n')
    answers = await said(desk, *junk, b'{"ask": "double", "number": 2}\n')
    assert [b"refusal" in answer for answer in answers] == [True] * len(junk) + [False]


async def test_a_line_that_is_too_long_ends_its_connection_only(desk: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(intercom, "LONGEST_LINE", 1000)
    server = await intercom.answer_at(tmp_path / "strict", ANSWERS)
    assert await said(tmp_path / "strict", b"x" * 5000 + b"\n") == []
    assert await intercom.ask(tmp_path / "strict", "double", number=1) == 2
    server.close()


async def test_nobody_there_is_silent(tmp_path: Path) -> None:
    with pytest.raises(intercom.Silent, match="desk"):
        await intercom.ask(tmp_path / "desk", "double", number=1)


async def test_who_takes_too_long_is_silent(desk: Path) -> None:
    with pytest.raises(intercom.Silent, match="TimeoutError"):
        await intercom.ask(desk, "never", 0.05)
    assert await intercom.ask(desk, "double", number=1) == 2


@pytest.mark.parametrize("reply", [b"", b"junk\n", b"[]\n", b'{"answer": 1'])
async def test_a_peer_that_hangs_up_or_babbles_is_silent(tmp_path: Path, reply: bytes) -> None:
    async def babble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(reply)
        writer.close()

    server = await asyncio.start_unix_server(babble, tmp_path / "desk")
    with pytest.raises(intercom.Silent):
        await intercom.ask(tmp_path / "desk", "double", number=1)
    server.close()


async def test_only_the_owner_may_open_it(desk: Path) -> None:
    before = os.umask(0)
    os.umask(before)
    there = await asyncio.to_thread(desk.stat)
    assert stat.S_IMODE(there.st_mode) == 0o600
    assert before != 0o177, "the mask of the process is as it was"


async def test_a_socket_left_behind_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "desk"
    left = socket.socket(socket.AF_UNIX)
    left.bind(str(path))
    left.close()
    assert path.is_socket()
    server = await intercom.answer_at(path, ANSWERS)
    assert await intercom.ask(path, "double", number=3) == 6
    server.close()
