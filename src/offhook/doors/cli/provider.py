"""Commands about what is the provider's own: what its programs come in with, and its history."""

from typing import Annotated

import typer

from offhook.doors.cli import things
from offhook.doors.cli.asking import DryRun, Json, Yes, noun, server_of_provider
from offhook.doors.cli.history import Id, Kind, Most, Since, Until, Who, tell_changes
from offhook.doors.cli.things import How, Noun
from offhook.doors.cli.tokens import Lifetime, seconds_of, tell_token

TOKENS = Noun("/provider/tokens", "tokens", "token", ("id", "label", "scopes", "made_at", "expires_at"), "id", provider=True)

provider = typer.Typer(help="What is the provider's own, for whoever looks after the system.", no_args_is_help=True)
tokens = noun("What the provider and its programs come in with.")
provider.add_typer(tokens, name="tokens")


@provider.command("history")
def show_history(
    context: typer.Context,
    kind: Kind = None,
    id: Id = None,
    who: Who = None,
    since: Since = None,
    until: Until = None,
    limit: Most = 50,
    as_json: Json = False,
) -> None:
    """List what was changed of what is the provider's, newest first: organizations, carriers, numbers, prices and all else."""
    server = server_of_provider(context)
    tell_changes(server, "/provider/history", limit, as_json=as_json, kind=kind, id=id, who=who, since=since, until=until)


@tokens.command("list")
def list_tokens(context: typer.Context, as_json: Json = False) -> None:
    """List the provider's tokens, without what is secret of them."""
    things.listed(context, TOKENS, How(as_json))


@tokens.command("add")
def add_token(
    context: typer.Context,
    label: Annotated[str, typer.Argument(help="What the histories call the program, after `provider`.")],
    scopes: Annotated[
        list[str] | None, typer.Option("--scope", help="What it may do: provider:read, provider:write; all if left out.")
    ] = None,
    lifetime: Lifetime = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Make a token for a program of the provider, and show it once."""
    body = {"label": label, "scopes": scopes or None, "lifetime_seconds": None if lifetime is None else seconds_of(lifetime)}
    tell_token(things.add(context, TOKENS, body, How(as_json, dry_run), words=f"make a token {label} of the provider"), as_json=as_json)


@tokens.command("remove")
def remove_token(
    context: typer.Context,
    token: Annotated[int, typer.Argument(min=1, help="Its id.")],
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Let nobody in with a token of the provider any more."""
    things.remove(context, TOKENS, token, ["what its program does"], How(as_json, dry_run, yes))
