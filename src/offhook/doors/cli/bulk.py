"""Commands for many people at once: import, export, and the jobs that carry an import out."""

import sys
import time
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from offhook.doors.cli import shown, things
from offhook.doors.cli.asking import DryRun, Json, Noun, Yes, server_of
from offhook.doors.cli.server import Exit, Failed, Server
from offhook.doors.cli.things import How

_SECONDS = 120.0
_LOOK_SECONDS = 0.3
_ROWS_SHOWN = 20
_OVER = frozenset({"done", "cancelled", "failed"})
ROW_WORDS = ("created", "changed", "unchanged", "skipped", "refused")
"""What can become of a row, in the order in which it is told."""

JobId = Annotated[int, typer.Argument(min=1, help="The job's id, as `offhook jobs` lists it.")]


class Existing(StrEnum):
    """What becomes of a row whose user is there already."""

    CHANGE = "change"
    SKIP = "skip"
    REFUSE = "refuse"


class _ByNumber(Noun):
    """`jobs 7` is `jobs show 7`."""

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if args and args[0].isdecimal():
            args = ["show", *args]
        return super().resolve_command(ctx, args)


jobs = typer.Typer(help="Imports that wait, go on, or are over.", cls=_ByNumber)


def register(app: typer.Typer, users: typer.Typer) -> None:
    """Have the commands of this file in the program: import and export under `users`, and `jobs`."""
    users.command("import")(import_users)
    users.command("export")(export_users)
    app.add_typer(jobs, name="jobs")


def import_users(
    context: typer.Context,
    file: Annotated[str, typer.Argument(help="A CSV file whose first row names its columns, username and name at least; - for input.")],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Tell what would become of each row; change nothing.")] = False,
    on_existing: Annotated[Existing, typer.Option(help="What becomes of a row whose user is there already.")] = Existing.CHANGE,
    refused: Annotated[Path | None, typer.Option(help="Write the refused rows to this file; mended, it imports as it is.")] = None,
    welcome: Annotated[bool, typer.Option("--welcome", help="Greet those who are new and have an address by mail.")] = False,
    as_json: Json = False,
) -> None:
    """Make and change people from a CSV file. Exit code 1 when a row was refused; the others are done all the same."""
    octets = octets_of(file)
    if refused is not None and file != "-" and refused.exists() and refused.samefile(file):
        raise Failed(f"{refused} is the file that is imported; write what is refused to another one.", Exit.WRONG_COMMAND)
    server = server_of(context)
    asked = {"on_existing": on_existing.value, "dry_run": str(dry_run).lower()} | ({"welcome": "true"} if welcome else {})
    job = server.send("/jobs/import-users", octets, "text/csv", _SECONDS, **asked)
    shown.note(
        f"Job {job['id']}: {job['total']} rows, read as {job['options']['encoding']} with {job['options']['delimiter']} between cells."
    )
    job = _watched(server, job)
    if job["results"].get("refused") and refused is not None:
        _write(refused, server.text(f"/jobs/{job['id']}/refused.csv", seconds=_SECONDS))
    _tell(server, job, as_json=as_json)
    _say_what_next(job, refused)


def export_users(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="Where to write; standard output if left out.")] = None,
) -> None:
    """Write everybody as a CSV file for a spreadsheet, which imports unchanged."""
    text = server_of(context).text("/users.csv", seconds=_SECONDS)
    if file is not None:
        _write(file, text)
    elif sys.stdout.isatty():
        sys.stdout.write(text.removeprefix("\ufeff"))
    else:
        sys.stdout.buffer.write(text.encode())


@jobs.command("list")
def list_jobs(
    context: typer.Context, limit: Annotated[int, typer.Option(min=1, help="How many at most.")] = _ROWS_SHOWN, as_json: Json = False
) -> None:
    """List the last jobs, newest first."""
    answer = things.every(server_of(context), "/jobs", "jobs", limit, sort="-id")
    if as_json:
        shown.print_json(answer)
    elif not answer["jobs"]:
        shown.console().print("No jobs.")
    else:
        rows = [
            (
                job["id"],
                job["kind"],
                job["state"],
                f"{job['done']} of {job['total']}",
                _counts(job),
                job["who"],
                shown.moment(job["made_at"]),
            )
            for job in answer["jobs"]
        ]
        shown.print_table(["job", "kind", "state", "rows", "results", "who", "when"], rows)


