"""Passwords for the telephones of many people at once, into a file that only its owner reads."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from offhook.domain.errors import Invalid
from offhook.doors.cli import completion, shown, things
from offhook.doors.cli.asking import DryRun, Json, Yes, must_agree, server_of, waiting
from offhook.doors.cli.bulk import octets_of
from offhook.doors.cli.server import Exit, Failed, Server
from offhook.doors.cli.things import How
from offhook.services.people_csv import read_sheet

_PATH = "/devices/credentials"
_AT_ONCE = 500
_SECONDS = 60.0
_NAMED = 5


def device_passwords(
    context: typer.Context,
    file: Annotated[Path, typer.Option(help="The CSV to write, readable by you alone; it must not be there yet.")],
    user: Annotated[
        list[str] | None, typer.Option(help="Only for them; several times for several.", autocompletion=completion.usernames)
    ] = None,
    people: Annotated[str | None, typer.Option("--from", help="Only for who stands in this CSV, as people are imported from.")] = None,
    renew: Annotated[bool, typer.Option("--renew", help="Also for who has a telephone: the password of the first one ends.")] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Make telephones for all who have none, or for some people, and write their passwords into a file. They are shown nowhere else."""
    server = server_of(context)
    with waiting("Looking who has a telephone"):
        without = _usernames(server, telephone="none")
        chosen = _chosen(server, user or [], people)
        wanted = without if chosen is None else chosen
    having = sorted(set(wanted) - set(without))
    if having and not renew:
        raise Failed(f"{_some(having)} have a telephone already; --renew gives it another password.", Exit.REFUSED)
    if dry_run:
        what = f"make the passwords of {len(wanted)} telephones, {len(having)} of which are there already"
        things.only_told(server, what, "POST", _PATH, {"usernames": wanted, "renew": renew}, How(as_json))
        return
    if having:
        must_agree(f"give {len(having)} telephones other passwords", [f"the password of {name}" for name in having], yes=yes)
    in_effect = _written(server, file, wanted, renews=renew) if wanted else True
    if as_json:
        shown.print_json({"file": str(file) if wanted else None, "passwords": len(wanted), "in_effect": in_effect})
    elif not wanted:
        shown.console().print("Everybody has a telephone.")
    else:
        shown.console().print(shown.clean(f"{len(wanted)} passwords are in {file}; they are not shown again."), soft_wrap=True)
        things.note_effect({"in_effect": in_effect})


def _chosen(server: Server, named: Sequence[str], people: str | None) -> list[str] | None:
    """Who was named, each once; None where nobody was to be. Raises Failed for who is not there."""
    if not named and people is None:
        return None
    wanted = [*named, *(_of_file(people) if people is not None else ())]
    unknown = sorted(set(wanted) - set(_usernames(server)))
    if unknown:
        raise Failed(f"There is no user {_some(unknown)}.", Exit.NOT_THERE)
    return list(dict.fromkeys(wanted))


def _of_file(name: str) -> list[str]:
    try:
        sheet = read_sheet(octets_of(name))
    except Invalid as why:
        raise Failed(f"{name}: {why.explanation}", Exit.WRONG_COMMAND) from None
    place = sheet.columns.index("username")
    nobody = [row for row, cells in sheet.rows if len(cells) <= place or not cells[place].strip()]
    if nobody:
        raise Failed(f"{name}: row {nobody[0]} names nobody in the column username.", Exit.WRONG_COMMAND)
    return [cells[place].strip() for _, cells in sheet.rows]


def _usernames(server: Server, telephone: str | None = None) -> list[str]:
    return [str(one["username"]) for one in things.every(server, "/users", "users", telephone=telephone)["users"]]


def _written(server: Server, file: Path, usernames: Sequence[str], *, renews: bool) -> bool:
    """Have the passwords made and write them as they come; whether all are in effect. Raises Failed and says how far it came."""
    done, in_effect = 0, True
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    out = shown.console(stderr=True)
    with _opened(file) as opened, Progress(*columns, console=out, disable=not out.is_terminal) as progress:
        bar = progress.add_task("passwords", total=len(usernames))
        for some in _portions(usernames):
            try:
                text, headers = server.file(_PATH, {"usernames": some, "renew": renews}, seconds=_SECONDS)
            except Failed as failed:
                raise Failed(f"{failed.words} {_how_far(file, done, some[0])}", failed.code, failed.problem) from None
            try:
                opened.write((text if done == 0 else text.partition("\r\n")[2]).encode())
            except OSError as fault:
                raise Failed(f"{file} cannot be written ({fault.strerror}). {_how_far(file, done, some[0])}", Exit.WRONG_COMMAND) from None
            done, in_effect = done + len(some), in_effect and headers.get("Offhook-In-Effect") == "true"
            progress.update(bar, completed=done)
    return in_effect


def _portions(usernames: Sequence[str]) -> Iterator[list[str]]:
    for start in range(0, len(usernames), _AT_ONCE):
        yield list(usernames[start : start + _AT_ONCE])


@contextmanager
def _opened(file: Path) -> Iterator[BinaryIO]:
    """A new file that nobody else may read; gone again if nothing came into it. Raises Failed."""
    try:
        # Made so, not changed to it afterwards: at no moment may somebody else open it.
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise Failed(f"{file} is there already; passwords replace nothing. Choose another name.", Exit.REFUSED) from None
    except OSError as fault:
        raise Failed(f"{file} cannot be written ({fault.strerror}).", Exit.WRONG_COMMAND) from None
    with os.fdopen(descriptor, "wb", buffering=0) as opened:
        try:
            yield opened
        finally:
            if os.fstat(opened.fileno()).st_size == 0:
                file.unlink()


def _how_far(file: Path, done: int, following: str) -> str:
    told = f"{done} passwords are in {file}. " if done else ""
    return f"{told}From {following} on there are none: begin again with another file, with --renew if they have a telephone by then."


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (f" and {len(names) - _NAMED} more" if len(names) > _NAMED else "")
