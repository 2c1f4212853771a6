"""The intercom between our own processes: one question, one answer, a JSON line each, over a Unix socket that only the owner may open.

A leaf: knows no room. Questions are {"ask": name, ...details}; answers {"answer": value} or {"refusal": sentence}.
"""

import asyncio
import json
import logging
import os
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

LONGEST_LINE = 16 * 1024 * 1024
"""Bytes; a long call's whole story fits."""

Answer = Callable[..., Awaitable[Any]]


class Silent(Exception):
    """Nobody answered: the process is not there, or not done in time."""


class Refused(Exception):
    """The other process answered that it will not; the text is its sentence."""


async def answer_at(path: Path, answers: Mapping[str, Answer]) -> asyncio.Server:
    """Answer questions at a socket; the caller closes the server. `answers` maps a question's name to who answers, called with its details.

    An answerer refuses by raising Refused; anything else it raises is logged, and told to the asker without its details.
    """

    async def attend(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            # ValueError: a line longer than anything we would write.
            with suppress(ConnectionError, ValueError):
                while line := await reader.readline():
                    writer.write(await _answered(answers, line) + b"\n")
                    await writer.drain()
        finally:
            writer.close()

    # A socket file that an earlier process left is replaced by bind; the mask keeps others out from the first moment.
    before = os.umask(0o177)
    try:
        return await asyncio.start_unix_server(attend, path, limit=LONGEST_LINE)
    finally:
        os.umask(before)


async def _answered(answers: Mapping[str, Answer], line: bytes) -> bytes:
    try:
        question = json.loads(line)
    except (ValueError, RecursionError):
        return _refusal("a question is one line of JSON")
    name = str(question.pop("ask", "")) if isinstance(question, dict) else ""
    if name not in answers:
        return _refusal(f"{name!r} is no question that is answered here")
    try:
        return json.dumps({"answer": await answers[name](**question)}).encode()
    except Refused as refusal:
        return _refusal(str(refusal))
    except Exception:
        log.exception("the question %r could not be answered", name)
        return _refusal(f"the question {name!r} failed; the log of the process asked says how")


def _refusal(sentence: str) -> bytes:
    return json.dumps({"refusal": sentence}).encode()


async def ask(path: Path, question: str, timeout_seconds: float = 5.0, **details: Any) -> Any:
    """The answer to a question. Raises Silent, or Refused with the sentence of whoever was asked."""
    try:
        async with asyncio.timeout(timeout_seconds):
            reader, writer = await asyncio.open_unix_connection(path, limit=LONGEST_LINE)
            try:
                writer.write(json.dumps({"ask": question, **details}).encode() + b"\n")
                await writer.drain()
                line = await reader.readline()
                reply = json.loads(line) if line else None
            finally:
                writer.close()
    except (OSError, TimeoutError, ValueError) as cause:
        raise Silent(f"no answer at {path.name}: {type(cause).__name__}") from cause
    if not isinstance(reply, dict):
        raise Silent(f"no answer at {path.name}: it hung up")
    if "refusal" in reply:
        raise Refused(reply["refusal"])
    return reply["answer"]
