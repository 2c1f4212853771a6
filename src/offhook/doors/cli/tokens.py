"""Commands about what programs come in with."""

import re
from typing import Annotated, Any

import typer

from offhook.doors.cli import completion, shown, things
from offhook.doors.cli.asking import DryRun, Json, Yes, noun, server_of
from offhook.doors.cli.server import Exit, Failed
from offhook.doors.cli.things import How, Limit, Noun, Search, Sort

TOKENS = Noun("/tokens", "tokens", "token", ("id", "label", "username", "scopes", "made_at", "expires_at"), "id")

tokens = noun("What programs come in with, and who is signed in.")

_SCOPE = "What it may do, such as calls:read; several times for several; * is all."
Lifetime = Annotated[str | None, typer.Option(help="When it expires: 12h, 30d, 4w; never if left out.")]
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@tokens.command("list")
def list_tokens(
    context: typer.Context,
    user: Annotated[str | None, typer.Option(help="Only the sessions of this user.", autocompletion=completion.usernames)] = None,
    label: Annotated[str | None, typer.Option(help="Only those with this label.")] = None,
    search: Search = None,
    sort: Sort = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """List tokens, without what is secret of them."""
    things.listed(context, TOKENS, How(as_json), limit, username=user, label=label, q=search, sort=sort)


@tokens.command("add")
def add_token(
    context: typer.Context,
    label: Annotated[str, typer.Argument(help="What the history calls the program.")],
    scopes: Annotated[list[str], typer.Option("--scope", help=_SCOPE, autocompletion=completion.scopes)],
    lifetime: Lifetime = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Make a token for a program, and show it once."""
    body = {"label": label, "scopes": scopes, "lifetime_seconds": None if lifetime is None else seconds_of(lifetime)}
    words = f"make a token {label} that may {', '.join(scopes)}"
    tell_token(things.add(context, TOKENS, body, How(as_json, dry_run), words=words), as_json=as_json)


@tokens.command("remove")
def remove_token(
    context: typer.Context,
    token: Annotated[int, typer.Argument(min=1, help="Its id.", autocompletion=completion.tokens)],
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Let nobody in with a token any more."""
    one, _ = things.looked_at(server_of(context), TOKENS, token)
    whose = f"the session of {one['username']}" if one["username"] else f"what {one['label']} comes in with"
    things.remove(context, TOKENS, token, [whose], How(as_json, dry_run, yes))


def tell_token(made: Any, *, as_json: bool) -> None:
    """Print a token that was just made; nothing where it was only to be told what would be."""
    if made is None:
        return
    if as_json:
        shown.print_json(made)
        return
    things.tell(made)
    shown.note("The token is not shown again.")


def seconds_of(text: str) -> int:
    """A length of time as people write it: 12h, 30d. Raises Failed."""
    length = re.fullmatch(r"([1-9][0-9]{0,5})([smhdw])", text)
    if length is None:
        raise Failed(f"{text} is no length of time; write 12h, 30d or 4w.", Exit.WRONG_COMMAND)
    return int(length[1]) * _UNITS[length[2]]
