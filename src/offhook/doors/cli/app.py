"""The command line: a client of the API. `app` takes further commands, `cli` runs it.

A thing is named in the plural, then a verb: `offhook users add`; the plural alone lists. What concerns the whole system is a verb alone.
"""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer
import typer.main

from offhook import __version__
from offhook.doors.cli import (
    attendants,
    bulk,
    calls,
    carriers,
    catalogue,
    completion,
    configuration,
    countries,
    devices,
    edge,
    history,
    invitations,
    mails,
    numbers,
    organization,
    organizations,
    passwords,
    prices,
    provider,
    shown,
    sign_in,
    stock,
    tokens,
    users,
    webhooks,
    what_if,
)
from offhook.doors.cli.server import EXIT_WORDS, Exit, Failed

ELSEWHERE = {
    "run": "Start the system here, and stay in the foreground.",
    "doctor": "Look at this machine and tell what to do; exit code 0 all well, 1 something to see to, 2 something that must be seen to.",
    "bench": "Measure calls, set-up, attendants and registrations under load, beside other systems' figures.",
    "backup": "Write all that must survive into one file, while the system runs or not.",
    "restore": "Put a backup back; the system must not run.",
    "migrate": "Bring the database to this release's tables without starting the system, which does the same.",
}
"""Commands of the fuse box, which loads all rooms: listed here with their words, loaded by `main` when one is asked for."""

_NOT_OURS = frozenset({"install_completion", "show_completion"})
"""Options that the library adds, in the place of which `offhook completion` stands."""

_epilog = "Exit codes: " + "; ".join(f"{code.value} {words}" for code, words in EXIT_WORDS.items()) + "."
app = typer.Typer(
    name="offhook",
    help="Offhook, a phone system an organization can host itself.",
    epilog=_epilog,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)


def _tell_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"offhook {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    context: typer.Context,
    url: Annotated[str | None, typer.Option(envvar="OFFHOOK_URL", help="Where the system is, e.g. http://127.0.0.1:8080.")] = None,
    token: Annotated[str | None, typer.Option(envvar="OFFHOOK_TOKEN", help="An API token.", show_envvar=True)] = None,
    profile: Annotated[
        str | None,
        typer.Option(envvar="OFFHOOK_PROFILE", help="A system of `offhook profiles`.", autocompletion=completion.profiles),
    ] = None,
    version: Annotated[bool, typer.Option("--version", callback=_tell_version, is_eager=True, help="Tell which release this is.")] = False,
) -> None:
    # Read by asking.wanted_of, which also knows where each came from.
    del context, url, token, profile, version


for alone in (calls.calls, calls.explain, calls.selftest, calls.status, edge.registrations, webhooks.events, sign_in.me):
    app.command()(alone)
app.command()(completion.completion)
app.command("sign-in")(sign_in.sign_in)
app.command("sign-out")(sign_in.sign_out)
for planning in (configuration.export, configuration.plan, configuration.apply, what_if.route, what_if.replay):
    app.command()(planning)
for name, group in {
    "organization": organization.organization,
    "organizations": organizations.organizations,
    "invitations": invitations.invitations,
    "carriers": carriers.carriers,
    "stock": stock.stock,
    "countries": countries.countries,
    "catalogue": catalogue.catalogue,
    "prices": prices.prices,
    "provider": provider.provider,
    "users": users.users,
    "devices": devices.devices,
    "attendants": attendants.attendants,
    "numbers": numbers.numbers,
    "history": history.history,
    "tokens": tokens.tokens,
    "webhooks": webhooks.webhooks,
    "mails": mails.mails,
    "profiles": sign_in.profiles,
    "bans": edge.bans,
    "certificates": edge.certificates,
    "sandbox": calls.sandbox,
}.items():
    app.add_typer(group, name=name)
bulk.register(app, users.users)
devices.devices.command("passwords")(passwords.device_passwords)


def _list_elsewhere() -> None:
    """Have the help and the shell's completion name what is not loaded."""
    loaded = {each.name or getattr(each.callback, "__name__", "") for each in app.registered_commands}
    for name, words in ELSEWHERE.items():
        if name not in loaded:
            app.command(name, help=words)(_not_loaded)


def _not_loaded() -> None:
    raise Failed("This command is of the program itself: start it with ./offhook.", Exit.WRONG_COMMAND)


def cli(arguments: Sequence[str]) -> int:
    """Run one command; its exit code. What goes wrong is told in one line on the error stream."""
    _list_elsewhere()
    try:
        command = typer.main.get_command(app)
        command.params = [each for each in command.params if each.name not in _NOT_OURS]
        command(args=list(arguments), prog_name="offhook")
    except SystemExit as ended:
        if isinstance(ended.__context__, typer.TyperException):
            # The library ended the program for what it did not understand, with the 2 that says of `plan` that something differs.
            return Exit.WRONG_COMMAND
        return ended.code if isinstance(ended.code, int) else int(bool(ended.code))
    except Failed as failed:
        if "--json" in arguments and failed.problem is not None:
            shown.print_json(failed.problem)
        print(f"offhook: {shown.clean(failed.words)}", file=sys.stderr)
        return failed.code
    return Exit.DONE
