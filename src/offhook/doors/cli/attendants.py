"""Commands about auto attendants."""

import re
from typing import Annotated, Any

import typer

from offhook.doors.cli import completion, things
from offhook.doors.cli.asking import DryRun, Json, Version, Yes, noun, server_of
from offhook.doors.cli.server import Exit, Failed, Server
from offhook.doors.cli.things import How, Limit, Noun, Search, Sort

ATTENDANTS = Noun("/attendants", "attendants", "attendant", ("id", "name", "extension", "language", "keys"), "id", title="name")

attendants = noun("The voices that answer and connect by key.")

Which = Annotated[str, typer.Argument(help="Its name or id.", autocompletion=completion.attendants)]
Keys = Annotated[list[str] | None, typer.Option("--key", help="A key and who it connects to, such as 1=anna; several times for several.")]
Greeting = Annotated[str | None, typer.Option(help="What it says first.")]
Rounds = Annotated[int | None, typer.Option(min=1, help="How often it says so before it says goodbye.")]
Patience = Annotated[int | None, typer.Option(min=1, help="Seconds it waits for a key.")]


@attendants.command("list")
def list_attendants(
    context: typer.Context,
    language: Annotated[str | None, typer.Option(help="Only those that speak it, by its tag.")] = None,
    search: Search = None,
    sort: Sort = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """List attendants."""
    things.listed(context, ATTENDANTS, How(as_json), limit, language=language, q=search, sort=sort)


@attendants.command("show")
def show_attendant(context: typer.Context, attendant: Which, as_json: Json = False) -> None:
    """Show one of them."""
    things.show(context, ATTENDANTS, _id(server_of(context), attendant), How(as_json))


@attendants.command("add")
def add_attendant(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="As people read it.")],
    extension: Annotated[str, typer.Option(help="2 to 6 digits.")],
    greeting: Annotated[str, typer.Option(help="What it says first.")],
    keys: Keys = None,
    language: Annotated[str | None, typer.Option(help="A language tag, e.g. fr.")] = None,
    rounds: Rounds = None,
    patience: Patience = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Add an attendant."""
    body: dict[str, Any] = {"name": name, "extension": extension, "greeting": greeting, "keys": _keys(keys or [])}
    body |= {"language": language, "rounds": rounds, "patience_seconds": patience}
    how = How(as_json, dry_run)
    added = things.add(context, ATTENDANTS, body, how)
    if added is not None:
        things.finish(added, f"Added the attendant {name}.", how)


@attendants.command("change")
def change_attendant(
    context: typer.Context,
    attendant: Which,
    name: Annotated[str | None, typer.Option(help="As people read it.")] = None,
    extension: Annotated[str | None, typer.Option(help="2 to 6 digits.")] = None,
    greeting: Greeting = None,
    keys: Keys = None,
    no_keys: Annotated[bool, typer.Option("--no-keys", help="No key connects to anybody.")] = False,
    language: Annotated[str | None, typer.Option(help="A language tag, e.g. fr.")] = None,
    rounds: Rounds = None,
    patience: Patience = None,
    version: Version = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Change an attendant; keys that are named become all it has."""
    body: dict[str, Any] = {"name": name, "extension": extension, "greeting": greeting, "language": language}
    body |= {"keys": _keys(keys or []) if keys or no_keys else None, "rounds": rounds, "patience_seconds": patience}
    things.change(context, ATTENDANTS, _id(server_of(context), attendant), body, How(as_json, dry_run, version=version))


@attendants.command("remove")
def remove_attendant(
    context: typer.Context, attendant: Which, version: Version = None, yes: Yes = False, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Remove an attendant; its numbers stay the organization's."""
    server = server_of(context)
    one, etag = things.looked_at(server, ATTENDANTS, _id(server, attendant))
    numbers = things.every(server, "/numbers", "numbers", attendant=one["name"])["numbers"]
    losses = ["its greeting and keys", f"extension {one['extension']}"]
    losses += [f"{each['number']} rings nobody" for each in numbers]
    things.remove(context, ATTENDANTS, one["id"], losses, How(as_json, dry_run, yes, version), etag, one)


def _id(server: Server, named: str) -> str:
    if named.isdecimal():
        return named
    found = things.every(server, "/attendants", "attendants", name=named)["attendants"]
    if not found:
        raise Failed(f"There is no attendant {named}; `offhook attendants` lists them.", Exit.NOT_THERE)
    return str(found[0]["id"])


def _keys(given: list[str]) -> dict[str, str]:
    keys: dict[str, str] = {}
    for each in given:
        pair = re.fullmatch(r"([0-9*#])=(.+)", each)
        if pair is None or pair[1] in keys:
            raise Failed(f"--key {each} is no key and username such as 1=anna, or its key stands twice.", Exit.WRONG_COMMAND)
        keys[pair[1]] = pair[2]
    return keys
