"""Commands about people."""

import sys
from typing import Annotated, Any

import typer

from offhook.doors.cli import completion, shown, things
from offhook.doors.cli.asking import DryRun, Json, Version, Yes, answered, must_agree, noun, server_of
from offhook.doors.cli.server import Exit, Failed, Server
from offhook.doors.cli.things import TAKEN_AWAY, How, Limit, Noun, Search, Sort

USERS = Noun(
    "/users",
    "users",
    "user",
    ("username", "name", "extension", "number", "language", "role"),
    "username",
    frozenset({"location", "time_zone"}),
)

users = noun("The people of the organization.")

_ROLES = "What they administer: global, voice, billing, help_desk, reader"
Username = Annotated[str, typer.Argument(help="Who: the name they sign in with.", autocompletion=completion.usernames)]
PasswordFromStdin = Annotated[bool, typer.Option("--password-from-stdin", help="Read the password as a line of standard input.")]


@users.command("list")
def list_users(
    context: typer.Context,
    extension: Annotated[str | None, typer.Option(help="Only who has this extension.")] = None,
    number: Annotated[str | None, typer.Option(help="Only who has this number.", autocompletion=completion.numbers)] = None,
    language: Annotated[str | None, typer.Option(help="Only who speaks it, by its tag.")] = None,
    location: Annotated[str | None, typer.Option(help="Only who is in this country, such as FR.")] = None,
    role: Annotated[str | None, typer.Option(help="Only who has this role.", autocompletion=completion.roles)] = None,
    without_telephone: Annotated[bool, typer.Option("--without-telephone", help="Only who has no telephone.")] = False,
    search: Search = None,
    sort: Sort = None,
    limit: Limit = None,
    as_json: Json = False,
) -> None:
    """List people."""
    filters = {"extension": extension, "number": number, "language": language, "location": location, "role": role}
    filters |= {"telephone": "none" if without_telephone else None}
    things.listed(context, USERS, How(as_json), limit, **filters, q=search, sort=sort)


@users.command("show")
def show_user(context: typer.Context, username: Username, as_json: Json = False) -> None:
    """Show one of them."""
    things.show(context, USERS, username, How(as_json))


