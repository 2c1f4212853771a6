"""The intercom between our own processes: JSON lines over a Unix socket that only the owner may open.

A leaf: knows no room. Questions are {"ask": name, ...details}; answers {"answer": value} or {"refusal": sentence}. A question has one
answer, or is a subscription: it has many, until either side hangs up, and an empty line is a sign of life where there is nothing to say.
"""

import asyncio
import json
import logging
import os
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import asdict
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson

log = logging.getLogger(__name__)

LONGEST_LINE = 16 * 1024 * 1024
"""Bytes; a long call's whole story fits."""

ALIVE_SECONDS, SILENT_SECONDS = 2.0, 6.0
"""How often a subscriber gets a sign of life; and after how long without one he gives up."""

LONGEST_TOLD = 2 * 1024 * 1024
"""Bytes of one answer to a subscriber, who holds twice as many unread before he lets no more come."""

SLOW_SECONDS = 10.0
"""How long a subscriber may let nothing come before he is cut off."""

Answer = Callable[..., Awaitable[Any]]
Subscription = Callable[..., AsyncGenerator[Any, None]]
"""Each value is one answer; the next is asked for when the one before is on its way, so who gathers meanwhile needs no queue."""


class Silent(Exception):
    """Nobody answered: the process is not there, or not done in time."""


class Refused(Exception):
    """The other process answered that it will not; the text is its sentence."""


async def answer_at(
    path: Path, answers: Mapping[str, Answer], subscriptions: Mapping[str, Subscription] = MappingProxyType({})
) -> asyncio.Server:
    """Answer questions at a socket; the caller closes the server. Both map a question's name to who answers, called with its details.

    An answerer refuses by raising Refused; anything else it raises is logged, and told to the asker without its details. A subscription
    ends with either, and when its generator does; the generator is closed when the asker hangs up, says anything more, or is too slow.
    """

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # ValueError: a line longer than anything we would write.
            with suppress(ConnectionError, ValueError):
                while line := await reader.readline():
                    name, details = _asked(line)
                    if name in subscriptions:
                        await _attend_subscriber(name, subscriptions[name], details, reader, writer)
                        return
                    writer.write(await _answered(answers, name, details) + b"\n")
                    await writer.drain()
        finally:
            writer.close()

    # A socket file that an earlier process left is replaced by bind; the mask keeps others out from the first moment.
    before = os.umask(0o177)
    try:
        return await asyncio.start_unix_server(attend, path, limit=LONGEST_LINE)
    finally:
        os.umask(before)


def _asked(line: bytes) -> tuple[str, dict[str, Any]]:
    """The name of a question, and its details; no name for what is none."""
    try:
        question = json.loads(line)
    except (ValueError, RecursionError):
        return "", {}
    return (str(question.pop("ask", "")), question) if isinstance(question, dict) else ("", {})


async def _answered(answers: Mapping[str, Answer], name: str, details: dict[str, Any]) -> bytes:
    if name not in answers:
        return _refusal(f"{name!r} is no question that is answered here; a question is one line of JSON")
    try:
        return _written({"answer": await answers[name](**details)})
    except Exception as why:
        return _refused(name, why)


async def _attend_subscriber(
    name: str, subscription: Subscription, details: dict[str, Any], reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    hung_up = asyncio.ensure_future(reader.read(1))
    try:
        async with aclosing(subscription(**details)) as told:
            await _tell(told, hung_up, writer)
    except ConnectionError:
        return
    except Exception as why:
        writer.write(_refused(name, why) + b"\n")
        await _last_word_read(writer)
    finally:
        hung_up.cancel()
        await asyncio.gather(hung_up, return_exceptions=True)


async def _last_word_read(writer: asyncio.StreamWriter) -> None:
    """Hang up; what is on its way may still be read, for a while."""
    writer.close()
    try:
        async with asyncio.timeout(SLOW_SECONDS):
            await writer.wait_closed()
    except TimeoutError:
        writer.transport.abort()
    except OSError:
        return


async def _tell(told: AsyncGenerator[Any, None], hung_up: asyncio.Future[bytes], writer: asyncio.StreamWriter) -> None:
    coming: asyncio.Future[Any] | None = None
    try:
        while True:
            coming = coming or asyncio.ensure_future(anext(told))
            await asyncio.wait({coming, hung_up}, timeout=ALIVE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if hung_up.done():
                return
            line = b""
            if coming.done():
                line, coming = _written({"answer": coming.result()}), None
            writer.write(line + b"\n")
            try:
                async with asyncio.timeout(SLOW_SECONDS):
                    await writer.drain()
            except TimeoutError:
                raise Refused(f"You left unread for {SLOW_SECONDS:g} s what you were told.") from None
    except StopAsyncIteration:
        return
    finally:
        if coming is not None:
            coming.cancel()
            await asyncio.gather(coming, return_exceptions=True)


def _refused(name: str, why: Exception) -> bytes:
    if isinstance(why, Refused):
        return _refusal(str(why))
    log.error("the question %r could not be answered", name, exc_info=why)
    return _refusal(f"the question {name!r} failed; the log of the process asked says how")


def _refusal(sentence: str) -> bytes:
    return json.dumps({"refusal": sentence}).encode()


def _written(reply: dict[str, Any]) -> bytes:
    try:
        return orjson.dumps(reply)
    except TypeError:
        # Half a surrogate pair, which a stranger's words may hold, is no UTF-8; escaped it is JSON all the same.
        return json.dumps(reply, default=asdict).encode()


async def ask(path: Path, question: str, timeout_seconds: float = 5.0, **details: Any) -> Any:
    """The answer to a question. Raises Silent, or Refused with the sentence of whoever was asked."""
    try:
        async with asyncio.timeout(timeout_seconds):
            reader, writer = await _opened(path, question, details)
            try:
                line = await reader.readline()
            finally:
                writer.close()
        return _said(path, line)
    except (OSError, ValueError) as cause:
        raise _silent(path, cause) from cause


async def subscribe(path: Path, question: str, **details: Any) -> AsyncGenerator[Any, None]:
    """The answers to a subscription, as they come.

    Raises Silent when nobody is there, says nothing for SILENT_SECONDS, or hangs up; Refused with the last word of whoever was asked.
    """
    try:
        async with asyncio.timeout(SILENT_SECONDS):
            reader, writer = await _opened(path, question, details, LONGEST_TOLD)
    except OSError as cause:
        raise _silent(path, cause) from cause
    try:
        while True:
            try:
                async with asyncio.timeout(SILENT_SECONDS):
                    line = await reader.readline()
                told = None if line == b"\n" else _said(path, line)
            except (OSError, ValueError) as cause:
                raise _silent(path, cause) from cause
            if line != b"\n":
                yield told
    finally:
        writer.close()


async def _opened(
    path: Path, question: str, details: Mapping[str, Any], longest: int = 0
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_unix_connection(path, limit=longest or LONGEST_LINE)
    try:
        writer.write(json.dumps({"ask": question, **details}).encode() + b"\n")
        await writer.drain()
    except BaseException:
        writer.close()
        raise
    return reader, writer


def _said(path: Path, line: bytes) -> Any:
    """The answer in a line. Raises ValueError, Silent, Refused."""
    reply = json.loads(line) if line else None
    if not isinstance(reply, dict):
        raise Silent(f"no answer at {path.name}: it hung up")
    if "refusal" in reply:
        raise Refused(reply["refusal"])
    return reply["answer"]


def _silent(path: Path, cause: Exception) -> Silent:
    return Silent(f"no answer at {path.name}: {type(cause).__name__}")
