"""A line of the log says what it is about, stays one line, and is an object when asked."""

import asyncio
import io
import json
import logging
import threading
from collections.abc import Iterator

import pytest

from offhook.logs import MOST_WAITING, about, write_logs

log = logging.getLogger("offhook.somewhere")


@pytest.fixture
def root() -> Iterator[None]:
    """The root logger as it was, afterwards."""
    logger = logging.getLogger()
    handlers, level = logger.handlers[:], logger.level
    yield
    logger.handlers[:], logger.level = handlers, level


class Written:
    """What this process logs from now on."""

    def __init__(self, form: str) -> None:
        self._text = io.StringIO()
        self._close = write_logs("switch", "info", form, logging.StreamHandler(self._text))

    def getvalue(self) -> str:
        self._close()
        return self._text.getvalue()


async def test_every_line_of_a_task_names_its_call_and_no_other(root: None) -> None:
    text = Written("json")

    async def call(name: str) -> None:
        about(call=name, organization=7)
        about(leg=f"{name}.0")
        await asyncio.sleep(0)
        log.info("first of %s", name)
        about(leg=None)
        await asyncio.create_task(child(name))

    async def child(name: str) -> None:
        log.warning("second of %s", name)

    await asyncio.gather(call("a"), call("b"))
    log.info("nobody's")
    lines = [json.loads(line) for line in text.getvalue().splitlines()]
    told = {(line["message"], line.get("call"), line.get("leg"), line.get("organization")) for line in lines}
    assert told == {
        ("first of a", "a", "a.0", "7"),
        ("first of b", "b", "b.0", "7"),
        ("second of a", "a", None, "7"),
        ("second of b", "b", None, "7"),
        ("nobody's", None, None, None),
    }
    assert {line["process"] for line in lines} == {"switch"} and {line["level"] for line in lines} == {"info", "warning"}


async def test_as_text_the_call_stands_before_the_words_and_once(root: None) -> None:
    text = Written("text")

    async def call() -> None:
        about(call="abc", leg="abc.1")
        log.info("rings")
        log.info("call=abc: rings")

    await asyncio.create_task(call())
    first, second = text.getvalue().splitlines()
    assert first.endswith("Z INFO switch offhook.somewhere call=abc leg=abc.1: rings".partition("Z ")[2])
    assert second.count("call=abc") == 1


@pytest.mark.parametrize("form", ["text", "json"])
def test_what_a_peer_sent_cannot_make_a_line_of_its_own(root: None, form: str) -> None:
    text = Written(form)
    log.info("from %s", "evil\r\n2026-01-01T00:00:00.000Z ERROR switch: forged\x1b[2J\u2028x")
    told = text.getvalue()
    assert len(told.splitlines()) == 1 and "\x1b" not in told


def test_a_traceback_is_told(root: None) -> None:
    for form in ("text", "json"):
        text = Written(form)
        try:
            raise ValueError("broken\nin two")
        except ValueError:
            log.exception("it failed")
        told = text.getvalue()
        lines = told.splitlines()
        assert "ValueError: broken" in told
        assert len(lines) == 1 if form == "json" else all(line.startswith("    ") for line in lines[1:])


def test_a_disk_that_hangs_holds_nobody_up(root: None) -> None:
    free = threading.Event()

    class Hanging(logging.StreamHandler[io.StringIO]):
        def emit(self, record: logging.LogRecord) -> None:
            free.wait(30)
            super().emit(record)

    text = io.StringIO()
    close = write_logs("switch", "info", "text", Hanging(text))
    for number in range(MOST_WAITING + 500):  # none of them waits; those beyond the room are lost
        log.info("line %d", number)
    assert not text.getvalue()
    free.set()
    close()
    assert MOST_WAITING <= len(text.getvalue().splitlines()) <= MOST_WAITING + 1
