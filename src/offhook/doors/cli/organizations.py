"""Commands about all organizations, for whoever looks after the system: how each comes to be, what it has, and how it leaves."""

import sys
from typing import Annotated, Any

import typer

from offhook.doors.cli import shown, things
from offhook.doors.cli.asking import DryRun, Json, noun, server_of_provider, waiting
from offhook.doors.cli.history import Id, Kind, Most, Since, Until, Who, tell_changes
from offhook.doors.cli.server import Exit, Failed, Server
from offhook.doors.cli.things import How, Noun

ORGANIZATIONS = Noun(
    "/organizations", "organizations", "organization", ("id", "name", "domain", "purpose", "closed_at"), "id", provider=True
)

organizations = noun("All organizations, for whoever looks after the system; asked with the provider's token.")

Organization = Annotated[str, typer.Argument(help="Its id or its domain, as `offhook organizations` lists them.")]
Username = Annotated[str | None, typer.Option(help="What the administrator shall be called, if that is known.")]
Email = Annotated[str | None, typer.Option(help="Where the link goes by mail, if mail is set up; else you send it.")]
Language = Annotated[str | None, typer.Option(help="What that mail is written in, by its tag, e.g. fr.")]
Name = Annotated[str | None, typer.Option(help="Its name, for who is not asked: nothing is done if it is called otherwise.")]


@organizations.command("list")
def list_organizations(
    context: typer.Context,
    closed: Annotated[bool, typer.Option("--closed", help="Only those that are closed.")] = False,
    as_json: Json = False,
) -> None:
    """List organizations, those that are closed too."""
    answer = things.every(server_of_provider(context), ORGANIZATIONS.path, ORGANIZATIONS.many, state="closed" if closed else None)
    if as_json:
        shown.print_json(answer)
        return
    rows = [(one["id"], one["name"], one["domain"], one["purpose"], shown.moment(one["closed_at"])) for one in answer["organizations"]]
    shown.print_table(["id", "name", "domain", "purpose", "closed"], rows)


@organizations.command("show")
def show_organization(context: typer.Context, organization: Organization, as_json: Json = False) -> None:
    """Show one, and how much it has."""
    one = found(server_of_provider(context), organization)
    if as_json:
        shown.print_json(one)
    else:
        things.tell(one)


