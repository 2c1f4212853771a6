"""Commands about mail: what people are told by it, and what became of that."""

from typing import Annotated

import typer

from offhook.doors.cli import shown, things
from offhook.doors.cli.asking import DryRun, Json, noun, server_of_provider
from offhook.doors.cli.server import Exit
from offhook.doors.cli.things import How, Limit, Noun, Search, Sort

_COLUMNS = ("id", "kind", "recipient", "state", "attempts", "made_at", "last_error")
MAILS = Noun("/mails", "mails", "mail", _COLUMNS, "id")
PROVIDER_MAILS = Noun("/provider/mails", "mails", "mail", _COLUMNS, "id", provider=True)

mails = noun("What people are told by mail.")

OfProvider = Annotated[bool, typer.Option("--provider", help="What the provider sends itself: invitations.")]


@mails.command("list")
def list_mails(
    context: typer.Context,
    provider: OfProvider = False,
    state: Annotated[str | None, typer.Option(help="Only those that are waiting, sent or failed.")] = None,
    kind: Annotated[str | None, typer.Option(help="Only what tells of this, such as welcome.")] = None,
    to: Annotated[str | None, typer.Option(help="Only to this mail address.")] = None,
    search: Search = None,
    sort: Sort = "-id",
    limit: Limit = 50,
    as_json: Json = False,
) -> None:
    """List mails of the last month, newest first, without what they say."""
    asked = {"state": state, "kind": kind, "recipient": to, "q": search, "sort": sort}
    things.listed(context, PROVIDER_MAILS if provider else MAILS, How(as_json), limit, **asked)


@mails.command("retry")
def retry_mail(
    context: typer.Context,
    mail: Annotated[int, typer.Argument(min=1, help="Its id, as `offhook mails list` tells it.")],
    provider: OfProvider = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Try a mail that waits or has failed, as soon as possible."""
    of = PROVIDER_MAILS if provider else MAILS
    tried = things.ordered(of.server(context), of.at(mail) + "/retry", f"try the mail {mail} again", [], How(as_json, dry_run))
    if tried is None:
        return
    if as_json:
        shown.print_json(tried)
    else:
        things.tell(tried)


@mails.command("test")
def test_mail(
    context: typer.Context,
    to: Annotated[str, typer.Option(help="Your mail address.")],
    language: Annotated[str | None, typer.Option(help="What it is written in, by its tag, e.g. fr.")] = None,
    as_json: Json = False,
) -> None:
    """Send a mail that says only that it was sent, and tell what the mail server said; for whoever looks after the system."""
    body = {"to": to} | ({"language": language} if language is not None else {})
    said = server_of_provider(context).post("/provider/mails/test", body, seconds=90.0)
    if as_json:
        shown.print_json(said)
    elif said["sent"]:
        shown.console().print(shown.clean(f"The mail server took it. Look whether it comes to {to}."), soft_wrap=True)
    else:
        shown.console().print(shown.clean(f"The mail server did not take it: {said['why']}."), soft_wrap=True)
    if not said["sent"]:
        raise typer.Exit(Exit.NOT_ALL_WELL)
