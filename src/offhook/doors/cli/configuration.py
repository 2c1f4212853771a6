"""Commands for an organization as a file: export, plan, apply."""

import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from offhook.doors.cli import shown
from offhook.doors.cli.asking import DryRun, Json, must_agree, server_of
from offhook.doors.cli.server import Exit, Failed, Server

_SECONDS = 120.0
_SIGNS = {"added": ("+", "green"), "changed": ("~", "yellow"), "removed": ("-", "red")}

File = Annotated[str, typer.Argument(help="A YAML file as `offhook export` writes it; - for standard input.")]


def export(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="Where to write; standard output if left out.")] = None,
    revision: Annotated[int | None, typer.Option(min=1, help="As it was at this revision.")] = None,
) -> None:
    """Write the organization as readable YAML, without passwords."""
    text = server_of(context).text("/configuration", revision=revision, seconds=_SECONDS)
    if file is None:
        sys.stdout.write(text)
        return
    try:
        file.write_text(text, encoding="utf-8")
    except OSError as fault:
        raise Failed(f"{file} cannot be written ({fault.strerror}).", Exit.WRONG_COMMAND) from None
    shown.note(f"Written to {file}.")


def plan(context: typer.Context, file: File, as_json: Json = False) -> None:
    """Tell what applying a file would change, in words; nothing is done. Exit code 0: nothing differs, 2: something does."""
    answer = _planned(server_of(context), file_of(file))
    if as_json:
        shown.print_json(answer)
    else:
        _tell(answer["differences"], "Nothing differs.")
    raise typer.Exit(Exit.DIFFERS if answer["differences"] else Exit.DONE)


def apply(
    context: typer.Context,
    file: File,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Do not ask before somebody loses something.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Bring the organization to what a file says: all of it in one revision, or nothing."""
    server, text = server_of(context), file_of(file)
    planned = _planned(server, text)
    if not as_json:
        _tell(planned["differences"], "Nothing differs; nothing to do.")
    if dry_run:
        if as_json:
            shown.print_json(planned)
        else:
            shown.note(f"Nothing was done at {server.url}.")
        return
    if losses := [each["words"] for each in planned["differences"] if each["hurts"]]:
        must_agree(f"apply {file}", losses, yes=yes)
    # The revision that was looked at: what somebody else changes meanwhile is not overwritten unseen.
    answer = server.send("/configuration/apply", text, "application/yaml", seconds=_SECONDS, planned_at=planned["revision"])
    if as_json:
        shown.print_json(answer)
    elif answer["differences"]:
        shown.note(f"Done; the organization is at revision {answer['revision']}.")
        if not answer["in_effect"]:
            shown.note("The switch does not answer now; this counts as soon as it is up again.")


def _planned(server: Server, text: str) -> dict[str, Any]:
    answer: dict[str, Any] = server.send("/configuration/plan", text, "application/yaml", seconds=_SECONDS)
    return answer


def file_of(name: str) -> str:
    """What stands in a file, or comes from standard input. Raises Failed."""
    try:
        return sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8")
    except OSError as fault:
        raise Failed(f"{name} cannot be read ({fault.strerror}).", Exit.WRONG_COMMAND) from None
    except UnicodeDecodeError:
        raise Failed(f"{name} is not UTF-8.", Exit.WRONG_COMMAND) from None


def _tell(differences: list[dict[str, Any]], nothing: str) -> None:
    out = shown.console()
    for each in differences:
        sign, style = _SIGNS[each["sort"]]
        out.print(f"{sign} {shown.clean(each['words'])}", style=style, soft_wrap=True)
    if not differences:
        out.print(nothing)
