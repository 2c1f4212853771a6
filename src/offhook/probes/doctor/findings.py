"""What the doctor found: a row each, with a sentence that says what to do."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum


class State(StrEnum):
    """How bad it is."""

    OK = "ok"
    WARNING = "warning"
    """It works, and will not for long, or not for everybody."""
    FAILURE = "failure"
    """The system will not start, or calls will fail."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One row. `remedy` is empty when nothing needs doing."""

    area: str
    name: str
    state: State
    detail: str
    remedy: str = ""


def ok(area: str, name: str, detail: str, remedy: str = "") -> Finding:
    """Nothing wrong; a remedy is advice."""
    return Finding(area, name, State.OK, detail, remedy)


def warning(area: str, name: str, detail: str, remedy: str) -> Finding:
    """Something to see to."""
    return Finding(area, name, State.WARNING, detail, remedy)


def failure(area: str, name: str, detail: str, remedy: str) -> Finding:
    """Something that must be seen to."""
    return Finding(area, name, State.FAILURE, detail, remedy)


def graded(area: str, name: str, state: State, detail: str, remedy: str) -> Finding:
    """A finding whose remedy is only told when there is something to do."""
    return Finding(area, name, state, detail, "" if state is State.OK else remedy)


def looked_at(area: str, checks: Iterable[Callable[[], Iterable[Finding]]]) -> Iterator[Finding]:
    """What all checks found. One that breaks is a warning of its own: the doctor must not die of what it finds."""
    for check in checks:
        try:
            yield from check()
        except Exception as broken:
            name = getattr(check, "__name__", "check").strip("_").replace("_", " ")
            yield warning(area, name, f"could not be looked at: {type(broken).__name__}: {broken}", "Look at this by hand.")


def exit_code(findings: Iterable[Finding]) -> int:
    """0 all is well, 1 something to see to, 2 something that must be seen to."""
    return max(({State.OK: 0, State.WARNING: 1, State.FAILURE: 2}[each.state] for each in findings), default=0)
