"""The intercom between our processes: what is asked is answered or refused, and nobody else gets in."""

import asyncio
import gc
import os
import socket
import stat
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from offhook import intercom

PATIENCE_SECONDS = 20.0


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


@dataclass(frozen=True, slots=True)
class Party:
    name: str
    legs: tuple[int, ...] = ()


async def party(name: str) -> Party:
    return Party(name, (1, 2))


ANSWERS: dict[str, intercom.Answer] = {
    "double": double, "never": never, "refuses": refuses, "mistaken": mistaken, "unwritable": unwritable, "party": party,
}  # fmt: skip


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


@pytest.mark.parametrize("name", ["Anna", "Anna \u00e4 \u2028", "half a pair \ud800"])
async def test_what_is_answered_may_be_a_record_and_hold_a_strangers_words(desk: Path, name: str) -> None:
    assert await intercom.ask(desk, "party", name=name) == {"name": name, "legs": [1, 2]}


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


class Told:
    """A subscription: tells what is put into it, and knows when nobody listens any more."""

    def __init__(self) -> None:
        self.values: asyncio.Queue[Any] = asyncio.Queue()
        self.begun: list[dict[str, Any]] = []
        self.over = asyncio.Event()

    async def tell(self, **details: Any) -> AsyncGenerator[Any, None]:
        self.begun.append(details)
        try:
            while not isinstance(value := await self.values.get(), type(...)):
                if isinstance(value, Exception):
                    raise value
                yield value
        finally:
            self.over.set()

    def puts(self, *values: Any) -> None:
        for value in values:
            self.values.put_nowait(value)

    async def ends(self) -> None:
        async with asyncio.timeout(PATIENCE_SECONDS):
            await self.over.wait()


@pytest.fixture
def told() -> Told:
    return Told()


@pytest.fixture
async def office(tmp_path: Path, told: Told) -> AsyncIterator[Path]:
    """Where `told` can be subscribed to, beside the questions."""
    path, mistakes = tmp_path / "office", []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: mistakes.append(context))
    server = await intercom.answer_at(path, ANSWERS, {"told": told.tell})
    yield path
    server.close()
    async with asyncio.timeout(PATIENCE_SECONDS):
        while len(asyncio.all_tasks()) > 1:  # those who attend, until they know that nobody listens any more
            await asyncio.sleep(0.01)
    gc.collect()
    assert mistakes == []


async def next_of(lines: AsyncGenerator[Any, None]) -> Any:
    async with asyncio.timeout(PATIENCE_SECONDS):
        return await anext(lines)


async def test_a_subscriber_is_told_until_he_hangs_up(office: Path, told: Told) -> None:
    async with aclosing(intercom.subscribe(office, "told", of="calls")) as lines:
        told.puts(1, None, Party("Anna"), [])
        assert [await next_of(lines) for _ in range(4)] == [1, None, {"name": "Anna", "legs": []}, []]
        assert told.begun == [{"of": "calls"}] and not told.over.is_set()
        assert await intercom.ask(office, "double", number=4) == 8, "others are answered meanwhile"
    await told.ends()


async def test_whoever_asks_something_more_hangs_up(office: Path, told: Told) -> None:
    assert await said(office, b'{"ask": "told"}\n', b'{"ask": "double", "number": 1}\n') == []
    await told.ends()


@pytest.mark.parametrize(
    ("last", "raised", "words"),
    [
        (..., intercom.Silent, "hung up"),
        (intercom.Refused("not any more"), intercom.Refused, "^not any more$"),
        (KeyError("a secret detail"), intercom.Refused, "the log"),
        (object(), intercom.Refused, "the log"),
    ],
)
async def test_a_subscription_that_ends_says_so(office: Path, told: Told, last: Any, raised: type[Exception], words: str) -> None:
    told.puts("first", last)
    async with aclosing(intercom.subscribe(office, "told")) as lines:
        assert await next_of(lines) == "first"
        with pytest.raises(raised, match=words) as why:
            await next_of(lines)
    assert "secret" not in str(why.value)
    await told.ends()


async def test_what_cannot_be_subscribed_to_is_refused(office: Path, tmp_path: Path) -> None:
    async def one(_number: int) -> AsyncGenerator[int, None]:
        yield 1

    server = await intercom.answer_at(tmp_path / "strict", {}, {"one": one})
    for path, question in ((office, "weather"), (office, "double"), (tmp_path / "strict", "one")):
        with pytest.raises(intercom.Refused):
            await next_of(intercom.subscribe(path, question, more=1))
    with pytest.raises(intercom.Silent):
        await next_of(intercom.subscribe(tmp_path / "nobody", "told"))
    server.close()


async def test_a_sign_of_life_tells_nothing_to_say_from_nobody_there(
    office: Path, told: Told, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        writer.close()

    server = await asyncio.start_unix_server(hangs, tmp_path / "hung")
    monkeypatch.setattr(intercom, "ALIVE_SECONDS", 0.01)
    monkeypatch.setattr(intercom, "SILENT_SECONDS", 1.0)
    with pytest.raises(intercom.Silent, match="TimeoutError"):
        await next_of(intercom.subscribe(tmp_path / "hung", "told"))
    async with aclosing(intercom.subscribe(office, "told")) as lines:
        coming = asyncio.ensure_future(anext(lines))
        await asyncio.sleep(2.0)  # longer than a silence that means something
        assert not coming.done()
        told.puts("still here")
        assert await coming == "still here"
    server.close()


async def test_who_reads_too_slowly_is_told_so_and_cut_off(office: Path, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intercom, "SLOW_SECONDS", 0.5)
    reader, writer = await asyncio.open_unix_connection(office, limit=1000)
    writer.write(b'{"ask": "told"}\n')
    line = "x" * 10_000
    told.puts(*[line] * 1000)
    async with asyncio.timeout(PATIENCE_SECONDS):
        while told.values.qsize() > 990:
            await asyncio.sleep(0.01)
        while (left := told.values.qsize()) and not told.over.is_set():
            await asyncio.sleep(0.01)
    assert left > 100, "what is not taken is not asked for either"
    lines = (await asyncio.wait_for(reader.read(), PATIENCE_SECONDS)).splitlines()
    assert b"unread" in lines[-1] and b"refusal" in lines[-1]
    assert len(lines) + left <= 1002
    writer.close()


async def test_who_never_reads_is_let_go_of(office: Path, told: Told, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(intercom, "SLOW_SECONDS", 0.2)
    with socket.socket(socket.AF_UNIX) as deaf:
        deaf.connect(str(office))
        deaf.sendall(b'{"ask": "told"}\n')
        told.puts(*["x" * 100_000] * 100)
        await told.ends()
        async with asyncio.timeout(PATIENCE_SECONDS):
            while len(asyncio.all_tasks()) > 1:
                await asyncio.sleep(0.01)
        assert told.values.qsize() > 50
        deaf.settimeout(PATIENCE_SECONDS)
        got = b""
        while more := await asyncio.to_thread(deaf.recv, 1_000_000):
            got += more
        assert got and b"refusal" not in got, "what was left unread is kept for nobody"
