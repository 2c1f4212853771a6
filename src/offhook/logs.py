"""Logs: one line an event, as text or JSON, with the call, leg and organization that the line is about.

Knows no room. `about` marks the task at work (contextvars: what a task starts inherits it), so whoever logs within a call's task
need not say which call it is.
"""

import atexit
import json
import logging
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from datetime import UTC, datetime

from offhook.gathering import Gathering

_SUBJECT: Mapping[str, ContextVar[object]] = {name: ContextVar(name, default=None) for name in ("call", "leg", "organization")}
_STAMP = "_offhook_subject"
MOST_WAITING = 10_000
"""Lines that wait for the disk; what comes then is lost."""

GATHER_SECONDS = 0.1
"""How long lines wait for others, so that a busy process writes many at once. A process that is killed takes so much with it."""


def about(**subject: object) -> None:
    """From now on the lines of this task are about this: call, leg, organization. None: no longer named."""
    for name, value in subject.items():
        _SUBJECT[name].set(value)


def _stamp(record: logging.LogRecord) -> bool:
    # Taken when the line is said, not when it is written: a handler may write in another thread.
    setattr(record, _STAMP, tuple((name, str(value)) for name, held in _SUBJECT.items() if (value := held.get()) is not None))
    return True


def _subject(record: logging.LogRecord) -> Iterable[tuple[str, str]]:
    return getattr(record, _STAMP, ())


def _moment(record: logging.LogRecord) -> str:
    return datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _visible(text: str) -> str:
    """The text on one line: what peers send may hold line ends and worse, and must not look like a line of ours."""
    return text if text.isprintable() else "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


class TextLines(logging.Formatter):
    """`2026-01-02T03:04:05.678Z INFO switch offhook.switch.exchange call=... leg=...: what happened`; a traceback follows, indented."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        message = record.getMessage()
        subject = "".join(f" {name}={value}" for name, value in _subject(record) if f"{name}={value}" not in message)
        line = f"{_moment(record)} {record.levelname} {self._process} {record.name}{_visible(subject)}: {_visible(message)}"
        if record.exc_info:
            line += "".join(f"\n    {_visible(each)}" for each in self.formatException(record.exc_info).splitlines())
        return line


class JsonLines(logging.Formatter):
    """An object a line: at, level, process, logger, message, and where known call, leg, organization and traceback."""

    def __init__(self, process: str) -> None:
        super().__init__()
        self._process = process

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        line = {
            "at": _moment(record),
            "level": record.levelname.lower(),
            "process": self._process,
            "logger": record.name,
            "message": record.getMessage(),
            **dict(_subject(record)),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line)  # ASCII alone: some readers take U+2028 for the end of a line


class _Handing(logging.Handler):
    """Hands lines to the thread that writes them: a disk that hangs must not hold up calls. What finds no room is dropped."""

    def __init__(self) -> None:
        super().__init__()
        self.addFilter(_stamp)
        self._lines: Gathering[logging.LogRecord | None] = Gathering(GATHER_SECONDS)

    def createLock(self) -> None:  # noqa: N802  (logging's name)
        """None: a queue needs none."""
        self.lock = None

    def emit(self, record: logging.LogRecord) -> None:
        """Take the record if there is room, with its words made now, while what they are made of is as it was."""
        if len(self._lines) >= MOST_WAITING:
            return
        try:
            record.msg, record.args = record.getMessage(), None
        except Exception:
            self.handleError(record)
        else:
            self._lines.put(record)

    def write(self, to: logging.Handler) -> None:
        """Until ended, let `to` write what was handed over."""
        while True:
            for record in self._lines.taken():
                if record is None:
                    return
                to.handle(record)

    def end(self) -> None:
        """What comes after this is written no more."""
        self._lines.put(None)


def write_logs(process: str, level: str, form: str, handler: logging.Handler | None = None) -> Callable[[], None]:
    """Let this process log from `level` up, to the error stream unless another handler is given. `form`: json, else text.

    A thread of its own writes, and at the end of the process what waits; what is returned does so earlier.
    """
    handler = handler or logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(process) if form == "json" else TextLines(process))
    handing = _Handing()
    writing = threading.Thread(target=handing.write, args=(handler,), name="logs", daemon=True)
    logging.basicConfig(level=level.upper(), handlers=[handing], force=True)
    for chatty in ("httpx", "httpcore", "alembic"):
        logging.getLogger(chatty).setLevel(logging.WARNING)
    writing.start()

    def close() -> None:
        atexit.unregister(close)
        logging.getLogger().removeHandler(handing)
        handing.end()
        writing.join()

    atexit.register(close)
    return close
