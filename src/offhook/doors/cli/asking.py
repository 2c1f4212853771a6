"""What every command shares: whom it asks, and what it can be told."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from offhook.doors.cli import shown
from offhook.doors.cli.finding import Named, Wanted, find_server
from offhook.doors.cli.server import Exit, Failed, Server

Json = Annotated[bool, typer.Option("--json", help="Print the API's own answer, for programs.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do not ask.")]
DryRun = Annotated[bool, typer.Option("--dry-run", help="Only tell what would be done; nothing but reads is sent.")]
Version = Annotated[str | None, typer.Option(help="Only if it is still as it was when `show` told this version.")]


_LONG_SECONDS = 2.0
_MOST_TOLD = 10
"""Losses that a question names one by one."""


class Noun(TyperGroup):
    """A group of commands about one noun, which alone, or with options only, is its first command: `offhook users --sort name` lists."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """The command's own words, with the first command's name before them where none is named."""
        if args[:1] != ["--help"] and (args[0].startswith("-") if args else not ctx.resilient_parsing):
            args = [next(iter(self.commands)), *args]
        return super().parse_args(ctx, args)

    def shell_complete(self, ctx: Any, incomplete: str) -> list[Any]:
        """What a shell completes: the commands, or the options of the first of them."""
        if not incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        name, first = next(iter(self.commands.items()))
        return first.shell_complete(first.make_context(name, [], parent=ctx, resilient_parsing=True), incomplete)


def noun(help: str) -> typer.Typer:
    """A group for one noun; what is added first is what the noun alone does."""
    return typer.Typer(help=help, cls=Noun)


def server_of(context: typer.Context) -> Server:
    """The system, asked as the organization whose token it is."""
    return find_server(wanted_of(context))


def server_of_provider(context: typer.Context) -> Server:
    """The system, asked as whoever looks after all of it."""
    return find_server(wanted_of(context), provider=True)


def server_of_either(context: typer.Context) -> Server:
    """The system of the profile in use, asked as its organization; without one that of this folder, asked as who looks after all of it."""
    return find_server(wanted_of(context), provider=True, profile_first=True)


def wanted_of(context: typer.Context) -> Wanted:
    """What the command line and its environment name of the system."""
    root = context.find_root()
    values: dict[str, dict[str, str]] = {"options": {}, "environment": {}}
    for name in ("url", "token", "profile"):
        if value := root.params.get(name):
            source = root.get_parameter_source(name)
            values["environment" if source is not None and source.name == "ENVIRONMENT" else "options"][name] = value
    return Wanted(Named(**values["options"]), Named(**values["environment"]))


def must_agree(what: str, losses: Sequence[str], *, yes: bool) -> None:
    """Ask before something is destroyed, naming what is lost. Raises Failed unless it is agreed to.

    `what` is said of the command: "remove ben".
    """
    if yes:
        return
    told = [*losses[:_MOST_TOLD], *([f"and {len(losses) - _MOST_TOLD} more"] if len(losses) > _MOST_TOLD else [])]
    lost = f" Lost would be: {'; '.join(told)}." if losses else ""
    if not sys.stdin.isatty():
        raise Failed(f"This would {what}.{lost} Nothing was done; say --yes to do it.", Exit.REFUSED)
    with answered():
        if typer.confirm(shown.clean(f"This will {what}.{lost} Go on?"), err=True):
            return
    raise Failed("Nothing was done.", Exit.REFUSED)


@contextmanager
def answered() -> Iterator[None]:
    """While somebody is asked something. Raises Failed when they leave instead of answering (Ctrl-C, or the end of the input)."""
    try:
        yield
    except typer.Abort:
        print(file=sys.stderr)  # behind the question
        raise Failed("Nothing was done.", Exit.REFUSED) from None


@contextmanager
def waiting(words: str) -> Iterator[None]:
    """Say on a terminal that it takes a while, and how long it took."""
    began = time.monotonic()
    out = shown.console(stderr=True)
    if not out.is_terminal:
        yield
        return
    with out.status(f"{words} ..."):
        yield
    if (took := time.monotonic() - began) >= _LONG_SECONDS:
        out.print(f"{words}: {took:.0f} s", style="dim")
