"""Commands about the organization itself."""

import time
from typing import Annotated

import typer

from offhook.doors.cli import completion, things
from offhook.doors.cli.asking import DryRun, Json, Version, noun, server_of, waiting
from offhook.doors.cli.server import Exit, Failed, Server
from offhook.doors.cli.things import TAKEN_AWAY, How, Noun

_LONGEST_SECONDS, _LOOK_AGAIN_SECONDS = 60.0, 0.5

ORGANIZATION = Noun("/organization", "organization", "organization", (), "")

organization = noun("The organization itself.")


@organization.command("show")
def show_organization(
    context: typer.Context,
    wait: Annotated[bool, typer.Option("--wait", help="Wait until all that was saved is in effect, a minute at most.")] = False,
    as_json: Json = False,
) -> None:
    """Show its name, domain, country and main number, and which revision is in effect."""
    if wait:
        _wait(server_of(context))
    things.show(context, ORGANIZATION, "", How(as_json))


def _wait(server: Server) -> None:
    """Until the revision of now counts. Raises Failed when it does not in time."""
    wanted, until = server.get(ORGANIZATION.path)["revision"], time.monotonic() + _LONGEST_SECONDS
    with waiting("Waiting for the switch"):
        while (server.get(ORGANIZATION.path)["revision_in_effect"] or 0) < wanted:
            if time.monotonic() >= until:
                raise Failed(f"Revision {wanted} is not in effect yet: the switch or the edge does not answer.", Exit.NOT_ALL_WELL)
            time.sleep(_LOOK_AGAIN_SECONDS)


@organization.command("change")
def change_organization(
    context: typer.Context,
    name: Annotated[str | None, typer.Option(help="As people read it.")] = None,
    country: Annotated[str | None, typer.Option(help="Whose emergency numbers and dialling rules hold, e.g. US.")] = None,
    time_zone: Annotated[str | None, typer.Option(help="E.g. Europe/Paris.")] = None,
    main_number: Annotated[
        str | None, typer.Option(help="What is shown of who has no number" + TAKEN_AWAY, autocompletion=completion.numbers)
    ] = None,
    version: Version = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Change what is said of it."""
    body = {"name": name, "country": country, "time_zone": time_zone, "main_number": main_number}
    things.change(context, ORGANIZATION, "", body, How(as_json, dry_run, version=version))