@organizations.command("add")
def add_organization(
    context: typer.Context,
    name: Annotated[str, typer.Argument(help="As people should read it.")],
    domain: Annotated[str, typer.Option(help="What stands behind the @ of its people: phones.example.com. It stays.")],
    country: Annotated[str, typer.Option(help="Whose emergency numbers and rules of dialling hold, by its two letters.")],
    time_zone: Annotated[str | None, typer.Option(help="Its IANA name, such as Europe/Paris; UTC if left out.")] = None,
    username: Username = None,
    email: Email = None,
    language: Language = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Make an organization, and a link for its first global administrator, which is shown once."""
    body: dict[str, Any] = {"name": name, "domain": domain, "country": country, "time_zone": time_zone}
    guest = {field: value for field, value in (("username", username), ("email", email), ("language", language)) if value is not None}
    words = f"make the organization {name} ({domain}), and a link for its first administrator"
    made = things.add(context, ORGANIZATIONS, body | {"administrator": guest or None}, How(as_json, dry_run), words=words)
    if made is None:
        return
    if as_json:
        shown.print_json(made)
        return
    things.tell(made["organization"])
    tell_link(made["invitation"])
    things.note_effect(made, provider=True)


@organizations.command("history")
def show_history(
    context: typer.Context,
    organization: Organization,
    kind: Kind = None,
    id: Id = None,
    who: Who = None,
    since: Since = None,
    until: Until = None,
    limit: Most = 50,
    as_json: Json = False,
) -> None:
    """List what was changed in one, newest first, also in one that is closed."""
    server = server_of_provider(context)
    path = ORGANIZATIONS.at(found(server, organization)["id"]) + "/history"
    tell_changes(server, path, limit, as_json=as_json, kind=kind, id=id, who=who, since=since, until=until)


@organizations.command("close")
def close_organization(
    context: typer.Context,
    organization: Organization,
    give_back_numbers: Annotated[bool, typer.Option("--give-back-numbers", help="Its numbers are free for anybody then.")] = False,
    name: Name = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Close an organization: nobody of it comes in, nothing rings; calls that go on may finish. Its records stay until they are erased."""
    server = server_of_provider(context)
    one = found(server, organization)
    told = ", ".join(f"{one[many]} {many}" for many in ("users", "devices", "attendants", "numbers") if one[many]) or "nothing"
    path = ORGANIZATIONS.at(one["id"]) + ("?numbers=give_back" if give_back_numbers else "")
    said = f"close {one['name']} ({one['domain']})"
    if dry_run:
        things.only_told(server, f"{said}; lost would be: {told}", "DELETE", path, None, How(as_json))
        return
    _must_name(one, f"{said}. Lost will be: {told}", name)
    closed = server.delete(path, f'"{one["version"]}"')
    things.finish(closed, f"Closed {one['name']}. Its call records and history are kept.", How(as_json), provider=True)


@organizations.command("erase")
def erase_organization(
    context: typer.Context, organization: Organization, name: Name = None, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Erase the call records and the history of an organization that is closed. Nothing brings them back but a backup."""
    server = server_of_provider(context)
    one = found(server, organization)
    path, said = ORGANIZATIONS.at(one["id"]) + "/records", f"erase every call record and the history of {one['name']}"
    if dry_run:
        things.only_told(server, said, "DELETE", path, None, How(as_json))
        return
    _must_name(one, said, name)
    gone, complete = {"calls": 0, "changes": 0}, False
    with waiting("Erasing"):
        while not complete:
            answer = server.delete(path)
            gone, complete = {each: count + answer[each] for each, count in gone.items()}, answer["complete"]
    words = f"Erased {gone['calls']} calls and {gone['changes']} lines of the history of {one['name']}. Backups still hold them."
    things.finish(gone | {"complete": True}, words, How(as_json))


def found(server: Server, wanted: str) -> dict[str, Any]:
    """One by its id or domain, with what it has. Raises Failed."""
    if not wanted.isdecimal():
        known = server.get(ORGANIZATIONS.path, domain=wanted.lower())["organizations"]
        if not known:
            raise Failed(f"There is no organization {wanted}; `offhook organizations` lists them.", Exit.NOT_THERE)
        wanted = str(known[0]["id"])
    one: dict[str, Any] = server.get(ORGANIZATIONS.at(wanted))
    return one


def tell_link(invitation: dict[str, Any]) -> None:
    """Print an invitation that was just made."""
    shown.console().print(shown.clean(invitation["link"]), soft_wrap=True)
    until = shown.moment(invitation["expires_at"])
    shown.note(f"Who opens this link becomes global administrator. It works once, until {until}, and is not shown again.")
    if invitation["mailed"]:
        shown.note(f"It goes by mail to {invitation['email']}; `offhook mails list --provider` tells what became of that.")
    elif invitation["email"]:
        shown.note("No mail is set up (OFFHOOK_MAIL_SERVER): hand the link over yourself.")
    else:
        shown.note("Hand the link over yourself.")


def _must_name(one: dict[str, Any], what: str, name: str | None) -> None:
    """Have its name said before it is gone. Raises Failed unless it is said."""
    if name is None and sys.stdin.isatty():
        shown.console(stderr=True).print(shown.clean(f"This will {what}."), soft_wrap=True)
        try:
            name = typer.prompt("Its name, to go on", err=True, default="", show_default=False)
        except typer.Abort:  # the end of the input names nothing
            name = ""
    if name is None:
        raise Failed(f"This would {what}. Nothing was done; say its name with --name to do it.", Exit.REFUSED)
    if name.strip() != one["name"]:
        raise Failed(f"It is called {one['name']}, not {name.strip() or 'nothing'}. Nothing was done.", Exit.REFUSED)