@jobs.command("show")
def show_job(context: typer.Context, job: JobId, as_json: Json = False) -> None:
    """Tell how far a job has come, and which rows were refused."""
    server = server_of(context)
    _tell(server, server.get(f"/jobs/{job}"), as_json=as_json)


@jobs.command("cancel")
def cancel_job(context: typer.Context, job: JobId, yes: Yes = False, dry_run: DryRun = False, as_json: Json = False) -> None:
    """Stop a job. What it did stays done; `offhook jobs resume` goes on with the rest."""
    server = server_of(context)
    one = server.get(f"/jobs/{job}")
    losses = [] if one["state"] in _OVER else [f"{one['total'] - one['done']} rows that are not done yet"]
    cancelled = things.ordered(server, f"/jobs/{job}/cancel", f"stop job {job}", losses, How(as_json, dry_run, yes))
    if cancelled is not None:
        _tell(server, cancelled, as_json=as_json)


@jobs.command("resume")
def resume_job(context: typer.Context, job: JobId, as_json: Json = False) -> None:
    """Go on with a job that was cancelled or failed, behind the last row that was done."""
    server = server_of(context)
    _tell(server, _watched(server, server.post(f"/jobs/{job}/resume")), as_json=as_json)


def _watched(server: Server, job: dict[str, Any]) -> dict[str, Any]:
    """A job once it is over, with a bar on a terminal meanwhile."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    out = shown.console(stderr=True)
    try:
        with Progress(*columns, console=out, disable=not out.is_terminal) as progress:
            bar = progress.add_task(f"job {job['id']}", total=job["total"])
            while job["state"] not in _OVER:
                time.sleep(_LOOK_SECONDS)
                job = server.get(f"/jobs/{job['id']}")
                progress.update(bar, completed=job["done"], description=f"job {job['id']} {shown.clean(job['state'])}")
    except KeyboardInterrupt:
        words = f"The job goes on. `offhook jobs {job['id']}` tells how far it is, `offhook jobs cancel {job['id']}` stops it."
        raise Failed(words, Exit.NOT_ALL_WELL) from None
    return job


def _tell(server: Server, job: dict[str, Any], *, as_json: bool) -> None:
    refused = job["results"].get("refused", 0)
    rows = server.get(f"/jobs/{job['id']}/rows", state="refused", limit=_ROWS_SHOWN)["rows"] if refused else []
    if as_json:
        shown.print_json(job | {"refused_rows": rows})
        return
    dry = " (dry run: nothing was changed)" if job["options"].get("dry_run") else ""
    words = f"Job {job['id']} is {job['state']}: {_progress(job)} rows; {_counts(job) or 'none done yet'}{dry}."
    shown.console().print(shown.clean(words), soft_wrap=True)
    if job["explanation"]:
        shown.note(job["explanation"])
    if rows:
        shown.print_table(
            ["row", "username", "field", "why"], [(row["row"], row["username"], row["field"], row["explanation"]) for row in rows]
        )
    if refused > len(rows):
        shown.note(f"And {refused - len(rows)} more rows were refused.")


def _say_what_next(job: dict[str, Any], refused: Path | None) -> None:
    if job["state"] != "done":
        shown.note(f"`offhook jobs resume {job['id']}` goes on with it.")
        raise typer.Exit(Exit.NOT_ALL_WELL)
    if job["in_effect"] is False:
        shown.note("The switch does not answer now; this counts as soon as it is up again.")
    if not job["results"].get("refused"):
        return
    where = f"They stand in {refused}: mend" if refused else "With --refused FILE they are written to a file: mend"
    shown.note(f"{where} them there and import that file.")
    raise typer.Exit(Exit.NOT_ALL_WELL)


def _progress(job: dict[str, Any]) -> str:
    return f"{job['done']} of {job['total']}"


def _counts(job: dict[str, Any]) -> str:
    return ", ".join(f"{job['results'][word]} {word}" for word in ROW_WORDS if job["results"].get(word))


def octets_of(file: str) -> bytes:
    """What stands in a file, or comes from standard input. Raises Failed."""
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as fault:
        raise Failed(f"{file} cannot be read ({fault.strerror}).", Exit.WRONG_COMMAND) from None


def _write(file: Path, text: str) -> None:
    try:
        file.write_bytes(text.encode())
    except OSError as fault:
        raise Failed(f"{file} cannot be written ({fault.strerror}).", Exit.WRONG_COMMAND) from None
    shown.note(f"Written to {file}.")
