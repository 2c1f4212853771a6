"""Completion in shells: the scripts, and values asked of the running system.

When it does not answer at once nothing is completed, and nothing is said. The scripts of Typer were not taken: they break at
values with blanks or apostrophes, and behind `--option=`.
"""

from collections.abc import Callable, Iterable
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from offhook.domain.access import EVERYTHING, Role
from offhook.domain.calls.endings import ENDINGS
from offhook.domain.webhooks import PATTERNS
from offhook.doors.cli.asking import wanted_of
from offhook.doors.cli.finding import find_server
from offhook.doors.cli.profiles import read_profiles
from offhook.doors.cli.server import Failed, Server

_SCRIPTS = Path(__file__).parent / "shells"
_SECONDS = 0.25
_MOST = 100

Completion = Callable[[typer.Context, str], list[tuple[str, str]]]


def _values(path: str, many: str, value: str, words: str) -> Completion:
    def complete(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
        found = _asked(ctx, path, many, incomplete)
        return [(str(one[value]), str(one.get(words) or "")) for one in found if str(one[value]).startswith(incomplete)]

    return complete


def _asked(ctx: typer.Context, path: str, many: str, incomplete: str) -> list[dict[str, Any]]:
    try:
        found = find_server(wanted_of(ctx))
        answer = Server(found.url, found.token, _SECONDS).get(path, limit=_MOST, q=incomplete or None)
        return list(answer[many])
    except (Failed, KeyError, TypeError):
        return []


usernames = _values("/users", "users", "username", "name")
numbers = _values("/numbers", "numbers", "number", "words")
attendants = _values("/attendants", "attendants", "name", "extension")
devices = _values("/devices", "devices", "id", "name")
webhooks = _values("/webhooks", "webhooks", "id", "url")
tokens = _values("/tokens", "tokens", "id", "label")


def _known(values: Iterable[str]) -> Callable[[str], list[str]]:
    def complete(incomplete: str) -> list[str]:
        return [value for value in known if value.startswith(incomplete)]

    known = sorted(values)
    return complete


roles = _known(Role)
scopes = _known(EVERYTHING)
endings = _known(ENDINGS)
events = _known(PATTERNS)


class Shell(StrEnum):
    """A shell for which there is a script."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(shell: Annotated[Shell, typer.Argument(help="For which shell.")]) -> None:
    """Print what a shell must read to complete commands, options and values."""
    typer.echo((_SCRIPTS / f"offhook.{shell.value}").read_text(encoding="utf-8"), nl=False)


def profiles(incomplete: str) -> list[tuple[str, str]]:
    """The profiles of this user."""
    try:
        return [(name, kept.url) for name, kept in read_profiles().by_name.items() if name.startswith(incomplete)]
    except Failed:
        return []