@users.command("add")
def add_user(
    context: typer.Context,
    username: Annotated[str, typer.Argument(help="Lower-case letters, digits, dots, hyphens, underscores.")],
    name: Annotated[str, typer.Option(help="As people read it.")],
    extension: Annotated[str | None, typer.Option(help="2 to 6 digits.")] = None,
    number: Annotated[str | None, typer.Option(help="A number of their own, e.g. +12065550107.", autocompletion=completion.numbers)] = None,
    language: Annotated[str | None, typer.Option(help="A language tag, e.g. fr.")] = None,
    email: Annotated[str | None, typer.Option(help="Their mail address.")] = None,
    location: Annotated[str | None, typer.Option(help="Their country if it is another, e.g. FR.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="Their time zone if it is another, e.g. Europe/Paris.")] = None,
    role: Annotated[str | None, typer.Option(help=_ROLES + ".", autocompletion=completion.roles)] = None,
    telephone: Annotated[str, typer.Option(help="What their telephone is called.")] = "Telephone",
    no_telephone: Annotated[bool, typer.Option("--no-telephone", help="They get none yet.")] = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Add a person with a telephone, and show its password once."""
    body = {"username": username, "name": name, "extension": extension, "number": number, "language": language}
    body |= {"email": email, "location": location, "time_zone": time_zone, "role": role}
    body |= {"telephone": None if no_telephone else telephone}
    added = things.add(context, USERS, body, How(as_json, dry_run))
    if added is None:
        return
    if as_json or not added["telephone"]:
        things.finish(added, f"Added the user {username}, without a telephone.", How(as_json))
        return
    _tell_password(added["telephone"] | {"in_effect": added["in_effect"]}, as_json=False)


@users.command("change")
def change_user(
    context: typer.Context,
    username: Username,
    new_username: Annotated[str | None, typer.Option("--username", help="Another name to sign in with.")] = None,
    name: Annotated[str | None, typer.Option(help="As people read it.")] = None,
    extension: Annotated[str | None, typer.Option(help="2 to 6 digits" + TAKEN_AWAY)] = None,
    number: Annotated[str | None, typer.Option(help="A number of their own" + TAKEN_AWAY, autocompletion=completion.numbers)] = None,
    language: Annotated[str | None, typer.Option(help="A language tag, e.g. fr.")] = None,
    email: Annotated[str | None, typer.Option(help="Their mail address" + TAKEN_AWAY)] = None,
    location: Annotated[str | None, typer.Option(help="Their country" + TAKEN_AWAY)] = None,
    time_zone: Annotated[str | None, typer.Option(help="Their time zone" + TAKEN_AWAY)] = None,
    role: Annotated[str | None, typer.Option(help=_ROLES + TAKEN_AWAY, autocompletion=completion.roles)] = None,
    version: Version = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Change what is said of a person."""
    body = {"username": new_username, "name": name, "extension": extension, "number": number, "language": language}
    body |= {"email": email, "location": location, "time_zone": time_zone, "role": role}
    things.change(context, USERS, username, body, How(as_json, dry_run, version=version))


@users.command("remove")
def remove_user(
    context: typer.Context, username: Username, version: Version = None, yes: Yes = False, dry_run: DryRun = False, as_json: Json = False
) -> None:
    """Remove a person with their telephones; a number stays the organization's."""
    server = server_of(context)
    one, etag = things.looked_at(server, USERS, username)
    things.remove(context, USERS, username, _lost(server, one), How(as_json, dry_run, yes, version), etag)


def _lost(server: Server, user: dict[str, Any]) -> list[str]:
    devices = things.every(server, USERS.at(user["username"]) + "/devices", "devices")["devices"]
    lost = [f"the telephone {each['sip_username']} ({each['name']})" for each in devices]
    if user["extension"]:
        lost.append(f"extension {user['extension']}")
    if user["number"]:
        lost.append(f"{user['number']} rings nobody")
    return lost


@users.command("password")
def password(context: typer.Context, username: Username, yes: Yes = False, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Give a person's telephone a new password, and show it once; the one it has is refused from then on."""
    server, path = server_of(context), USERS.at(username) + "/password"
    first = things.every(server, USERS.at(username) + "/devices", "devices", 1)["devices"]
    losses = [f"the password of {each['sip_username']} ({each['name']})" for each in first]
    account = things.ordered(server, path, f"give the first telephone of {username} a new password", losses, How(as_json, dry_run, yes))
    if account is not None:
        _tell_password(account, as_json=as_json)


@users.command("sign-in")
def sign_in(
    context: typer.Context,
    username: Username,
    from_stdin: PasswordFromStdin = False,
    own: Annotated[bool, typer.Option("--own", help="It is your own: the old one is asked for too.")] = False,
    yes: Yes = False,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Set what a person signs in with; every session of theirs ends."""
    server, path = server_of(context), USERS.at(username) + "/sign-in"
    if dry_run:
        words = f"set what {username} signs in with, and end every session of theirs"
        things.only_told(server, words, "PUT", path, {"password": ""}, How(as_json))
        return
    if not own:  # who gives the old one has agreed
        must_agree(f"set what {username} signs in with", ["the password they have", "every session of theirs"], yes=yes)
    body = {"old_password": asked_password("Old password", from_stdin=from_stdin)} if own else {}
    body["password"] = asked_password("New password", from_stdin=from_stdin, twice=True)
    things.finish(server.put(path, body), f"{username} signs in with the new password from now on.", How(as_json))


def asked_password(prompt: str, *, from_stdin: bool, twice: bool = False) -> str:
    """A password, typed without being shown, or a line of standard input. Raises Failed."""
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    if not sys.stdin.isatty():
        raise Failed("There is no terminal to ask for the password; send it with --password-from-stdin.", Exit.WRONG_COMMAND)
    with answered():
        return str(typer.prompt(prompt, hide_input=True, confirmation_prompt=twice, err=True))


def _tell_password(account: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        shown.print_json(account)
        return
    things.tell({name: value for name, value in account.items() if name != "device"})
    shown.note("The password is not shown again.")
    things.note_effect(account)
