"""Commands about what was changed, by whom, and what anything was before."""

from collections.abc import Mapping
from typing import Annotated, Any
from urllib.parse import quote

import typer

from offhook.doors.cli import shown, things
from offhook.doors.cli.asking import Json, noun, server_of, waiting
from offhook.doors.cli.server import Server
from offhook.doors.cli.what_if import moment_asked

history = noun("What was changed, when and by whom.")


Kind = Annotated[str | None, typer.Option(help="Only what happened to things of this kind: user, device, number ...")]
Id = Annotated[str | None, typer.Option(help="Only what happened to the one with this id; with --kind.")]
Who = Annotated[str | None, typer.Option(help="Only what this one did, as the list tells it.")]
Since = Annotated[str | None, typer.Option(help="Only from this time on: 2026-11-24T18:30, or 2d for two days ago.")]
Until = Annotated[str | None, typer.Option(help="Only before this time.")]
Most = Annotated[int, typer.Option(min=1, help="How many at most.")]


@history.command("list")
def list_changes(
    context: typer.Context,
    kind: Kind = None,
    id: Annotated[str | None, typer.Option(help="Only what happened to the one with this id or name; with --kind.")] = None,
    who: Who = None,
    since: Since = None,
    until: Until = None,
    limit: Most = 50,
    as_json: Json = False,
) -> None:
    """List changes, newest first."""
    tell_changes(server_of(context), "/history", limit, as_json=as_json, kind=kind, id=id, who=who, since=since, until=until)


@history.command("show")
def show_then(
    context: typer.Context,
    kind: Annotated[str, typer.Argument(help="What kind of thing: user, device, number ...")],
    id: Annotated[str, typer.Argument(help="Its username, number, name or id.")],
    revision: Annotated[int | None, typer.Option(min=1, help="As it was at this revision.")] = None,
    at: Annotated[str | None, typer.Option(help="As it was at this time: 2026-11-24T18:30, or 30d for thirty days ago.")] = None,
    call: Annotated[str | None, typer.Option(help="As it was for this call: its id, the beginning of it, or last.")] = None,
    as_json: Json = False,
) -> None:
    """Show a thing as it was at a revision, at a time or for a call; as it is if none is given."""
    path = things.Noun(f"/history/{quote(kind, safe='')}", "history", kind, (), "id").at(id)
    then = server_of(context).get(path, revision=revision, at=moment_asked(at, "--at"), call=call)
    if as_json:
        shown.print_json(then)
    else:
        shown.console().print(shown.clean(f"{kind} {id} at revision {then['revision']}"), style="bold")
        shown.print_report(then["object"])


MANY = "changes"


def tell_changes(
    server: Server,
    path: str,
    most: int,
    *,
    as_json: bool,
    kind: str | None,
    id: str | None,
    who: str | None,
    since: str | None,
    until: str | None,
) -> None:
    """Print a history, newest first."""
    asked = {"kind": kind, "id": id, "who": who, "since": moment_asked(since, "--since"), "until": moment_asked(until, "--until")}
    with waiting("Reading the history"):
        answer = things.every(server, path, MANY, most, **asked)
    if as_json:
        shown.print_json(answer)
    elif answer[MANY]:
        rows = [
            (each["revision"], shown.moment(each["at"]), each["who"], each["kind"], each["id"], difference(each["before"], each["after"]))
            for each in answer[MANY]
        ]
        shown.print_table(["revision", "when", "who", "kind", "id", "what"], rows)
    else:
        shown.console().print("No changes.")


def difference(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> str:
    """What a change was, in words."""
    if before is None or after is None:
        values = {name: value for name, value in (after or before or {}).items() if value not in (None, "", [], {})}
        return f"{'added' if before is None else 'removed'}: {', '.join(f'{name} {shown.told(value)}' for name, value in values.items())}"
    names = [name for name in (*after, *(set(before) - set(after))) if before.get(name) != after.get(name)]
    told = "; ".join(f"{name} {shown.told(before.get(name))} -> {shown.told(after.get(name))}" for name in names)
    return told or "set anew"  # a secret, of which nothing is told
