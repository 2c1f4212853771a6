"""Commands about calls, and about the system as a whole."""

from typing import Annotated, Any

import typer

from offhook.doors.cli import completion, shown
from offhook.doors.cli.asking import Json, server_of, waiting
from offhook.doors.cli.server import Exit, Failed

_PAGE = 500
_SELFTEST_SECONDS = 600.0
_SETUP_SECONDS = 60.0

sandbox = typer.Typer(help="The sandbox's public network.", no_args_is_help=True)


def calls(
    context: typer.Context,
    limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = 20,
    live: Annotated[bool, typer.Option("--live", help="Only those that go on now.")] = False,
    ending: Annotated[
        str | None, typer.Option(help="Only those that ended so, by the ending's code.", autocompletion=completion.endings)
    ] = None,
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
