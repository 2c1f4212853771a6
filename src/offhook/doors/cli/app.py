"""The command line: a client of the API. `app` takes further commands, `cli` runs it."""

import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any
from urllib.parse import quote

import typer

from offhook.doors.cli import bulk, configuration, edge, shown, what_if
from offhook.doors.cli.asking import Json, Wanted, server_of
from offhook.doors.cli.server import EXIT_WORDS, Exit, Failed

_PAGE = 500
_SELFTEST_SECONDS = 600.0
_SETUP_SECONDS = 60.0

_epilog = "Exit codes: " + "; ".join(f"{code.value} {words}" for code, words in EXIT_WORDS.items()) + "."
app = typer.Typer(
    name="offhook",
    help="Offhook, a phone system an organization can host itself.",
    epilog=_epilog,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
sandbox = typer.Typer(help="The sandbox's public network.", no_args_is_help=True)
user = typer.Typer(help="The people of the organization.", no_args_is_help=True)
users = typer.Typer(help="List the people of the organization; import and export them.", invoke_without_command=True)
app.add_typer(sandbox, name="sandbox")
app.add_typer(user, name="user")
app.add_typer(users, name="users")
bulk.register(app, users)
app.command("registrations")(edge.registrations)
for command in (configuration.export, configuration.plan, configuration.apply, what_if.route, what_if.replay):
    app.command()(command)
app.add_typer(edge.bans, name="bans")
app.add_typer(edge.certificates, name="certificates")


@app.callback()
def _root(
    context: typer.Context,
    url: Annotated[str | None, typer.Option(envvar="OFFHOOK_URL", help="Where the system is, e.g. http://127.0.0.1:8080.")] = None,
    token: Annotated[str | None, typer.Option(envvar="OFFHOOK_TOKEN", help="An API token.", show_envvar=True)] = None,
) -> None:
    context.obj = Wanted(url, token)


@app.command()
def calls(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    live: Annotated[bool, typer.Option("--live", help="Only those that go on now.")] = False,
    ending: Annotated[str | None, typer.Option(help="Only those that ended so, by the ending's code.")] = None,
    as_json: Json = False,
) -> None:
    """List calls, live and past, newest first."""
    server = server_of(context)
    found: list[dict[str, Any]] = []
    cursor, live_known = None, True
    while len(found) < limit:
        wanted = min(limit - len(found), _PAGE)
        page = server.get("/calls", limit=wanted, cursor=cursor, state="live" if live else None, ending=ending)
        found += page["calls"]
        cursor, live_known = page["next"], live_known and page["live_known"]
        if cursor is None:
            break
    if as_json:
        shown.print_json({"calls": found, "next": cursor, "live_known": live_known})
        return
    shown.print_calls(found)
    if not live_known:
        shown.note("The switch does not answer: calls that go on now are not shown.")


@app.command()
def explain(
    context: typer.Context,
    call: Annotated[str, typer.Argument(help="The call's id, the beginning of it, or last.")] = "last",
    messages: Annotated[bool, typer.Option("--messages", help="Show every SIP message in full.")] = False,
    as_json: Json = False,
) -> None:
    """Tell how a call went, and why."""
    if not call.isalnum():
        raise Failed("A call's id has letters and digits only; `offhook calls` lists them.", Exit.NOT_THERE)
    explained = server_of(context).get(f"/calls/{call}")
    if as_json:
        shown.print_json(explained)
    else:
        shown.print_explanation(explained, messages=messages)


@app.command()
def selftest(context: typer.Context, as_json: Json = False) -> None:
    """Place real calls through the running system and tell what worked."""
    server = server_of(context)
    with _waiting("Placing calls through the running system"):
        result = server.post("/selftest", seconds=_SELFTEST_SECONDS)
    if as_json:
        shown.print_json(result)
    else:
        shown.print_selftest(result["rows"])
    if not result["passed"]:
        raise typer.Exit(Exit.NOT_ALL_WELL)


@sandbox.command("call")
def sandbox_call(
    context: typer.Context,
    from_number: Annotated[str, typer.Option("--from", help="Who calls: a fictional number such as +12065550199.")],
    to_number: Annotated[str, typer.Option("--to", help="The number called, e.g. +12065550100.")],
    dtmf: Annotated[str, typer.Option(help="Keys to press once it is answered; a comma waits.")] = "",
    listen: Annotated[float, typer.Option(min=0, max=60, help="Seconds to listen.")] = 10.0,
    as_json: Json = False,
) -> None:
    """Make a call in from the sandbox's public network and tell what was heard."""
    body = {"from": from_number, "to": to_number, "digits": dtmf, "listen_seconds": listen}
    server = server_of(context)
    with _waiting(f"Calling {to_number}"):
        report = server.post("/sandbox/calls", body, seconds=listen + _SETUP_SECONDS)
    if as_json:
        shown.print_json(report)
    else:
        shown.print_report(report)


@users.callback()
def list_users(context: typer.Context, as_json: Json = False) -> None:
    """List the people of the organization; import and export them."""
    if context.invoked_subcommand is not None:
        return
    answer = server_of(context).get("/users")
    if as_json:
        shown.print_json(answer)
        return
    rows = [(one["username"], one["name"], one["extension"], one["number"], one["language"]) for one in answer["users"]]
    shown.print_table(["username", "name", "extension", "number", "language"], rows)


@user.command("add")
def user_add(
    context: typer.Context,
    username: str,
    name: Annotated[str, typer.Option(help="As people read it.")],
    extension: Annotated[str | None, typer.Option(help="2 to 6 digits.")] = None,
    number: Annotated[str | None, typer.Option(help="A telephone number of their own, e.g. +12065550107.")] = None,
    language: Annotated[str, typer.Option(help="A language tag, e.g. fr.")] = "en",
    as_json: Json = False,
) -> None:
    """Add a person, and show the password of their telephone once."""
    server = server_of(context)
    body = {"username": username, "name": name, "extension": extension, "number": number, "language": language}
    added = server.post("/users", body)
    _tell_password(server.post(f"/users/{added['user']['username']}/password"), as_json=as_json)


@user.command("password")
def user_password(context: typer.Context, username: str, as_json: Json = False) -> None:
    """Give a person's telephone a new password, and show it once."""
    if not username[:1].isalnum():
        raise Failed(f"There is no user {username}; `offhook users` lists them.", Exit.NOT_THERE)
    _tell_password(server_of(context).post(f"/users/{quote(username, safe='')}/password"), as_json=as_json)


def _tell_password(account: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        shown.print_json(account)
        return
    shown.print_report({name.replace("_", " "): value for name, value in account.items() if name != "in_effect"})
    shown.note("The password is not shown again.")
    if not account["in_effect"]:
        shown.note("The switch does not answer now; this counts as soon as it is up again.")


@app.command()
def status(context: typer.Context, as_json: Json = False) -> None:
    """Tell how the system stands: processes, engines, ports."""
    answer = server_of(context).get("/status")
    if as_json:
        shown.print_json(answer)
    else:
        shown.print_status(answer)


@contextmanager
def _waiting(words: str) -> Iterator[None]:
    """Say on a terminal that it takes a while, and how long it took."""
    began = time.monotonic()
    out = shown.console(stderr=True)
    if not out.is_terminal:
        yield
        return
    with out.status(f"{words} ..."):
        yield
    out.print(f"{words}: {time.monotonic() - began:.0f} s", style="dim")


def cli(arguments: Sequence[str]) -> int:
    """Run one command; its exit code. What goes wrong is told in one line on the error stream."""
    try:
        app(args=list(arguments), prog_name="offhook")
    except SystemExit as ended:
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except Failed as failed:
        if "--json" in arguments and failed.problem is not None:
            shown.print_json(failed.problem)
        print(f"offhook: {shown.clean(failed.words)}", file=sys.stderr)
        return failed.code
    return Exit.DONE
