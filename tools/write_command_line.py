"""Writes the table of commands in docs/operate/command-line.md from the commands themselves; with --check says whether it is out of date.

.venv/bin/python -m tools.write_command_line [--check]
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import typer.main
from typer.core import TyperArgument, TyperCommand, TyperGroup

from offhook.doors.cli.app import ELSEWHERE, app

PAGE = Path(__file__).resolve().parents[1] / "docs" / "operate" / "command-line.md"
BEGIN = "<!-- from the commands: .venv/bin/python -m tools.write_command_line -->\n"
END = "<!-- end of the table -->\n"


def commands() -> Iterator[tuple[str, TyperCommand]]:
    """Every command that is a client of the API, by its words."""
    root = typer.main.get_command(app)
    assert isinstance(root, TyperGroup)
    yield from _within(root, "")


def _within(group: TyperGroup, words: str) -> Iterator[tuple[str, TyperCommand]]:
    for name, command in group.commands.items():
        if isinstance(command, TyperGroup):
            yield from _within(command, f"{words}{name} ")
        elif words or name not in ELSEWHERE:
            assert isinstance(command, TyperCommand)
            yield words + name, command


def table() -> str:
    """The part of the page that is written."""
    rows = [_row(name, command) for name, command in sorted(commands(), key=lambda each: each[0])]
    return BEGIN + "| `offhook` | What it does | Options |\n|---|---|---|\n" + "".join(rows) + END


def _row(name: str, command: TyperCommand) -> str:
    arguments = [_argument(each) for each in command.params if isinstance(each, TyperArgument)]
    options = [each.opts[0] for each in command.params if not isinstance(each, TyperArgument) and each.name not in ("help",)]
    does = (command.help or "").split("\n\n")[0].replace("\n", " ").replace("|", "\\|")
    return f"| `{' '.join([name, *arguments])}` | {does} | {' '.join(f'`{option}`' for option in options)} |\n"


def _argument(argument: TyperArgument) -> str:
    word = (argument.metavar or argument.name or "").upper()
    return word if argument.required else f"[{word}]"


def page(before: str) -> str:
    """The page with its table as it must be."""
    head, _, rest = before.partition(BEGIN)
    return head + table() + rest.partition(END)[2]


def main() -> int:
    """Write the page, or check it; the exit code."""
    before = PAGE.read_text()
    if "--check" in sys.argv[1:]:
        if before == page(before):
            return 0
        print("docs/operate/command-line.md is not as the commands are: run .venv/bin/python -m tools.write_command_line")
        return 1
    PAGE.write_text(page(before))
    return 0


if __name__ == "__main__":
    sys.exit(main())
