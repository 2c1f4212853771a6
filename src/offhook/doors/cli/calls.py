"""Commands about calls, and about the system as a whole."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from offhook.doors.cli import completion, shown, things
from offhook.doors.cli.asking import Json, server_of, server_of_provider, waiting
from offhook.doors.cli.server import Exit, Failed
from offhook.doors.cli.what_if import moment_asked

_SELFTEST_SECONDS = 600.0
_SETUP_SECONDS = 60.0


class Direction(StrEnum):
    """Which way a call went, seen from the organization."""

    IN = "in"
    OUT = "out"
    INSIDE = "inside"


All = Annotated[bool, typer.Option("--all", help="Of every organization, closed ones and nobody's too; with the provider's token.")]

sandbox = typer.Typer(help="The sandbox's public network.", no_args_is_help=True)


def calls(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    live: Annotated[bool, typer.Option("--live", help="Only those that go on now.")] = False,
    ending: Annotated[
        str | None, typer.Option(help="Only those that ended so, by the ending's code.", autocompletion=completion.endings)
    ] = None,
    since: Annotated[str | None, typer.Option(help="Only from this time on: 2026-11-24T18:30, or 2d for two days ago.")] = None,
    until: Annotated[str | None, typer.Option(help="Only before this time.")] = None,
    user: Annotated[
        str | None, typer.Option(help="Only those that this user made or was called by.", autocompletion=completion.usernames)
    ] = None,
    number: Annotated[str | None, typer.Option(help="Only those with this number or extension at one end.")] = None,
    caller: Annotated[str | None, typer.Option("--from", help="Only those of this caller: a username or a number.")] = None,
    dialled: Annotated[str | None, typer.Option("--to", help="Only those where this was dialled.")] = None,
    direction: Annotated[Direction | None, typer.Option(help="Only those: in from the public network, out to it, or inside.")] = None,
    all_of_them: All = False,
    as_json: Json = False,
) -> None:
    """List calls, live and past, newest first."""
    asked: dict[str, Any] = {"state": "live" if live else None, "ending": ending, "username": user, "number": number}
    asked |= {"caller": caller, "dialled": dialled, "direction": direction and direction.value}
    asked |= {"since": moment_asked(since, "--since"), "until": moment_asked(until, "--until")}
    server = server_of_provider(context) if all_of_them else server_of(context)
    with waiting("Reading calls"):
        answer = things.every(server, "/calls", "calls", limit, **asked)
    if as_json:
        shown.print_json(answer)
        return
    shown.print_calls(answer["calls"])
    if not answer["live_known"]:
        shown.note("The switch does not answer: calls that go on now are not shown.")


def explain(
    context: typer.Context,
    call: Annotated[str, typer.Argument(help="The call's id, the beginning of it, or last.")] = "last",
    messages: Annotated[bool, typer.Option("--messages", help="Show every SIP message in full.")] = False,
    all_of_them: All = False,
    as_json: Json = False,
) -> None:
    """Tell how a call went, and why."""
    if not call.isalnum():
        raise Failed("A call's id has letters and digits only; `offhook calls` lists them.", Exit.NOT_THERE)
    server = server_of_provider(context) if all_of_them else server_of(context)
    explained = server.get(f"/calls/{call}")
    if as_json:
        shown.print_json(explained)
    else:
        shown.print_explanation(explained, messages=messages)


def selftest(context: typer.Context, as_json: Json = False) -> None:
    """Place real calls through the running system and tell what worked."""
    server = server_of(context)
    with waiting("Placing calls through the running system"):
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
    with waiting(f"Calling {to_number}"):
        report = server.post("/sandbox/calls", body, seconds=listen + _SETUP_SECONDS)
    if as_json:
        shown.print_json(report)
    else:
        shown.print_report(report)


def status(context: typer.Context, as_json: Json = False) -> None:
    """Tell how the system stands: processes, engines, ports."""
    answer = server_of(context).get("/status")
    if as_json:
        shown.print_json(answer)
    else:
        shown.print_status(answer)
