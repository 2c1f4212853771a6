"""Commands that ask where calls would go, without a call."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

import typer
from rich.text import Text

from offhook.doors.cli import shown
from offhook.doors.cli.asking import Json, server_of
from offhook.doors.cli.configuration import file_of
from offhook.doors.cli.server import Exit, Failed

_SECONDS = 300.0
_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_OUTCOMES = {"chosen": ("→", "bold"), "lost": ("✗", "dim"), "noted": ("·", "")}

Plan = Annotated[str | None, typer.Option(help="Under this planned configuration (a file as of `offhook export`).")]


def route(
    context: typer.Context,
    caller: Annotated[str, typer.Option("--from", help="Who calls: a username, an extension or a number.")],
    dialled: Annotated[str, typer.Option("--to", help="What is dialled.")],
    at: Annotated[
        str | None, typer.Option(help="At this time, 2026-11-24T18:30 or 2d for two days ago; alone, as the configuration was then.")
    ] = None,
    revision: Annotated[int | None, typer.Option(min=1, help="As it was at this revision.")] = None,
    plan: Plan = None,
    as_json: Json = False,
) -> None:
    """Tell where a call would go and why, without calling."""
    asked: dict[str, Any] = {"from": caller, "to": dialled, "revision": revision}
    asked |= {"at": moment_asked(at, "--at"), "plan": file_of(plan) if plan else None}
    answer = server_of(context).post("/route", {name: value for name, value in asked.items() if value is not None}, seconds=_SECONDS)
    if as_json:
        shown.print_json(answer)
        return
    out = shown.console()
    out.print(shown.clean(f"A call from {caller} to {dialled} {answer['words']}."), style="bold", soft_wrap=True)
    by = f"revision {answer['revision']}" if answer["revision"] is not None else "the plan"
    out.print(f"by {by}", style="dim")
    for reason in answer["reasons"]:
        mark, style = _OUTCOMES.get(reason["outcome"], ("?", ""))
        out.print(Text(f"  {mark} {shown.clean(reason['text'])}", style), Text(f"[{shown.clean(reason['code'])}]", "dim"), soft_wrap=True)


def replay(
    context: typer.Context,
    plan: Annotated[str, typer.Option(help="The planned configuration, a file as of `offhook export`.")],
    since: Annotated[str, typer.Option(help="How far back: 12h, 30d, 4w, or a date.")] = "30d",
    as_json: Json = False,
) -> None:
    """Run past calls through the live and a planned configuration, and list those that would go elsewhere."""
    body = {"plan": file_of(plan), "since": moment_of(since, "--since").isoformat()}
    answer = server_of(context).post("/replay", body, seconds=_SECONDS)
    if as_json:
        shown.print_json(answer)
        return
    rows = [
        (each["call"], shown.moment(each["started_at"]), each["caller"], each["dialled"], each["now"]["words"], each["then"]["words"])
        for each in answer["changed"]
    ]
    if rows:
        shown.print_table(["call", "when", "caller", "dialled", "now it", "then it"], rows)
    looked_at = answer["looked_at"]
    shown.console().print(f"{len(rows)} of {looked_at} call{'s' if looked_at != 1 else ''} would go elsewhere.")
    if answer["unreadable"]:
        shown.note(f"{answer['unreadable']} calls could not be read again: their stories do not say who called what.")
    if answer["more"]:
        shown.note("There is more: only the newest calls and changes are shown.")


def moment_asked(text: str | None, option: str) -> str | None:
    """Such a moment as the API is asked for it; None where none is named."""
    return moment_of(text, option).isoformat() if text else None


def moment_of(text: str, option: str) -> datetime:
    """A moment as people write it: an age (30d), or a date with or without a time, of this machine's zone if it names none."""
    if age := re.fullmatch(r"([0-9]{1,5})([mhdw])", text):
        return datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})
    try:
        return datetime.fromisoformat(text).astimezone()
    except (ValueError, OverflowError):
        raise Failed(f"{option} {text} is no time; write 30d, 2026-11-24 or 2026-11-24T18:30.", Exit.WRONG_COMMAND) from None
