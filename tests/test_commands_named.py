"""Every command of `offhook` that a document, a page or a message names exists, with the options it is given."""

import html
import re
import shlex
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import typer.main
from typer.core import TyperGroup

from offhook.doors.cli.app import _list_elsewhere, app
from offhook.wiring import backup, bench, doctor

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(
    page
    for start in (ROOT.glob("*.md"), (ROOT / "docs").rglob("*.md"), (ROOT / "src").rglob("*.py"), (ROOT / "src").rglob("*.html"))
    for page in start
)
LOADED = (backup, bench, doctor)
"""Commands of the fuse box are only known once their modules are loaded."""

_FILLED_IN = re.compile(r"\{\{.*?\}\}")
"""What a page of the web has for what is known when it is shown."""
_SPAN = re.compile(r"`((?:\./)?offhook [^`]+)`")
_BEGINS = re.compile(r"(?:^|(?<=[ >]))(?=(?:\./)?offhook )")
_PLACEHOLDER = re.compile(r"[A-Z.]+|[0-9]+|\{.*")
_ENDS = frozenset("|<>;&")


@cache
def root() -> TyperGroup:
    _list_elsewhere()
    command = typer.main.get_command(app)
    assert isinstance(command, TyperGroup)
    return command


def named(page: Path) -> Iterator[str]:
    """Every command line that stands on a page: in its blocks of code, and between backticks."""
    text = page.read_text()
    lines = _FILLED_IN.sub("x", html.unescape(text)).splitlines() if page.suffix == ".html" else code(text) if page.suffix == ".md" else []
    for line in lines:
        yield from (part.partition("</pre>")[0].split("   ")[0] for part in _BEGINS.split(line)[1:])
    yield from (" ".join(span.split()) for span in _SPAN.findall(text))


def code(text: str) -> Iterator[str]:
    """The lines of a page of Markdown that are code."""
    fenced = False
    for line in text.splitlines():
        fenced ^= line.lstrip().startswith("```")
        if fenced or line.startswith("    "):
            yield line


def wrong(line: str) -> str | None:
    """What of a command line does not exist; None if all of it does."""
    command, rest = root(), iter(shlex.split(line, comments=True)[1:])
    for word in rest:
        if word[:1] in _ENDS:
            return None
        if word.startswith("-"):
            name, _, value = word.partition("=")
            first = [next(iter(command.commands.values()))] if isinstance(command, TyperGroup) and command is not root() else []
            options = {each: one for part in (command, *first) for one in part.params for each in (*one.opts, *one.secondary_opts)}
            if name not in options and name != "--help":
                return name
            if name in options and not getattr(options[name], "is_flag", False) and not value:
                next(rest, None)
        elif isinstance(command, TyperGroup):
            if _PLACEHOLDER.fullmatch(word):
                return None
            if word not in command.commands:
                return word
            command = command.commands[word]  # type: ignore[assignment]
    return None


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_what_is_named_exists(page: Path) -> None:
    assert LOADED and {line: why for line in named(page) if (why := wrong(line)) is not None} == {}


def test_commands_are_found_and_wrong_ones_seen() -> None:
    found = [line for page in PAGES for line in named(page)]
    assert len(found) > 100
    assert wrong("offhook user add dora") == "user"
    assert wrong("offhook users add dora --extention 201") == "--extention"
    assert wrong("./offhook --profile lumen users --sort name") is None
